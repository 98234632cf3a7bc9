"""`martlet epp --config`: several pools in one picker, chosen by route, without a body-based router before it."""

import pytest
from configurations import backend, endpoints, pool, route, rule, write
from envoy_process import Bootstrap
from extproc_client import Stream, ask, get, open_channel
from harness import eventually
from raw_http import ask as ask_http

MODEL = "x-gateway-model-name"


def by_model(model):
    return {"headers": [{"name": "X-Gateway-Model-Name", "value": model}]}


def routes(*rules):
    """A route without a parent: an endpoint picker has no listeners."""
    resource = route("models", *rules)
    del resource["spec"]["parentRefs"]
    return resource


@pytest.fixture(scope="module")
def servers(shared):
    return {
        app: [shared.model_server(f"127.{network}.27.{number}") for number in (1, 2)]
        for network, app in ((1, "llama"), (2, "qwen"))
    }


@pytest.fixture(scope="module")
def resources(shared, servers):
    def documents(qwen_share):
        return (
            pool("llama", "llama"), pool("qwen", "qwen"), endpoints(servers["llama"], "llama"),
            endpoints(servers["qwen"], "qwen"),
            routes(
                rule([backend("llama")], by_model("llama")),
                rule([backend("llama", 100 - qwen_share), backend("qwen", qwen_share)], by_model("mixed")),
                rule([backend("qwen")], by_model("qwen")),
            ),
        )

    path = shared.folder / "resources.yaml"
    write(path, *documents(30))
    return path, documents


@pytest.fixture(scope="module")
def picker(shared, resources):
    return shared.endpoint_picker_of(resources[0])


@pytest.fixture(scope="module")
def channel(picker):
    with open_channel(picker.address) as channel:
        yield channel


def picked(channel, model, fields=()):
    stream = Stream(channel)
    answer = ask(stream, {"model": model, "prompt": "Hello"}, fields, path="/v1/completions")
    stream.cancel()
    return answer


@pytest.mark.parametrize("model", ["llama", "qwen"])
def test_the_model_chooses_the_pool(channel, servers, model):
    for _ in range(6):
        answer = picked(channel, model, [(MODEL, "forged")])
        assert answer.endpoint in {server.address for server in servers[model]}
        assert answer.set[MODEL] == model


def test_a_model_without_a_route(channel):
    assert picked(channel, "nobody").error(404)["code"] == "route_not_found"
    stream = Stream(channel)
    assert get(stream, "/v1/else").error(404)["code"] == "route_not_found"


def test_weights(channel, servers):
    """200 requests, as the conformance suite counts them."""
    qwen = {server.address for server in servers["qwen"]}
    share = sum(picked(channel, "mixed").endpoint in qwen for _ in range(200)) / 200
    assert abs(share - 0.3) <= 0.146


def test_through_one_cluster_of_envoy(shared, picker, servers):
    """Envoy needs no routes: one cluster with the endpoints of all pools, and the pick."""
    bootstrap = Bootstrap("one-pool.yaml")
    bootstrap.set_server("epp", picker)
    bootstrap.set_endpoints("pool", [server.address for group in servers.values() for server in group])
    envoy = shared.envoy(bootstrap)
    for model, group in servers.items():
        reply = ask_http(envoy.port, {"model": model, "prompt": "Hello"}, "/v1/completions")
        assert reply.headers["x-backend"] in {server.address for server in group}
    reply = ask_http(envoy.port, {"model": "nobody", "prompt": "Hello"}, "/v1/completions")
    assert (reply.status, reply.error()["code"]) == (404, "route_not_found")


def test_a_change_of_the_file_is_followed(resources, channel, servers, picker):
    path, documents = resources
    write(path, *documents(100))
    qwen = {server.address for server in servers["qwen"]}
    eventually(lambda: picker.metric("martlet_config_reloads_total", result="success"), "the reload")
    assert {picked(channel, "mixed").endpoint for _ in range(20)} <= qwen
