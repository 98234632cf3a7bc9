"""Configuration documents as values, and files of them. JSON is YAML too."""

import json
import os


def write(path, *documents):
    """Writes documents to a file in one step, as an editor that renames does; gives the path."""
    text = "---\n".join(json.dumps(document, indent=2) + "\n" for document in documents)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text)
    os.replace(draft, path)
    return path


def gateway_resource(listeners):
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "local"},
        "spec": {"gatewayClassName": "martlet", "listeners": listeners},
    }


def plain_gateway(port):
    """A Gateway with one HTTP listener."""
    return gateway_resource([{"name": "http", "protocol": "HTTP", "port": port}])


def pool(name, app):
    """An InferencePool of the endpoints labelled `app`."""
    return {
        "apiVersion": "inference.networking.k8s.io/v1",
        "kind": "InferencePool",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": app}}, "targetPorts": [{"number": 8000}]},
    }


def endpoints(simulators, app):
    """The endpoint list with some simulators, labelled `app`."""
    return {
        "kind": "Endpoints",
        "endpoints": [
            {
                "name": f"{app}-{index}", "address": simulator.address.rpartition(":")[0], "port": str(simulator.port),
                "labels": {"app": app},
            }
            for index, simulator in enumerate(simulators)
        ],
    }


def backend(name, weight=1):
    """A reference to an InferencePool."""
    return {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": name, "weight": weight}


def route(name, *rules, hostnames=None):
    """An HTTPRoute with rules as they stand in the resource."""
    spec = {"parentRefs": [{"name": "local"}], "rules": list(rules)}
    if hostnames:
        spec["hostnames"] = hostnames
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name}, "spec": spec}


def rule(backends, *matches, filters=None, timeouts=None):
    """A rule; matches, filters and timeouts as they stand in the resource."""
    content = {"backendRefs": backends}
    if matches:
        content["matches"] = list(matches)
    if filters:
        content["filters"] = filters
    if timeouts:
        content["timeouts"] = timeouts
    return content


def model_rewrite(name, pool_name, *rules, annotations=None):
    """An InferenceModelRewrite. A rule is (models, {target: weight}); no models for every request."""
    metadata = {"name": name}
    if annotations:
        metadata["annotations"] = annotations
    written = []
    for models, targets in rules:
        content = {"targets": [{"modelRewrite": model, "weight": weight} for model, weight in targets.items()]}
        if models:
            content["matches"] = [{"model": {"type": "Exact", "value": model}} for model in models]
        written.append(content)
    return {
        "apiVersion": "llm-d.ai/v1alpha2",
        "kind": "InferenceModelRewrite",
        "metadata": metadata,
        "spec": {"poolRef": {"name": pool_name}, "rules": written},
    }


def endpoint_list(addresses, each=None, **labels):
    """The endpoint list of file discovery with some `host:port` addresses; `each` has further labels of each one."""
    entries = []
    for number, address in enumerate(addresses):
        host, _, port = address.rpartition(":")
        own = labels | (each[number] if each else {})
        entries.append({"name": f"endpoint-{number}", "address": host, "port": port, "labels": own})
    return {"endpoints": entries}


def scheduling_config(plugins=(), profile=(), parsers=()):
    """An EndpointPickerConfig that leaves open where endpoints come from.

    `plugins` are type names, (type, parameters) pairs or (type, parameters, name) triples; `profile` has (plugin,
    weight) pairs or names of plugins, or such a list for the name of each profile; `parsers` are type names.
    """
    declared = []
    for plugin in [*plugins, *parsers]:
        entry = [plugin] if isinstance(plugin, str) else plugin
        declared.append(dict(zip(("type", "parameters", "name"), entry)))
    config = {"apiVersion": "llm-d.ai/v1alpha1", "kind": "EndpointPickerConfig", "plugins": declared}
    if parsers:
        config["requestHandler"] = {"parsers": [{"pluginRef": parser} for parser in parsers]}
    if profile:
        profiles = profile if isinstance(profile, dict) else {"default": profile}
        config["schedulingProfiles"] = [
            {
                "name": name,
                "plugins": [
                    {"pluginRef": entry} if isinstance(entry, str) else {"pluginRef": entry[0], "weight": entry[1]}
                    for entry in entries
                ],
            }
            for name, entries in profiles.items()
        ]
    return config


def picker_config(endpoint_file, plugins=(), profile=(), parsers=()):
    """The EndpointPickerConfig of `scheduling_config` with its endpoints from a file."""
    config = scheduling_config(plugins, profile, parsers)
    discovery = {"type": "file-discovery", "parameters": {"path": str(endpoint_file), "watchFile": True}}
    return config | {
        "plugins": [discovery, *config["plugins"]],
        "dataLayer": {"discovery": {"pluginRef": "file-discovery"}},
    }
