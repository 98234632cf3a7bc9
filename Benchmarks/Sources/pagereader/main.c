// `pagereader`: the least that fetching pages can cost, for comparison with a scraper.
//
// One thread asks each server for its page at a fixed pace over a kept-alive connection, and reads the answer into one
// buffer without looking at it but for its length. Prints `pages N` once a second; runs until it is killed.

#define _GNU_SOURCE
#include <stdio.h>

#ifdef __linux__
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

// How many groups the servers are asked in within an interval, so that answers do not wait for each other.
enum { GROUPS = 8, HEAD_BYTES_MAX = 4096, EVENTS_MAX = 64 };

typedef struct {
    int socket;
    char request[128];
    // The bytes of the answer that are still to come; -1 before its head is whole.
    long left;
    int is_asked;
    char head[HEAD_BYTES_MAX];
    long head_bytes;
} connection;

static char buffer[256 << 10];
static long pages;

static void fail(const char *what) {
    fprintf(stderr, "pagereader: %s\n", what);
    exit(1);
}

static long milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void connect_to(connection *connection, const char *url) {
    char host[64];
    int port;
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (sscanf(url, "http://%63[0-9.]:%d", host, &port) != 2) fail("a server is http://IPV4:PORT");
    address.sin_port = htons((unsigned short)port);
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) fail("a server is http://IPV4:PORT");
    connection->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection->socket, (struct sockaddr *)&address, sizeof address) != 0) fail("cannot connect");
    snprintf(connection->request, sizeof connection->request, "GET /metrics HTTP/1.1\r\nhost: %s:%d\r\n\r\n", host, port);
    connection->left = -1;
}

static void ask(connection *connection) {
    // The last question is not answered yet.
    if (connection->is_asked) return;
    connection->is_asked = 1;
    send(connection->socket, connection->request, strlen(connection->request), 0);
}

// The length of head and body by the head's content-length; -1 while the head is not whole.
static long message_length(const connection *connection) {
    const char *end = memmem(connection->head, (size_t)connection->head_bytes, "\r\n\r\n", 4);
    if (end == NULL) return -1;
    const char *field = strcasestr(connection->head, "\r\ncontent-length:");
    if (field == NULL || field > end) fail("an answer has no content-length");
    return (end - connection->head) + 4 + atol(field + strlen("\r\ncontent-length:"));
}

static void read_some(connection *connection) {
    long count = recv(connection->socket, buffer, sizeof buffer, 0);
    if (count <= 0) fail("a server closed its connection");
    if (connection->left < 0) {
        long room = HEAD_BYTES_MAX - 1 - connection->head_bytes;
        long kept = count < room ? count : room;
        memcpy(connection->head + connection->head_bytes, buffer, (size_t)kept);
        connection->head_bytes += kept;
        connection->head[connection->head_bytes] = 0;
        long length = message_length(connection);
        if (length < 0) {
            if (kept < count) fail("the head of an answer is too long");
            return;
        }
        connection->left = length - (connection->head_bytes - kept) - count;
    } else {
        connection->left -= count;
    }
    if (connection->left > 0) return;
    connection->left = -1;
    connection->head_bytes = 0;
    connection->is_asked = 0;
    pages++;
}

int main(int argc, char **argv) {
    long interval = argc > 2 ? atol(argv[1]) : 0;
    if (interval <= 0) fail("usage: pagereader INTERVAL_MILLISECONDS http://IPV4:PORT ...");
    int servers = argc - 2;
    connection *connections = calloc((size_t)servers, sizeof *connections);
    int poll = epoll_create1(0);
    for (int index = 0; index < servers; index++) {
        connect_to(&connections[index], argv[index + 2]);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[index]};
        epoll_ctl(poll, EPOLL_CTL_ADD, connections[index].socket, &event);
    }
    long start = milliseconds();
    long next_report = 1000;
    for (long tick = 0;; tick++) {
        for (int index = (int)(tick % GROUPS); index < servers; index += GROUPS) ask(&connections[index]);
        long due = (tick + 1) * interval / GROUPS;
        for (long wait = due - (milliseconds() - start); wait > 0; wait = due - (milliseconds() - start)) {
            struct epoll_event events[EVENTS_MAX];
            int count = epoll_wait(poll, events, EVENTS_MAX, (int)wait);
            for (int index = 0; index < count; index++) read_some(events[index].data.ptr);
        }
        if (due < next_report) continue;
        printf("pages %ld\n", pages);
        fflush(stdout);
        next_report += 1000;
    }
}
#else
int main(void) {
    fprintf(stderr, "pagereader: only for Linux\n");
    return 1;
}
#endif
