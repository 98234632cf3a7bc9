"""What request-attribute-reporter tells the proxy about a response's token usage, and with which message."""

import json
import subprocess

import pytest
from configurations import backend, endpoint_list, endpoints, picker_config, plain_gateway, pool, route, rule, write
from extproc_client import (
    FULL_DUPLEX, Mode, Stream, ask, open_channel, request_body, request_headers, respond, response_body,
    response_headers, to_json,
)
from harness import eventually, free_port

USAGE = {
    "prompt_tokens": 32, "completion_tokens": 10, "total_tokens": 42, "prompt_tokens_details": {"cached_tokens": 16},
}
BODY = {"model": "m", "prompt": "x"}
JSON_REPLY = json.dumps({"id": "1", "usage": USAGE}).encode()
STREAM_REPLY = b'data: {"choices":[]}\n\ndata: ' + JSON_REPLY + b"\n\ndata: [DONE]\n\n"


def reporter(expression, condition=None, **key):
    """The plugin with its parameters."""
    attribute = {"key": {"name": "cost", **key}, "expression": expression}
    if condition:
        attribute["condition"] = condition
    return "request-attribute-reporter", {"attributes": [attribute]}


@pytest.fixture(scope="module")
def server(shared):
    return shared.model_server("127.1.40.1")


@pytest.fixture(scope="module")
def picker(shared, server):
    """The plugin as upstream's own test has it: named in a profile, with a condition."""
    plugins = [
        reporter("usage.completion_tokens + 1000 * usage.prompt_tokens_details.cached_tokens",
                 "has(usage.completion_tokens)"),
        "queue-scorer", "max-score-picker",
    ]
    profile = ["request-attribute-reporter", ("queue-scorer", 1), "max-score-picker"]
    return shared.endpoint_picker([server], plugins=plugins, profile=profile)


def reported(responses):
    """What each response tells."""
    return [to_json(response.dynamic_metadata) for response in responses]


COST = {"envoy.lb": {"cost": 16_010}}


@pytest.mark.parametrize(
    ("chunks", "content_type"),
    [
        ([JSON_REPLY], "application/json"), ([JSON_REPLY[:20], JSON_REPLY[20:], b""], "application/json"),
        ([STREAM_REPLY[:60], STREAM_REPLY[60:], b""], "text/event-stream"),
        ([STREAM_REPLY[index : index + 1] for index in range(len(STREAM_REPLY))], "text/event-stream; charset=utf-8"),
    ],
    ids=["JSON", "JSON in pieces", "a stream", "a stream byte by byte"],
)
def test_the_last_piece_has_the_number(picker, stream, chunks, content_type):
    before = picker.metric("llm_d_epp_request_output_tokens_sum") or 0
    ask(stream, BODY, path="/v1/completions")
    answer = respond(stream, *chunks, content_type=content_type)
    assert answer.body == b"".join(chunks)
    assert reported(answer.bodies) == [{}] * (len(chunks) - 1) + [COST]
    assert not answer.headers.HasField("dynamic_metadata")
    stream.close()
    # Metrics and plugin have the same reading of the response.
    assert picker.metric("llm_d_epp_request_output_tokens_sum") == before + 10


def test_trailers_have_the_number_when_they_end_the_body(stream):
    ask(stream, BODY, path="/v1/completions")
    answer = respond(stream, JSON_REPLY, trailers=[("grpc-status", "0")])
    assert reported(answer.bodies) == [{}] and reported([answer.trailers]) == [COST]
    stream.close()


def test_a_buffered_body_has_the_number(stream):
    stream.send(request_headers("/v1/completions", mode=Mode.BUFFERED, response_mode=Mode.BUFFERED))
    stream.receive()
    stream.send(request_body(json.dumps(BODY).encode(), True))
    stream.receive()
    stream.send(response_headers(), response_body(JSON_REPLY, True))
    assert reported([stream.receive(), stream.receive()]) == [{}, COST]
    stream.close()


@pytest.mark.parametrize("reply", [b"no healthy upstream", b'{"usage":null}', b""])
def test_without_usage_nothing_is_told(stream, reply):
    ask(stream, BODY, path="/v1/completions")
    assert reported(respond(stream, reply).bodies) == [{}]
    stream.close()


@pytest.mark.parametrize(
    ("plugin", "expected"),
    [
        (reporter("usage.prompt_tokens / 3"), {"envoy.lb": {"cost": 10}}),
        (reporter("usage.prompt_tokens", namespace="billing"), {"billing": {"cost": 32}}),
        (reporter("usage.prompt_tokens", "usage.completion_tokens > 10"), {}),
        (reporter("usage.prompt_tokens - 32"), {}), (reporter("usage.prompt_tokens / 0"), {}),
        (reporter("usage.no_such"), {}),
    ],
    ids=["a part", "a namespace", "a condition that fails", "zero", "division by zero", "an absent field"],
)
def test_expressions(services, server, plugin, expected):
    picker = services.endpoint_picker([server], plugins=[plugin])
    with open_channel(picker.address) as channel:
        stream = Stream(channel)
        ask(stream, BODY, path="/v1/completions", mode=FULL_DUPLEX)
        assert reported(respond(stream, JSON_REPLY).bodies) == [expected]
        stream.close()
    told = "no response has usage.no_such" in picker.log()
    assert told == ("no_such" in plugin[1]["attributes"][0]["expression"])


def test_an_expression_that_is_wrong_is_named_at_the_start(martlet, tmp_path):
    endpoint_file = write(tmp_path / "endpoints.yaml", endpoint_list([]))
    config = write(tmp_path / "picker.yaml", picker_config(endpoint_file, [reporter("usage.prompt_tokens + 'a'")]))
    command = [martlet, "epp", "--pool-name", "pool", "--config-file", config]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "'+' does not go with a token count and string, at 1:1 ('usage.prompt_tokens + 'a'')" in done.stderr


def test_a_gateway_without_a_proxy_says_that_nobody_is_told(services):
    server, port = services.model_server("127.1.40.2"), free_port()
    kind, parameters = reporter("usage.total_tokens")
    picker = {
        "apiVersion": "llm-d.ai/v1alpha1", "kind": "EndpointPickerConfig",
        "plugins": [{"type": kind, "parameters": parameters}, {"type": "queue-scorer"}],
    }
    everything = route("r", rule([backend("p")]))
    documents = [plain_gateway(port), pool("p", "a"), endpoints([server], "a"), everything, picker]
    config = write(services.folder / "gateway.yaml", *documents)
    gateway = services.gateway("--config", config, listen=False, port=port)
    warning = "'request-attribute-reporter' has no effect: there is no proxy in front"
    eventually(lambda: warning in gateway.log(), "the warning")
