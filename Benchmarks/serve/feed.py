#!/usr/bin/env python3
"""What the live feed of the dashboard costs with a thousand endpoints that all change.

A gateway over a few simulated model servers under many names, which are scraped every three seconds, so that with the
age of the metrics nearly every row changes each second. In turns nobody reads the feed and one does; CPU is that of the
gateway. Prints the bytes and the rows of a tick, and the CPU of both.

Exit status: 0 within the budget of 50 kB a second, 1 over it, 2 if the benchmark itself could not run.
"""

import argparse
import http.client
import json
import pathlib
import statistics
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Benchmarks/rig"))

from processes import BenchmarkError, Contender, is_ready  # noqa: E402

BUDGET_BYTES = 50_000


class Simulator(Contender):
    def __init__(self, folder, number):
        self.name = f"sim-{number}"
        super().__init__(folder)

    def start(self, binary):
        self.launch([binary, "sim", "--listen", "127.0.0.1:0", "--inter-token-latency-milliseconds", "30"])
        self.url = self.wait_for(lambda: self.banner(r"listening on (http://\S+)"), "its address")[0]


class Gateway(Contender):
    name = "martlet"

    def start(self, binary, simulators, count):
        names = [f"vllm-llama-3-8b-instruct-{number:05}" for number in range(count)]
        endpoints = [f"{name}={simulators[place % len(simulators)].url}" for place, name in enumerate(names)]
        self.launch(
            [
                binary, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                "--refresh-metrics-interval-milliseconds", "3000",
                *(part for endpoint in endpoints for part in ("--endpoint", endpoint)),
            ]
        )
        self.url = self.wait_for(lambda: self.banner(r"^\s*listening on (http://\S+?)/?$"), "its listener")[0]
        self.admin = self.wait_for(lambda: self.banner(r"^\s*admin on (http://\S+?)/?$"), "its admin address")[0]
        self.wait_for(lambda: is_ready(self.admin), "readiness")


class Load:
    """Some clients, each with one streamed request after the other."""

    def __init__(self, url, clients):
        self.address, self.running = urllib.parse.urlsplit(url), True
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True) for number in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        connection, turn = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=60), 0
        while self.running:
            turn += 1
            message = {"role": "user", "content": f"{number} {turn} " * 30}
            body = {"model": "martlet-sim", "messages": [message], "max_tokens": 10 + turn % 7 * 30, "stream": True}
            headers = {"content-type": "application/json"}
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            connection.getresponse().read()

    def stop(self):
        self.running = False
        for thread in self.threads:
            thread.join(timeout=60)


def read_feed(admin, seconds):
    """The bytes of each tick, and how many rows it has."""
    ticks = []
    with urllib.request.urlopen(admin + "/api/live", timeout=60) as feed:
        event, end = None, time.monotonic() + seconds
        while time.monotonic() < end:
            line = feed.readline()
            if line.startswith(b"event: "):
                event = line[7:].strip()
            elif line.startswith(b"data: ") and event == b"tick":
                ticks.append((len(line), len(json.loads(line[6:])["rows"]["id"])))
    return ticks


def cpu_of(gateway, seconds, work):
    """CPU milliseconds per second while `work(seconds)` runs, and what that gives."""
    before, started = gateway.cpu_seconds(), time.monotonic()
    result = work(seconds)
    return (gateway.cpu_seconds() - before) / (time.monotonic() - started) * 1e3, result


def measure(options, folder):
    binary = pathlib.Path(options.martlet).resolve()
    simulators = [Simulator(folder, number) for number in range(4)]
    gateway, load, ticks = Gateway(folder), None, []
    quiet, watched = [], []
    try:
        for simulator in simulators:
            simulator.start(binary)
        gateway.start(binary, simulators, options.endpoints)
        load = Load(gateway.url, options.clients)
        time.sleep(3)
        for _ in range(options.rounds):
            quiet.append(cpu_of(gateway, options.seconds, time.sleep)[0])
            cpu, read = cpu_of(gateway, options.seconds, lambda seconds: read_feed(gateway.admin, seconds))
            watched.append(cpu)
            ticks += read
    finally:
        if load is not None:
            load.stop()
        for contender in (gateway, *simulators):
            contender.stop()
    sizes, rows = [size for size, _ in ticks], [count for _, count in ticks]
    differences = [after - before for before, after in zip(quiet, watched)]
    print(f"{options.endpoints} endpoints, {len(ticks)} ticks: {spread(sizes)} bytes a tick, {spread(rows)} rows")
    print(f"CPU ms per second: {spread(quiet)} without a reader, {spread(watched)} with; {spread(differences)} more")
    return 0 if statistics.median(sizes) < BUDGET_BYTES else 1


def spread(values):
    return f"{statistics.median(values):.1f} [{min(values):.1f}–{max(values):.1f}]"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--martlet", default=str(ROOT / ".build/release/martlet"))
    parser.add_argument("--endpoints", type=int, default=1_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    with tempfile.TemporaryDirectory(prefix="martlet-bench-") as folder:
        try:
            return measure(parser.parse_args(), folder)
        except BenchmarkError as error:
            print(f"bench-feed: {error}", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
