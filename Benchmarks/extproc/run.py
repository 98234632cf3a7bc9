#!/usr/bin/env python3
"""CPU per request of `martlet epp` beside that of the Envoy that asks it, in one run on one machine.

Envoy, with the bootstrap of deploy/envoy, stands before instant backends and asks the picker about each request, in
full duplex both ways: every byte of every body goes to the picker and back. A round is one fixed count of requests; the
CPU time of both is taken around it, and the verdict is the median of the rounds' ratios. Every reply is checked byte
for byte by the load generator: one failed request fails the run.

CPU is user plus system time of all threads; the picker's scraping of the backends is included.

Exit status: 0 within budget, 1 over budget, 2 if the benchmark itself could not run.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Benchmarks/rig"), str(ROOT / "Tests/EndToEnd")]

from configurations import endpoint_list, picker_config, write  # noqa: E402
from envoy_process import Bootstrap, Envoy  # noqa: E402
from processes import Backends, BenchmarkError, Contender, LoadGenerator, cpu_seconds, is_ready  # noqa: E402
from processes import resident_mebibytes  # noqa: E402
from report import median, spread, table  # noqa: E402

# Requests of a round, about a second of Envoy's CPU each, and the most that the picker may cost relative to Envoy.
WORKLOADS = {
    "1k": {"requests": 10_000, "budget": 0.4},
    "256k": {"requests": 1_000, "budget": 0.6},
    "sse": {"requests": 500, "budget": 0.4},
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--martlet", default=str(ROOT / ".build/release/martlet"), help="the program under test")
    parser.add_argument("--tools", default=str(ROOT / ".build-bench/release"), help="folder of loadgen and backend")
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help="comma-separated; all of them by default")
    parser.add_argument("--secure", action="store_true", help="TLS between Envoy and the picker")
    parser.add_argument("--endpoints", type=int, default=4)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--shared-prefixes", type=int, default=8)
    parser.add_argument("--chunk-gap-microseconds", type=int, default=1_000)
    parser.add_argument("--envoy-concurrency", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the count of requests")
    parser.add_argument("--output", default=str(ROOT / ".build/bench/extproc.json"))
    options = parser.parse_args()
    options.workloads = options.workloads.split(",")
    for workload in options.workloads:
        if workload not in WORKLOADS:
            parser.error(f"--workloads knows {', '.join(WORKLOADS)}, not {workload!r}")
    return options


class Picker(Contender):
    """`martlet epp` with the default plugins and the backends from an endpoint file."""

    name = "martlet-epp"

    def start(self, binary, addresses, secure):
        path = pathlib.Path(binary).resolve()
        if not path.exists():
            raise BenchmarkError(f"{path} does not exist: build it with `swift build -c release --product martlet`")
        endpoint_file = write(self.folder / "endpoints.yaml", endpoint_list(addresses))
        config = write(self.folder / "picker.yaml", picker_config(endpoint_file))
        self.secure = secure
        self.launch(
            [
                path, "epp", "--grpc-port", "0", "--grpc-health-port", "0", "--metrics-port", "0",
                "--bind-address", "127.0.0.1", "--pool-name", "pool", "--config-file", config,
                f"--secure-serving={'true' if secure else 'false'}",
            ]
        )
        self.address = self.wait_for(lambda: self.banner(r"ext_proc on grpcs?://(\S+)"), "its ext_proc address")[0]
        admin = self.wait_for(lambda: self.banner(r"metrics on (http://\S+)"), "its metrics address")[0]
        self.wait_for(lambda: is_ready(admin), "readiness")


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.tools = pathlib.Path(options.tools).resolve()
        self.backends, self.picker, self.envoy = Backends(folder), Picker(folder), None
        self.generator = LoadGenerator(self.tools / "loadgen", options.connections, options.shared_prefixes)

    def start(self):
        options = self.options
        self.backends.start(self.tools / "backend", options.endpoints, options.chunk_gap_microseconds)
        addresses = [url.removeprefix("http://").rstrip("/") for url in self.backends.urls]
        self.picker.start(options.martlet, addresses, options.secure)
        bootstrap = Bootstrap("one-pool.yaml")
        bootstrap.set_server("epp", self.picker)
        bootstrap.set_endpoints("pool", addresses)
        self.envoy = Envoy(self.folder, bootstrap, options.envoy_concurrency)
        self.envoy.start()

    def stop(self):
        for process in (self.envoy, self.picker, self.backends):
            if process is not None:
                process.stop()

    def round(self, workload, requests, seed):
        """Microseconds of CPU per request of both, over one fixed count of requests."""
        pids = {"martlet": self.picker.process.pid, "envoy": self.envoy.pid}
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        report = self.generator.load(self.envoy.url, workload, requests, seed=seed)
        spent = {name: (cpu_seconds(pid) - before[name]) / requests * 1e6 for name, pid in pids.items()}
        return spent | {"reads": report["body_reads_per_reply"]}

    def measure(self):
        results = {}
        for workload in self.options.workloads:
            requests = max(1, int(WORKLOADS[workload]["requests"] * self.options.scale))
            self.generator.load(self.envoy.url, workload, max(1, requests // 10), seed=999)
            rounds = results[workload] = []
            for number in range(1, self.options.rounds + 1):
                rounds.append(self.round(workload, requests, number))
                last = rounds[-1]
                print(
                    f"{workload} round {number}/{self.options.rounds}: martlet {last['martlet']:.1f}, "
                    f"envoy {last['envoy']:.1f} µs CPU per request",
                    flush=True,
                )
        return results

    def idle(self, seconds=2.0):
        """Milliseconds of CPU per second that the picker takes while no request comes."""
        before = self.picker.cpu_seconds()
        time.sleep(seconds)
        return (self.picker.cpu_seconds() - before) / seconds * 1e3


def summarise(results):
    """Per workload: the medians of both, the ratio of each round, and whether the budget is met."""
    lines = []
    for workload, rounds in results.items():
        ratios = [entry["martlet"] / entry["envoy"] for entry in rounds]
        budget = WORKLOADS[workload]["budget"]
        lines.append(
            {
                "workload": workload,
                "martlet_us": [entry["martlet"] for entry in rounds],
                "envoy_us": [entry["envoy"] for entry in rounds],
                "ratios": ratios,
                "ratio": median(ratios),
                "budget": budget,
                "within_budget": median(ratios) <= budget,
            }
        )
    return lines


def show(summary, results, options, output):
    rows = [["workload", "envoy CPU µs", "martlet CPU µs", "ratio", "budget", ""]]
    for line in summary:
        verdict = "PASS" if line["within_budget"] else "FAIL"
        spreads = spread(line["envoy_us"]), spread(line["martlet_us"]), spread(line["ratios"], 2)
        rows.append([line["workload"], *spreads, f"{line['budget']:.2f}", verdict])
    load = results["load_average"]
    print(f"\n{table(rows)}\n")
    print(
        f"martlet: idle {results['idle_ms_per_second']:.2f} ms CPU per second, {results['martlet_mebibytes']:.0f} MiB "
        f"resident after the load; envoy {results['envoy_mebibytes']:.0f} MiB"
    )
    if "sse" in results["rounds"]:
        reads = median([entry["reads"] for entry in results["rounds"]["sse"]])
        print(f"{reads:.1f} separate reads per stream of 32 chunks")
    print(
        f"{os.cpu_count()} processors, load average {load['before'][0]:.1f} before and {load['after'][0]:.1f} after; "
        f"{options.endpoints} endpoints, {options.connections} connections, {options.rounds} rounds, "
        f"{'TLS' if options.secure else 'plaintext'} to the picker, {results['seconds']:.0f} s; details in {output}"
    )


def run(options, folder):
    load_before, started = os.getloadavg(), time.monotonic()
    bench = Bench(options, folder)
    try:
        bench.start()
        rounds = bench.measure()
        results = {
            "rounds": rounds,
            "idle_ms_per_second": bench.idle(),
            "martlet_mebibytes": resident_mebibytes(bench.picker.process.pid),
            "envoy_mebibytes": resident_mebibytes(bench.envoy.pid),
        }
    finally:
        bench.stop()
    summary = summarise(rounds)
    results |= {
        "summary": summary,
        "load_average": {"before": load_before, "after": os.getloadavg()},
        "seconds": time.monotonic() - started,
        "options": vars(options),
    }
    output = pathlib.Path(options.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=2) + "\n")
    show(summary, results, options, output)
    return 0 if all(line["within_budget"] for line in summary) else 1


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="martlet-bench-") as folder:
        try:
            return run(options, folder)
        except (BenchmarkError, AssertionError) as error:
            print(f"bench-extproc: {error}", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
