"""Several pools behind one listener: which route matches, and what it does."""

from collections import Counter

import pytest
from configurations import backend, endpoints, plain_gateway, pool, route, rule, write
from harness import chat, free_port
from raw_http import RawConnection, ask, request_bytes

LLAMA, QWEN = "llama-3", "qwen-2"


@pytest.fixture(scope="module")
def llama(shared):
    return shared.simulators(1, model=LLAMA)


@pytest.fixture(scope="module")
def qwen(shared):
    return shared.simulators(1, model=QWEN)


@pytest.fixture
def serve(services, llama, qwen, tmp_path):
    """Starts a gateway with two pools, `llama` and `qwen`, and the given routes."""

    def start(*routes):
        port = free_port()
        # A file for each: a gateway that still runs would read the next one's.
        file = write(
            tmp_path / f"routes-{port}.yaml",
            plain_gateway(port), *routes, pool("llama", "llama"), pool("qwen", "qwen"),
            endpoints(llama, "llama"), endpoints(qwen, "qwen"),
        )
        return services.gateway("--config", file, "--served-header", listen=False, port=port)

    return start


def home(gateway, body=None, path="/v1/chat/completions", host="gateway.test", headers=(), method="POST"):
    """The port of the endpoint that served a request."""
    request = request_bytes(body, path, method, headers).replace(b"host: gateway.test", f"host: {host}".encode())
    with RawConnection(gateway.port) as connection:
        reply = connection.exchange(request, method)
    assert "x-gateway-destination-endpoint-served" in reply.headers, (reply.status, reply.headers, reply.body)
    return int(reply.headers["x-gateway-destination-endpoint-served"].rpartition(":")[2])


def header_match(name, value, **more):
    return {"headers": [{"name": name, "value": value, **more}]}


def path_match(kind, value, **more):
    return {"path": {"type": kind, "value": value}, **more}


def test_by_model_of_the_body(serve, llama, qwen):
    gateway = serve(
        route("llama", rule([backend("llama")], header_match("X-Gateway-Model-Name", LLAMA))),
        route("qwen", rule([backend("qwen")], header_match("X-Gateway-Model-Name", QWEN))),
    )
    assert home(gateway, chat(LLAMA)) == llama[0].port
    assert home(gateway, chat(QWEN)) == qwen[0].port
    # A client cannot choose by header what its body does not say.
    assert home(gateway, chat(QWEN), headers=[("x-gateway-model-name", LLAMA)]) == qwen[0].port
    missing = ask(gateway.port, chat("unheard-of"))
    assert missing.status == 404
    assert missing.error()["message"]


def test_by_path_the_most_specific_wins(serve, llama, qwen):
    gateway = serve(
        route(
            "paths",
            rule([backend("llama")], path_match("PathPrefix", "/")),
            rule([backend("qwen")], path_match("PathPrefix", "/qwen")),
            rule([backend("llama")], path_match("Exact", "/qwen/v1/models")),
        )
    )
    assert home(gateway, None, "/version", method="GET") == llama[0].port
    assert home(gateway, None, "/qwen/version", method="GET") == qwen[0].port
    assert home(gateway, None, "/qwenish/version", method="GET") == llama[0].port
    assert home(gateway, None, "/qwen?x=1", method="GET") == qwen[0].port


def test_by_header_and_method(serve, llama, qwen):
    gateway = serve(
        route(
            "headers",
            rule([backend("qwen")], header_match("x-tier", "gold")),
            rule([backend("qwen")], header_match("x-tier", "silver-[0-9]+", type="RegularExpression")),
            rule([backend("qwen")], {"method": "DELETE"}),
            rule([backend("llama")]),
        )
    )
    assert home(gateway, None, "/version", method="GET") == llama[0].port
    assert home(gateway, None, "/version", method="GET", headers=[("X-Tier", "gold")]) == qwen[0].port
    assert home(gateway, None, "/version", method="GET", headers=[("x-tier", "golden")]) == llama[0].port
    assert home(gateway, None, "/version", method="GET", headers=[("x-tier", "silver-12")]) == qwen[0].port
    assert home(gateway, None, "/version", method="DELETE") == qwen[0].port


def test_by_host_with_wildcards(serve, llama, qwen):
    gateway = serve(
        route("exact", rule([backend("qwen")]), hostnames=["qwen.models.test"]),
        route("wild", rule([backend("llama")]), hostnames=["*.models.test"]),
    )
    assert home(gateway, None, "/version", host="qwen.models.test", method="GET") == qwen[0].port
    assert home(gateway, None, "/version", host="QWEN.models.test:8080", method="GET") == qwen[0].port
    assert home(gateway, None, "/version", host="other.models.test", method="GET") == llama[0].port
    stranger = ask(gateway.port, None, "/version", "GET")
    assert stranger.status == 404
    assert stranger.error()["code"] == "route_not_found"


def test_weights(serve, llama, qwen):
    gateway = serve(route("split", rule([backend("llama", 9), backend("qwen", 1)])))
    homes = Counter(home(gateway, None, "/version", method="GET") for _ in range(400))
    # Mean 40, standard deviation 6: five of them on either side.
    assert 10 <= homes[qwen[0].port] <= 70, homes
    nothing = serve(route("off", rule([backend("llama", 0), backend("qwen", 1)])))
    assert {home(nothing, None, "/version", method="GET") for _ in range(30)} == {qwen[0].port}


def test_header_filters(serve):
    gateway = serve(
        route(
            "filters",
            rule(
                [backend("llama")],
                filters=[
                    {
                        "type": "RequestHeaderModifier",
                        "requestHeaderModifier": {"set": [{"name": "X-Request-Id", "value": "set-by-route"}]},
                    },
                    {
                        "type": "ResponseHeaderModifier",
                        "responseHeaderModifier": {
                            "set": [{"name": "X-Route", "value": "filters"}],
                            "add": [{"name": "X-Extra", "value": "one"}],
                            "remove": ["server"],
                        },
                    },
                ],
            ),
        )
    )
    with RawConnection(gateway.port) as connection:
        reply = connection.exchange(request_bytes(chat(LLAMA), headers=[("x-request-id", "from-the-client")]))
    assert reply.status == 200
    assert reply.json()["id"].endswith("set-by-route")
    assert reply.headers["x-route"] == "filters"
    assert reply.headers["x-extra"] == "one"
    assert "server" not in reply.headers


def test_timeouts(serve, llama):
    gateway = serve(route("short", rule([backend("llama")], timeouts={"request": "300ms"})))
    llama[0].set_faults(hang=True)
    try:
        reply = ask(gateway.port, chat(LLAMA))
        assert reply.status == 504
        assert reply.error()["code"] == "upstream_timeout"
    finally:
        llama[0].set_faults()
    assert ask(gateway.port, chat(LLAMA)).status == 200


def test_models_are_those_of_all_pools_a_route_reaches(serve):
    gateway = serve(
        route("llama", rule([backend("llama")], path_match("PathPrefix", "/"))),
        route("qwen", rule([backend("qwen")], header_match("X-Gateway-Model-Name", QWEN))),
    ).await_models()
    listed = {model["id"] for model in ask(gateway.port, None, "/v1/models", "GET").json()["data"]}
    assert LLAMA in listed
