"""Objects that the definitions accept and refuse. What a rule refuses has the rule's message as its reason."""

import copy


def changed(value, path, new):
    """A copy of a value in which one field, named by its path, is another; `None` removes it."""
    value = copy.deepcopy(value)
    *parents, last = path.split(".")
    place = value
    for parent in parents:
        place = place[int(parent)] if parent.isdigit() else place.setdefault(parent, {})
    if new is None:
        del place[last]
    elif isinstance(place, list):
        place[int(last)] = new
    else:
        place[last] = new
    return value


def made(api_version, kind, spec=None, status=None):
    value = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}}
    value |= {"spec": spec} if spec is not None else {}
    return value | ({"status": status} if status is not None else {})


CONDITION = {
    "type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "observedGeneration": 3,
    "lastTransitionTime": "2026-08-22T10:00:00Z",
}
PARENT = {
    "parentRef": {"name": "gateway", "namespace": "ingress"}, "controllerName": "example.net/gateway-controller",
    "conditions": [CONDITION, CONDITION | {"type": "ResolvedRefs"}],
}
POOL = made(
    "inference.networking.k8s.io/v1", "InferencePool",
    {
        "selector": {"matchLabels": {"app": "vllm", "empty": ""}},
        "targetPorts": [{"number": 8000}],
        "endpointPickerRef": {"name": "epp", "port": {"number": 9002}},
    },
)
LEGACY_POOL = made(
    "inference.networking.x-k8s.io/v1alpha2", "InferencePool",
    {"selector": {"app": "vllm"}, "targetPortNumber": 8000, "extensionRef": {"name": "epp"}},
)
OBJECTIVE = made("llm-d.ai/v1alpha2", "InferenceObjective", {"poolRef": {"name": "pool"}, "priority": -1})
REWRITE = made(
    "llm-d.ai/v1alpha2", "InferenceModelRewrite",
    {
        "poolRef": {"name": "pool"},
        "rules": [
            {"matches": [{"model": {"value": "food"}}], "targets": [{"modelRewrite": "food-v2", "weight": 1}]},
            {"targets": [{"modelRewrite": "base"}]},
        ],
    },
)
MODEL = made(
    "inference.networking.x-k8s.io/v1alpha2", "InferenceModel",
    {
        "modelName": "food", "criticality": "Critical", "poolRef": {"name": "pool"},
        "targetModels": [{"name": "food-v1", "weight": 9}, {"name": "food-v2", "weight": 1}],
    },
)
IMPORT = made(
    "inference.networking.x-k8s.io/v1alpha1", "InferencePoolImport",
    status={"controllers": [{
        "name": "example.net/import", "exportingClusters": [{"name": "east"}], "parents": [PARENT],
        "conditions": [CONDITION],
    }]},
)
LEGACY_OBJECTIVE = OBJECTIVE | {"apiVersion": "inference.networking.x-k8s.io/v1alpha2"}
LEGACY_REWRITE = REWRITE | {"apiVersion": "inference.networking.x-k8s.io/v1alpha2"}

PICKER = "spec.endpointPickerRef"
PORTS = "spec.targetPorts"
UNIQUE = "port number must be unique"
PORT_REQUIRED = "port is required when kind is 'Service' or unspecified (defaults to 'Service')"
WEIGHTS = "set the weight of all target models, or of none"
IMMUTABLE = "modelName is immutable"


def labels(count):
    return {f"key-{index}": "value" for index in range(count)}


def ports(*numbers):
    return [{"number": number} for number in numbers]


ACCEPTED = {
    "a pool": POOL,
    "a pool without a picker": changed(POOL, PICKER, None),
    "a pool of h2c": changed(POOL, "spec.appProtocol", "kubernetes.io/h2c"),
    "a pool of four ports": changed(POOL, PORTS, ports(8000, 8001, 8002, 8003)),
    "a pool of eight ports": changed(POOL, PORTS, ports(*range(8000, 8008))),
    "a pool of 64 labels": changed(POOL, "spec.selector.matchLabels", labels(64)),
    "a pool with a picker of another kind, without a port": changed(
        POOL, PICKER, {"group": "example.net", "kind": "Picker", "name": "a"}
    ),
    "a pool that fails open": changed(POOL, f"{PICKER}.failureMode", "FailOpen"),
    "a pool with a status": changed(POOL, "status", {"parents": [PARENT]}),
    "a pool with an empty status": changed(POOL, "status", {}),
    "an exported pool": changed(POOL, "status", {"parents": [PARENT | {"parentRef": {
        "group": "inference.networking.x-k8s.io", "kind": "InferencePoolImport", "name": "a"}}]}),
    "a pool of v1alpha2": LEGACY_POOL,
    "a pool of v1alpha2 with a port": changed(LEGACY_POOL, "spec.extensionRef.portNumber", 9002),
    "an objective": OBJECTIVE,
    "an objective without a priority": changed(OBJECTIVE, "spec.priority", None),
    "an objective of the older group": LEGACY_OBJECTIVE,
    "a priority beyond 32 bits, of the older group": changed(LEGACY_OBJECTIVE, "spec.priority", 2**31),
    "a rewrite": REWRITE,
    "a rewrite of the older group": LEGACY_REWRITE,
    "a rewrite without targets": changed(REWRITE, "spec.rules.0.targets", None),
    "a model": MODEL,
    "a model without weights": changed(MODEL, "spec.targetModels", [{"name": "a"}, {"name": "b"}]),
    "a model that serves itself": changed(MODEL, "spec.targetModels", None),
    "an import": IMPORT,
    "an import that nobody has looked at": changed(IMPORT, "status", None),
}

REJECTED = {
    "a pool without a spec": (changed(POOL, "spec", None), "'spec' is a required property"),
    "a pool without a selector": (changed(POOL, "spec.selector", None), "'selector' is a required property"),
    "a pool without labels": (changed(POOL, "spec.selector.matchLabels", {}), "should be non-empty"),
    "a pool of 65 labels": (changed(POOL, "spec.selector.matchLabels", labels(65)), "too many properties"),
    "a label of 64 characters": (changed(POOL, "spec.selector.matchLabels.app", "x" * 64), "too long"),
    "a label that ends in a dash": (changed(POOL, "spec.selector.matchLabels.app", "x-"), "does not match"),
    "a pool without ports": (changed(POOL, PORTS, []), "should be non-empty"),
    "a pool of nine ports": (changed(POOL, PORTS, ports(*range(8000, 8009))), "is too long"),
    "port 0": (changed(POOL, PORTS, ports(0)), "less than the minimum"),
    "port 65536": (changed(POOL, PORTS, ports(65536)), "greater than the maximum"),
    "a port twice": (changed(POOL, PORTS, ports(8000, 8001, 8000)), UNIQUE),
    "an unknown protocol": (changed(POOL, "spec.appProtocol", "grpc"), "is not one of"),
    "a picker without a port": (changed(POOL, PICKER, {"name": "epp"}), PORT_REQUIRED),
    "a Service without a port": (changed(POOL, PICKER, {"name": "epp", "kind": "Service"}), PORT_REQUIRED),
    "a picker without a name": (changed(POOL, f"{PICKER}.name", ""), "should be non-empty"),
    "a picker's group in capitals": (changed(POOL, f"{PICKER}.group", "Example"), "does not match"),
    "a picker's kind with a dot": (changed(POOL, f"{PICKER}.kind", "a.b"), "does not match"),
    "an unknown failure mode": (changed(POOL, f"{PICKER}.failureMode", "FailSafe"), "is not one of"),
    "an unknown field": (changed(POOL, "spec.extensionRef", {"name": "epp"}), "Additional properties"),
    "33 parents": (changed(POOL, "status", {"parents": [PARENT] * 33}), "is too long"),
    "a controller without a path": (
        changed(POOL, "status", {"parents": [PARENT | {"controllerName": "example.net"}]}), "does not match",
    ),
    "a condition twice": (
        changed(POOL, "status", {"parents": [PARENT | {"conditions": [CONDITION, CONDITION]}]}),
        "two entries have the same type",
    ),
    "a reason of several words": (
        changed(POOL, "status", {"parents": [PARENT | {"conditions": [CONDITION | {"reason": "not yet"}]}]}),
        "does not match",
    ),
    "a parent without a name": (
        changed(POOL, "status", {"parents": [{"parentRef": {}}]}), "'name' is a required property",
    ),
    "a pool of v1alpha2 with a list of ports": (
        changed(LEGACY_POOL, "spec.targetPorts", ports(1)), "Additional properties",
    ),
    "a pool of v1alpha2 without a picker": (changed(LEGACY_POOL, "spec.extensionRef", None), "'extensionRef'"),
    "an objective without a pool": (changed(OBJECTIVE, "spec.poolRef", None), "'poolRef' is a required property"),
    "a priority beyond 32 bits": (changed(OBJECTIVE, "spec.priority", 2**31), "is not a 'int32'"),
    "a priority in words": (changed(OBJECTIVE, "spec.priority", "high"), "is not of type 'integer'"),
    "nine conditions": (
        changed(OBJECTIVE, "status", {"conditions": [CONDITION | {"type": f"T{n}"} for n in range(9)]}), "is too long",
    ),
    "a rewrite without rules": (changed(REWRITE, "spec.rules", None), "'rules' is a required property"),
    "a match of nothing": (changed(REWRITE, "spec.rules.0.matches.0.model.value", ""), "should be non-empty"),
    "a match by prefix": (changed(REWRITE, "spec.rules.0.matches.0.model.type", "Prefix"), "is not one of"),
    "an empty list of targets": (changed(REWRITE, "spec.rules.0.targets", []), "should be non-empty"),
    "a target of weight 0": (changed(REWRITE, "spec.rules.0.targets.0.weight", 0), "less than the minimum"),
    "a target of weight 1,000,001": (
        changed(REWRITE, "spec.rules.0.targets.0.weight", 1_000_001), "greater than the maximum",
    ),
    "a model with one weight of two": (
        changed(MODEL, "spec.targetModels", [{"name": "a", "weight": 1}, {"name": "b"}]), WEIGHTS,
    ),
    "a model of eleven targets": (
        changed(MODEL, "spec.targetModels", [{"name": f"m{n}"} for n in range(11)]), "is too long",
    ),
    "a criticality that left": (changed(MODEL, "spec.criticality", "Default"), "is not one of"),
    "a model name of 257 characters": (changed(MODEL, "spec.modelName", "x" * 257), "is too long"),
    "an import with a spec": (changed(IMPORT, "spec", {}), "Additional properties"),
    "an import of nine controllers": (
        changed(IMPORT, "status.controllers", [{"name": f"example.net/c{n}"} for n in range(9)]), "is too long",
    ),
    "a controller twice": (
        changed(IMPORT, "status.controllers", [{"name": "example.net/a"}] * 2), "two entries have the same name",
    ),
}

# The object before, after, and the reason why the change is refused.
UPDATES = {
    "another priority": (OBJECTIVE, changed(OBJECTIVE, "spec.priority", 5), None),
    "the same model": (MODEL, changed(MODEL, "spec.criticality", "Standard"), None),
    "another model": (MODEL, changed(MODEL, "spec.modelName", "drinks"), IMMUTABLE),
}
