"""Where requests go: shared prefixes stay together, everything else is spread."""

import threading
from collections import Counter

import pytest
from harness import chat, eventually, fetch, fetch_json
from raw_http import ask

SERVED = "x-gateway-destination-endpoint-served"


@pytest.fixture(scope="module")
def gateway(shared):
    return shared.gateway("--simulate", "3")


@pytest.fixture(scope="module")
def model(gateway):
    return fetch_json(gateway.url + "/v1/models")["data"][0]["id"]


def served_by(gateway, body):
    reply = ask(gateway.port, body)
    assert reply.status == 200, reply.body
    return reply.headers[SERVED]


@pytest.mark.parametrize("stream", [False, True])
def test_each_reply_names_its_endpoint(gateway, model, stream):
    assert served_by(gateway, chat(model, stream=stream)) in gateway.endpoints()


def test_pass_through_paths_are_balanced_and_named_too(gateway):
    reply = ask(gateway.port, None, path="/version", method="GET")
    assert reply.status == 200
    assert reply.headers[SERVED] in gateway.endpoints()


def test_a_long_prefix_stays_on_one_endpoint(gateway, model):
    for tenant in range(6):
        prefix = f"Tenant {tenant} has these rules. " + "Answer in verse, never in prose. " * 120
        homes = {served_by(gateway, chat(model, text=f"{prefix} Question {number}?")) for number in range(8)}
        assert len(homes) == 1, f"tenant {tenant} went to {homes}"


def test_different_prefixes_use_every_endpoint(gateway, model):
    homes = Counter(
        served_by(gateway, chat(model, text=f"{number} is a number of its own. " * 100)) for number in range(60)
    )
    assert set(homes) == set(gateway.endpoints())
    assert min(homes.values()) >= 5, homes


def test_the_served_header_is_off_unless_asked_for(services):
    simulator = services.simulator()
    gateway = services.gateway("--endpoint", simulator.url)
    reply = ask(gateway.port, chat())
    assert reply.status == 200
    assert SERVED not in reply.headers


def test_a_busy_endpoint_is_avoided(services):
    idle = services.simulator()
    busy = services.simulator("--max-running-sequences", "1", "--inter-token-latency-milliseconds", "200")
    gateway = services.gateway_over([idle, busy])
    # Work given to one endpoint behind the gateway's back shows in its metrics alone.
    with_work = [fetch_in_background(busy.url, chat(max_tokens=60, text=f"Job {number}")) for number in range(6)]
    eventually(
        lambda: gateway.endpoints()[busy.address]["metrics"]["waiting"] >= 4, "the queue of the busy endpoint"
    )
    homes = Counter(served_by(gateway, chat(text=f"{number} " * 200)) for number in range(20))
    assert homes[idle.address] == 20, homes
    busy.kill()
    for thread in with_work:
        thread.join(timeout=10)


def fetch_in_background(url, body):
    def run():
        try:
            fetch(url + "/v1/chat/completions", body, timeout=30)
        except OSError:
            pass  # the endpoint is killed at the end of the test

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
