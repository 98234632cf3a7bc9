"""The admin address: health, readiness, metrics, state; and the list of models."""

import subprocess

import pytest
from harness import chat, eventually, fetch, fetch_json
from raw_http import RawConnection, ask, request_bytes


@pytest.fixture(scope="module")
def simulators(shared):
    return [
        shared.simulator(model="base-model"),
        shared.simulator("--lora-adapters", "poet,lawyer", model="base-model"),
        shared.simulator("--engine", "sglang", model="other-model"),
    ]


@pytest.fixture(scope="module")
def gateway(shared, simulators):
    gateway = shared.gateway_over(simulators).await_models()
    for model in ("base-model", "poet", "other-model"):
        assert ask(gateway.port, chat(model)).status == 200
        assert ask(gateway.port, chat(model, stream=True)).status == 200
    assert ask(gateway.port, chat("unheard-of")).status == 404
    return gateway


def test_health_and_readiness(gateway):
    assert fetch(gateway.admin + "/healthz")[0] == 200
    assert fetch(gateway.admin + "/readyz")[0] == 200
    assert fetch(gateway.admin + "/no-such-page")[0] == 404


def test_a_gateway_without_endpoints_is_alive_and_not_ready(services, tmp_path):
    file = tmp_path / "gateway.yaml"
    file.write_text(
        "apiVersion: inference.networking.k8s.io/v1\nkind: InferencePool\nmetadata: {name: empty}\n"
        "spec: {selector: {matchLabels: {app: none}}, targetPorts: [{number: 8000}]}\n"
    )
    gateway = services.gateway("--config", file, ready=False)
    assert fetch(gateway.admin + "/healthz")[0] == 200
    assert fetch(gateway.admin + "/readyz")[0] == 503


def test_models_are_the_union_with_adapters(gateway):
    listed = fetch_json(gateway.url + "/v1/models")
    assert listed["object"] == "list"
    names = [model["id"] for model in listed["data"]]
    assert sorted(names) == ["base-model", "lawyer", "other-model", "poet"], "each name once"
    assert all(model["object"] == "model" for model in listed["data"])
    assert fetch_json(gateway.url + "/v1/models/poet")["id"] == "poet"
    assert ask(gateway.port, None, "/v1/models/unheard-of", "GET").status == 404


def test_requests_go_only_where_their_model_is(gateway, simulators):
    for _ in range(6):
        poet = ask(gateway.port, chat("poet"))
        assert poet.headers["x-gateway-destination-endpoint-served"] == simulators[1].address
        other = ask(gateway.port, chat("other-model"))
        assert other.headers["x-gateway-destination-endpoint-served"] == simulators[2].address


def test_state(gateway, simulators):
    eventually(
        lambda: not any(endpoint["metrics"]["running"] for endpoint in gateway.endpoints().values()),
        "a scrape of the idle endpoints",
    )
    state = gateway.state()
    assert isinstance(state["version"], str) and state["version"]
    (pool,) = state["pools"]
    assert isinstance(pool["name"], str)
    by_address = {endpoint["address"]: endpoint for endpoint in pool["endpoints"]}
    assert set(by_address) == {simulator.address for simulator in simulators}
    for endpoint in by_address.values():
        assert endpoint["name"]
        assert isinstance(endpoint["labels"], dict)
        assert endpoint["metrics"]["waiting"] == 0
        assert endpoint["metrics"]["running"] == 0
        assert 0 <= endpoint["metrics"]["kv_cache_usage"] <= 1
        assert 0 <= endpoint["metrics_age_seconds"] < 5
        assert endpoint["in_flight"] == 0
        assert endpoint["ejected"] is False
    assert sorted(by_address[simulators[1].address]["models"]) == ["base-model", "lawyer", "poet"]


def test_state_shows_work_in_flight(gateway, simulators, services):
    slow = services.simulator("--inter-token-latency-milliseconds", "100")
    own = services.gateway_over([slow])
    with RawConnection(own.port) as connection:
        connection.send(request_bytes(chat(stream=True, max_tokens=100)))
        eventually(lambda: own.endpoints()[slow.address]["in_flight"] == 1, "the request in flight")
        eventually(lambda: own.endpoints()[slow.address]["metrics"]["running"] == 1, "the engine's own count")
    eventually(lambda: own.endpoints()[slow.address]["in_flight"] == 0, "its end", within=2)


@pytest.mark.parametrize("accept", [None, "application/openmetrics-text; version=1.0.0"])
def test_metrics_formats(gateway, accept):
    status, headers, page = fetch(gateway.admin + "/metrics", headers={"accept": accept} if accept else {})
    assert status == 200
    if accept:
        assert headers["content-type"].startswith("application/openmetrics-text")
        assert page.endswith(b"# EOF\n")
    else:
        assert headers["content-type"].startswith("text/plain; version=0.0.4")


def test_metrics_pass_promtool(gateway, promtool):
    _, _, page = fetch(gateway.admin + "/metrics")
    done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True)
    # Advice on naming is heeded for our own names; those that the endpoint picker protocol gave are kept as they are.
    advice = [line for line in done.stderr.decode().splitlines() if line and not line.startswith("llm_d_epp_")]
    assert done.returncode in (0, 3) and advice == [], (done.stdout + done.stderr).decode()


def test_metrics_count_what_happened(gateway):
    assert gateway.metric("llm_d_epp_request_total", model_name="base-model") >= 2
    assert gateway.metric("llm_d_epp_request_error_total") >= 1
    assert gateway.metric("llm_d_epp_ready_endpoints") == 3
    assert gateway.metric("process_resident_memory_bytes") > 1 << 20


def test_the_simulators_pages_pass_promtool(shared, simulators, promtool):
    pages = [simulators[0], simulators[2], shared.simulator("--engine", "triton")]
    for simulator in pages:
        _, _, page = fetch(simulator.url + "/metrics")
        done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True)
        # Exit code 3 is advice on naming; the names are the engines'.
        assert done.returncode in (0, 3), (done.stdout + done.stderr).decode()
