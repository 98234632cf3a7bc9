"""`martlet explain`: decisions of a running gateway, by id or of requests that are not sent, and of a saved state."""

import asyncio
import json
import subprocess

import pytest
from harness import chat, eventually, fetch, fetch_json
from model_servers import complete
from raw_http import ask


@pytest.fixture(scope="module")
def gateway(shared):
    simulators = [shared.simulator(model="m"), shared.simulator("--lora-adapters", "poet", model="m")]
    return shared.gateway_over(simulators).await_models()


@pytest.fixture
def explain(martlet):
    def run(*arguments, status=0):
        result = subprocess.run([martlet, "explain", *arguments], capture_output=True, text=True, timeout=30)
        assert result.returncode == status, result.stderr
        return result.stdout if status == 0 else result.stderr

    return run


def test_a_decision_by_id(gateway, explain):
    answer = ask(gateway.port, chat("poet"), headers=[("x-request-id", "poem 1")])
    served = answer.headers["x-gateway-destination-endpoint-served"]
    table = explain("--admin", gateway.admin, "poem 1")
    assert "request poem 1" in table and "queue-scorer ×2" in table and "TOTAL" in table
    told = json.loads(explain("--admin", gateway.admin, "poem 1", "--output", "json"))["decisions"]
    assert len(told) == 1
    addresses = {endpoint["endpoint"]: endpoint["address"] for endpoint in told[0]["endpoints"]}
    assert addresses[told[0]["picked"][0]] == served
    scores = [step for step in told[0]["profiles"][0]["steps"] if step["stage"] == "scorer"]
    totals = told[0]["profiles"][0]["totals"]
    for place, total in enumerate(totals):
        assert total == pytest.approx(sum(step["weight"] * step["scores"][place] for step in scores))


def test_a_list_of_decisions(gateway, explain):
    for number in range(3):
        ask(gateway.port, chat("m"), headers=[("x-request-id", f"listed-{number}")])
    lines = explain("--admin", gateway.admin, "--last", "2", "--model", "m").splitlines()
    assert [line.split()[0] for line in lines] == ["REQUEST", "listed-2", "listed-1"]


def test_a_request_that_is_not_sent(gateway, explain, tmp_path):
    file = tmp_path / "request.json"
    file.write_text(json.dumps(chat("poet")))
    before = fetch_json(gateway.admin + "/api/decisions?limit=1000")["decisions"]
    told = json.loads(explain("--admin", gateway.admin, "--request", str(file), "--output", "json"))
    assert told["model"] == "poet" and len(told["picked"]) == 1
    assert [endpoint["endpoint"] for endpoint in told["endpoints"]] == told["picked"], "only one has the adapter"
    assert len(fetch_json(gateway.admin + "/api/decisions?limit=1000")["decisions"]) == len(before)


def test_a_saved_state(gateway, explain, tmp_path):
    (tmp_path / "request.json").write_text(json.dumps(chat("poet")))
    (tmp_path / "state.json").write_bytes(fetch(gateway.admin + "/api/state")[2])
    arguments = ("--state", str(tmp_path / "state.json"), "--request", str(tmp_path / "request.json"))
    told = json.loads(explain(*arguments, "--output", "json"))
    live = json.loads(
        explain("--admin", gateway.admin, "--request", str(tmp_path / "request.json"), "--output", "json")
    )
    assert told["picked"] == live["picked"]
    assert "picked: " in explain(*arguments)
    (tmp_path / "request.json").write_text(json.dumps(chat("nobody-has-it")))
    assert "modelNotFound" in explain(*arguments)


GOOD = """\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running 2
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting 1
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc 0.5
"""


CACHE = b"""\
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{block_size="16",num_gpu_blocks="100"} 1
"""


async def drip():
    loop, due = asyncio.get_running_loop(), asyncio.Queue()
    for number, byte in enumerate(GOOD.encode()):
        loop.call_later(number * 0.1, due.put_nowait, bytes([byte]))
    for _ in GOOD:
        yield await due.get()


def page(text, content_type="text/plain; version=0.0.4", status=200):
    return lambda: complete(content_type, text.encode(), status=status)


# The answer to each question for a metrics page, and what is told of it.
BAD_PAGES = {
    "truncated": (page(GOOD[:-2]), "page", "truncated"),
    "not a number": (page(GOOD.replace("perc 0.5", "perc NaN")), "kv_cache_usage", "not_a_number"),
    "negative": (page(GOOD.replace("waiting 1", "waiting -1")), "queued_requests", "out_of_range"),
    "wrong type": (page(GOOD.replace("waiting gauge", "waiting histogram")), "queued_requests", "wrong_type"),
    "too large": (page(GOOD + "# padding\n" * 900_000), "page", "too_large"),
    "slow": (lambda: (200, [("content-type", "text/plain")], drip()), "page", "timed_out"),
    "another content type": (page("<html>", "text/html"), "queued_requests", "missing"),
    "duplicate": (page(GOOD + GOOD), "queued_requests", "duplicate"),
    "not there": (page("", status=404), "page", "missing"),
    "failing": (page("", status=500), "page", "status"),
}


def test_faults_of_metrics_pages(services, explain):
    good = services.model_server(models=["m"], running=7, waiting=3, kv_cache=0.25)
    page_of_good = good.metrics_page
    good.metrics_page = lambda: page_of_good() + CACHE
    servers = [good]
    for answer, _, _ in BAD_PAGES.values():
        server = services.model_server(models=["m"])
        usual = server.answer
        server.answer = lambda request, usual=usual, answer=answer: (
            answer() if request.path == "/metrics" else usual(request)
        )
        servers.append(server)
    # One more, where nobody listens.
    endpoints = [part for server in servers for part in ("--endpoint", server.url)]
    gateway = services.gateway(
        *endpoints, "--endpoint", "http://127.0.0.1:1", "--refresh-metrics-interval-milliseconds", "1000"
    )
    kinds = [*BAD_PAGES.values(), (None, "page", "unreachable")]

    def told():
        state = fetch_json(gateway.admin + "/api/state")["pools"][0]["endpoints"]
        return [
            any((fault["field"], fault["reason"]) == (field, reason) for fault in endpoint["scrape_faults"])
            for endpoint, (_, field, reason) in zip(state[1:], kinds, strict=True)
        ]

    eventually(lambda: all(told()), "the faults of all pages", 30)
    counters = fetch(gateway.admin + "/metrics")[2].decode()
    for _, field, reason in kinds:
        assert f'martlet_scrape_faults_total{{field="{field}",reason="{reason}"}}' in counters
    ask(gateway.port, chat("m"), headers=[("x-request-id", "bad pages")])
    table = explain("--admin", gateway.admin, "bad pages")
    decision = json.loads(explain("--admin", gateway.admin, "bad pages", "--output", "json"))["decisions"][0]
    endpoints = {endpoint["endpoint"]: endpoint for endpoint in decision["endpoints"] + decision["other_endpoints"]}
    for number, (_, field, reason) in enumerate(kinds, 1):
        line = next(line for line in table.splitlines() if line.startswith(f"metrics of default/endpoint-{number}: "))
        assert f"{field} {reason}" in line
        faults = endpoints[f"default/endpoint-{number}"]["scrape_faults"]
        assert (field, reason) in [(fault["field"], fault["reason"]) for fault in faults]
    told_of_good = endpoints["default/endpoint-0"]
    assert told_of_good["scrape_faults"] == [] and "metrics of default/endpoint-0" not in table
    assert (told_of_good["waiting"], told_of_good["running"], told_of_good["kv_cache_usage"]) == (3, 7, 0.25)


def test_what_cannot_be_explained(gateway, explain, services):
    assert "no decision about the request 'unheard-of'" in explain(
        "--admin", gateway.admin, "unheard-of", status=64
    )
    assert "does not answer" in explain("--admin", "http://127.0.0.1:1", "x", status=64)
    silent = services.gateway("--endpoint", "http://127.0.0.1:1", "--keep-decisions", "0", ready=False)
    assert "--keep-decisions" in explain("--admin", silent.admin, status=64)
