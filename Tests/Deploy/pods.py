"""What must hold of every pod that is installed, whatever makes it: kustomize or Helm."""

import subprocess

from manifests import fields, pod_of

# Who may do what, by component: (API group, resource) and the verbs that the program uses. The tests hold the roles to
# this table in both directions.
READ = ("get", "list", "watch")
STATUS = ("patch",)
PICKER = {("", "pods"): READ}
# What belongs to a pool; a picker that finds pods by a selector reads none of it.
POOLS = {
    ("inference.networking.k8s.io", "inferencepools"): READ,
    ("inference.networking.x-k8s.io", "inferencepools"): READ,
    ("inference.networking.x-k8s.io", "inferencepoolimports"): READ,
    ("inference.networking.x-k8s.io", "inferencemodels"): READ,
    ("inference.networking.x-k8s.io", "inferencemodels/status"): STATUS,
    **{
        (group, resource): READ
        for group in ("llm-d.ai", "inference.networking.x-k8s.io")
        for resource in ("inferenceobjectives", "inferencemodelrewrites")
    },
    **{
        (group, f"{resource}/status"): STATUS
        for group in ("llm-d.ai", "inference.networking.x-k8s.io")
        for resource in ("inferenceobjectives", "inferencemodelrewrites")
    },
}
LEADER = {
    ("coordination.k8s.io", "leases"): ("create", "get", "list", "patch", "update", "watch"),
    ("events.k8s.io", "events"): ("create", "patch"),
}
ROUTER = {("", "configmaps"): READ}
REVIEWS = {
    ("authentication.k8s.io", "tokenreviews"): ("create",),
    ("authorization.k8s.io", "subjectaccessreviews"): ("create",),
}
METRICS_READER = {("", "/metrics"): ("get",)}


def granted(documents, kind):
    """What the roles of a kind give, as in the tables above."""
    found = {}
    for document in documents:
        if document["kind"] != kind:
            continue
        for rule in document["rules"]:
            for group in rule.get("apiGroups", [""]):
                for resource in [*rule.get("resources", []), *rule.get("nonResourceURLs", [])]:
                    verbs = set(found.get((group, resource), ())) | set(rule["verbs"])
                    found[group, resource] = tuple(sorted(verbs))
    return found


def same(table):
    return {key: tuple(sorted(verbs)) for key, verbs in table.items()}


def named(documents, kind, name=None):
    return [d for d in documents if d["kind"] == kind and (name is None or d["metadata"]["name"] == name)]


def assert_restricted(document):
    """The Pod Security Standard `restricted`, and a root file system that nobody writes."""
    pod = pod_of(document)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        assert not pod.get(name)
    assert all(set(volume) - {"name"} <= {"configMap", "secret", "emptyDir"} for volume in pod.get("volumes", []))
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert "hostPort" not in [key for port in container["ports"] for key in port]


def assert_complete(document):
    """Probes, resources, names of ports, and an image of a release."""
    pod = pod_of(document)
    assert pod["terminationGracePeriodSeconds"] >= 130
    for container in pod["containers"]:
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        for probe in ("livenessProbe", "readinessProbe"):
            handler = container[probe]
            port = handler.get("httpGet", handler.get("grpc"))["port"]
            assert port in ports or port in ports.values(), (container["name"], probe)
        resources = container["resources"]
        assert {"cpu", "memory"} <= set(resources["requests"]) and "memory" in resources["limits"]
        # A picker that is throttled delays every request.
        assert "cpu" not in resources["limits"]
        assert not container["image"].endswith(":latest") and ":" in container["image"]
        mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
        assert mounted <= {volume["name"] for volume in pod.get("volumes", [])}


def assert_flags_are_known(martlet, document):
    """The program itself says whether it takes the arguments: with --help behind them it checks them and ends."""
    ours = [c for c in pod_of(document)["containers"] if c["name"] in ("epp", "bbr")]
    assert len(ours) == 1
    arguments = [str(argument) for argument in ours[0]["args"]]
    done = subprocess.run(
        [martlet, *arguments, "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    assert done.stdout.startswith("OVERVIEW: ")


def assert_references(documents):
    """What one object names of another is there: labels, ports, service accounts, roles, ConfigMaps."""
    for deployment in named(documents, "Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        ports = {port["name"] for container in pod_of(deployment)["containers"] for port in container["ports"]}
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
        services = [s for s in named(documents, "Service") if s["spec"].get("selector", {}).items() <= labels.items()]
        assert services, "no Service selects the pods"
        for service in services:
            assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
        for policy in named(documents, "NetworkPolicy"):
            assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
            allowed = {port["port"] for entry in policy["spec"]["ingress"] for port in entry["ports"]}
            assert allowed <= ports
        for budget in named(documents, "PodDisruptionBudget"):
            assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert named(documents, "ServiceAccount", pod_of(deployment)["serviceAccountName"])
        for volume in pod_of(deployment).get("volumes", []):
            if "configMap" in volume:
                (config,) = named(documents, "ConfigMap", volume["configMap"]["name"])
                assert set(map(str, fields(volume, "key"))) <= set(config["data"])
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        for binding in named(documents, kind):
            assert named(documents, binding["roleRef"]["kind"], binding["roleRef"]["name"])
            for subject in binding["subjects"]:
                (account,) = named(documents, "ServiceAccount", subject["name"])
                assert subject.get("namespace", account["metadata"]["namespace"]) == account["metadata"]["namespace"]
    for monitor in named(documents, "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        services = [s for s in named(documents, "Service") if wanted <= s["metadata"]["labels"].items()]
        assert services and all(
            endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
            for service in services for endpoint in monitor["spec"]["endpoints"]
        )
    for pool in named(documents, "InferencePool"):
        reference = pool["spec"]["endpointPickerRef"]
        (service,) = named(documents, "Service", reference["name"])
        assert reference["port"]["number"] in [port["port"] for port in service["spec"]["ports"]]


def assert_installable(martlet, documents):
    """Everything above."""
    deployments = named(documents, "Deployment")
    assert deployments
    for deployment in deployments:
        assert_restricted(deployment)
        assert_complete(deployment)
        assert_flags_are_known(martlet, deployment)
    assert_references(documents)
