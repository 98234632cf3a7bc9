"""`martlet epp` with a pool of a cluster: what becomes of its objects, and of what is missing, forbidden or wrong."""

import os
import subprocess

import pytest
from extproc_client import Stream, ask, open_channel
from harness import eventually, fetch
from kubernetes_api import (
    INFERENCE, INFERENCE_X, LLMD, definition, definitions, inference_pool, model_rewrite, objective, old_inference_pool,
    pod,
)
from test_extproc_health import NOT_SERVING, SERVING, check

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
APP = {"app": "m"}


@pytest.fixture
def api(services):
    """A cluster that knows every type."""
    api = services.kubernetes_api()
    api.define()
    return api


def serve(services, api, hosts=("127.2.1.1",), port=0, **metadata):
    """Model servers that are the pods of the pool, with one port for all; gives them and their port."""
    servers = []
    for number, host in enumerate(hosts):
        server = services.model_server(host, port=port)
        port = server.port
        api.put(pod(f"m-{number}", host, labels=APP, **metadata))
        servers.append(server)
    return servers, port


def addresses(picker):
    return sorted(picker.endpoints())


def await_addresses(picker, expected, within=10):
    eventually(lambda: addresses(picker) == sorted(expected), f"endpoints {sorted(expected)}", within)


def pick(picker, body=BODY, fields=(), **options):
    """The answer to one request."""
    with open_channel(picker.address) as channel:
        stream = Stream(channel)
        answer = ask(stream, body, fields, **options)
        stream.cancel()
        return answer


def accepted(api, resource, name, group):
    """The condition Accepted of an object; None while there is none of ours."""
    item = api.get(resource, name, group)
    conditions = item.get("status", {}).get("conditions", [])
    return next((condition for condition in conditions if condition["type"] == "Accepted"), None)


def healthy(picker, name=""):
    with open_channel(f"127.0.0.1:{picker.health_port}") as channel:
        return check(channel, name)


def test_a_pool_is_served(services, api):
    servers, port = serve(services, api, ["127.2.1.1", "127.2.1.2"])
    api.put(inference_pool("pool", APP, [port]))
    picker = services.cluster_picker(api)
    assert addresses(picker) == [server.address for server in servers]
    assert sorted(endpoint["name"] for endpoint in picker.endpoints().values()) == ["m-0-rank-0", "m-1-rank-0"]
    assert pick(picker).endpoint in addresses(picker)
    assert healthy(picker) == SERVING


def test_the_pool_may_come_later_and_go(services, api):
    _, port = serve(services, api)
    picker = services.cluster_picker(api, ready=False)
    status, _, text = fetch(picker.admin + "/readyz")
    assert status == 503 and b"default/pool" in text
    assert {healthy(picker, name) for name in ("", "liveness", "readiness", "inference-extension")} == {NOT_SERVING}
    assert pick(picker).error(503)
    api.put(inference_pool("pool", APP, [port]))
    picker.await_ready()
    assert {healthy(picker, name) for name in ("", "liveness", "readiness", "inference-extension")} == {SERVING}
    assert pick(picker).endpoint
    api.remove("inferencepools", "pool", group=INFERENCE)
    await_addresses(picker, [])
    assert healthy(picker) == NOT_SERVING and pick(picker).error(503)
    api.put(inference_pool("pool", APP, [port]))
    picker.await_ready()
    assert pick(picker).endpoint


def test_pods_come_go_and_change(services, api):
    servers, port = serve(services, api, ["127.2.2.1", "127.2.2.2", "127.2.2.3"])
    one, two, three = (server.address for server in servers)
    api.put(inference_pool("pool", APP, [port]))
    picker = services.cluster_picker(api)
    await_addresses(picker, [one, two, three])
    api.set_ready("m-0", False)
    await_addresses(picker, [two, three])
    api.set_ready("m-0", True)
    await_addresses(picker, [one, two, three])
    api.set_labels("m-1", {"app": "other"})
    await_addresses(picker, [one, three])
    api.set_labels("m-1", APP | {"role": "prefill"})
    await_addresses(picker, [one, two, three])
    api.delete("pods", "m-2")
    await_addresses(picker, [one, two])
    api.finish("m-2")
    api.put(pod("m-2", None, labels=APP))
    api.put(pod("m-2", "127.2.2.3", labels=APP))
    await_addresses(picker, [one, two, three])
    api.remove("pods", "m-0", "m-1", "m-2")
    await_addresses(picker, [])
    assert pick(picker).error(503)
    assert healthy(picker) == SERVING, "a pool without pods is there"


def test_ranks_and_their_ports(services, api):
    api.put(
        pod("a", "127.2.3.1", labels=APP),
        pod("b", "127.2.3.2", labels=APP, annotations={"llm-d.ai/active-ports": "8001"}),
        pod("c", "127.2.3.3", labels=APP, annotations={"inference.networking.k8s.io/active-ports": "8000"}),
        pod("d", "127.2.3.4", labels=APP, annotations={"llm-d.ai/active-ports": ""}),
        inference_pool("pool", APP, [8000, 8001]),
    )
    picker = services.cluster_picker(api, ready=False)
    expected = {
        "127.2.3.1:8000": "a-rank-0", "127.2.3.1:8001": "a-rank-1", "127.2.3.2:8001": "b-rank-1",
        "127.2.3.3:8000": "c-rank-0",
    }
    await_addresses(picker, expected)
    assert {address: endpoint["name"] for address, endpoint in picker.endpoints().items()} == expected
    api.put(inference_pool("pool", APP, [8001]))
    await_addresses(picker, ["127.2.3.1:8001", "127.2.3.2:8001"])


def test_another_selector(services, api):
    api.put(
        pod("a", "127.2.3.1", labels=APP), pod("b", "127.2.3.2", labels={"app": "n"}), inference_pool("pool", APP)
    )
    picker = services.cluster_picker(api, ready=False)
    await_addresses(picker, ["127.2.3.1:8000"])
    api.put(inference_pool("pool", {"app": "n"}))
    await_addresses(picker, ["127.2.3.2:8000"])


def test_the_older_kind_of_pool(services, api):
    servers, port = serve(services, api)
    api.put(old_inference_pool("pool", APP, port))
    api.put(objective("fast", 7) | {"spec": {"priority": 7, "poolRef": {"group": INFERENCE_X, "name": "pool"}}})
    picker = services.cluster_picker(api, f"--pool-group={INFERENCE_X}")
    assert pick(picker).endpoint == servers[0].address
    assert [entry["name"] for entry in picker.state()["pools"][0]["objectives"]] == ["fast"]


@pytest.mark.parametrize("group", [LLMD, INFERENCE_X])
def test_objectives_and_rewrites(services, api, group):
    servers, port = serve(services, api)
    api.put(
        inference_pool("pool", APP, [port]), objective("fast", 10, group=group), objective("other", 5, pool="else"),
        model_rewrite("canary", [(["m"], {"m-new": 1})], group=group),
    )
    picker = services.cluster_picker(api)
    answer = pick(picker, fields=[("x-gateway-inference-objective", "fast")])
    assert answer.endpoint == servers[0].address and b'"m-new"' in answer.body
    assert picker.metric("llm_d_epp_request_total", priority="10", model_name="m", target_model_name="m-new") == 1
    for resource, name in ("inferenceobjectives", "fast"), ("inferencemodelrewrites", "canary"):
        condition = eventually(lambda: accepted(api, resource, name, group), f"the status of {name}")
        assert (condition["status"], condition["reason"]) == ("True", "Accepted")
        assert condition["observedGeneration"] == api.get(resource, name, group)["metadata"]["generation"]
    assert accepted(api, "inferenceobjectives", "other", INFERENCE_X) is None, "it belongs to another pool"
    api.put(objective("fast", -1, group=group))
    eventually(lambda: picker.state()["pools"][0]["objectives"][0]["priority"] == -1, "the new priority")
    eventually(
        # Without a condition for a moment: the new object came without a status.
        lambda: (accepted(api, "inferenceobjectives", "fast", group) or {}).get("observedGeneration")
        == api.get("inferenceobjectives", "fast", group)["metadata"]["generation"],
        "the status of the new generation",
    )
    api.remove("inferenceobjectives", "fast", group=group)
    api.remove("inferencemodelrewrites", "canary", group=group)
    eventually(lambda: not picker.state()["pools"][0]["objectives"], "no objective")
    eventually(lambda: not picker.state()["pools"][0]["rewrites"], "no rewrite")
    assert b'"m"' in pick(picker).body


def test_only_its_own_condition_is_written(services, api):
    """What others say in a status stays, and what does not change is not written again."""
    _, port = serve(services, api)
    foreign = {"type": "Programmed", "status": "True", "reason": "x", "message": ""}
    foreign["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    api.put(
        inference_pool("pool", APP, [port]), objective("fast", 1, group=LLMD) | {"status": {"conditions": [foreign]}}
    )
    services.cluster_picker(api)
    eventually(lambda: accepted(api, "inferenceobjectives", "fast", LLMD), "the status")
    conditions = api.get("inferenceobjectives", "fast", LLMD)["status"]["conditions"]
    assert sorted(condition["type"] for condition in conditions) == ["Accepted", "Programmed"]
    writes = len(api.requests(method="PATCH", resource="inferenceobjectives"))
    api.put(pod("m-0", "127.2.1.1", labels=APP | {"more": "labels"}))
    api.put(objective("slow", 0, group=LLMD))
    eventually(lambda: accepted(api, "inferenceobjectives", "slow", LLMD), "the status of another one")
    assert len(api.requests(method="PATCH", resource="inferenceobjectives")) == writes + 1


def test_inference_models(services, api):
    servers, port = serve(services, api)

    def model(name, model_name):
        return {
            "apiVersion": f"{INFERENCE_X}/v1alpha2", "kind": "InferenceModel",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "modelName": model_name, "criticality": "Critical", "poolRef": {"name": "pool"},
                "targetModels": [{"name": f"{name}-target", "weight": 100}],
            },
        }

    # The first one is the older, or as old and earlier by its name.
    api.put(inference_pool("pool", APP, [port]), model("first", "m"), model("second", "m"))
    picker = services.cluster_picker(api)
    answer = pick(picker)
    assert answer.endpoint == servers[0].address and b'"first-target"' in answer.body
    reasons = {
        name: eventually(lambda: accepted(api, "inferencemodels", name, INFERENCE_X), f"the status of {name}")["reason"]
        for name in ("first", "second")
    }
    assert reasons == {"first": "Accepted", "second": "ModelNameInUse"}


# What is missing, forbidden or wrong


def test_types_that_are_not_installed_hold_nothing_up(services):
    """Only InferencePool and pods are needed; what is installed later is picked up."""
    api = services.kubernetes_api()
    api.put(definition(INFERENCE, "InferencePool", "inferencepools"))
    _, port = serve(services, api)
    api.put(inference_pool("pool", APP, [port]))
    picker = services.cluster_picker(api)
    assert pick(picker).endpoint
    eventually(lambda: "inferenceobjectives.llm-d.ai" in picker.log(), "the warning")
    api.define()
    api.put(objective("fast", 3, group=LLMD))
    eventually(lambda: picker.state()["pools"][0]["objectives"], "the objective", within=30)
    assert picker.log().count("no inferenceobjectives.llm-d.ai") == 1, "said once"


def test_a_cluster_without_any_type(services):
    """The type of pools itself may be installed after the picker."""
    api = services.kubernetes_api()
    _, port = serve(services, api)
    picker = services.cluster_picker(api, ready=False)
    assert healthy(picker) == NOT_SERVING
    api.define()
    api.put(inference_pool("pool", APP, [port]))
    eventually(picker.is_ready, "readiness", within=30)


def test_what_may_not_be_read_is_done_without(services, api):
    reader = {"verbs": ["get", "list", "watch"], "namespaces": ["default"]}
    pods_and_pools = [
        reader | {"groups": [""], "resources": ["pods"]},
        reader | {"groups": [INFERENCE], "resources": ["inferencepools"]},
    ]
    api.allow("secret-token", "picker", pods_and_pools)
    _, port = serve(services, api)
    api.put(inference_pool("pool", APP, [port]), objective("fast", 3, group=LLMD))
    picker = services.cluster_picker(api, token="secret-token")
    assert pick(picker).endpoint
    assert not picker.state()["pools"][0]["objectives"]
    eventually(
        lambda: "cannot list resource" in picker.log() and "inferenceobjectives" in picker.log(), "the warning"
    )
    assert "secret-token" not in picker.log()
    everything = reader | {"groups": [LLMD], "resources": ["*"]}
    api.allow("secret-token", "picker", [*pods_and_pools, everything])
    eventually(lambda: picker.state()["pools"][0]["objectives"], "the objective", within=30)
    eventually(lambda: "status of InferenceObjective default/fast cannot be written" in picker.log(), "the refusal")
    assert pick(picker).endpoint


def test_a_server_that_was_away_is_followed_again(services, api):
    """Watches go on where they ended: nothing is listed again, and the metrics say that all is followed."""
    api.settings(bookmarkSeconds=1)
    _, port = serve(services, api)
    api.put(inference_pool("pool", APP, [port]))
    picker = services.cluster_picker(api)
    types = ["pods", f"inferencepools.{INFERENCE}", f"inferenceobjectives.{LLMD}"]

    def followed():
        return [picker.metric("martlet_kubernetes_watch_synced", resource=name) for name in types]

    eventually(lambda: followed() == [1, 1, 1], "everything followed")
    lists = picker.metric("martlet_kubernetes_lists_total")
    api.restart(down_seconds=3)
    eventually(lambda: followed() == [0, 0, 0], "nothing followed")
    assert pick(picker).endpoint, "what was known serves on"
    eventually(lambda: followed() == [1, 1, 1], "everything followed again")
    assert picker.metric("martlet_kubernetes_lists_total") == lists


def test_wrong_objects_are_told_once_and_harm_nobody(services, api):
    servers, port = serve(services, api)
    api.put(inference_pool("pool", APP, [port]), objective("good", 5, group=LLMD))
    picker = services.cluster_picker(api)
    broken_pod = pod("broken", "127.2.1.9", labels=APP)
    broken_pod["status"]["conditions"] = "Ready"
    api.put(
        broken_pod,
        objective("wrong", 1, group=LLMD) | {"spec": {"priority": "high", "poolRef": {"name": "pool"}}},
        objective("strange", 1, group=LLMD) | {"spec": {"priority": 4, "color": "red", "poolRef": {"name": "pool"}}},
        pod("huge", "127.2.1.8", labels=APP, annotations={"example.com/large": "x" * 10_500_000}),
        pod("after", "127.2.1.7", labels=APP),
    )
    eventually(lambda: "127.2.1.7:%d" % port in picker.endpoints(), "the pod behind the wrong ones")
    assert "127.2.1.9:%d" % port not in picker.endpoints()
    eventually(lambda: len(picker.state()["pools"][0]["objectives"]) == 2, "the two objectives that can be used")
    log = picker.log()
    for name in "default/broken", "default/wrong", "default/strange":
        assert name in log, name
    condition = eventually(lambda: accepted(api, "inferenceobjectives", "wrong", LLMD), "the status of the wrong one")
    assert (condition["status"], condition["reason"]) == ("False", "Invalid")
    # A list of everything brings them again.
    api.compact()
    api.disturb("reset", "pods")
    api.disturb("reset", "inferenceobjectives")
    api.put(pod("more", "127.2.1.6", labels=APP))
    eventually(lambda: "127.2.1.6:%d" % port in picker.endpoints(), "a pod after that", within=20)
    eventually(lambda: picker.log().count("default/broken") == 1, "one warning")
    eventually(
        lambda: picker.log().count("InferenceObjective default/wrong: spec.priority") == 1, "one warning"
    )
    assert pick(picker).endpoint


def test_an_object_that_becomes_wrong_keeps_what_it_said(services, api):
    servers, port = serve(services, api)
    api.put(inference_pool("pool", APP, [port]), objective("fast", 5, group=LLMD))
    picker = services.cluster_picker(api)
    api.put(
        objective("fast", 1, group=LLMD) | {"spec": {"priority": 2**40, "poolRef": {"name": "pool"}}},
        inference_pool("pool", APP, []),
    )
    eventually(lambda: "targetPorts" in picker.log() and "spec.priority" in picker.log(), "both mistakes in the log")
    assert pick(picker).endpoint == servers[0].address
    assert picker.state()["pools"][0]["objectives"][0]["priority"] == 5


# The other ways to name a pool


SELECTOR = ["--endpoint-selector=app in (m, n),tier!=old", "--endpoint-target-ports"]
POD = {"POD_NAME": "my-picker-6d4cf56db6-x2x7q", "NAMESPACE": "default"}


@pytest.mark.parametrize("installed", [False, True], ids=["without types", "with types"])
def test_a_selector_needs_no_pool(services, installed):
    api = services.kubernetes_api()
    if installed:
        api.put(*definitions(), objective("fast", 2, pool="my-picker", group=LLMD))
    _, port = serve(services, api)
    api.put(pod("old", "127.2.1.2", labels=APP | {"tier": "old"}), pod("n", "127.2.1.3", labels={"app": "n"}))
    picker = services.cluster_picker(api, *SELECTOR, f"{port},{port + 1}", pool=None, environment=POD)
    await_addresses(picker, [f"127.2.1.{host}:{port + rank}" for host in (1, 3) for rank in (0, 1)])
    (pool,) = picker.state()["pools"]
    assert (pool["namespace"], pool["name"]) == ("default", "my-picker")
    assert healthy(picker, "liveness") == SERVING
    assert not pool["objectives"], "objectives do not count"
    assert {request["resource"] for request in api.requests() if request["resource"]} == {"pods"}


def run(martlet, *arguments, **environment):
    """What a picker says that does not start."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")}
    return subprocess.run(
        [martlet, "epp", *arguments], env=clean | environment, capture_output=True, text=True, timeout=30
    )


def test_without_a_cluster_it_says_where_it_looked(martlet, tmp_path):
    ended = run(martlet, "--pool-name", "pool", HOME=str(tmp_path))
    assert ended.returncode == 1
    assert "--kubeconfig" in ended.stderr and "KUBECONFIG" in ended.stderr and str(tmp_path) in ended.stderr
    broken = tmp_path / "config"
    broken.write_text("clusters: 5")
    ended = run(martlet, "--pool-name", "pool", KUBECONFIG=str(broken))
    assert ended.returncode == 1 and str(broken) in ended.stderr


def test_a_selector_needs_the_name_of_a_pod(martlet):
    ended = run(martlet, "--endpoint-selector=app=m", "--endpoint-target-ports=8000")
    assert ended.returncode == 1 and "POD_NAME" in ended.stderr
