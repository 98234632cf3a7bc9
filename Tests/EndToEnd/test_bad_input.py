"""Bad input: a clear error for its sender, and nothing for anybody else."""

import json
import subprocess

import pytest
from harness import chat
from load import ClosedLoop
from raw_http import RawConnection, ask, request_bytes

PATH = "/v1/chat/completions"
HOST = b"host: gateway.test\r\n"


@pytest.fixture(scope="module")
def gateway(shared):
    return shared.gateway_over(shared.simulators(2)).await_models()


@pytest.fixture(scope="module", autouse=True)
def bystanders(gateway):
    """Well-behaved clients all the while: none of them may notice anything."""
    with ClosedLoop(gateway.port, 2, lambda number: chat(text=f"{number}", max_tokens=4)) as load:
        yield load
    assert load.outcomes
    load.assert_no_failures()


@pytest.fixture(autouse=True)
def next_request_is_fine(gateway):
    yield
    assert ask(gateway.port, chat()).status == 200


def refusal(gateway, request, status=400):
    """The error that a raw request gets."""
    with RawConnection(gateway.port) as connection:
        reply = connection.exchange(request)
    assert reply.status == status, reply.body
    return reply.error()


USER = [{"role": "user", "content": "x"}]
BODIES = {
    "empty": (b"", "body"),
    "not JSON": (b"Hello, gateway", "JSON"),
    "JSON cut short": (b'{"model": "sim-model", "messages": [', "JSON"),
    "two documents": (b'{"model":"sim-model","messages":[]} {}', "JSON"),
    "an array": (b"[1, 2, 3]", "object"),
    "a string": (b'"model"', "object"),
    "no model": ({"messages": USER}, "model"),
    "an empty model": ({"model": "", "messages": USER}, "model"),
    "model is a number": ({"model": 5, "messages": USER}, "model must be a string"),
    "model is null": ({"model": None, "messages": USER}, "model"),
    "model is an object": ({"model": {"name": "sim-model"}, "messages": USER}, "model must be a string"),
    "two models": (b'{"model":"sim-model","model":"other","messages":[{"role":"user","content":"x"}]}', "model"),
    "no messages": ({"model": "sim-model"}, "messages"),
    "messages is a string": ({"model": "sim-model", "messages": "x"}, "messages"),
    "messages is empty": ({"model": "sim-model", "messages": []}, "messages"),
    "a message is a string": ({"model": "sim-model", "messages": ["x"]}, "messages"),
    "content is a number": ({"model": "sim-model", "messages": [{"role": "user", "content": 1}]}, "messages"),
    "stream is a string": ({"model": "sim-model", "messages": USER, "stream": "yes"}, "stream"),
    "nested 10,000 deep": (
        b'{"model":"sim-model","messages":[{"role":"user","content":"x"}],"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        "nest",
    ),
    "10,000 objects deep": (b'{"model":"sim-model","x":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001, "nest"),
    "invalid UTF-8": (b'{"model":"sim-model","messages":[{"role":"user","content":"\xff\xfe"}]}', "UTF-8"),
    "an overlong encoding": (b'{"model":"sim-model","messages":[{"role":"user","content":"\xc0\xaf"}]}', "UTF-8"),
    "a surrogate in UTF-8": (b'{"model":"sim-model","messages":[{"role":"user","content":"\xed\xa0\x80"}]}', "UTF-8"),
    "a control character in a string": (b'{"model":"sim\x01model","messages":[{"role":"user","content":"x"}]}', "JSON"),
    "a byte order mark": (b'\xef\xbb\xbf{"model":"sim-model","messages":[{"role":"user","content":"x"}]}', "JSON"),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies(gateway, name):
    body, word = BODIES[name]
    error = refusal(gateway, request_bytes(body))
    assert word.lower() in error["message"].lower(), error
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("/v1/completions", {"model": "sim-model", "prompt": {}}, "prompt"),
        ("/v1/completions", {"model": "sim-model", "prompt": ["a", 1]}, "prompt"),
        ("/v1/completions", {"model": "sim-model"}, "prompt"),
        ("/v1/embeddings", {"model": "sim-model"}, "input"),
        ("/v1/responses", {"model": "sim-model"}, "input"),
    ],
)
def test_bodies_of_other_interfaces(gateway, path, body, word):
    assert word in refusal(gateway, request_bytes(body, path))["message"]


def test_anthropic_clients_get_anthropic_errors(gateway):
    with RawConnection(gateway.port) as connection:
        reply = connection.exchange(request_bytes({"model": "sim-model", "messages": []}, "/v1/messages"))
    assert reply.status == 400
    assert reply.json()["type"] == "error"
    assert "message" in reply.json()["error"]["message"]


def test_unknown_model_names_the_known_ones(gateway):
    error = refusal(gateway, request_bytes(chat("gpt-unheard-of")), 404)
    assert error["code"] == "model_not_found"
    assert "gpt-unheard-of" in error["message"] and "sim-model" in error["message"]


def test_a_model_name_is_quoted_safely(gateway):
    name = 'a"b\\c\u2028</script>'
    assert name in refusal(gateway, request_bytes(chat(name)), 404)["message"]
    # Control characters would become header bytes on the way up.
    refusal(gateway, request_bytes(chat("a\r\nx-injected: 1")), 400)


HEADS = {
    "content-length and transfer-encoding": b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding and content-length": b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "two content-lengths": b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    "a list of content-lengths": b"content-length: 5, 6\r\n\r\nhello",
    "a negative content-length": b"content-length: -5\r\n\r\nhello",
    "a signed content-length": b"content-length: +5\r\n\r\nhello",
    "a content-length in words": b"content-length: five\r\n\r\nhello",
    "a content-length beyond 64 bits": b"content-length: 99999999999999999999999\r\n\r\nhello",
    "chunked not last": b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked twice": b"transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "an obscured chunked": b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "CR in a value": b"x-test: one\rtwo\r\ncontent-length: 0\r\n\r\n",
    "NUL in a value": b"x-test: one\x00two\r\ncontent-length: 0\r\n\r\n",
    "NUL in a name": b"x-te\x00st: one\r\ncontent-length: 0\r\n\r\n",
    "a folded header": b"x-test: one\r\n two\r\ncontent-length: 0\r\n\r\n",
    "a space before the colon": b"x-test : one\r\ncontent-length: 0\r\n\r\n",
    "a space in a name": b"x test: one\r\ncontent-length: 0\r\n\r\n",
    "no colon": b"x-test\r\ncontent-length: 0\r\n\r\n",
    "an empty name": b": one\r\ncontent-length: 0\r\n\r\n",
    "a second host": b"host: elsewhere.test\r\ncontent-length: 0\r\n\r\n",
}


@pytest.mark.parametrize("name", HEADS)
def test_heads(gateway, name):
    refusal(gateway, f"POST {PATH} HTTP/1.1\r\n".encode() + HOST + HEADS[name])


LINES = {
    "brackets in the method": b"PO(ST " + PATH.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a control character in the method": b"PO\x01ST " + PATH.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a control character in the path": b"GET /v1/\x01models HTTP/1.1\r\n" + HOST + b"\r\n",
    "no version": b"GET /v1/models\r\n" + HOST + b"\r\n",
    "another protocol": b"GET /v1/models FTP/1.1\r\n" + HOST + b"\r\n",
    "no host": b"GET /v1/models HTTP/1.1\r\n\r\n",
    "bare line feeds": b"GET /v1/models HTTP/1.1\nhost: gateway.test\n\n",
    "TLS on a plain port": bytes.fromhex("16030100a5010000a10303") + bytes(64),
}


@pytest.mark.parametrize("name", LINES)
def test_request_lines(gateway, name):
    refusal(gateway, LINES[name])


CHUNKS = {
    "a size that is no number": b"zz\r\nhello\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a size beyond 64 bits": b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "a chunk longer than its size": b"5\r\nhello, world\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", CHUNKS)
def test_chunks(gateway, name):
    head = f"POST {PATH} HTTP/1.1\r\n".encode() + HOST + b"transfer-encoding: chunked\r\n\r\n"
    refusal(gateway, head + CHUNKS[name])


@pytest.mark.parametrize(
    "head", [b"transfer-encoding: chunked\r\n\r\n64\r\nonly this", b"content-length: 100\r\n\r\nonly"]
)
def test_a_body_that_ends_too_early(gateway, head):
    with RawConnection(gateway.port) as connection:
        connection.send(f"POST {PATH} HTTP/1.1\r\n".encode() + HOST + head)
        connection.finish_sending()
        reply = connection.read_reply()
        assert reply.status == 400
        reply.error()
        assert connection.is_closed_by_peer()


def test_a_refused_request_smuggles_nothing(gateway):
    with RawConnection(gateway.port) as connection:
        smuggled = b"GET /v1/models HTTP/1.1\r\n" + HOST + b"\r\n"
        connection.send(f"POST {PATH} HTTP/1.1\r\n".encode() + HOST + HEADS["content-length and transfer-encoding"])
        try:
            connection.send(smuggled)
        except OSError:
            pass  # already closed, as it should be
        assert connection.read_reply().status == 400
        assert connection.is_closed_by_peer()


@pytest.mark.parametrize(
    "fields",
    [b"x-long: " + b"v" * 70_000 + b"\r\n", b"".join(b"x-%d: v\r\n" % number for number in range(300))],
    ids=["one long header", "too many headers"],
)
def test_headers_over_the_limit(gateway, fields):
    error = refusal(gateway, b"GET /v1/models HTTP/1.1\r\n" + HOST + fields + b"\r\n", 431)
    assert "header" in error["message"].lower()


def test_a_path_over_the_limit(gateway):
    with RawConnection(gateway.port) as connection:
        reply = connection.exchange(b"GET /" + b"p" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    assert reply.status in (414, 431)


def test_a_body_of_100_megabytes_is_refused_before_it_is_sent(gateway):
    head = f"POST {PATH} HTTP/1.1\r\n".encode() + HOST + b"content-length: 104857600\r\n\r\n"
    error = refusal(gateway, head + b'{"model": "sim-model", ', 413)
    assert str(32 << 20) in error["message"].replace(",", "").replace(".", "")


@pytest.mark.parametrize("chunked", [False, True])
def test_curl_sending_100_megabytes_hears_why_not(gateway, tmp_path, chunked):
    file = tmp_path / "body"
    with open(file, "wb") as body:
        body.truncate(100 << 20)
    command = ["curl", "--silent", "--max-time", "20", "--data-binary", f"@{file}", "--write-out", "\n%{http_code}"]
    extra = ["--header", "transfer-encoding: chunked"] if chunked else []
    done = subprocess.run([*command, *extra, gateway.url + PATH], capture_output=True, text=True)
    content, _, status = done.stdout.rpartition("\n")
    assert status == "413", (done.returncode, done.stdout[:500], done.stderr)
    assert json.loads(content)["error"]["message"]


def test_the_body_limit_is_an_option(services):
    simulator = services.simulator()
    gateway = services.gateway_over([simulator], "--max-body-bytes", "4096")
    fixed = len(json.dumps(chat(text="")).encode())
    assert ask(gateway.port, chat(text="x" * (4096 - fixed))).status == 200
    over = ask(gateway.port, chat(text="x" * (4097 - fixed)))
    assert over.status == 413
    assert "4096" in over.error()["message"].replace(",", "")


def test_no_endpoint_is_503_with_a_reason(services, tmp_path):
    configuration = tmp_path / "empty-pool.yaml"
    configuration.write_text(
        "apiVersion: inference.networking.k8s.io/v1\nkind: InferencePool\nmetadata: {name: empty}\n"
        "spec:\n  selector: {matchLabels: {app: nobody}}\n  targetPorts: [{number: 8000}]\n"
    )
    gateway = services.gateway("--config", configuration, ready=False)
    reply = ask(gateway.port, chat())
    assert reply.status == 503
    assert reply.headers["x-llm-d-request-dropped-reason"] == "rejected-no-endpoints"
    assert "empty" in reply.error()["message"]
