"""gRPC requests behind the picker: vllmgrpc-parser and vertexai-parser. Messages are made by Google's protobuf."""

import json

import pytest
from extproc_client import Stream, ask, get, open_channel, respond, subset_hint, to_json
from grpc_messages import (
    EMBED, GENERATE, PREDICTION, HttpBody, frame, generate_request, vertex_request, vllm,
)

PARSERS = ["vllmgrpc-parser", "vertexai-parser", "openai-parser"]
SCORERS = ["queue-scorer", "kv-cache-utilization-scorer"]
COST = ("request-attribute-reporter", {"attributes": [{"key": {"name": "cost"}, "expression": "usage.total_tokens"}]})
CHAT = json.dumps({"model": "base", "messages": [{"role": "user", "content": "Hello"}]}).encode()
RESPONSES = json.dumps({"model": "base", "input": "Hello", "stream": True}).encode()
USAGE = {"prompt_tokens": 7, "completion_tokens": 10, "total_tokens": 17}
GRPC = "application/grpc"
TRAILERS = [("grpc-status", "0")]


@pytest.fixture(scope="module")
def pods(shared):
    states = [(3, 0.2), (0, 0.1), (10, 0.2)]
    return [
        shared.model_server(f"127.1.41.{number}", waiting=waiting, kv_cache=kv_cache)
        for number, (waiting, kv_cache) in enumerate(states, 1)
    ]


@pytest.fixture(scope="module")
def picker(shared, pods):
    profile = [(scorer, 1) for scorer in SCORERS]
    picker = shared.endpoint_picker(pods, plugins=[*SCORERS, COST], profile=profile, parsers=PARSERS)
    return picker.await_metrics(lambda metrics: metrics[pods[2].address]["waiting"] == 10)


def call(stream, body, path=GENERATE, **options):
    """The request half of a gRPC call."""
    fields = [("content-type", GRPC), ("te", "trailers")]
    return ask(stream, body, fields, path=path, **options)


def tokenized(ids):
    return vllm["TokenizedInput"](input_ids=ids)


REQUESTS = {
    "text": (GENERATE, generate_request(request_id="r", text="test1")),
    "token ids": (GENERATE, generate_request(tokenized=tokenized(range(400)), stream=True)),
    "embedding": (EMBED, frame(vllm["EmbedRequest"](request_id="r", tokenized=tokenized([1, 2, 3])))),
    "chat": (PREDICTION + "ChatCompletions", vertex_request("ChatCompletions", CHAT)),
    "responses": (PREDICTION + "RawPredict", vertex_request("RawPredict", RESPONSES)),
    "a stream of responses": (PREDICTION + "StreamRawPredict", vertex_request("StreamRawPredict", RESPONSES)),
    "a method that is not read": ("/vllm.grpc.engine.VllmEngine/Abort", frame(b"\x0a\x01r")),
    "no frame for a method that is not read": (PREDICTION + "Predict", b"anything"),
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
@pytest.mark.parametrize("chunk", [2**20, 9], ids=["whole", "split"])
def test_a_call_goes_to_the_best_endpoint_unchanged(pods, stream, request_, chunk):
    path, body = request_
    answer = call(stream, body, path, chunk=chunk)
    assert answer.endpoint == pods[1].address
    assert answer.body == body


def test_a_call_with_trailers(pods, stream):
    path, body = REQUESTS["text"]
    answer = call(stream, body, path, trailers=[("x-checksum", "1")])
    assert answer.endpoint == pods[1].address and answer.body == body and answer.trailers is not None


def test_a_call_stays_in_its_subset(pods, channel):
    """Scores decide within the hint only."""
    body = REQUESTS["text"][1]
    for chosen, hint in (1, [0, 1, 2]), (2, [2]), (0, [0, 2]):
        stream = Stream(channel)
        metadata = subset_hint([pods[index].address for index in hint])
        assert call(stream, body, metadata=metadata).endpoint == pods[chosen].address
        stream.cancel()
    error = call(Stream(channel), body, metadata=subset_hint(["127.1.41.99:1"])).error(503)
    assert error["fields"]["x-llm-d-request-dropped-reason"] == "rejected-no-endpoints"


def test_the_models_name_is_not_replaced(pods, stream):
    """Lengths in the message count its bytes; the header that names another model has no effect."""
    path, body = REQUESTS["chat"]
    answer = ask(stream, body, [("x-llm-d-model-name-rewrite", "other")], path=path)
    assert answer.endpoint == pods[1].address and answer.body == body


def test_metrics_know_the_model_of_a_document(picker, channel):
    def requests(model):
        return picker.metric("llm_d_epp_request_total", model_name=model) or 0

    before = requests("base"), requests("")
    for name in "chat", "text":
        stream = Stream(channel)
        call(stream, REQUESTS[name][1], REQUESTS[name][0])
        stream.cancel()
    assert (requests("base"), requests("")) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (GENERATE, b"no frame", "invalid or unsupported gRPC payload"),
        (GENERATE, frame(b"\x1a\x01x", compressed=True), "the message is compressed"),
        (GENERATE, generate_request(text="x")[:-1], "invalid or unsupported gRPC payload"),
        (GENERATE, frame(b"\x1a\x7fx"), "not a valid protobuf message"),
        (GENERATE, generate_request(request_id="r"), "not supported request inputType"),
        (EMBED, frame(b"\x0a\x01r"), "missing tokenized input in EmbedRequest"),
        (PREDICTION + "RawPredict", frame(b"\x0a\x01r"), "has no HttpBody"),
        (PREDICTION + "ChatCompletions", vertex_request("ChatCompletions", b"{"), "not valid JSON"),
        (PREDICTION + "ChatCompletions", vertex_request("ChatCompletions", b'{"model":"m"}'), "messages"),
        ("/of.another.Service/Method", b"", "No parser is registered"),
    ],
)
def test_what_is_no_call_is_answered_with_400(stream, path, body, words):
    error = call(stream, body, path).error(400)
    assert error["type"] == "invalid_request_error" and words in error["message"]


def chunk(**fields):
    return frame(vllm["GenerateResponse"](chunk=fields))


def complete(**fields):
    return frame(vllm["GenerateResponse"](complete=fields))


def http(data):
    return frame(HttpBody(content_type="application/json", data=data))


USAGE_JSON = json.dumps({"usage": USAGE}).encode()
REPLIES = {
    "complete": ("text", complete(output_ids=range(10), finish_reason="stop", prompt_tokens=7, completion_tokens=10)),
    "a stream": (
        "token ids",
        chunk(token_ids=[1], prompt_tokens=7, completion_tokens=1) + chunk(token_ids=[2] * 9)
        + chunk(prompt_tokens=7, completion_tokens=10),
    ),
    "chat": ("chat", http(USAGE_JSON)),
    "a stream of events": (
        "a stream of responses",
        http(b"data: {}\n\n") + http(b"data: " + USAGE_JSON + b"\n\n") + http(b"data: [DONE]\n\n"),
    ),
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES.keys())
@pytest.mark.parametrize("size", [2**20, 11, 1], ids=["whole", "split", "byte by byte"])
def test_usage_of_a_response(picker, stream, reply, size):
    """The response passes unchanged, its usage is in the metrics, and the trailers' answer tells what it cost."""

    def tokens():
        names = ("input", "output")
        return [picker.metric(f"llm_d_epp_request_{name}_tokens_sum") or 0 for name in names]

    name, body = reply
    before = tokens()
    call(stream, REQUESTS[name][1], REQUESTS[name][0])
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    answer = respond(stream, *chunks, content_type=GRPC, trailers=TRAILERS)
    assert answer.body == body
    assert to_json(answer.trailers.dynamic_metadata) == {"envoy.lb": {"cost": 17}}
    stream.close()
    assert tokens() == [before[0] + 7, before[1] + 10]


def test_usage_of_an_embedding(picker, stream):
    before = picker.metric("llm_d_epp_request_input_tokens_sum") or 0
    path, body = REQUESTS["embedding"]
    call(stream, body, path)
    reply = frame(vllm["EmbedResponse"](embedding=[0.5] * 1024, prompt_tokens=3, embedding_dim=1024))
    assert respond(stream, reply, content_type=GRPC, trailers=TRAILERS).body == reply
    stream.close()
    assert picker.metric("llm_d_epp_request_input_tokens_sum") == before + 3


@pytest.mark.parametrize("reply", [b"no healthy upstream", complete()[:3], frame(b"\xff\xff"), b""])
def test_a_response_that_cannot_be_read_passes(stream, reply):
    call(stream, REQUESTS["text"][1])
    answer = respond(stream, reply, content_type=GRPC, trailers=TRAILERS)
    assert answer.body == reply
    assert to_json(answer.trailers.dynamic_metadata) == {}
    stream.close()


def test_equal_prompts_stay_on_one_endpoint(services):
    """Token ids and texts are prefixes like any other."""
    servers = [services.model_server(f"127.1.42.{number}") for number in (1, 2, 3)]
    parsers = ["vllmgrpc-parser", "passthrough-parser"]
    picker = services.endpoint_picker(servers, plugins=["prefix-cache-scorer"], parsers=parsers)
    picker.await_metrics()
    with open_channel(picker.address) as channel:
        for body in (
            generate_request(tokenized=tokenized(number % 1000 + 500 for number in range(4000))),
            generate_request(text="The same long words. " * 400),
        ):
            chosen = set()
            for _ in range(8):
                stream = Stream(channel)
                chosen.add(call(stream, body).endpoint)
                respond(stream, complete(prompt_tokens=1, completion_tokens=1), content_type=GRPC, trailers=TRAILERS)
                stream.close()
            assert len(chosen) == 1
        assert get(Stream(channel), "/of/another/api").endpoint in [server.address for server in servers]
