"""The proxies of the benchmark: how each is configured, started, found and stopped."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.request

START_DEADLINE_SECONDS = 20
FIND_TOOL = pathlib.Path(__file__).resolve().parents[2] / "scripts/find-tool"


class BenchmarkError(Exception):
    """A sentence for the person who runs the benchmark."""


def process_tree(root):
    """The process `root` and all its descendants, from /proc."""
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        # The command name stands in brackets and may hold spaces; the parent is the second field after it.
        parent = int(stat.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(entry.name))
    tree, queue = [], [root]
    while queue:
        process = queue.pop()
        tree.append(process)
        queue.extend(children.get(process, []))
    return tree


def cpu_seconds(pid):
    """User plus system time of a process and its descendants.

    Read from each process's CPU clock (the id that clock_getcpuclockid(3) gives), which counts nanoseconds where
    /proc/PID/stat counts 10 ms ticks.
    """
    total = 0.0
    for process in process_tree(pid):
        try:
            total += time.clock_gettime((~process << 3) | 2)
        except OSError:
            continue
    return total


def resident_mebibytes(pid):
    """Resident memory of a process and its descendants."""
    pages = 0
    for process in process_tree(pid):
        try:
            pages += int(pathlib.Path(f"/proc/{process}/statm").read_text().split()[1])
        except OSError:
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def free_port():
    """A port of 127.0.0.1 that nobody listens on right now; for programs that cannot listen on port 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Contender:
    """A process under test. `url` is where it listens."""

    name = "?"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_path = self.folder / f"{self.name}.log"
        self.process = None
        self.url = None

    def launch(self, command):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder
            )

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_for(self, condition, what):
        """Polls until `condition()` gives something true, and gives that."""
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            value = condition()
            if value:
                return value
            time.sleep(0.02)
        raise BenchmarkError(f"{self.name}: {what} did not come; its log:\n{self.log()[-2000:]}")

    def banner(self, pattern, count=1):
        """The first `count` matches of a pattern in the log, or None while there are fewer."""
        found = re.findall(pattern, self.log(), re.MULTILINE)
        return found[:count] if len(found) >= count else None

    def accepts(self, port):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            return False

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def resident_mebibytes(self):
        return resident_mebibytes(self.process.pid)


class Backends(Contender):
    """The instant model servers, one process with a port for each endpoint."""

    name = "backend"

    def start(self, binary, count, chunk_gap_microseconds):
        self.launch([binary, "--count", str(count), "--chunk-gap-microseconds", str(chunk_gap_microseconds)])
        self.urls = self.wait_for(lambda: self.banner(r"^listening on (http://\S+)$", count), "its banner")


class Nginx(Contender):
    """Debian's nginx as a careful operator would set it up for streamed replies.

    Request buffering stays on, since a picker too must have the body before it can choose and retry; the buffer is
    large enough that no body goes through a temporary file. Replies are not buffered.
    """

    name = "nginx"

    def start(self, backends, binary=None):
        if binary is None:
            found = subprocess.run([FIND_TOOL, "nginx", "nginx"], check=True, capture_output=True, text=True)
            binary = found.stdout.strip()
        port = free_port()
        servers = "\n".join(f"        server {url.removeprefix('http://')};" for url in backends)
        configuration = self.folder / f"{self.name}.conf"
        configuration.write_text(
            f"""
daemon off;
master_process on;
worker_processes 2;
pid {self.folder}/{self.name}.pid;
error_log {self.folder}/{self.name}-error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_timeout 75s;
    keepalive_requests 100000000;
    client_max_body_size 64m;
    client_body_buffer_size 1m;
    client_body_temp_path {self.folder}/{self.name}-body;
    proxy_temp_path {self.folder}/{self.name}-proxy;
    fastcgi_temp_path {self.folder}/{self.name}-fastcgi;
    uwsgi_temp_path {self.folder}/{self.name}-uwsgi;
    scgi_temp_path {self.folder}/{self.name}-scgi;
    upstream engines {{
{servers}
        keepalive 256;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://engines;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_read_timeout 300s;
        }}
    }}
}}
"""
        )
        self.launch([binary, "-c", str(configuration), "-p", str(self.folder)])
        self.wait_for(lambda: self.accepts(port), f"a listener on port {port}")
        self.url = f"http://127.0.0.1:{port}"


class Martlet(Contender):
    """The gateway with its built-in cache-aware profile and the backends as static endpoints."""

    name = "martlet"
    default_binary = ".build/release/martlet"

    def start(self, backends, binary=None):
        path = pathlib.Path(binary or self.default_binary).resolve()
        if not path.exists():
            raise BenchmarkError(f"{path} does not exist: build it with `swift build -c release --product martlet`")
        endpoints = [argument for url in backends for argument in ("--endpoint", url)]
        self.launch([path, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", *endpoints])
        self.url = self.wait_for(lambda: self.banner(r"^\s*listening on (http://\S+?)/?$"), "its listener")[0]
        admin = self.wait_for(lambda: self.banner(r"^\s*admin on (http://\S+?)/?$"), "its admin address")[0]
        self.wait_for(lambda: self.is_ready(admin), "readiness")

    @staticmethod
    def is_ready(admin):
        try:
            with urllib.request.urlopen(admin + "/readyz", timeout=2) as reply:
                return reply.status == 200
        except OSError:
            return False


class OtherNginx(Nginx):
    """A second nginx with the same configuration: what the benchmark says of two equals is its error."""

    name = "nginx-again"


CONTENDERS = {contender.name: contender for contender in (Nginx, Martlet, OtherNginx)}
