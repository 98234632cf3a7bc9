#!/usr/bin/env python3
"""Holds `martlet bench` against guidellm: the same load on the same target must give the same numbers.

Two doors, a simulated engine by itself and a gateway over two of them; two loads, a closed loop and an open one at a
constant rate. Round by round both tools get prompts of the same lengths with other words, one tool after the other and
in turn first, so that whatever else the machine does meets both. The verdict is the median of the rounds' ratios, for
mean and median time to first token and for throughput.

Exit status: 0 when all are within the limit, 1 when one is not, 2 when a tool could not run.
"""

import argparse
import contextlib
import json
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORDS = "the and for are but not you all any can had her was one our out day get has him his how man new now".split()
METRICS = ("mean TTFT ms", "median TTFT ms", "requests/s", "output tokens/s")
LOADS = {
    "closed loop, 8 users": (["--concurrency", "8"], "kind=concurrent,streams=8"),
    "open loop, 8 a second": (["--rate", "8", "--arrival", "constant"], "kind=constant,rate=8"),
}


class ToolError(Exception):
    pass


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--martlet", default=str(ROOT / ".build/release/martlet"))
    parser.add_argument("--guidellm", default=str(ROOT / ".venv-peers/bin/guidellm"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=120)
    parser.add_argument("--limit", type=float, default=0.05, help="the largest difference of a median ratio from 1")
    parser.add_argument("--only", default="", help="run what has this text in its door and load, as 'engine, open'")
    parser.add_argument("--output", default=str(ROOT / ".build/bench/peers.json"))
    return parser.parse_args()


@contextlib.contextmanager
def service(command, pattern):
    """A process that ends with the block; gives the match of a pattern in its output."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        for line in process.stdout:
            if found := re.search(pattern, line):
                break
        else:
            raise ToolError(f"{' '.join(command)} ended with {process.wait()} before it served")
        yield found.group(1)
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def engine(martlet):
    # Without its prefix cache it makes no difference to the engine who asked first.
    command = [martlet, "sim", "--listen", "127.0.0.1:0", "--prefix-caching", "false", "--log-level", "warning"]
    with service(command, r"listening on (http://\S+)") as url:
        yield url


@contextlib.contextmanager
def gateway(martlet):
    with engine(martlet) as one, engine(martlet) as other:
        command = [
            martlet, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log-level", "warning",
            "--endpoint", one, "--endpoint", other,
        ]
        with service(command, r"listening on (http://\S+)") as url:
            yield url


def write_prompts(path, count, lengths_seed, words_seed):
    """Prompts of 512 to 1,536 words and answers of 32 to 96 tokens, under the names that each tool looks for."""
    lengths, words = random.Random(lengths_seed), random.Random(words_seed)
    with open(path, "w") as file:
        for _ in range(count):
            prompt = " ".join(words.choices(WORDS, k=lengths.randint(512, 1536)))
            tokens = lengths.randint(32, 96)
            line = {"prompt": prompt, "output_length": tokens, "output_tokens_count": tokens}
            file.write(json.dumps(line) + "\n")


def run(command):
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if result.returncode != 0:
        raise ToolError(f"{' '.join(command)} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}")


def run_martlet(options, url, load, prompts, folder):
    report = folder / "martlet.json"
    run([
        options.martlet, "bench", url, *LOADS[load][0], "--trace", str(prompts), "--requests", str(options.requests),
        "--quiet", "--output-json", str(report),
    ])
    measured = json.loads(report.read_text())["runs"][0]
    for warning in measured["warnings"]:
        print(f"  martlet bench: {warning}", flush=True)
    return {
        "completed": measured["completed"],
        "output tokens": measured["total_output_tokens"],
        "mean TTFT ms": measured["mean_ttft_ms"],
        "median TTFT ms": measured["median_ttft_ms"],
        "requests/s": measured["request_throughput"],
        "output tokens/s": measured["output_throughput"],
    }


def run_guidellm(options, url, load, prompts, folder):
    report = folder / "guidellm.json"
    run([
        options.guidellm, "run", "--backend", f"kind=openai_http,target={url}", "--profile", LOADS[load][1],
        "--constraint", f"kind=max_requests,count={options.requests}", "--data", f"kind=json_file,path={prompts}",
        "--output", f"kind=json,path={report}", "--disable-console",
    ])
    measured = json.loads(report.read_text())["benchmarks"][0]
    metrics = {name: measured["metrics"][name]["successful"] for name in (
        "time_to_first_token_ms", "requests_per_second", "output_tokens_per_second", "output_token_count",
    )}
    return {
        "completed": measured["scheduler_metrics"]["requests_made"]["successful"],
        "output tokens": round(metrics["output_token_count"]["total_sum"]),
        "mean TTFT ms": metrics["time_to_first_token_ms"]["mean"],
        "median TTFT ms": metrics["time_to_first_token_ms"]["median"],
        "requests/s": metrics["requests_per_second"]["mean"],
        "output tokens/s": metrics["output_tokens_per_second"]["mean"],
    }


def compare(options, door, url, load, folder):
    """The rounds of one door and load: what each tool measured."""
    tools = {"martlet": run_martlet, "guidellm": run_guidellm}
    rounds = []
    for number in range(options.rounds):
        order = list(tools) if number % 2 == 0 else list(reversed(tools))
        measured = {}
        for tool in order:
            prompts = folder / "prompts.jsonl"
            write_prompts(prompts, options.requests, f"{number}", f"{door} {load} {number} {tool}")
            measured[tool] = tools[tool](options, url, load, prompts, folder)
        check(options, measured)
        rounds.append(measured)
    return rounds


def check(options, measured):
    """Both tools had their answers, and the same ones."""
    answers = {tool: values["completed"] for tool, values in measured.items()}
    # guidellm gives a request up when the server closes its connection just then.
    if answers["martlet"] != options.requests or answers["guidellm"] < 0.97 * options.requests:
        raise ToolError(f"not all of {options.requests} requests were answered: {answers}")
    tokens = {tool: values["output tokens"] for tool, values in measured.items()}
    if answers["guidellm"] == options.requests and tokens["martlet"] != tokens["guidellm"]:
        raise ToolError(f"the tools count other tokens: {tokens}")


def report(options, door, load, rounds):
    """Prints a table; whether all metrics are within the limit."""
    print(f"\n{door}, {load}, {options.rounds} rounds of {options.requests} requests")
    print(f"{'metric':18} {'martlet bench':>24} {'guidellm':>24} {'ratio':>24}")
    fits = True
    for metric in METRICS:
        columns = [[measured[tool][metric] for measured in rounds] for tool in ("martlet", "guidellm")]
        columns.append([one / other for one, other in zip(*columns)])
        cells = []
        for digits, values in zip((2, 2, 3), columns):
            spread = f"[{min(values):.{digits}f}–{max(values):.{digits}f}]"
            cells.append(f"{statistics.median(values):.{digits}f} {spread}")
        is_within = abs(statistics.median(columns[2]) - 1) <= options.limit
        fits = fits and is_within
        verdict = "" if is_within else "  over the limit"
        print(f"{metric:18} " + " ".join(f"{cell:>24}" for cell in cells) + verdict, flush=True)
    return fits


def main():
    options = arguments()
    # An end from outside ends what was started as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    fits = True
    results = []
    try:
        with tempfile.TemporaryDirectory() as name:
            for door, opened in {"engine": engine, "gateway": gateway}.items():
                with opened(options.martlet) as url:
                    for load in [load for load in LOADS if options.only in f"{door}, {load}"]:
                        rounds = compare(options, door, url, load, pathlib.Path(name))
                        results.append({"door": door, "load": load, "rounds": rounds})
                        fits = report(options, door, load, rounds) and fits
    except (ToolError, OSError, subprocess.TimeoutExpired) as error:
        print(f"compare_with_peers: {error}", file=sys.stderr)
        return 2
    output = pathlib.Path(options.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=2))
    print(f"\nwithin {options.limit:.0%}" if fits else f"\nnot within {options.limit:.0%}")
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
