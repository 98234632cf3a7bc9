"""Which endpoint the picker names, what it refuses, and what it reads from responses."""

import itertools
import json

import grpc
import pytest
from configurations import endpoint_list, write
from extproc_client import Stream, ask, get, open_channel, respond, response_body, response_headers, subset_hint
from harness import eventually, fetch

# The scorers of upstream's own hermetic tests, all with the same weight.
SCORERS = ["queue-scorer", "kv-cache-utilization-scorer", "prefix-cache-scorer", "lora-affinity-scorer"]
TARGET = "sql-lora-1fdg2"
NUMBERS = itertools.count()
USAGE = {"prompt_tokens": 7, "completion_tokens": 10, "total_tokens": 17}


@pytest.fixture(scope="module")
def pods(shared):
    return [shared.model_server(f"127.1.8.{number}", max_lora=2) for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def picker(shared, pods):
    return shared.endpoint_picker(pods, plugins=SCORERS, profile=[(scorer, 1) for scorer in SCORERS])


def set_state(picker, pods, *states):
    """Gives each pod (waiting, use of its cache, adapters) and waits until the picker has heard of it."""
    for pod, (waiting, kv_cache, *adapters) in zip(pods, states):
        pod.waiting, pod.kv_cache, pod.adapters = waiting, kv_cache, adapters

    def heard(metrics):
        return all(
            metrics[pod.address]["waiting"] == pod.waiting
            and abs(metrics[pod.address]["kv_cache_usage"] - pod.kv_cache) < 1e-6
            and sorted(metrics[pod.address]["active_adapters"]) == sorted(pod.adapters)
            for pod in pods
        )

    picker.await_metrics(heard)


def completion(model=TARGET, prompt=None):
    """A request; without a prompt one that no endpoint has seen, so that prefixes decide nothing."""
    return {"model": model, "prompt": prompt or f"prompt {next(NUMBERS)}", "max_tokens": 100, "temperature": 0}


@pytest.mark.parametrize(
    ("states", "chosen"),
    [
        ([(3, 0.2), (0, 0.1), (10, 0.2)], 1),
        ([(0, 0.2, "foo", "bar"), (0, 0.1, "foo", TARGET), (10, 0.2, "foo", "bar")], 1),
        ([(10, 0.2, "foo", "bar"), (10, 0.4, "foo", TARGET), (10, 0.3, "foo")], 1),
        ([(6, 0.2, TARGET, "bar"), (0, 0.85, "foo"), (10, 0.9, "foo")], 0),
    ],
    ids=["short queue and empty cache", "active adapter", "adapter before cache", "everybody is busy"],
)
def test_metrics_decide(picker, pods, channel, states, chosen):
    set_state(picker, pods, *states)
    before = picker.metric("llm_d_epp_request_total", model_name=TARGET) or 0
    for _ in range(3):
        stream = Stream(channel)
        assert ask(stream, completion(), path="/v1/completions").endpoint == pods[chosen].address
        stream.cancel()
    assert picker.metric("llm_d_epp_request_total", model_name=TARGET) == before + 3
    assert picker.metric("llm_d_epp_ready_endpoints") == 3


def test_the_best_of_a_subset(picker, pods, channel):
    """A hint with one pod counts even when that one is the busiest."""
    set_state(picker, pods, (0, 0.2, "foo"), (0, 0.1, "foo", TARGET), (10, 0.9, "foo"))
    for chosen, hint in (1, [0, 1, 2]), (2, [2]), (0, [0, 2]):
        stream = Stream(channel)
        metadata = subset_hint([pods[index].address for index in hint])
        assert ask(stream, completion(), path="/v1/completions", metadata=metadata).endpoint == pods[chosen].address
        stream.cancel()


def test_a_long_prefix_stays_on_one_endpoint(picker, pods, channel):
    set_state(picker, pods, (0, 0.1), (0, 0.1), (0, 0.1))
    chosen = set()
    for number in range(8):
        stream = Stream(channel)
        answer = ask(stream, completion("m", "The same long words. " * 400 + str(number)), path="/v1/completions")
        chosen.add(answer.endpoint)
        respond(stream, b"{}")
        stream.close()
    assert len(chosen) == 1


def test_unknown_paths_are_balanced_and_not_read(picker, pods, channel, stream):
    set_state(picker, pods, (3, 0.2), (0, 0.1), (10, 0.2))
    answer = ask(stream, b"this is no JSON", path="/of/some/other/api")
    assert answer.endpoint == pods[1].address
    assert answer.body == b"this is no JSON"


# Refusals


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"no healthy upstream", "/v1/completions"),
        (b'{"model":"m","prompt":"x"', "/v1/completions"),
        (b'{"prompt":"hello world"}', "/v1/completions"),
        (b'{"model":"","prompt":"x"}', "/v1/completions"),
        (b'{"model":"m"}', "/v1/chat/completions"),
        (b'{"model":"m","messages":[]}', "/v1/chat/completions"),
        (b"[]", "/v1/embeddings"),
        (b"\xff\xfe\x00", "/v1/responses"),
    ],
    ids=["text", "cut off", "no model", "empty model", "no messages", "empty messages", "list", "no UTF-8"],
)
def test_bad_requests_are_answered_with_400(stream, body, path):
    assert ask(stream, body, path=path).error(400)["type"] == "invalid_request_error"


def test_the_stream_ends_after_a_refusal(stream):
    assert ask(stream, b"{", path="/v1/completions").refusal()[0] == 400
    assert stream.end() == (grpc.StatusCode.OK, [])


def test_anthropic_refusals_have_anthropics_shape(stream):
    status, fields, body = ask(stream, b'{"model":"m","messages":[]}', path="/v1/messages").refusal()
    assert status == 400 and fields["content-type"].startswith("application/json")
    error = json.loads(body)
    assert error["type"] == "error" and error["error"]["type"] == "invalid_request_error"


def test_an_unknown_model_is_answered_with_404(services):
    servers = [services.model_server(f"127.1.9.{number}", models=["base", f"only-{number}"]) for number in (1, 2)]
    picker = services.endpoint_picker(servers).await_models()
    with open_channel(picker.address) as channel:
        stream = Stream(channel)
        error = ask(stream, completion("nobody-has-it"), path="/v1/completions").error(404)
        assert error["code"] == "model_not_found" and "nobody-has-it" in error["message"]
        stream = Stream(channel)
        assert ask(stream, completion("only-2"), path="/v1/completions").endpoint == servers[1].address
        stream.cancel()


def test_the_list_of_models_is_everybodys(services):
    servers = [services.model_server(f"127.1.10.{number}", models=["base", f"only-{number}"]) for number in (1, 2)]
    picker = services.endpoint_picker(servers).await_models()
    with open_channel(picker.address) as channel:
        status, fields, body = get(Stream(channel), "/v1/models").refusal()
    assert status == 200 and fields["content-type"].startswith("application/json")
    listed = json.loads(body)
    assert listed["object"] == "list"
    assert {model["id"] for model in listed["data"]} == {"base", "only-1", "only-2"}


def test_without_endpoints_the_answer_is_503(services):
    server = services.model_server("127.1.11.1")
    picker = services.endpoint_picker([server])
    write(picker.endpoint_file, endpoint_list([]))
    eventually(lambda: not picker.endpoints(), "an empty pool")
    with open_channel(picker.address) as channel:
        for answer in ask(Stream(channel), completion(), path="/v1/completions"), get(Stream(channel), "/v1/else"):
            error = answer.error(503)
            assert error["fields"]["x-llm-d-request-dropped-reason"] == "rejected-no-endpoints"
            assert "retry-after" in error["fields"]
        # What is wrong with the request itself is said first.
        assert ask(Stream(channel), b'{"prompt":"x"}', path="/v1/completions").error(400)
    assert fetch(picker.admin + "/readyz")[0] == 503


def test_filters_that_leave_nobody_are_answered_with_429(services):
    server = services.model_server("127.1.12.1")
    nobody = ("label-selector-filter", {"matchLabels": {"rack": "none"}})
    picker = services.endpoint_picker([server], plugins=[nobody], profile=["label-selector-filter"])
    with open_channel(picker.address) as channel:
        error = ask(Stream(channel), completion(), path="/v1/completions").error(429)
    assert error["fields"]["x-llm-d-request-dropped-reason"] == "rejected-saturated"
    assert "retry-after" in error["fields"]


def test_a_body_over_the_limit_is_answered_with_413(channel):
    """At once and not after the whole body; what is still sent is not an error."""
    stream = Stream(channel)
    body = json.dumps(completion(prompt="x" * 40_000_000)).encode()
    ask(stream, body, path="/v1/completions").error(413)


# Responses


def response_half(channel, *chunks, **options):
    """A request whose response consists of some chunks, and the response half as the picker passes it on."""
    stream = Stream(channel)
    ask(stream, completion(), path="/v1/completions")
    answer = respond(stream, *chunks, **options)
    stream.close()
    return answer


def tokens(picker, kind):
    return picker.metric(f"llm_d_epp_request_{kind}_tokens_sum") or 0


@pytest.mark.parametrize(
    "chunks",
    [
        [json.dumps({"id": "1", "usage": USAGE}).encode()],
        [b'{"id":"1","usa', b'ge":' + json.dumps(USAGE).encode(), b"}"],
        [json.dumps({"usage": USAGE}).encode(), b""],
    ],
    ids=["whole", "in pieces", "an empty end"],
)
def test_usage_of_a_json_response(picker, channel, chunks):
    before = tokens(picker, "input"), tokens(picker, "output")
    assert response_half(channel, *chunks).body == b"".join(chunks)
    assert (tokens(picker, "input"), tokens(picker, "output")) == (before[0] + 7, before[1] + 10)


USAGE_EVENT = b"data: " + json.dumps({"choices": [], "usage": USAGE}).encode() + b"\n\ndata: [DONE]\n\n"


@pytest.mark.parametrize(
    "chunks",
    [
        [b"data: {}\n\n", USAGE_EVENT, b""],
        [b"data: {}\n\n" + USAGE_EVENT[:40], USAGE_EVENT[40:]],
        [USAGE_EVENT[index : index + 1] for index in range(len(USAGE_EVENT))],
    ],
    ids=["event by event", "cut in an event", "byte by byte"],
)
def test_usage_of_a_stream(picker, channel, chunks):
    """Each chunk is passed on as it is; usage is read across their borders."""
    before = tokens(picker, "input"), tokens(picker, "output")
    bucket = picker.metric("llm_d_epp_request_input_tokens_bucket", le="8") or 0
    answer = response_half(channel, *chunks, content_type="text/event-stream")
    assert answer.body == b"".join(chunks)
    assert (tokens(picker, "input"), tokens(picker, "output")) == (before[0] + 7, before[1] + 10)
    assert picker.metric("llm_d_epp_request_input_tokens_bucket", le="8") == bucket + 1


@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json"])
def test_chunks_of_a_response_are_not_held_back(stream, content_type):
    """Each chunk is answered before the next one comes, whatever its type: nothing in a response is changed."""
    ask(stream, completion(), path="/v1/completions")
    stream.send(response_headers(200, [("content-type", content_type)]))
    assert stream.receive().WhichOneof("response") == "response_headers"
    for chunk in b"data: 1\n\n", b"da", b"ta: 2\n\n":
        stream.send(response_body(chunk))
        streamed = stream.receive().response_body.response.body_mutation.streamed_response
        assert (streamed.body, streamed.end_of_stream) == (chunk, False)
    stream.send(response_body(b"", True))
    assert stream.receive().response_body.response.body_mutation.streamed_response.end_of_stream
    stream.close()


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"no JSON at all", {}),
        (b"\x00\xff" * 1_500_000, {"content_type": "application/octet-stream"}),
        (b'{"error":"busy"}', {"status": 503}),
        (b"{}", {"trailers": [("grpc-status", "0")]}),
    ],
    ids=["text", "three megabytes", "an error", "with trailers"],
)
def test_any_response_is_passed_on(channel, content, options):
    stream = Stream(channel)
    ask(stream, completion(), path="/v1/completions")
    answer = respond(stream, *(content[start : start + 2**20] for start in range(0, len(content), 2**20)), **options)
    assert answer.body == content
    assert answer.ends_with_body != ("trailers" in options) and (answer.trailers is None) != ("trailers" in options)
    stream.close()


def test_a_response_without_a_body(stream):
    ask(stream, completion(), path="/v1/completions")
    stream.send(response_headers(204, [], end=True))
    assert stream.receive().WhichOneof("response") == "response_headers"
    stream.close()
