"""Pools whose endpoints share the work of a request: prefill and decode workers, ranks, caches of prompts."""

import json

import pytest
from configurations import endpoints, picker_config, pool, write
from extproc_client import Stream, ask, open_channel, respond, response_body, response_headers
from harness import chat, eventually, fetch

PREFILLER, ENCODERS, RANK = "x-prefiller-host-port", "x-encoder-hosts-ports", "x-data-parallel-host-port"
# What a client may not say: who works for its request.
SPOOFED = [("X-Prefiller-Host-Port", "192.0.2.1:80"), (PREFILLER, "192.0.2.2:80"), (ENCODERS, "192.0.2.1:80")]
PLUGINS = [
    ("disagg-profile-handler", {"deciders": {"prefill": "always-disagg-pd-decider"}}),
    "always-disagg-pd-decider",
    ("label-selector-filter", {"matchLabels": {"llm-d.ai/role": "decode"}}, "decoders"),
    ("label-selector-filter", {"matchLabels": {"llm-d.ai/role": "prefill"}}, "prefillers"),
    "queue-scorer",
]
PROFILES = {"decode": ["decoders", "queue-scorer"], "prefill": ["prefillers", "queue-scorer"]}
ROLES = ["prefill", "prefill", "decode", "decode"]


@pytest.fixture(scope="module")
def workers(shared):
    return [shared.model_server(f"127.1.20.{number}") for number in range(1, 5)]


@pytest.fixture(scope="module")
def picker(shared, workers):
    labels = [{"llm-d.ai/role": role} for role in ROLES]
    return shared.endpoint_picker(workers, plugins=PLUGINS, profile=PROFILES, labels=labels)


def in_flight(picker, address):
    return picker.endpoints()[address]["in_flight"]


def test_the_decode_worker_learns_of_the_prefill_worker(picker, workers, stream):
    before = picker.metric("llm_d_epp_disagg_decision_total", decision_type="prefill-decode") or 0
    answer = ask(stream, chat(), SPOOFED)
    decoder, prefiller = answer.endpoint, answer.set[PREFILLER]
    assert decoder in [worker.address for worker in workers[2:]]
    assert prefiller in [worker.address for worker in workers[:2]]
    assert ENCODERS not in answer.set
    removed = answer.headers.request_headers.response.header_mutation.remove_headers
    assert ENCODERS in removed and PREFILLER not in removed
    after = picker.metric(
        "llm_d_epp_disagg_decision_total", decision_type="prefill-decode", plugin_type="disagg-profile-handler"
    )
    assert after == before + 1
    # Both have the request while the prompt is computed, the decode worker alone from the first byte on.
    assert (in_flight(picker, decoder), in_flight(picker, prefiller)) == (1, 1)
    stream.send(response_headers(200, [("content-type", "application/json")]))
    stream.receive()
    stream.send(response_body(b"{"))
    stream.receive()
    assert (in_flight(picker, decoder), in_flight(picker, prefiller)) == (1, 0)
    stream.send(response_body(b"}", True))
    stream.receive()
    assert (in_flight(picker, decoder), in_flight(picker, prefiller)) == (0, 0)
    stream.close()


def test_busy_workers_of_either_role_are_left_alone(picker, workers, channel):
    for worker, waiting in zip(workers, (9, 0, 0, 9)):
        worker.waiting = waiting
    picker.await_metrics(lambda metrics: all(metrics[w.address]["waiting"] == w.waiting for w in workers))
    for _ in range(4):
        answer = ask(stream := Stream(channel), chat())
        assert (answer.endpoint, answer.set[PREFILLER]) == (workers[2].address, workers[1].address)
        stream.cancel()
    eventually(lambda: picker.leases() == 0, "no request in flight")


def test_without_decode_workers_requests_are_refused(services, workers):
    labels = [{"llm-d.ai/role": "prefill"}] * 2
    picker = services.endpoint_picker(workers[:2], plugins=PLUGINS, profile=PROFILES, labels=labels)
    with open_channel(picker.address) as channel:
        error = ask(Stream(channel), chat()).error(429)
    assert "failed to find available decode workers" in error["message"]
    assert error["fields"]["x-llm-d-request-dropped-reason"] == "rejected-saturated"


def test_a_gateway_names_the_prefill_worker(services, workers, tmp_path):
    config = picker_config("unused", PLUGINS, PROFILES)
    del config["dataLayer"], config["plugins"][0]
    listed = endpoints(workers, "llm")
    for entry, role in zip(listed["endpoints"], ROLES):
        entry["labels"]["llm-d.ai/role"] = role
    path = write(tmp_path / "config.yaml", pool("llm", "llm"), listed, config)
    gateway = services.gateway("--config", path)
    for _ in range(4):
        status, _, content = fetch(gateway.url + "/v1/chat/completions", chat(), headers=dict(SPOOFED))
        told = json.loads(content)
        assert status == 200 and told["endpoint"] in [worker.address for worker in workers[2:]]
        assert told["headers"][PREFILLER] in [worker.address for worker in workers[:2]]
        assert ENCODERS not in told["headers"]


def test_a_data_parallel_rank_is_asked_at_the_primary_port(services, workers):
    """The rank that was picked stands in the header; its load is counted there."""
    host, rank = workers[0].host, f"{workers[0].host}:1"
    handler = ("data-parallel-profile-handler", {"primaryPort": 8200})
    picker = services.endpoint_picker([rank], plugins=[handler])
    with open_channel(picker.address) as channel:
        answer = ask(stream := Stream(channel), chat(), [(RANK, "192.0.2.1:80")])
        assert answer.endpoint == f"{host}:8200" and answer.set[RANK] == rank
        assert in_flight(picker, rank) == 1
        respond(stream, b"{}")
        stream.close()
    assert in_flight(picker, rank) == 0


def test_a_request_may_ask_for_a_cached_prompt_only(services, workers):
    picker = services.endpoint_picker(workers[:2], plugins=["prefix-cache-scorer"])
    with open_channel(picker.address) as channel:
        wish = [("Prefer", "wait=5, If-Available")]
        error = ask(Stream(channel), chat(), wish).error(412)
        assert error["message"] == "no decode worker has the requested KV cache"
        answer = ask(stream := Stream(channel), chat())
        respond(stream, b"{}")
        stream.close()
        assert ask(stream := Stream(channel), chat(), wish).endpoint == answer.endpoint
        stream.cancel()
        assert ask(Stream(channel), chat(text="Another prompt"), wish).error(412)
