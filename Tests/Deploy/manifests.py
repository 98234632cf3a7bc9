"""The files under deploy/, and who says whether they are valid."""

import json
import pathlib
import subprocess
import sys

import kubernetes_validate
import yaml
from crd_schema import Resource

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBECTL = pathlib.Path(sys.executable).with_name("kubectl")
ENVOY = pathlib.Path(sys.executable).with_name("envoy")
KUBERNETES = "1.37"

# Kinds of other projects. No package has their schemas, so what is checked of them is no more than that they are YAML
# with a name and a namespace that may be one. Each is listed here with who takes it.
NOT_VALIDATED_BY_SCHEMA = {
    "gateway.networking.k8s.io/v1": {"Gateway", "GatewayClass", "HTTPRoute"},
    "gateway.envoyproxy.io/v1alpha1": {"ClientTrafficPolicy", "EnvoyExtensionPolicy"},
    "networking.istio.io/v1": {"DestinationRule"},
    "networking.istio.io/v1alpha3": {"EnvoyFilter"},
    "networking.gke.io/v1": {"GCPBackendPolicy", "GCPRoutingExtension", "HealthCheckPolicy"},
    "monitoring.googleapis.com/v1": {"ClusterPodMonitoring"},
    "monitoring.coreos.com/v1": {"PrometheusRule", "ServiceMonitor"},
    "agentgateway.dev/v1alpha1": {"AgentgatewayPolicy"},
    # kustomize reads these itself, and the tests run it.
    "kustomize.config.k8s.io/v1beta1": {"Kustomization"},
    "kustomize.config.k8s.io/v1alpha1": {"Component"},
    # `martlet check` reads it, and a test runs that.
    "llm-d.ai/v1alpha1": {"EndpointPickerConfig"},
}


class Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in a map, which is a mistake that YAML readers keep quiet about."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"{twice} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def documents(text):
    return [document for document in yaml.load_all(text, Loader) if document is not None]


def kustomize(folder):
    done = subprocess.run([KUBECTL, "kustomize", folder], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def definitions():
    files = sorted((DEPLOY / "crds").glob("**/*.inference.networking.*.yaml")) + sorted(
        (DEPLOY / "crds").glob("**/*.llm-d.ai.yaml")
    )
    return {file.name.removesuffix(".yaml"): documents(file.read_text())[0] for file in files}


def pod_of(document):
    """The pod that an object makes, or None."""
    return document.get("spec", {}).get("template", {}).get("spec") if document["kind"] == "Deployment" else None


def fields(value, name):
    """Every value of a field of a name, at any depth."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if key == name:
                yield entry
            yield from fields(entry, name)
    elif isinstance(value, list):
        for entry in value:
            yield from fields(entry, name)


class Validator:
    """Checks objects as an API server of a release would: strictly, so that an unknown field is a mistake."""

    def __init__(self, resources):
        self.resources = {(resource.api_version, resource.kind): resource for resource in resources}

    @classmethod
    def of_deploy(cls):
        return cls(Resource(definition) for definition in definitions().values())

    def faults(self, document):
        kind, api_version = document.get("kind"), document.get("apiVersion")
        if not kind or not api_version:
            return ["no kind or no apiVersion"]
        if kind in NOT_VALIDATED_BY_SCHEMA.get(api_version, ()):
            return []
        if not document.get("metadata", {}).get("name"):
            return [f"a {kind} without a name"]
        if (api_version, kind) in self.resources:
            return self.resources[api_version, kind].faults(document)
        try:
            # Through JSON: anchors give one object in several places.
            kubernetes_validate.validate(json.loads(json.dumps(document)), KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as error:
            return [f"{'.'.join(map(str, error.path))}: {error.message}"]
        except kubernetes_validate.SchemaNotFoundError:
            return [f"nobody knows a {kind} of {api_version}: see NOT_VALIDATED_BY_SCHEMA"]
        return []

    def assert_valid(self, document):
        name = document.get("metadata", {}).get("name")
        assert self.faults(document) == [], f"{document.get('kind')} {name}"
