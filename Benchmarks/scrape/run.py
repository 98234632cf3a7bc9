#!/usr/bin/env python3
"""CPU of `martlet serve` that scrapes many engines and serves nobody, beside that of just reading their pages.

The engines are instant backends with a metrics page of a real vLLM's size, each on a port of its own. A round is a
fixed time; the CPU of the gateway is taken around it, and that of `pagereader`, which reads the same pages at the same
pace and looks at nothing, in the next. Rounds take turns; the verdict is by their medians.

Exit status: 0 within budget, 1 over budget, 2 if the benchmark itself could not run.
"""

import argparse
import json
import os
import pathlib
import re
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Benchmarks/rig")]

from processes import Backends, BenchmarkError, Contender, is_ready  # noqa: E402
from report import median, spread, table  # noqa: E402

# Engines, the milliseconds between two looks at each, and the most that scraping may take, in cores.
CASES = [(100, 50, 0.25), (1_000, 1_000, 0.15)]
RATIO_BUDGET = 2.0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--martlet", default=str(ROOT / ".build/release/martlet"), help="the program under test")
    parser.add_argument("--tools", default=str(ROOT / ".build-bench/release"), help="folder of pagereader and backend")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="the length of a round")
    parser.add_argument("--output", default=str(ROOT / ".build/bench/scrape.json"))
    return parser.parse_args()


class Gateway(Contender):
    """`martlet serve` over the engines, which nobody sends a request."""

    name = "martlet"

    def start(self, binary, urls, interval):
        path = pathlib.Path(binary).resolve()
        command = [
            path, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
            "--refresh-metrics-interval-milliseconds", str(interval),
        ]
        self.launch(command + [word for url in urls for word in ("--endpoint", url)])
        self.admin = self.wait_for(lambda: self.banner(r"admin on (http://\S+)"), "its admin address")[0]
        self.wait_for(lambda: is_ready(self.admin), "readiness")

    def pages(self):
        with urllib.request.urlopen(self.admin + "/metrics", timeout=10) as reply:
            text = reply.read().decode()
        found = re.findall(r'^\S*scrapes_total\{[^}]*result="success"[^}]*\} (\S+)$', text, re.MULTILINE)
        if not found:
            raise BenchmarkError("the gateway counts no scrapes")
        return sum(float(value) for value in found)


class Reader(Contender):
    """`pagereader` over the engines."""

    name = "pagereader"

    def start(self, binary, urls, interval):
        self.launch([pathlib.Path(binary).resolve() / "pagereader", str(interval), *urls])
        self.wait_for(lambda: self.banner(r"^pages (\d+)$"), "its first pages")

    def pages(self):
        return float(re.findall(r"^pages (\d+)$", self.log(), re.MULTILINE)[-1])


def sample(contender, seconds, expected):
    """Cores that a process takes, and the pages that it read per second."""
    cpu, pages, start = contender.cpu_seconds(), contender.pages(), time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - start
    cores = (contender.cpu_seconds() - cpu) / elapsed
    read = (contender.pages() - pages) / elapsed
    if read < 0.8 * expected:
        raise BenchmarkError(f"{contender.name} read {read:.0f} pages a second instead of {expected:.0f}")
    return {"cores": cores, "pages_per_second": read, "us_per_page": cores / read * 1e6}


def measure(options, folder, engines, interval):
    """Both contenders over one set of engines, in turns."""
    backends = Backends(folder / "engines")
    rounds = {"martlet": [], "pagereader": []}
    try:
        backends.start(pathlib.Path(options.tools).resolve() / "backend", engines, 1_000)
        urls = [url.rstrip("/") for url in backends.urls]
        expected = engines * 1_000 / interval
        for number in range(options.rounds):
            for kind in (Gateway, Reader) if number % 2 == 0 else (Reader, Gateway):
                contender = kind(folder / f"{kind.name}-{engines}-{number}")
                try:
                    contender.start(options.martlet if kind is Gateway else options.tools, urls, interval)
                    # The first looks come all at once, with connections to make and models to read.
                    time.sleep(1.5)
                    rounds[kind.name].append(sample(contender, options.seconds, expected))
                finally:
                    contender.stop()
            last = {name: entries[-1]["cores"] for name, entries in rounds.items()}
            print(
                f"{engines} engines, round {number + 1}/{options.rounds}: martlet {last['martlet']:.3f}, "
                f"pagereader {last['pagereader']:.3f} cores",
                flush=True,
            )
    finally:
        backends.stop()
    return rounds


def run(options, folder):
    load_before = os.getloadavg()
    results, passed = {}, True
    rows = [["engines", "every", "martlet cores", "budget", "reading alone", "ratio", "budget", ""]]
    for engines, interval, budget in CASES:
        rounds = measure(options, folder, engines, interval)
        results[f"{engines}@{interval}ms"] = rounds
        cores = [entry["cores"] for entry in rounds["martlet"]]
        floor = [entry["cores"] for entry in rounds["pagereader"]]
        # Per page, since neither keeps the pace to the last page.
        ratios = [
            ours["us_per_page"] / theirs["us_per_page"]
            for ours, theirs in zip(rounds["martlet"], rounds["pagereader"])
        ]
        good = median(cores) <= budget and median(ratios) <= RATIO_BUDGET
        passed = passed and good
        rows.append(
            [
                str(engines), f"{interval} ms", spread(cores, 3), f"{budget:.2f}", spread(floor, 3), spread(ratios, 2),
                f"{RATIO_BUDGET:.1f}", "PASS" if good else "FAIL",
            ]
        )
    load_after = os.getloadavg()
    output = pathlib.Path(options.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({"rounds": results, "load": [load_before, load_after]}, indent=2) + "\n")
    print(f"\n{table(rows)}\n")
    print(
        f"{os.cpu_count()} processors, load average {load_before[0]:.1f} before and {load_after[0]:.1f} after; "
        f"{options.rounds} rounds of {options.seconds:.0f} s; details in {output}"
    )
    return 0 if passed else 1


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="martlet-bench-") as folder:
        try:
            return run(options, pathlib.Path(folder))
        except (BenchmarkError, OSError) as error:
            print(f"bench-scrape: {error}", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
