"""The proxies that bench-serve compares."""

import pathlib
import subprocess
import threading
import urllib.request

from processes import BenchmarkError, Contender, free_port, is_ready

FIND_TOOL = pathlib.Path(__file__).resolve().parents[2] / "scripts/find-tool"


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
    # Further arguments of every one of them.
    arguments = []

    def start(self, backends, binary=None):
        path = pathlib.Path(binary or self.default_binary).resolve()
        if not path.exists():
            raise BenchmarkError(f"{path} does not exist: build it with `swift build -c release --product martlet`")
        endpoints = [argument for url in backends for argument in ("--endpoint", url)]
        addresses = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
        self.launch([path, "serve", *addresses, *endpoints, *self.arguments])
        self.url = self.wait_for(lambda: self.banner(r"^\s*listening on (http://\S+?)/?$"), "its listener")[0]
        self.admin = self.wait_for(lambda: self.banner(r"^\s*admin on (http://\S+?)/?$"), "its admin address")[0]
        self.wait_for(lambda: is_ready(self.admin), "readiness")


class WatchedMartlet(Martlet):
    """The same gateway while somebody looks at its dashboard: a reader of the live feed, who reads all of it."""

    name = "martlet-watched"

    def start(self, backends, binary=None):
        super().start(backends, binary)
        self.feed_bytes = 0
        feed = urllib.request.urlopen(self.admin + "/api/live", timeout=60)
        threading.Thread(target=self.read, args=(feed,), daemon=True).start()
        self.wait_for(lambda: self.feed_bytes, "the live feed")

    def read(self, feed):
        with feed:
            while piece := feed.read1(65536):
                self.feed_bytes += len(piece)


class PlainMartlet(Martlet):
    """The same gateway without a dashboard."""

    name = "martlet-without-dashboard"

    def start(self, backends, binary=None):
        self.arguments = [*self.arguments, "--dashboard=false"]
        super().start(backends, binary)


class OtherNginx(Nginx):
    """A second nginx with the same configuration: what the benchmark says of two equals is its error."""

    name = "nginx-again"


CONTENDERS = {contender.name: contender for contender in (Nginx, Martlet, WatchedMartlet, PlainMartlet, OtherNginx)}
