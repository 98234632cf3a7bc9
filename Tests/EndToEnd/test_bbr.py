"""The body-based router: the model of the body becomes a header, and the route is chosen by it."""

import json

import pytest
from configurations import write
from envoy_process import Bootstrap
from extproc_client import (
    Answer, Mode, Stream, ask, get, mutated, open_channel, request_body, request_headers, respond, response_body,
    response_headers,
)
from raw_http import RawConnection, request_bytes
from raw_http import ask as ask_http

MODEL, BASE = "x-gateway-model-name", "x-gateway-base-model-name"


def config_map(name, base, *adapters, managed="true"):
    """A ConfigMap of the router: a base model and its adapters."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"inference.networking.k8s.io/bbr-managed": managed}},
        "data": {"baseModel": base, "adapters": json.dumps(list(adapters))},
    }


@pytest.fixture(scope="module")
def mapping(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mapping")
    write(
        folder / "models.yaml", config_map("llama", "llama", "sql-lora", " french "),
        config_map("more", "llama", "poet"), config_map("qwen", " qwen "),
        config_map("not-for-us", "other", "other-lora", managed="false"),
    )
    return folder


@pytest.fixture(scope="module")
def router(shared, mapping):
    return shared.body_based_router("--config", mapping)


@pytest.fixture(scope="module")
def channel(router):
    with open_channel(router.address) as channel:
        yield channel


def completion(model):
    return {"model": model, "prompt": "Hello"}


@pytest.mark.parametrize(
    ("model", "base"),
    [
        ("llama", "llama"), ("sql-lora", "llama"), ("french", "llama"), ("poet", "llama"), ("qwen", "qwen"),
        ("unknown", ""), ("other-lora", ""), ("other", ""),
    ],
)
def test_the_model_and_its_base(stream, model, base):
    answer = ask(stream, completion(model), path="/v1/completions")
    assert (answer.set[MODEL], answer.set[BASE]) == (model, base)
    assert answer.headers.request_headers.response.clear_route_cache
    assert json.loads(answer.body) == completion(model)


def test_forged_headers_are_overwritten(stream):
    """Also by nothing: for a model that nobody knows the base is empty, not what the client says."""
    answer = ask(stream, completion("unknown"), [(MODEL, "llama"), (BASE, "llama")], path="/v1/completions")
    assert (answer.set[MODEL], answer.set[BASE]) == ("unknown", "")


@pytest.mark.parametrize("size", [62_000, 62_001, 3_000_000])
def test_every_byte_comes_back(stream, size):
    body = json.dumps(completion("llama") | {"prompt": "x" * size}).encode()
    answer = ask(stream, body, path="/v1/completions")
    assert answer.set[MODEL] == "llama" and answer.body == body


def test_trailers_end_the_body(stream):
    answer = ask(stream, completion("llama"), path="/v1/completions", trailers=[("x-checksum", "1")])
    assert answer.set[MODEL] == "llama" and not answer.ends_with_body and answer.trailers is not None


def test_requests_without_a_body_pass(stream):
    answer = get(stream, "/v1/models")
    assert answer.immediate is None and MODEL not in answer.set


@pytest.mark.parametrize("body", [b'{"model":', b'{"model":"llama"'], ids=["cut off", "open"])
def test_json_that_is_none_is_answered_with_400(stream, body):
    ask(stream, body, [("content-type", "application/json")], path="/v1/completions").error(400)


def test_the_model_of_a_multipart_form(stream):
    """Audio for a transcription: the model is a field of the form, and the bytes of the file are left alone."""
    boundary = "----form"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
        "Content-Type: audio/wav\r\n\r\n"
    ).encode() + bytes(range(256)) * 4
    body += (
        f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\nllama\r\n--{boundary}--\r\n'
    ).encode()
    fields = [("content-type", f"multipart/form-data; boundary={boundary}")]
    answer = ask(stream, body, fields, path="/v1/audio/transcriptions")
    assert (answer.set[MODEL], answer.set[BASE]) == ("llama", "llama")
    assert answer.body == body


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream"])
def test_other_bodies_pass(stream, content_type):
    """And a forged header does not pass with them."""
    fields = [("content-type", content_type), (MODEL, "llama"), (BASE, "llama")]
    answer = ask(stream, b"\x00 not JSON", fields, path="/upload")
    assert answer.immediate is None and answer.body == b"\x00 not JSON"
    removed = {name.lower() for name in answer.headers.request_headers.response.header_mutation.remove_headers}
    for name in MODEL, BASE:
        assert name in removed or answer.set.get(name) == "", f"{name} of the client stays"


def test_chunks_of_a_response_are_not_held_back(stream):
    """A filter that sends the response half as well must not stop streams."""
    ask(stream, completion("llama"), path="/v1/completions")
    stream.send(response_headers(200, [("content-type", "text/event-stream")]))
    assert stream.receive().WhichOneof("response") == "response_headers"
    for chunk in b"data: 1\n\n", b"data: 2\n\n":
        stream.send(response_body(chunk))
        assert stream.receive().response_body.response.body_mutation.streamed_response.body == chunk
    stream.send(response_body(b"", True))
    assert stream.receive().response_body.response.body_mutation.streamed_response.end_of_stream
    stream.close()


def test_response_bodies_come_back_whole(stream):
    ask(stream, completion("llama"), path="/v1/completions")
    content = bytes(range(256)) * 8_000
    assert respond(stream, content[:1_000_000], content[1_000_000:]).body == content


def test_a_buffered_body(services, mapping):
    """Without --streaming, and with it where the proxy says BUFFERED: one answer for the headers, one for the body."""
    for streaming in False, True:
        router = services.body_based_router("--config", mapping, streaming=streaming)
        with open_channel(router.address) as channel:
            stream = Stream(channel).send(request_headers("/v1/completions", mode=Mode.BUFFERED))
            assert not mutated(stream.receive())
            stream.send(request_body(json.dumps(completion("poet")).encode(), True))
            answer = Answer()
            answer.take(stream.receive())
            assert (answer.set[MODEL], answer.set[BASE]) == ("poet", "llama")
            assert answer.bodies[0].request_body.response.clear_route_cache
            stream.cancel()


def test_metrics(router, channel):
    before = router.metric("bbr_success_total") or 0
    missing = router.metric("bbr_body_field_not_found_total", field="model") or 0
    for body in completion("llama"), {"prompt": "x"}:
        stream = Stream(channel)
        ask(stream, body, path="/v1/completions")
        stream.cancel()
    assert router.metric("bbr_success_total") >= before + 1
    assert router.metric("bbr_body_field_not_found_total", field="model") == missing + 1


# With Envoy: deploy/envoy/model-routes.yaml


@pytest.fixture(scope="module")
def envoy(shared, router):
    """Three pools of one server each, one picker for each, and TLS as in the file for none of them."""
    bootstrap = Bootstrap("model-routes.yaml")
    bootstrap.set_server("bbr", router)
    for number, pool in enumerate(("llama", "qwen", "qwen-next"), 1):
        server = shared.model_server(f"127.{number}.24.1", models=["llama", "sql-lora", "qwen"])
        bootstrap.set_server(f"epp-{pool}", shared.endpoint_picker([server]))
        bootstrap.set_endpoints(pool, [server.address])
    return shared.envoy(bootstrap)


@pytest.mark.parametrize(
    ("model", "host"),
    [("llama", "127.1.24.1"), ("sql-lora", "127.1.24.1"), ("qwen", ("127.2.24.1", "127.3.24.1"))],
)
def test_the_model_chooses_the_pool(envoy, model, host):
    reply = ask_http(envoy.port, completion(model), "/v1/completions")
    assert reply.status == 200, reply.body
    assert reply.headers["x-backend"].startswith(host)
    assert reply.json()["headers"][MODEL] == model


def test_the_model_that_nobody_has_is_answered_by_the_route(envoy):
    for headers in [], [(MODEL, "llama"), (BASE, "llama")]:
        reply = ask_http(envoy.port, completion("nobody"), "/v1/completions", headers=headers)
        assert reply.status == 404
        assert reply.error()["code"] == "route_not_found"


def test_bad_json_is_the_clients_error(envoy):
    with RawConnection(envoy.port) as connection:
        reply = connection.exchange(request_bytes(b'{"model":"llama"'))
    assert reply.status == 400
    assert reply.error()["type"] == "invalid_request_error"


def test_the_subset_of_a_header(envoy):
    hint = [("x-endpoint-subset", "127.1.24.1")]
    assert ask_http(envoy.port, completion("llama"), "/v1/completions", headers=hint).status == 200
    elsewhere = [("x-endpoint-subset", "127.1.24.99:1")]
    reply = ask_http(envoy.port, completion("llama"), "/v1/completions", headers=elsewhere)
    assert reply.status == 503
    assert reply.headers["x-llm-d-request-dropped-reason"] == "rejected-no-endpoints"


def test_a_body_through_both_arrives_intact(envoy):
    body = json.dumps(completion("llama") | {"prompt": "y" * 3_000_000}).encode()
    with RawConnection(envoy.port) as connection:
        assert connection.exchange(request_bytes(body, "/v1/completions")).json()["bytes"] == len(body)


def test_a_model_list_without_a_model(envoy):
    assert ask_http(envoy.port, None, "/v1/models", "GET").status == 200
