"""The endpoint-picker protocol, message by message, without a proxy in between."""

import json

import pytest
from extproc_client import (
    ENDPOINT, LARGEST_REPLY_CHUNK, Answer, Mode, Stream, TLSTunnel, ask, get, mutated, open_channel,
    pieces, request_body, request_headers, respond, response_body, response_headers, subset_hint, upstream_address,
)
from harness import eventually

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
SELECTION = "test-epp-endpoint-selection"
VERIFIED = "x-conformance-test-served-endpoint"
SCORES = "x-gateway-destination-endpoint-scores"


@pytest.fixture(scope="module")
def servers(shared):
    """Two addresses, the second with two ports."""
    return [shared.model_server(host) for host in ("127.1.6.1", "127.1.6.2", "127.1.6.2")]


@pytest.fixture(scope="module")
def picker(shared, servers):
    return shared.endpoint_picker(
        servers, plugins=["random-picker", "destination-endpoint-served-verifier"], profile=["random-picker"]
    )


def addresses(servers):
    return {server.address for server in servers}


def picks(channel, count=24, **options):
    """Which endpoints some requests in a row get; enough of them that each candidate comes up."""
    found = set()
    for _ in range(count):
        stream = Stream(channel)
        found.add(ask(stream, BODY, **options).endpoint)
        stream.cancel()
    return found


# Full duplex


def test_a_request_and_its_response(stream, servers):
    answer = ask(stream, BODY)
    assert answer.endpoint in addresses(servers)
    assert json.loads(answer.body) == BODY
    assert answer.headers.request_headers.response.clear_route_cache
    response = respond(stream, b'{"id":', b'"1"}')
    assert response.body == b'{"id":"1"}'
    assert response.set["x-went-into-resp-headers"] == "true"
    stream.close()


@pytest.mark.parametrize("size", [1, 61_999, LARGEST_REPLY_CHUNK, LARGEST_REPLY_CHUNK + 1, 1_000_000, 3_000_000])
def test_every_byte_comes_back(stream, size):
    """Pieces of a megabyte in, chunks of 62,000 bytes at most out, and the order of headers and body kept."""
    body = json.dumps({"model": "m", "prompt": "x" * size}).encode()
    answer = ask(stream, body, path="/v1/completions")
    assert answer.endpoint
    assert answer.body == body


def test_bytes_are_not_rewritten(stream):
    """Duplicate keys, escapes, large numbers and odd spacing stay what they are."""
    body = rb'{ "seed":12345678901234567890, "model" : "m", "x":1.50, "x":2 , "prompt":"\u00e9 <&> \/" }' + b"\n\n"
    assert ask(stream, body, path="/v1/completions").body == body


def test_pieces_of_one_byte(stream):
    assert json.loads(ask(stream, BODY, chunk=1).body) == BODY


def test_the_last_piece_may_end_the_body(stream):
    stream.send(request_headers(), request_body(json.dumps(BODY).encode(), True))
    answer = Answer()
    while not (answer.bodies and answer.ends_with_body):
        answer.take(stream.receive())
    assert answer.endpoint and json.loads(answer.body) == BODY


def test_nothing_is_said_before_the_body_is_whole(stream):
    stream.send(request_headers("/v1/completions"), request_body(b'{"model":"m",'))
    assert stream.is_silent()
    stream.send(request_body(b'"prompt":"x"}', True))
    assert stream.receive().WhichOneof("response") == "request_headers"


def test_trailers_end_the_body(stream):
    answer = ask(stream, BODY, trailers=[("x-checksum", "42")])
    assert answer.endpoint
    assert json.loads(answer.body) == BODY
    assert not answer.ends_with_body and answer.trailers is not None


def test_a_request_without_a_body(stream, servers):
    """Answered at once; nothing follows but the response."""
    answer = get(stream, "/v1/something")
    assert answer.endpoint in addresses(servers)
    assert answer.headers.request_headers.response.clear_route_cache
    assert respond(stream, b"{}").body == b"{}"
    stream.close()


def test_without_a_protocol_configuration_it_is_full_duplex(stream, servers):
    assert ask(stream, BODY, mode=None).endpoint in addresses(servers)


# Other body modes: the configuration in the first message decides


@pytest.mark.parametrize("mode", [Mode.BUFFERED, Mode.BUFFERED_PARTIAL])
def test_a_buffered_body(stream, servers, mode):
    """The headers are answered at once and empty; the pick comes with the body, which stays as it is."""
    stream.send(request_headers(mode=mode, response_mode=Mode.NONE))
    first = stream.receive()
    assert first.WhichOneof("response") == "request_headers" and ENDPOINT not in mutated(first)
    stream.send(request_body(json.dumps(BODY).encode(), True))
    second = stream.receive()
    common = second.request_body.response
    assert second.WhichOneof("response") == "request_body"
    assert common.clear_route_cache and common.body_mutation.WhichOneof("mutation") is None
    answer = Answer()
    answer.take(second)
    assert answer.endpoint in addresses(servers)
    stream.send(response_headers())
    assert stream.receive().WhichOneof("response") == "response_headers"
    stream.close()


def test_a_buffered_body_that_is_bad(stream):
    stream.send(request_headers(mode=Mode.BUFFERED), request_body(b"{", True))
    answer = Answer()
    answer.take(stream.receive())
    answer.take(stream.receive())
    answer.error(400)


def test_no_body(stream, servers):
    """Without the body nobody knows the model, and the pick comes at once."""
    stream.send(request_headers(mode=Mode.NONE, response_mode=Mode.NONE))
    answer = Answer()
    answer.take(stream.receive())
    assert answer.endpoint in addresses(servers)
    stream.send(response_headers())
    assert stream.receive().WhichOneof("response") == "response_headers"
    stream.close()


def test_a_streamed_body_is_refused(stream):
    """A pick could come too late there; a refusal says so where the operator sees it."""
    stream.send(request_headers(mode=Mode.STREAMED))
    answer = Answer()
    answer.take(stream.receive())
    status, _, body = answer.refusal()
    assert status >= 400 and b"STREAMED" in body.upper(), body


def test_a_streamed_response_body_has_one_answer_for_each_message(stream):
    stream.send(request_headers(mode=Mode.BUFFERED, response_mode=Mode.STREAMED))
    stream.send(request_body(json.dumps(BODY).encode(), True))
    stream.receive(), stream.receive()
    stream.send(response_headers(), response_body(b'{"a":'), response_body(b"1}", True))
    kinds = [stream.receive().WhichOneof("response") for _ in range(3)]
    assert kinds == ["response_headers", "response_body", "response_body"]
    stream.close()


def test_an_observer_gets_no_answer(channel):
    stream = Stream(channel)
    stream.send(request_headers(mode=Mode.STREAMED, observability_mode=True))
    body = request_body(json.dumps(BODY).encode(), True)
    body.observability_mode = True
    stream.send(body)
    stream.close()


# Headers


def test_headers_in_value_are_read_too(shared, servers):
    """Envoy fills raw_value, other proxies value; what comes back is in raw_value (extproc_client.mutated)."""
    picker = shared.endpoint_picker(
        servers, plugins=["header-based-testing-filter", "max-score-picker"],
        profile=["header-based-testing-filter", "max-score-picker"],
    )
    with open_channel(picker.address) as channel:
        for raw in True, False:
            chosen = servers[1].address
            stream = Stream(channel)
            assert ask(stream, BODY, [(SELECTION, chosen)], raw=raw).endpoint == chosen
            stream.cancel()


def test_only_what_changes_is_set(stream):
    """Fields of the client are not sent again: that would fold repeated ones into one."""
    answer = ask(stream, BODY, [("x-custom", "a"), ("x-custom", "b"), ("accept", "*/*"), ("x-request-id", "mine")])
    assert answer.endpoint
    assert not {"x-custom", "accept", ":path", ":method", "x-request-id"} & set(answer.set)


def test_a_request_id_is_made_where_none_is(channel):
    made = set()
    for _ in range(2):
        stream = Stream(channel)
        made.add(ask(stream, BODY).set["x-request-id"])
        stream.cancel()
    assert len(made) == 2 and all(made)


def test_what_a_body_based_router_said_stays(stream):
    """It stands before the picker and knows base models that the endpoints do not tell.

    The picker has the route chosen again: without the base model that could be another route than the one that asked.
    """
    said = {"x-gateway-model-name": "sql-lora", "x-gateway-base-model-name": "llama"}
    answer = ask(stream, BODY | {"model": "sql-lora"}, said.items())
    assert answer.endpoint
    assert {name: answer.set.get(name, value) for name, value in said.items()} == said


def test_a_forged_pick_is_overwritten(channel, servers):
    for _ in range(3):
        stream = Stream(channel)
        answer = ask(stream, BODY, [(ENDPOINT, "127.9.9.9:1")])
        assert answer.endpoint in addresses(servers)
        stream.cancel()


# Subset hints


def test_without_a_hint_everybody_is_a_candidate(channel, servers):
    assert picks(channel) == addresses(servers)
    assert picks(channel, metadata={"envoy.lb.subset_hint": {"other": "x"}, "envoy.lb": {}}) == addresses(servers)


@pytest.mark.parametrize(
    ("hint", "chosen"),
    [
        (lambda one, two, three: [two, three], {1, 2}),
        (lambda one, two, three: [one], {0}),
        (lambda one, two, three: f"{one}, {two}", {0, 1}),
        (lambda one, two, three: [f"{one},{two}"], {0, 1}),
        (lambda one, two, three: ["127.1.6.2"], {1, 2}),
        (lambda one, two, three: ["127.1.6.1", three], {0, 2}),
        (lambda one, two, three: ["127.1.6.99:8000", one], {0}),
    ],
    ids=["list", "one", "text", "text in a list", "address without port", "mixed", "partly unknown"],
)
def test_a_hint_narrows_the_choice(channel, servers, hint, chosen):
    metadata = subset_hint(hint(*(server.address for server in servers)))
    assert picks(channel, metadata=metadata) == {servers[index].address for index in chosen}


@pytest.mark.parametrize(
    "hint", [[], "", ["127.1.6.99:8000"], "127.1.6.99", ["127.1.6.1:1"], ["no address"], [7]],
    ids=["empty list", "empty text", "unknown", "unknown address", "other port", "no address", "number"],
)
def test_a_hint_that_leaves_nobody_is_answered_with_503(stream, hint):
    error = ask(stream, BODY, metadata=subset_hint(hint)).error(503)
    assert error["fields"]["x-llm-d-request-dropped-reason"] == "rejected-no-endpoints"
    assert int(error["fields"]["retry-after"]) >= 1


def test_a_request_without_a_body_keeps_to_the_hint(channel, servers):
    for _ in range(12):
        stream = Stream(channel)
        answer = get(stream, "/v1/something", metadata=subset_hint([servers[2].address]))
        assert answer.endpoint == servers[2].address
        stream.cancel()


def test_hints_can_be_switched_off(services, servers):
    picker = services.endpoint_picker(servers, "--disable-endpoint-subset-filter")
    with open_channel(picker.address) as channel:
        stream = Stream(channel)
        assert ask(stream, BODY, metadata=subset_hint(["127.1.6.99"])).endpoint in addresses(servers)
        stream.cancel()


# Who served


def test_the_served_endpoint_is_read_from_metadata_or_attribute(channel, servers):
    served = servers[0].address
    for told in {"metadata": {"envoy.lb": {"x-gateway-destination-endpoint-served": served}}}, upstream_address(served):
        stream = Stream(channel)
        ask(stream, BODY)
        assert respond(stream, b"{}", **told).set[VERIFIED] == served
        stream.close()


def test_nobody_told_who_served(stream):
    ask(stream, BODY)
    assert respond(stream, b"{}").set[VERIFIED].startswith("fail")


# Scores


def test_scores_are_told_on_demand(services, servers):
    idle, busy = services.model_server("127.1.7.1"), services.model_server("127.1.7.2", waiting=9)
    for arguments in ("--emit-endpoint-scores",), ():
        picker = services.endpoint_picker([idle, busy], *arguments, plugins=["queue-scorer"])
        picker.await_metrics(lambda metrics: metrics[busy.address]["waiting"] == 9)
        with open_channel(picker.address) as channel:
            stream = Stream(channel)
            answer = ask(stream, BODY)
            assert answer.endpoint == idle.address
            scores = answer.metadata["envoy.lb"].get(SCORES)
            stream.cancel()
        if arguments:
            assert set(scores) == {idle.address, busy.address} and scores[idle.address] > scores[busy.address]
        else:
            assert scores is None


# TLS, and what is in flight


def test_tls_with_http2(services, servers):
    picker = services.endpoint_picker(servers, secure=True)
    with TLSTunnel(picker.address) as tunnel, open_channel(tunnel.address) as channel:
        stream = Stream(channel)
        body = json.dumps({"model": "m", "prompt": "x" * 2_000_000}).encode()
        assert ask(stream, body, path="/v1/completions").body == body
        assert respond(stream, *pieces(body, 2**20)).body == body
        stream.close()
        assert tunnel.agreed == ["h2"]


def test_a_request_is_in_flight_until_its_response_has_ended(channel, picker):
    eventually(lambda: picker.leases() == 0, "nothing of the tests before")
    stream = Stream(channel)
    chosen = ask(stream, BODY).endpoint
    eventually(lambda: picker.endpoints()[chosen]["in_flight"] == 1, "a request in flight")
    respond(stream, b"{}")
    eventually(lambda: picker.leases() == 0, "no request in flight")
    stream.close()


@pytest.mark.parametrize("half", ["request", "response"])
def test_a_stream_that_breaks_off_is_not_in_flight(channel, picker, half):
    eventually(lambda: picker.leases() == 0, "nothing of the tests before")
    stream = Stream(channel)
    ask(stream, BODY)
    if half == "response":
        stream.send(response_headers(), response_body(b"{"))
        stream.receive(), stream.receive()
    eventually(lambda: picker.leases() == 1, "a request in flight")
    stream.cancel()
    eventually(lambda: picker.leases() == 0, "no request in flight")
    assert not picker.metric("martlet_lease_leaks_total")
