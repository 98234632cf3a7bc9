"""Envoy with `martlet epp` behind it: clients get what a model server gives, and bodies and streams cross unharmed."""

import hashlib
import json
import statistics
import subprocess

import openai
import pytest
from envoy_process import Bootstrap
from harness import accepts, eventually, fetch
from raw_http import RawConnection, request_bytes
from test_clients import CALLS, openai_client


@pytest.fixture(scope="module")
def simulators(shared):
    return [shared.simulator("--seed", "7", host=f"127.1.0.{number}") for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def simulated(shared, simulators):
    """Envoy before three simulated engines, with TLS to the picker as deploy/envoy has it."""
    picker = shared.endpoint_picker(simulators, secure=True)
    picker.await_models()
    return shared.envoy_over(picker, simulators)


@pytest.fixture(scope="module")
def servers(shared):
    return [shared.model_server(f"127.1.1.{number}") for number in (1, 2)]


@pytest.fixture(scope="module")
def picker(shared, servers):
    return shared.endpoint_picker(servers).await_metrics()


@pytest.fixture(scope="module")
def envoy(shared, picker, servers):
    return shared.envoy_over(picker, servers)


def exchange(port, body, headers=(), host="127.0.0.1"):
    with RawConnection(port, host=host) as connection:
        return connection.exchange(request_bytes(body, headers=headers))


def body_of(length):
    """A chat completion of a size."""
    text = hashlib.sha256(b"text").hexdigest() * (length // 64 + 1)
    frame = '{"model":"m","messages":[{"role":"user","content":"%s"}]}'
    return (frame % text[: length - len(frame) + 2]).encode()


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_clients_get_what_one_server_gives(simulated, simulators, call):
    assert call(simulated.url, "sim-model") == call(simulators[0].url, "sim-model")


def test_curl(simulated):
    body = json.dumps({"model": "sim-model", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4})
    command = [
        "curl", "--silent", "--show-error", "--fail", simulated.url + "/v1/chat/completions", "--json", body,
        "--header", "expect: 100-continue",
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["usage"]["completion_tokens"] == 4


def test_refusals_are_the_clients_errors(simulated):
    with pytest.raises(openai.NotFoundError) as error:
        openai_client(simulated.url).chat.completions.create(
            model="no-such-model", messages=[{"role": "user", "content": "?"}]
        )
    assert error.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError):
        openai_client(simulated.url).chat.completions.create(model="sim-model", messages=[])


@pytest.mark.parametrize("length", [1_000, 200_000, 3_000_000])
def test_a_request_body_arrives_intact(envoy, length):
    body = body_of(length)
    seen = exchange(envoy.port, body).json()
    assert (seen["bytes"], seen["sha256"]) == (length, hashlib.sha256(body).hexdigest())


@pytest.mark.parametrize("length", [0, 1, 62_000, 62_001, 3_000_000])
def test_a_response_body_arrives_intact(envoy, length):
    reply = exchange(envoy.port, body_of(500), [("x-reply-bytes", str(length))])
    assert reply.status == 200
    assert len(reply.body) == length
    assert hashlib.sha256(reply.body).hexdigest() == reply.headers["x-reply-sha256"]


def send_with_trailers(envoy, body):
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.test\r\ncontent-type: application/json\r\n"
    head += b"transfer-encoding: chunked\r\ntrailer: x-checksum\r\n\r\n"
    chunks = b"%x\r\n%s\r\n%x\r\n%s\r\n" % (60_000, body[:60_000], 40_000, body[60_000:])
    with RawConnection(envoy.port) as connection:
        reply = connection.exchange(head + chunks + b"0\r\nx-checksum: 42\r\n\r\n")
    assert reply.status == 200, reply.body
    return reply.json()


def test_a_request_with_trailers_through_the_bootstrap(envoy):
    body = body_of(100_000)
    assert send_with_trailers(envoy, body)["sha256"] == hashlib.sha256(body).hexdigest()


def test_a_request_whose_trailers_go_through(shared, picker, servers):
    """The trailers end the body, which the picker then has to send on without an end.

    Without the retries of the bootstrap: with them Envoy 1.39.3 itself sends such a body twice.
    """
    bootstrap = Bootstrap("one-pool.yaml")
    bootstrap.set_server("epp", picker)
    bootstrap.set_endpoints("pool", [server.address for server in servers])
    bootstrap.manager["http_protocol_options"] = {"enable_trailers": True}
    bootstrap.protocol_options("pool")["http_protocol_options"] = {"enable_trailers": True}
    del bootstrap.manager["route_config"]["virtual_hosts"][0]["retry_policy"]
    body = body_of(100_000)
    seen = send_with_trailers(shared.envoy(bootstrap), body)
    assert seen["sha256"] == hashlib.sha256(body).hexdigest()
    assert seen["trailers"] == {"x-checksum": "42"}


def test_the_servers_see_the_request_as_it_was(envoy, servers):
    """What the picker adds: the pick and a request id. What a client forges does not arrive."""
    forged = [
        ("x-gateway-destination-endpoint", "127.9.9.9:1"), ("x-gateway-destination-endpoint-served", "127.9.9.9:1"),
        ("x-gateway-model-name", "other"), ("x-gateway-base-model-name", "other"), ("x-custom", "a, b"),
        ("x-request-id", "of-the-client"),
    ]
    seen = exchange(envoy.port, body_of(500), forged).json()
    assert seen["headers"]["x-gateway-destination-endpoint"] == seen["endpoint"]
    assert seen["endpoint"] in [server.address for server in servers]
    assert seen["headers"]["x-custom"] == "a, b"
    assert seen["headers"]["x-request-id"]
    assert "127.9.9.9" not in json.dumps(seen["headers"])
    assert "other" not in seen["headers"].values()


def test_a_stream_keeps_its_spacing(envoy, servers):
    """Events 50 ms apart: what the way through Envoy and the picker adds between two of them is within 5 ms."""

    def gaps(host, port):
        reply = exchange(port, body_of(300), [("x-reply-events", "20"), ("x-reply-gap-ms", "50")], host)
        assert reply.body.endswith(b"data: [DONE]\n\n")
        arrivals = reply.arrivals[:20]
        return [later - earlier for earlier, later in zip(arrivals, arrivals[1:])]

    measured = []
    for _ in range(4):
        direct, through = gaps(servers[0].host, servers[0].port), gaps("127.0.0.1", envoy.port)
        assert len(through) == len(direct) == 19
        measured.append(abs(statistics.median(through) - statistics.median(direct)))
        # Two events that come together would show here and not in a median.
        if measured[-1] < 0.005 and min(through) > 0.025:
            return
    # Others on the machine make noise in one measurement or two; what holds events back does so in each.
    raise AssertionError(f"medians apart by {measured} s; the last gaps: {direct}, {through}")


def test_a_client_that_leaves_gives_its_place_back(envoy, picker, servers):
    cancelled = sum(server.cancelled for server in servers)
    with RawConnection(envoy.port) as connection:
        connection.send(request_bytes(body_of(300), headers=[("x-reply-events", "2000"), ("x-reply-gap-ms", "20")]))
        eventually(lambda: picker.leases() == 1, "a request in flight")
        assert picker.metric("llm_d_epp_request_running") == 1
        connection.socket.recv(100)
    eventually(lambda: picker.leases() == 0, "no request in flight")
    eventually(lambda: sum(server.cancelled for server in servers) == cancelled + 1, "the end at the server")
    assert picker.metric("llm_d_epp_request_running") == 0
    assert not picker.metric("martlet_lease_leaks_total")


def test_a_retry_goes_to_the_next_endpoint_of_the_list(services):
    """The picker's first choice fails; Envoy walks on, also with a body that it had to hold, and says who served."""
    dead, alive = services.model_server("127.1.2.1"), services.model_server("127.1.2.2", waiting=50)
    picker = services.endpoint_picker(
        [dead, alive],
        plugins=[
            "queue-scorer", ("max-score-picker", {"maxNumOfEndpoints": 2}), "destination-endpoint-served-verifier",
        ],
        profile=[("queue-scorer", 1), "max-score-picker"],
    )
    picker.await_metrics(lambda metrics: metrics[alive.address]["waiting"] == 50)
    envoy = services.envoy_over(picker, [dead, alive])
    assert exchange(envoy.port, body_of(500)).headers["x-backend"] == dead.address
    for length in 500, 3_000_000:
        reply = exchange(envoy.port, body_of(length), [("x-reply-status-of", f"503 {dead.address}")])
        assert reply.headers["x-backend"] == alive.address
        assert reply.headers["x-conformance-test-served-endpoint"] == alive.address
        assert reply.json()["bytes"] == length


def test_a_picker_that_is_gone_closes_the_pool(services):
    server = services.model_server("127.1.3.1")
    picker = services.endpoint_picker([server])
    envoy = services.envoy_over(picker, [server])
    assert exchange(envoy.port, body_of(300)).status == 200
    picker.kill()
    eventually(lambda: not accepts(picker.port), "no picker")
    assert exchange(envoy.port, body_of(300)).status == 503
    assert fetch(envoy.url + "/v1/models")[0] == 503
    assert server.requests == 1


def test_a_buffered_body_is_chosen_for_too(services):
    """One message for the whole body: with the flag that the bootstrap names, none is too long for the picker."""
    server = services.model_server("127.1.24.2")
    picker = services.endpoint_picker([server], "--grpc-max-recv-msg-size", "33Mi")
    envoy = services.envoy_over(picker, [server], "fail-open-buffered.yaml")
    for length in 1_000, 12_000_000, 33_000_000:
        body = body_of(length)
        seen = exchange(envoy.port, body).json()
        assert seen["sha256"] == hashlib.sha256(body).hexdigest()
        assert seen["headers"].get("x-gateway-destination-endpoint") == server.address, f"{length} bytes: round robin"
    assert exchange(envoy.port, body_of(34_000_000)).status == 413


def test_a_body_over_the_limit_is_refused(services):
    """413 with a reason, and nothing of it at the server."""
    server = services.model_server("127.1.4.1")
    envoy = services.envoy_over(services.endpoint_picker([server]), [server])
    reply = exchange(envoy.port, body_of(40_000_000))
    assert reply.status == 413, reply.body
    assert reply.error()["message"]
    assert server.requests == 0
