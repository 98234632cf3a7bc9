"""`martlet bench`: what it measures of an engine with known latencies, its reports, and its verdicts."""

import json
import os
import pty
import re
import signal
import subprocess

import pytest
from harness import eventually


@pytest.fixture(scope="module")
def engine(shared):
    """An engine whose first token takes 60 ms and each further one 10 ms, at the least."""
    return shared.simulator(
        "--time-to-first-token-overhead-milliseconds", "50", "--prefill-tokens-per-second", "10000",
        "--inter-token-latency-milliseconds", "10", model="m",
    )


@pytest.fixture
def bench(martlet, tmp_path):
    """Runs `martlet bench` with its JSON report: the report, and the process's output."""

    def run(*arguments, status=0):
        report = tmp_path / "report.json"
        command = [martlet, "bench", "--output-json", str(report), *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert result.returncode == status, f"{result.stdout}\n{result.stderr}"
        return json.loads(report.read_text(), object_pairs_hook=unique) if report.exists() else None, result

    return run


def test_what_an_engine_takes_is_what_is_measured(engine, bench):
    report, result = bench(
        engine.url, "--concurrency", 1, "--requests", 5, "--prompt-tokens", 100, "--output-tokens", 11,
    )
    (run,) = report["runs"]
    assert (run["completed"], run["failed"], run["total_output_tokens"]) == (5, 0, 55)
    assert run["requests_with_usage"] == 5 and run["total_input_tokens"] >= 500
    # The engine takes no less than that; the machine may add to it.
    assert run["median_ttft_ms"] >= 60 and run["median_itl_ms"] >= 9 and run["median_tpot_ms"] >= 9
    assert run["median_e2el_ms"] >= run["median_ttft_ms"] + 10 * 9
    assert run["mean_e2el_ms"] == pytest.approx(run["mean_ttft_ms"] + 10 * run["mean_tpot_ms"], rel=0.02)
    assert run["request_throughput"] == pytest.approx(5 / run["duration"])
    assert sum(run["timeline"]["output_tokens"]) == 55
    assert "Mean TTFT (ms):" in result.stdout and "Serving Benchmark Result" in result.stdout
    assert result.stderr == "", "no progress where there is no terminal"


def test_a_slow_server_cannot_hide_what_waits(engine, bench):
    """20 requests a second for an engine that does one in 60 ms or more, one at a time: the last ones wait for long."""
    arguments = [engine.url, "--requests", 40, "--prompt-tokens", 100, "--output-tokens", 1]
    report, result = bench(*arguments, "--rate", 20, "--arrival", "constant", "--max-concurrency", 1)
    (run,) = report["runs"]
    # 40 requests take 2.4 s or more; the last was due after 1.95 s.
    assert run["max_e2el_ms"] >= 40 * 60 - 1950
    assert run["max_ttft_ms"] >= 40 * 60 - 1950 and run["p99_send_delay_ms"] >= 300
    assert run["max_concurrent_requests"] == 1


def test_through_a_gateway_it_tells_who_served(shared, bench):
    engines = shared.simulators(2, model="m")
    gateway = shared.gateway_over(engines).await_models()
    report, result = bench(
        gateway.url, "--model", "m", "--concurrency", 4, "--requests", 40, "--turns", 2, "--prefix-groups", 2,
        "--prefix-tokens", 400, "--prompt-tokens", "uniform:20:60", "--output-tokens", 8,
        "--header", "x-session:{session}", "--fairness-id", "tenant-a", "--slo", "ttft=1h,e2e=1h",
    )
    (run,) = report["runs"]
    assert run["completed"] == 40 and run["good"] == 40 and run["goodput_share"] == 1
    assert set(run["endpoints"]) <= {engine.address for engine in engines}
    assert sum(endpoint["requests"] for endpoint in run["endpoints"].values()) == 40
    assert run["cached_share"] > 0.3, "prefixes and turns are found in the cache"
    assert gateway.metric("llm_d_epp_request_total", fairness_id="tenant-a", model_name="m") == 40
    for address in run["endpoints"]:
        assert f"  {address}:" in result.stdout


def test_refusals_are_told_by_status_and_reason(shared, bench):
    engine = shared.simulator(model="m")
    gateway = shared.gateway_over([engine]).await_models()
    report, result = bench(gateway.url, "--model", "unknown", "--requests", 3, status=1)
    (run,) = report["runs"]
    (reason,) = run["failures"]
    assert reason.startswith("status 404") and run["failures"][reason] == 3
    assert "No request was answered." in result.stderr


def test_thresholds_fail_the_command(engine, bench):
    arguments = [engine.url, "--requests", 4, "--prompt-tokens", 50, "--output-tokens", 2]
    _, result = bench(*arguments, "--fail-if", "p50_ttft>1h", "--fail-if", "error_rate>0")
    assert result.stderr == ""
    _, result = bench(*arguments, "--fail-if", "p50_ttft>50ms", "--fail-if", "failed>0", status=2)
    assert re.fullmatch(r"failed: p50_ttft>50ms: median_ttft_ms is \d+\.\d+\.\n", result.stderr)


def test_a_sweep_and_its_page(engine, bench, tmp_path):
    page = tmp_path / "report.html"
    report, result = bench(
        engine.url, "--sweep", "concurrency=1,3", "--requests", 6, "--prompt-tokens", 50, "--output-tokens", 3,
        "--output-html", page, "--seed", 9,
    )
    assert [run["label"] for run in report["runs"]] == ["concurrency=1", "concurrency=3"]
    assert [run["max_concurrent_requests"] for run in report["runs"]] == [1, 3]
    assert report["options"]["seed"] == "9" and "--sweep" in report["arguments"]
    text = page.read_text()
    assert text.startswith("<!doctype html>") and "concurrency=3" in text and "<svg" in text
    assert not re.search(r"<script|\bsrc=|@import|url\(|<link", text), "the page asks nobody for anything"


def test_two_targets_in_turn(shared, bench):
    """One engine is slower by far: the difference is told, and what is equal is not."""
    fast, slow = (
        shared.simulator("--time-to-first-token-overhead-milliseconds", pause, model="m") for pause in ("5", "60")
    )
    report, result = bench(
        "--compare", f"fast={fast.url}", f"slow={slow.url}", "--blocks", 10, "--requests", 6, "--concurrency", 2,
        "--prompt-tokens", 50, "--output-tokens", 2, "--warmup", 2, "--fail-if", "ratio:median_ttft>1.5", status=2,
    )
    comparison = report["comparison"]
    assert (comparison["first"], comparison["second"], comparison["pairs"]) == ("fast", "slow", 10)
    ttft = comparison["metrics"]["median_ttft_ms"]
    assert ttft["verdict"] == "worse" and ttft["ratio"] > 1.5 and ttft["low"] <= ttft["ratio"] <= ttft["high"]
    assert comparison["metrics"]["request_throughput"]["verdict"] == "worse"
    labels = [run["label"].split(",")[0] for run in report["runs"]]
    assert labels[:8] == ["fast", "slow", "slow", "fast"] * 2, "the order is A B B A"
    assert "slow over fast, 10 pairs of blocks" in result.stdout


def test_a_target_that_answers_nothing_fails_the_command(engine, bench):
    report, result = bench(
        "--compare", f"up={engine.url}", "down=http://127.0.0.1:9", "--blocks", 2, "--requests", 2, "--concurrency", 1,
        "--prompt-tokens", 50, "--output-tokens", 2, status=1,
    )
    assert "failed: No request to down was answered." in result.stderr
    assert "warning: 4 of 4 requests to down failed" in result.stdout
    assert report["comparison"]["metrics"]["request_throughput"]["ratio"] == 0
    assert any("to down failed" in warning for warning in report["comparison"]["warnings"])


def test_a_report_that_cannot_be_written_leaves_the_table(engine, bench, tmp_path):
    page = tmp_path / "nowhere" / "report.html"
    report, result = bench(
        engine.url, "--requests", 2, "--prompt-tokens", 50, "--output-tokens", 2, "--output-html", page, status=1,
    )
    assert report["runs"][0]["completed"] == 2 and "Mean TTFT (ms):" in result.stdout
    assert re.match(rf"failed: --output-html '{page}' cannot be written: ", result.stderr)


def test_a_trace_is_replayed(engine, bench, tmp_path):
    trace = tmp_path / "trace.jsonl"
    lines = [{"timestamp": 200 * n, "input_length": 40, "output_length": n + 1} for n in range(5)]
    trace.write_text("\n".join(map(json.dumps, lines)))
    report, _ = bench(engine.url, "--trace", trace, "--trace-speed", 2)
    (run,) = report["runs"]
    assert (run["completed"], run["total_output_tokens"]) == (5, 15)
    # The last one comes after 0.4 s and takes five tokens.
    assert run["duration"] >= 0.4 + 0.05 + 4 * 0.009


def test_an_interrupt_tells_what_was_measured(engine, martlet, tmp_path):
    report = tmp_path / "report.json"
    command = [
        martlet, "bench", engine.url, "--duration", "1h", "--concurrency", "2", "--output-tokens", "5",
        "--output-json", str(report),
    ]
    before = answered(engine)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        eventually(lambda: answered(engine) > before + 3, "some answers")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    (run,) = json.loads(report.read_text())["runs"]
    assert run["completed"] >= 1
    assert "Successful requests:" in output


def test_progress_on_a_terminal(engine, martlet):
    leader, follower = pty.openpty()
    command = [martlet, "bench", engine.url, "--requests", "12", "--concurrency", "2", "--output-tokens", "5"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=follower)
    os.close(follower)
    shown = b""
    try:
        while chunk := read_terminal(leader):
            shown += chunk
        process.communicate(timeout=30)
    finally:
        process.kill()
        os.close(leader)
    assert process.returncode == 0
    text = shown.decode()
    assert re.search(r"\r[█░]{24} \d+ %  \d+ s  \d+ done  2 in flight", text), text
    assert text.endswith("\r\x1b[K"), "the line is taken away"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--rate", "1", "--concurrency", "1"], "--rate and --concurrency do not go together"),
        (["--prompt-tokens", "none"], "--prompt-tokens 'none' is not a number"),
        (["--fail-if", "p99_ttft"], "--fail-if 'p99_ttft'"),
    ],
)
def test_what_makes_no_sense_is_refused(bench, arguments, part):
    _, result = bench(*arguments, status=64)
    assert part in result.stderr


def test_a_target_that_is_not_there(bench):
    _, result = bench("http://127.0.0.1:9", "--requests", 1, status=64)
    assert "does not answer" in result.stderr


def unique(pairs):
    """An object whose members all have names of their own."""
    members = dict(pairs)
    assert len(members) == len(pairs), pairs
    return members


def read_terminal(descriptor):
    """What a terminal shows next; nothing at its end."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def answered(engine):
    """The requests that an engine has answered."""
    return engine.state()["finished_length"]
