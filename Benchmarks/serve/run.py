#!/usr/bin/env python3
"""CPU per request of the gateway beside nginx, in one run on one machine.

Both proxies stand before the same instant backends. Round by round each gets the same fixed count of requests, one
after the other, so that whatever else the machine does meets both; the verdict is the median of the rounds' ratios.
Every reply is checked byte for byte by the load generator: one failed request fails the run.

With --dashboard the pair is the gateway without and with a reader of its live feed, and the budget is 3 %.

CPU is user plus system time of the proxy's processes, scraping of the backends included. What the subject costs when
nobody asks is measured and shown as well, and is not subtracted.

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
sys.path.insert(0, str(ROOT / "Benchmarks/rig"))

from contenders import CONTENDERS, Martlet  # noqa: E402
from processes import Backends, BenchmarkError, LoadGenerator, cpu_seconds  # noqa: E402
from report import cpu_table, latency_table, summarise  # noqa: E402

# Requests of one measurement, about a second of proxy CPU each, and the most the subject may cost relative to the
# baseline. The ratios are those of the first version; the aim is 1.5, 1.8 and 1.2.
WORKLOADS = {
    "1k": {"requests": 30_000, "budget": 2.5},
    "256k": {"requests": 3_000, "budget": 2.5},
    "sse": {"requests": 1_200, "budget": 1.5},
}
# The most that a reader of the live feed may cost.
DASHBOARD_BUDGET = 1.03


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--baseline", choices=sorted(CONTENDERS), default="nginx")
    parser.add_argument("--subject", choices=sorted(CONTENDERS), default="martlet")
    parser.add_argument("--dashboard", action="store_true", help="martlet, and martlet-watched at 3 % more at most")
    parser.add_argument("--keep-decisions", type=int, help="how many decisions every gateway keeps")
    parser.add_argument("--subject-binary", help="path of the subject's program, and of every gateway")
    parser.add_argument("--tools", default=str(ROOT / ".build-bench/release"), help="folder of loadgen and backend")
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help="comma-separated; all of them by default")
    parser.add_argument("--endpoints", type=int, default=4)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--shared-prefixes", type=int, default=8)
    parser.add_argument("--chunk-gap-microseconds", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the count of requests")
    parser.add_argument("--latency-rate", type=int, default=300, help="requests per second of the latency runs")
    parser.add_argument("--latency-requests", type=int, default=300)
    parser.add_argument("--output", default=str(ROOT / ".build/bench/serve.json"))
    options = parser.parse_args()
    options.workloads = options.workloads.split(",")
    if options.dashboard:
        options.baseline, options.subject = "martlet", "martlet-watched"
    if options.keep_decisions is not None:
        Martlet.arguments = ["--keep-decisions", str(options.keep_decisions)]
    for workload in options.workloads:
        if workload not in WORKLOADS:
            parser.error(f"--workloads knows {', '.join(WORKLOADS)}, not {workload!r}")
    if options.subject == options.baseline:
        parser.error("--subject and --baseline are the same; for the error of the benchmark take nginx-again")
    return options


class Bench:
    def __init__(self, options, folder):
        self.options = options
        tools = pathlib.Path(options.tools).resolve()
        self.generator = LoadGenerator(tools / "loadgen", options.connections, options.shared_prefixes)
        self.backends = Backends(folder)
        self.proxies = {name: CONTENDERS[name](folder) for name in (options.baseline, options.subject)}
        self.reads = {}

    def start(self):
        options = self.options
        self.backends.start(
            pathlib.Path(options.tools).resolve() / "backend", options.endpoints, options.chunk_gap_microseconds
        )
        for name, proxy in self.proxies.items():
            takes_binary = name == options.subject or isinstance(proxy, Martlet)
            proxy.start(self.backends.urls, options.subject_binary if takes_binary else None)

    def stop(self):
        for contender in (*self.proxies.values(), self.backends):
            contender.stop()

    def cpu_per_request(self, name, workload, requests, seed):
        """Microseconds of CPU of one proxy per request, over one fixed count of requests."""
        proxy = self.proxies[name]
        before = proxy.cpu_seconds()
        report = self.generator.load(proxy.url, workload, requests, seed=seed)
        spent = proxy.cpu_seconds() - before
        self.reads.setdefault(workload, {})[name] = report["body_reads_per_reply"]
        return spent / requests * 1e6

    def latency(self, url, workload, seed):
        """Median microseconds to the reply's end, or to its first byte for a stream, at a modest fixed rate."""
        requests, rate = self.options.latency_requests, self.options.latency_rate
        report = self.generator.load(url, workload, requests, rate=rate, seed=seed)
        return report["first_byte_us" if workload == "sse" else "latency_us"]["p50"]

    def measure(self):
        options, names = self.options, list(self.proxies)
        results = {"cpu_us": {}, "latency_us": {}}
        for workload in options.workloads:
            requests = max(1, int(WORKLOADS[workload]["requests"] * options.scale))
            cpu = results["cpu_us"][workload] = {name: [] for name in names}
            latency = results["latency_us"][workload] = {name: [] for name in ("direct", *names)}
            for name in names:
                self.generator.load(self.proxies[name].url, workload, max(1, requests // 10), seed=999)
            for round_number in range(1, options.rounds + 1):
                # The second of a pair may find a warmer or a hotter machine: take turns at being first.
                for name in names if round_number % 2 else reversed(names):
                    cpu[name].append(self.cpu_per_request(name, workload, requests, round_number))
                latency["direct"].append(self.latency(self.backends.urls[0], workload, round_number))
                for name in names:
                    latency[name].append(self.latency(self.proxies[name].url, workload, round_number))
                pair = ", ".join(f"{name} {cpu[name][-1]:.1f}" for name in names)
                print(f"{workload} round {round_number}/{options.rounds}: {pair} µs CPU per request", flush=True)
        return results

    def idle(self, seconds=2.0):
        """Milliseconds of CPU per second that each proxy takes while no request comes."""
        before = {name: cpu_seconds(proxy.process.pid) for name, proxy in self.proxies.items()}
        time.sleep(seconds)
        return {
            name: (cpu_seconds(proxy.process.pid) - before[name]) / seconds * 1e3
            for name, proxy in self.proxies.items()
        }


def run(options, folder):
    load_before = os.getloadavg()
    started = time.monotonic()
    bench = Bench(options, folder)
    try:
        bench.start()
        results = bench.measure()
        results["idle_ms_per_second"] = bench.idle()
        results["resident_mebibytes"] = {name: proxy.resident_mebibytes() for name, proxy in bench.proxies.items()}
    finally:
        bench.stop()
    budgets = {
        workload: DASHBOARD_BUDGET if options.dashboard else WORKLOADS[workload]["budget"]
        for workload in options.workloads
    }
    summary = summarise(results, options.workloads, options.baseline, options.subject, budgets)
    results |= {
        "summary": summary,
        "body_reads_per_reply": bench.reads,
        "load_average": {"before": load_before, "after": os.getloadavg()},
        "processors": os.cpu_count(),
        "seconds": time.monotonic() - started,
        "options": vars(options),
    }
    output = pathlib.Path(options.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=2) + "\n")
    show(results, options, output)
    return 0 if all(line["within_budget"] for line in summary) else 1


def show(results, options, output):
    summary, load = results["summary"], results["load_average"]
    print()
    print(cpu_table(summary, options.baseline, options.subject))
    print()
    print(latency_table(summary, options.baseline, options.subject, options.latency_rate))
    print()
    for name in (options.baseline, options.subject):
        idle, memory = results["idle_ms_per_second"][name], results["resident_mebibytes"][name]
        reads = results["body_reads_per_reply"].get("sse", {}).get(name)
        stream = "" if reads is None else f"; {reads:.1f} separate reads per stream of 32 chunks"
        print(f"{name}: idle {idle:.2f} ms CPU per second, {memory:.0f} MiB resident after the load{stream}")
    print(
        f"{results['processors']} processors, load average {load['before'][0]:.1f} before and {load['after'][0]:.1f} "
        f"after; {options.endpoints} endpoints, {options.connections} connections, {options.rounds} rounds, "
        f"{results['seconds']:.0f} s; details in {output}"
    )


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="martlet-bench-") as folder:
        # nginx's workers run as another user and must get at their temporary files.
        os.chmod(folder, 0o755)
        try:
            return run(options, folder)
        except BenchmarkError as error:
            print(f"bench-serve: {error}", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
