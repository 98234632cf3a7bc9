"""`martlet explain`: decisions of a running gateway, by id or of requests that are not sent, and of a saved state."""

import json
import subprocess

import pytest
from harness import chat, fetch, fetch_json
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


def test_what_cannot_be_explained(gateway, explain, services):
    assert "no decision about the request 'unheard-of'" in explain(
        "--admin", gateway.admin, "unheard-of", status=64
    )
    assert "does not answer" in explain("--admin", "http://127.0.0.1:1", "x", status=64)
    silent = services.gateway("--endpoint", "http://127.0.0.1:1", "--keep-decisions", "0", ready=False)
    assert "--keep-decisions" in explain("--admin", silent.admin, status=64)
