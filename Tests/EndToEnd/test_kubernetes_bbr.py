"""`martlet bbr` with the ConfigMaps of a cluster: which base model an adapter belongs to."""

import pytest
from extproc_client import Stream, ask, open_channel
from harness import eventually, fetch
from kubernetes_api import adapter_map, config_map

MODEL, BASE = "x-gateway-model-name", "x-gateway-base-model-name"


@pytest.fixture
def api(services):
    return services.kubernetes_api()


def router(services, api, namespace=None, **options):
    service = services.body_based_router(
        "--kubeconfig", api.kubeconfig(), "--metrics-endpoint-auth=false",
        environment={"NAMESPACE": namespace} if namespace else {}, **options
    )
    return service


def base(router, model):
    """The base model that a request for a model gets."""
    with open_channel(router.address) as channel:
        stream = Stream(channel)
        answer = ask(stream, {"model": model, "prompt": "x"}, path="/v1/completions")
        stream.cancel()
    assert answer.set[MODEL] == model
    return answer.set[BASE]


def await_base(router, model, expected):
    eventually(lambda: base(router, model) == expected, f"{expected!r} as the base model of {model}")


def test_adapters_have_the_base_models_of_their_maps(services, api):
    api.put(
        adapter_map("llama", "llama-3", ["sql", "chat"]), adapter_map("qwen", "qwen-2", [" code ", ""]),
        config_map("foreign", {"baseModel": "x", "adapters": "[sql]"}),
    )
    bbr = router(services, api)
    assert {model: base(bbr, model) for model in ("sql", "chat", "code", "llama-3", "qwen-2", "x", "?")} == {
        "sql": "llama-3", "chat": "llama-3", "code": "qwen-2", "llama-3": "llama-3", "qwen-2": "qwen-2", "x": "",
        "?": "",
    }


def test_maps_leave_nothing_behind(services, api):
    """A deleted map, one that is given another base, and an adapter that two maps have."""
    api.put(adapter_map("one", "llama-3", ["sql", "both"]), adapter_map("two", "llama-3", ["both"]))
    bbr = router(services, api)
    assert base(bbr, "sql") == "llama-3"
    api.put(adapter_map("one", "mistral", ["sql"]))
    await_base(bbr, "sql", "mistral")
    assert base(bbr, "both") == "llama-3" and base(bbr, "llama-3") == "llama-3"
    api.remove("configmaps", "two")
    await_base(bbr, "both", "")
    assert base(bbr, "llama-3") == "" and base(bbr, "mistral") == "mistral"
    api.remove("configmaps", "one")
    await_base(bbr, "sql", "")
    assert base(bbr, "mistral") == ""


def test_the_label_may_come_and_go(services, api):
    api.put(config_map("late", {"baseModel": "llama-3", "adapters": "[sql]"}))
    bbr = router(services, api)
    assert base(bbr, "sql") == ""
    api.put(adapter_map("late", "llama-3", ["sql"]))
    await_base(bbr, "sql", "llama-3")
    api.put(config_map("late", {"baseModel": "llama-3", "adapters": "[sql]"}))
    await_base(bbr, "sql", "")


def test_a_map_that_becomes_wrong_keeps_what_it_said(services, api):
    api.put(adapter_map("llama", "llama-3", ["sql"]), adapter_map("qwen", "qwen-2", ["code"]))
    bbr = router(services, api)
    bad = adapter_map("llama", "llama-3")
    bad["data"]["adapters"] = "{not: [a list"
    api.put(bad)
    eventually(lambda: "ConfigMap default/llama" in bbr.log(), "the mistake in the log")
    assert base(bbr, "sql") == "llama-3" and base(bbr, "code") == "qwen-2"


def test_one_namespace_or_all(services, api):
    api.put(adapter_map("a", "llama-3", ["sql"]), adapter_map("a", "qwen-2", ["code"], namespace="other"))
    everything, one = router(services, api), router(services, api, namespace="other")
    assert (base(everything, "sql"), base(everything, "code")) == ("llama-3", "qwen-2")
    assert (base(one, "sql"), base(one, "code")) == ("", "qwen-2")


def test_maps_that_may_not_be_read_do_not_stop_it(services, api):
    api.allow("token", "router", [])
    bbr = services.body_based_router(
        "--kubeconfig", api.kubeconfig(token="token"), "--metrics-endpoint-auth=false"
    )
    assert base(bbr, "sql") == ""
    eventually(lambda: "configmaps may not be read" in bbr.log(), "the warning")


def test_it_is_not_ready_before_it_knows_the_maps(services, api):
    api.fault("delay", seconds=2, resource="configmaps", times=1)
    bbr = router(services, api, ready=False)
    status, _, text = fetch(bbr.admin + "/readyz")
    assert status == 503, text
    bbr.await_ready()
