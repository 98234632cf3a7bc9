"""HTTP/1.1 to the byte: for requests that no client library would send, and replies read as they arrive."""

import json
import socket
import time


class Reply:
    """One response: status, headers by lower-case name, body, and when its pieces came."""

    def __init__(self, version, status, headers):
        self.version, self.status, self.headers = version, status, headers
        self.body = b""
        self.arrivals = []

    def json(self):
        return json.loads(self.body)

    def error(self):
        """The member `error` of an OpenAI-style error body, whose shape is checked."""
        assert self.headers.get("content-type", "").startswith("application/json"), self.headers
        error = self.json()["error"]
        assert isinstance(error["message"], str) and error["message"], error
        assert isinstance(error["type"], str) and error["type"], error
        assert {"message", "type", "param", "code"} <= set(error), error
        return error


class RawConnection:
    """A blocking connection with a deadline on every read."""

    def __init__(self, port, timeout=15, wrap=None, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if wrap is not None:
            self.socket = wrap(self.socket)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def finish_sending(self):
        """Closes our direction only."""
        self.socket.shutdown(socket.SHUT_WR)

    def is_closed_by_peer(self):
        """Reads to the end; true if nothing more came."""
        try:
            return self.buffer == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def read_reply(self, method="POST"):
        """The next response, interim ones included."""
        head = self._until(b"\r\n\r\n").decode("latin-1")
        status_line, *lines = head[:-4].split("\r\n")
        version, status = status_line.split(" ", 2)[:2]
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            key = name.lower()
            headers[key] = headers[key] + ", " + value.strip() if key in headers else value.strip()
        reply = Reply(version, int(status), headers)
        if method == "HEAD" or reply.status < 200 or reply.status in (204, 304):
            return reply
        if headers.get("transfer-encoding", "").lower() == "chunked":
            self._read_chunks(reply)
        elif "content-length" in headers:
            self._append(reply, self._exactly(int(headers["content-length"])))
        else:
            while data := self.socket.recv(65536):
                self.buffer += data
            self._append(reply, self._exactly(len(self.buffer)))
        return reply

    def exchange(self, request, method="POST"):
        self.send(request)
        return self.read_reply(method)

    def _read_chunks(self, reply):
        while True:
            size = int(self._until(b"\r\n")[:-2].split(b";")[0], 16)
            data = self._exactly(size + 2)
            assert data.endswith(b"\r\n"), f"a chunk ends with {data[-2:]!r}"
            if size == 0:
                return
            self._append(reply, data[:-2])

    def _append(self, reply, data):
        reply.body += data
        reply.arrivals.append(time.monotonic())

    def _until(self, end):
        while end not in self.buffer:
            self._more()
        data, found, self.buffer = self.buffer.partition(end)
        return data + found

    def _exactly(self, count):
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(f"the connection ended inside a reply, after {self.buffer[:300]!r}")
        self.buffer += data


def request_bytes(body, path="/v1/chat/completions", method="POST", headers=(), version="HTTP/1.1"):
    """A well-formed request; `headers` are (name, value) pairs added to the usual ones."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} {version}", "host: gateway.test", *(f"{name}: {value}" for name, value in headers)]
    if body is not None:
        lines += ["content-type: application/json", f"content-length: {len(content)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def ask(port, body, path="/v1/chat/completions", method="POST", headers=()):
    """One well-formed request on a connection of its own."""
    with RawConnection(port) as connection:
        return connection.exchange(request_bytes(body, path, method, headers), method)


def events(body):
    """The data of the server-sent events in a body."""
    return [block[len("data: ") :] for block in body.decode().split("\n\n") if block.startswith("data: ")]
