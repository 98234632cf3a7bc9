"""Processes under test and around it: how they are started, found, measured and stopped."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.request

START_DEADLINE_SECONDS = 20


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


def is_ready(admin):
    """Whether a Martlet process says so at its admin address."""
    try:
        with urllib.request.urlopen(admin + "/readyz", timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False


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


class LoadGenerator:
    """`loadgen`: checks every reply byte for byte, so that one failed request fails the benchmark."""

    def __init__(self, binary, connections, shared_prefixes):
        self.binary, self.connections, self.shared_prefixes = pathlib.Path(binary), connections, shared_prefixes

    def load(self, url, workload, requests, rate=0, seed=1):
        """One run; its report."""
        command = [
            self.binary, "--url", url, "--workload", workload, "--requests", str(requests), "--seed", str(seed),
            "--connections", str(self.connections), "--requests-per-second", str(rate),
            "--shared-prefixes", str(self.shared_prefixes),
        ]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchmarkError(f"loadgen on {url}, {workload}: {done.stdout}{done.stderr}")
        report = json.loads(done.stdout)
        if report["errors"]:
            reasons, first = report["error_reasons"], report["first_error"]
            raise BenchmarkError(f"loadgen on {url}, {workload}: {reasons}; the first: {first}")
        return report
