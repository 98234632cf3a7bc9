"""Gateways and model servers as processes: started on ports of the kernel's choice, stopped by process id."""

import asyncio
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

POLL_INTERVAL_SECONDS = 0.01
# Debug builds on a busy machine start slowly; nothing that works waits this long.
START_SECONDS = 30


def eventually(condition, what, within=10.0, every=POLL_INTERVAL_SECONDS):
    """Polls until `condition()` gives something true, and gives that; fails with `what` when the time is over."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(every)  # the poll interval


def end_event_loop(loop):
    """Ends what runs on an event loop of another thread, and then the loop."""

    async def cancel_all():
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(cancel_all(), loop).result(timeout=10)
    loop.call_soon_threadsafe(loop.stop)


def free_port():
    """A port that nobody uses right now, for what cannot bind port 0.

    Outside the range from which the kernel takes the ports of outgoing connections: of those one would be given to a
    client in between, now and then.
    """
    first_ephemeral = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(first_ephemeral - 12_000, first_ephemeral)
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port


def accepts(port, host="127.0.0.1"):
    """Whether somebody accepts connections on a port."""
    try:
        socket.create_connection((host, port), timeout=2).close()
        return True
    except OSError:
        return False


def fetch(url, body=None, method=None, headers=None, timeout=10):
    """Status, headers and body of a small request; any status is an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    if data is not None:
        request.add_header("content-type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def fetch_json(url, body=None):
    """The JSON document at a URL, which must answer 200."""
    status, _, content = fetch(url, body)
    assert status == 200, f"{url} answered {status}: {content[:500]!r}"
    return json.loads(content)


class Service:
    """A process whose output goes to a file, and whose address is a line in it."""

    def __init__(self, name, command, folder):
        self.name = name
        self.command = [str(part) for part in command]
        self.log_path = pathlib.Path(folder) / f"{name}-{os.urandom(3).hex()}.log"
        self.process = None
        # Variables beside those of the tests' own environment.
        self.environment = {}
        # Where standard error goes.
        self.errors = subprocess.STDOUT

    def launch(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=self.errors,
                env=os.environ | self.environment,
            )

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return self.log_path.read_text(errors="replace")

    def await_line(self, pattern, what):
        """The first match of a pattern in the output."""

        def found():
            match = re.search(pattern, self.log(), re.MULTILINE)
            assert match or self.process.poll() is None, (
                f"{self.name} ended with {self.process.returncode} before {what}"
            )
            return match

        return eventually(found, f"{what} in the output of {self.name}", START_SECONDS)

    def terminate(self, within=30):
        """SIGTERM, then the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=within)

    def kill(self):
        """SIGKILL: no farewell to anybody."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.kill()

    def resident_bytes(self):
        """Resident memory of the process."""
        pages = int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


class Simulator(Service):
    """`martlet sim`."""

    def __init__(self, martlet, folder, *arguments, host="127.0.0.1", port=0, model="sim-model"):
        command = [martlet, "sim", "--listen", f"{host}:{port}", "--model", model, *arguments]
        super().__init__("sim", command, folder)
        self.model = model

    def start(self):
        self.launch()
        self.url = self.await_line(r"listening on (http://127[.\d]+:\d+)", "its address").group(1)
        self.port = int(self.url.rpartition(":")[2])
        self.address = self.url.removeprefix("http://")
        return self

    def state(self):
        """The counters of the engine."""
        return fetch_json(self.url + "/simulator/state")

    def set_faults(self, **faults):
        """Replaces the plan of what goes wrong; without arguments nothing does."""
        status, _, content = fetch(self.url + "/simulator/faults", faults)
        assert status in (200, 204), f"faults {faults} answered {status}: {content!r}"


class Administered(Service):
    """A process with an admin address: readiness, metrics and state."""

    admin = None

    def await_ready(self):
        eventually(self.is_ready, "readiness", START_SECONDS)

    def is_ready(self):
        return fetch(self.admin + "/readyz")[0] == 200

    def state(self):
        """What `/api/state` tells."""
        return fetch_json(self.admin + "/api/state")

    def endpoints(self):
        """All endpoints of all pools, by address."""
        return {endpoint["address"]: endpoint for pool in self.state()["pools"] for endpoint in pool["endpoints"]}

    def await_models(self):
        """Waits until every endpoint has told its models: from then on an unknown model is known to be unknown."""
        eventually(
            lambda: all(endpoint["models"] for endpoint in self.endpoints().values()),
            "the models of every endpoint",
            START_SECONDS,
        )
        return self

    def metric(self, name, **labels):
        """The sum of the samples of a metric that have the labels; None if there is none."""
        _, _, page = fetch(self.admin + "/metrics")
        total = None
        for line in page.decode().splitlines():
            match = re.fullmatch(rf"{re.escape(name)}(?:\{{(.*)\}})? (\S+)(?: \d+)?", line)
            if match and all(f'{key}="{value}"' in (match.group(1) or "") for key, value in labels.items()):
                total = (total or 0.0) + float(match.group(2))
        return total


class Gateway(Administered):
    """`martlet serve`."""

    def __init__(self, martlet, folder, *arguments, listen=True, port=None):
        command = [martlet, "serve", "--admin", "127.0.0.1:0"]
        if listen:
            command += ["--listen", "127.0.0.1:0"]
        super().__init__("gateway", [*command, *arguments], folder)
        self.port = port

    def start(self, ready=True):
        """Waits for the banner and, unless `ready` is false, until the gateway calls itself ready."""
        self.launch()
        self.admin = self.await_line(r"admin on (http://127\.0\.0\.1:\d+)", "the admin address").group(1)
        if self.port is None:
            address = self.await_line(r"listening on http://127\.0\.0\.1:(\d+)", "its address")
            self.port = int(address.group(1))
        else:
            eventually(lambda: accepts(self.port), f"a listener on port {self.port}", START_SECONDS)
        self.url = f"http://127.0.0.1:{self.port}"
        if ready:
            self.await_ready()
        return self


class ExtProcServer(Administered):
    """`martlet epp` or `martlet bbr`. Plaintext unless `secure`, since most tests look at other things."""

    def __init__(self, martlet, folder, command, *arguments, secure=False, grpc_port=0):
        super().__init__(
            command,
            [
                martlet, command, "--grpc-port", grpc_port, "--grpc-health-port", 0, "--metrics-port", 0,
                "--bind-address", "127.0.0.1", f"--secure-serving={'true' if secure else 'false'}", *arguments,
            ],
            folder,
        )
        self.secure = secure

    def start(self, ready=True):
        """Waits for the three addresses and, unless `ready` is false, until it calls itself ready."""
        self.launch()
        scheme = "grpcs" if self.secure else "grpc"
        self.port = int(self.await_line(rf"ext_proc on {scheme}://127\.0\.0\.1:(\d+)", "its ext_proc address").group(1))
        self.health_port = int(self.await_line(r"health on grpc://127\.0\.0\.1:(\d+)", "its health address").group(1))
        self.admin = self.await_line(r"metrics on (http://127\.0\.0\.1:\d+)", "its metrics address").group(1)
        self.address = f"127.0.0.1:{self.port}"
        if ready:
            self.await_ready()
        return self

    def stop(self):
        """At once: on SIGTERM it would serve on for its drain time. Tests that look at that send the signal."""
        if self.process is not None and self.process.poll() is None:
            self.kill()


class EndpointPicker(ExtProcServer):
    """`martlet epp`."""

    def __init__(self, martlet, folder, *arguments, **options):
        super().__init__(martlet, folder, "epp", *arguments, **options)

    def await_metrics(self, predicate=lambda metrics: True):
        """Waits until every endpoint has told metrics, and such that `predicate` holds for the values by address."""

        def told():
            endpoints = self.endpoints()
            return all(e["metrics_age_seconds"] is not None for e in endpoints.values()) and predicate(
                {address: endpoint["metrics"] for address, endpoint in endpoints.items()}
            )

        eventually(told, "the metrics of every endpoint", START_SECONDS)
        return self

    def leases(self):
        """How many requests the picker takes to be in flight."""
        return sum(endpoint["in_flight"] for endpoint in self.endpoints().values())


class BodyBasedRouter(ExtProcServer):
    """`martlet bbr`."""

    def __init__(self, martlet, folder, *arguments, streaming=True, **options):
        super().__init__(martlet, folder, "bbr", *(["--streaming"] if streaming else []), *arguments, **options)


def chat(model="sim-model", text="Hello", **more):
    """The body of a chat completion."""
    return {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 8, **more}
