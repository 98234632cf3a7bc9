#!/usr/bin/env python3
"""What the live feed of the dashboard costs with a thousand endpoints that all change.

A gateway over a few instant model servers under many names, which are scraped every three seconds, so that with the
age of their metrics nearly every row changes each second. In turns nobody reads the feed and one does; CPU is that of
the gateway. Prints the bytes and the rows of a tick, and the CPU of both.

Exit status: 0 within the budget of 50 kB a second, 1 over it, 2 if the benchmark itself could not run.
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Benchmarks/rig"))

from processes import Backends, BenchmarkError, Contender, LoadGenerator, is_ready  # noqa: E402

BUDGET_BYTES = 50_000


class Gateway(Contender):
    name = "martlet"

    def start(self, binary, urls, count):
        names = [f"vllm-llama-3-8b-instruct-{number:05}" for number in range(count)]
        endpoints = [f"{name}={urls[place % len(urls)]}" for place, name in enumerate(names)]
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
    """Requests at a fixed rate, in a thread, until it is stopped."""

    def __init__(self, generator, url, rate):
        self.generator, self.url, self.rate, self.running, self.fault = generator, url, rate, True, None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        seed = 0
        while self.running:
            seed += 1
            try:
                self.generator.load(self.url, "1k", self.rate * 2, rate=self.rate, seed=seed)
            except BenchmarkError as error:
                self.fault = error
                return

    def stop(self):
        self.running = False
        self.thread.join(timeout=60)


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
    tools = pathlib.Path(options.tools).resolve()
    backends, gateway, load, ticks = Backends(folder), Gateway(folder), None, []
    quiet, watched = [], []
    try:
        backends.start(tools / "backend", 8, 1_000)
        gateway.start(binary, backends.urls, options.endpoints)
        load = Load(LoadGenerator(tools / "loadgen", 16, 8), gateway.url, options.rate)
        # Until every endpoint was asked once, and the load has begun.
        time.sleep(options.settle)
        for _ in range(options.rounds):
            quiet.append(cpu_of(gateway, options.seconds, time.sleep)[0])
            cpu, read = cpu_of(gateway, options.seconds, lambda seconds: read_feed(gateway.admin, seconds))
            watched.append(cpu)
            ticks += read
            if load.fault is not None:
                raise load.fault
    finally:
        if load is not None:
            load.stop()
        for contender in (gateway, backends):
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
    parser.add_argument("--tools", default=str(ROOT / ".build-bench/release"), help="folder of loadgen and backend")
    parser.add_argument("--rate", type=int, default=200, help="requests per second")
    parser.add_argument("--settle", type=float, default=10, help="seconds before anything counts")
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
