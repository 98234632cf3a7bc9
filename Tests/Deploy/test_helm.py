"""The charts, rendered by Helm itself with the files of values/."""

import functools
import subprocess

import helm_python as helm
import pytest
import yaml
from envoy_filter import assert_envoy_takes_filter
from manifests import DEPLOY, ENVOY, ROOT, documents, pod_of
from pods import (
    LEADER, METRICS_READER, PICKER, POOLS, READ, REVIEWS, ROUTER, assert_installable, granted, named, same,
)

CHARTS = DEPLOY / "helm"
VALUES = ROOT / "Tests/Deploy/values"
CASES = sorted(f"{file.parent.name}/{file.stem}" for file in VALUES.glob("*/*.yaml"))
NAMES = ("epp", "standalone", "bbr")


@functools.cache
def chart(name):
    return helm.Chart.load(CHARTS / f"martlet-{name}")


def values_of(case):
    return yaml.safe_load((VALUES / f"{case}.yaml").read_text())


@functools.cache
def rendered(case):
    """The objects of a case, and what Helm says after an installation."""
    files = chart(case.partition("/")[0]).render(values_of(case), name="llama", namespace="inference", is_install=True)
    notes = "".join(text for name, text in files.items() if name.endswith("NOTES.txt"))
    return [d for name, text in files.items() if name.endswith(".yaml") for d in documents(text)], notes


@pytest.fixture(params=CASES)
def case(request):
    return request.param


def test_everything_rendered_is_valid(case, validator, martlet):
    found, notes = rendered(case)
    for document in found:
        validator.assert_valid(document)
        scoped = document["kind"] not in ("ClusterRole", "ClusterRoleBinding", "ClusterPodMonitoring")
        assert document["metadata"].get("namespace") == ("inference" if scoped else None)
    identities = [(d["kind"], d["metadata"]["name"]) for d in found]
    assert len(set(identities)) == len(identities)
    assert notes.strip() and "<no value>" not in notes
    assert_installable(martlet, found)


def test_roles(case):
    found, _ = rendered(case)
    values = chart(case.partition("/")[0]).merge_values(values_of(case))
    monitoring = values.get("router", values)["monitoring"]["prometheus"]
    cluster = REVIEWS if monitoring["auth"]["enabled"] else {}
    cluster = cluster | (METRICS_READER if monitoring["enabled"] and monitoring["auth"]["enabled"] else {})
    if case.startswith("bbr/"):
        wide = values["bbr"]["multiNamespace"]
        assert granted(found, "Role") == same({} if wide else ROUTER)
        assert granted(found, "ClusterRole") == same(cluster | ({("", "configmaps"): READ} if wide else {}))
    else:
        (deployment,) = named(found, "Deployment")
        arguments = pod_of(deployment)["containers"][0]["args"]
        leads = "--ha-enable-leader-election" in arguments
        pools = POOLS if values["router"]["inferencePool"]["create"] else {}
        assert granted(found, "Role") == same(PICKER | pools | (LEADER if leads else {}))
        assert granted(found, "ClusterRole") == same(cluster)


def test_configurations_are_good(case, martlet, tmp_path):
    for config in named(rendered(case)[0], "ConfigMap"):
        for name, text in config["data"].items():
            path = tmp_path / name
            path.write_text(text)
            if name == "envoy.yaml":
                command = [ENVOY, "--mode", "validate", "--use-dynamic-base-id", "--log-level", "warning", "-c", path]
            elif "EndpointPickerConfig" in text:
                command = [martlet, "check", path]
            else:
                continue
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
            warnings = [line for line in done.stderr.splitlines() if "warning" in line.lower()]
            # A value of llm-d's charts, which the configuration takes along.
            warnings = [line for line in warnings if "insecureSkipVerify: has no effect" not in line]
            assert done.returncode == 0 and warnings == [], done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_lint(name):
    report = helm.lint(CHARTS / f"martlet-{name}", values_of(f"{name}/least"), strict=True)
    assert report["errors"] == []
    # Of the chart's icon, which there is none of.
    assert [message["error"] for message in report["messages"]] == ["icon is recommended"]


@pytest.mark.parametrize("name", NAMES)
def test_every_value_is_in_the_schema(name):
    def values_not_in(schema, values, path=""):
        for key, value in values.items():
            known = schema.get("properties", {})
            if key not in known:
                yield f"{path}.{key}"
            elif isinstance(value, dict) and "properties" in known[key]:
                yield from values_not_in(known[key], value, f"{path}.{key}")

    loaded = chart(name)
    assert list(values_not_in(loaded.schema, loaded.values)) == []


@pytest.mark.parametrize("name, change, reason", [
    ("epp", {"router": {"replicas": 2}}, "replicas"),
    ("epp", {"router": {"tokenizer": {"enabled": True}}}, "tokenizer"),
    ("epp", {"router": {"latencyPredictor": {"enabled": True}}}, "latencyPredictor"),
    ("epp", {"router": {"proxy": {"enabled": True}}}, "proxy"),
    ("epp", {"router": {"modelServers": {"type": "vlm"}}}, "type"),
    ("epp", {"router": {"epp": {"replicas": 0}}}, "replicas"),
    ("epp", {"provider": {"name": "nginx"}}, "provider"),
    ("standalone", {"router": {"proxy": {"proxyType": "agentgateway"}}}, "proxyType"),
    ("standalone", {"router": {"inferencePool": {"create": True}}}, "create"),
    ("bbr", {"bbr": {"plugins": [{"type": "a"}]}}, "name"),
])
def test_values_that_cannot_be_are_refused(name, change, reason):
    with pytest.raises(helm.HelmValuesError, match=reason):
        chart(name).validate_schema(change)


@pytest.mark.parametrize("name", ["epp", "standalone"])
def test_labels_of_the_model_servers_are_required(name):
    with pytest.raises(helm.HelmError, match="router.modelServers.matchLabels is required"):
        chart(name).render({}, name="llama", namespace="inference")


def test_what_the_picker_is_told():
    (deployment,) = named(rendered("epp/active-active")[0], "Deployment")
    arguments = pod_of(deployment)["containers"][0]["args"]
    assert arguments[:2] == ["epp", "--pool-name=llama"]
    assert "--ha-enable-leader-election=false" in arguments and "--ha-enable-leader-election" not in arguments
    assert arguments[-2:] == ["--max-body-bytes=64Mi", "--v=4"]
    (deployment,) = named(rendered("epp/without-a-pool")[0], "Deployment")
    assert pod_of(deployment)["containers"][0]["args"][1:3] == [
        "--endpoint-selector=app=vllm", "--endpoint-target-ports=8000,8001",
    ]
    assert named(rendered("epp/without-a-pool")[0], "InferencePool") == []


def test_leader_election_comes_with_replicas():
    found, _ = rendered("epp/leader-election")
    (deployment,) = named(found, "Deployment")
    assert "--ha-enable-leader-election" in pod_of(deployment)["containers"][0]["args"]
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": "100%", "maxSurge": "100%"}
    assert named(found, "PodDisruptionBudget") == []


def test_autoscaling_has_all_replicas_pick():
    found, _ = rendered("epp/autoscaling")
    (deployment,) = named(found, "Deployment")
    (scaler,) = named(found, "HorizontalPodAutoscaler")
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert [metric["resource"]["name"] for metric in scaler["spec"]["metrics"]] == ["cpu", "memory"]
    # Two who decide on the number of replicas would undo each other's work.
    assert "replicas" not in deployment["spec"]
    assert "--ha-enable-leader-election" not in pod_of(deployment)["containers"][0]["args"]
    values = values_of("epp/autoscaling")
    values["router"]["epp"]["flags"] = {"ha-enable-leader-election": True}
    with pytest.raises(helm.HelmError, match="router.epp.autoscaling needs replicas that all pick"):
        chart("epp").render(values, name="llama", namespace="inference")


def test_a_change_of_the_configuration_rolls_the_picker_out():
    def checksum(change):
        values = {"router": {"modelServers": {"matchLabels": {"app": "a"}}, "epp": change}}
        text = chart("epp").render(values, name="a", namespace="b")["martlet-epp/templates/epp.yaml"]
        (deployment,) = named(documents(text), "Deployment")
        return deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert checksum({}) == checksum({}) != checksum({"parsers": ["passthrough-parser"]})


def test_the_pool_speaks_what_the_servers_speak():
    (pool,) = named(rendered("epp/grpc")[0], "InferencePool")
    assert pool["spec"]["appProtocol"] == "kubernetes.io/h2c"
    (config,) = named(rendered("epp/grpc")[0], "ConfigMap")
    assert "vllmgrpc-parser" in config["data"]["default-plugins.yaml"]


def test_the_chart_brings_the_definitions():
    held = [document["metadata"]["name"] for entry in chart("epp").crds for document in documents(entry["data"])]
    assert set(held) == {file.name.removesuffix(".yaml") for file in (DEPLOY / "crds").glob("*.*.yaml")}
    assert chart("standalone").crds == []
    # A pool of the release is one of the kinds that come along.
    assert "inferencepools.inference.networking.k8s.io" in held


@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_chart_is_whole(name, tmp_path):
    archive = helm.package(CHARTS / f"martlet-{name}", destination=tmp_path)
    packaged = helm.Chart.load(archive)
    assert [entry["name"] for entry in packaged.dependencies] == ["martlet-library"]
    arguments = {"name": "llama", "namespace": "inference", "is_install": True}
    values = values_of(f"{name}/least")
    assert packaged.render(values, **arguments) == chart(name).render(values, **arguments)


@pytest.mark.parametrize("case", ["bbr/istio", "bbr/plain"])
def test_envoy_takes_the_filter(case, tmp_path):
    (document,) = named(rendered(case)[0], "EnvoyFilter")
    assert_envoy_takes_filter(document, tmp_path)


def test_the_router_and_bodies_in_pieces():
    (pieces,) = named(rendered("bbr/istio")[0], "EnvoyFilter")
    (whole,) = named(rendered("bbr/plain")[0], "EnvoyFilter")

    def modes(document):
        return document["spec"]["configPatches"][0]["patch"]["value"]["typed_config"]["processing_mode"]

    assert modes(pieces)["request_body_mode"] == "FULL_DUPLEX_STREAMED"
    assert modes(whole)["request_body_mode"] == "BUFFERED"
    assert {modes(d)["response_body_mode"] for d in (pieces, whole)} == {"NONE"}
    assert named(rendered("bbr/plain")[0], "DestinationRule") == []
