"""The scripted Kubernetes API server as a process: what a cluster holds, and what goes wrong with its API.

The server is `scripted-kubernetes-api`; what it understands under `/_script/` stands at the top of
Sources/GatewayTesting/Kubernetes/Serving/ScriptedKubernetesAPI+Control.swift.
"""

import json
import pathlib
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

import yaml
from harness import Service, eventually

INFERENCE = "inference.networking.k8s.io"
INFERENCE_X = "inference.networking.x-k8s.io"
LLMD = "llm-d.ai"
KUBECTL = pathlib.Path(sys.executable).with_name("kubectl")


def metadata(name, namespace="default", labels=None, annotations=None):
    """The metadata of an object, without what is empty."""
    fields = {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations}
    return {key: value for key, value in fields.items() if value}


def pod(name, ip="127.0.0.1", ready=True, labels=None, annotations=None, namespace="default", phase="Running"):
    """A pod on a node, with its address and the Ready condition; without an address for `ip=None`."""
    status = {
        "phase": phase,
        "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
    }
    if ip is not None:
        status |= {"podIP": ip, "podIPs": [{"ip": ip}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(name, namespace, labels, annotations),
        "spec": {"nodeName": "node", "containers": [{"name": "server", "image": "server"}]},
        "status": status,
    }


def inference_pool(name, labels, ports=(8000,), namespace="default", picker="picker", failure_mode="FailOpen"):
    """An InferencePool of `inference.networking.k8s.io/v1`."""
    return {
        "apiVersion": f"{INFERENCE}/v1",
        "kind": "InferencePool",
        "metadata": metadata(name, namespace),
        "spec": {
            "selector": {"matchLabels": labels},
            "targetPorts": [{"number": port} for port in ports],
            "endpointPickerRef": {"name": picker, "port": {"number": 9002}, "failureMode": failure_mode},
        },
    }


def old_inference_pool(name, labels, port=8000, namespace="default", picker="picker"):
    """An InferencePool of `inference.networking.x-k8s.io/v1alpha2`."""
    return {
        "apiVersion": f"{INFERENCE_X}/v1alpha2",
        "kind": "InferencePool",
        "metadata": metadata(name, namespace),
        "spec": {"selector": labels, "targetPortNumber": port, "extensionRef": {"name": picker}},
    }


def pool_reference(name, group=INFERENCE):
    """A reference to a pool."""
    return {"group": group, "kind": "InferencePool", "name": name}


def objective(name, priority, pool="pool", group=INFERENCE_X, namespace="default"):
    """An InferenceObjective; without a priority for None."""
    spec = {"poolRef": pool_reference(pool)}
    if priority is not None:
        spec["priority"] = priority
    return {
        "apiVersion": f"{group}/v1alpha2",
        "kind": "InferenceObjective",
        "metadata": metadata(name, namespace),
        "spec": spec,
    }


def model_rewrite(name, rules, pool="pool", group=INFERENCE_X, namespace="default"):
    """An InferenceModelRewrite; `rules` are pairs of the models that match and the targets' weights by model."""
    return {
        "apiVersion": f"{group}/v1alpha2",
        "kind": "InferenceModelRewrite",
        "metadata": metadata(name, namespace),
        "spec": {
            "poolRef": pool_reference(pool),
            "rules": [
                {
                    "matches": [{"model": {"type": "Exact", "value": model}} for model in models],
                    "targets": [
                        {"modelRewrite": target, **({} if weight is None else {"weight": weight})}
                        for target, weight in targets.items()
                    ],
                }
                for models, targets in rules
            ],
        },
    }


def config_map(name, data, labels=None, namespace="default"):
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(name, namespace, labels),
        "data": data,
    }


def adapter_map(name, base_model, adapters=(), namespace="default"):
    """A ConfigMap from which a body-based router learns a base model and its adapters."""
    data = {"baseModel": base_model, "adapters": yaml.safe_dump(list(adapters))}
    return config_map(name, data, {"inference.networking.k8s.io/bbr-managed": "true"}, namespace)


def definition(group, kind, plural, versions=("v1",), namespaced=True, short_names=()):
    """A CustomResourceDefinition without a schema; the first version is the stored one."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced" if namespaced else "Cluster",
            "names": {
                "plural": plural, "singular": kind.lower(), "kind": kind, "listKind": kind + "List",
                "shortNames": list(short_names),
            },
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == versions[0],
                    "subresources": {"status": {}},
                    "schema": {
                        "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                    },
                }
                for version in versions
            ],
        },
    }


def definitions():
    """The definitions of everything that the picker knows, as a cluster with all of them has them."""
    return [
        definition(INFERENCE, "InferencePool", "inferencepools", short_names=["infpool"]),
        definition(INFERENCE_X, "InferencePool", "inferencepools", ["v1alpha2"]),
        definition(INFERENCE_X, "InferencePoolImport", "inferencepoolimports", ["v1alpha1"], short_names=["infpimp"]),
        definition(INFERENCE_X, "InferenceModel", "inferencemodels", ["v1alpha2"]),
    ] + [
        definition(group, kind, plural, ["v1alpha2"])
        for group in (INFERENCE_X, LLMD)
        for kind, plural in (
            ("InferenceObjective", "inferenceobjectives"), ("InferenceModelRewrite", "inferencemodelrewrites"),
        )
    ]


def make_certificate(folder, name):
    """Makes a certificate for 127.0.0.1 that vouches for itself; gives its path and that of its key."""
    certificate, key = folder / f"{name}-certificate.pem", folder / f"{name}-key.pem"
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return certificate, key


class KubernetesAPI(Service):
    """`scripted-kubernetes-api`. It is built beside `martlet`.

    With `secure` it speaks TLS with a certificate of its own. Clients of the official libraries send a token over
    nothing else. With `client`, a certificate and its key, it takes those who have that certificate, and nobody else.
    """

    def __init__(self, martlet, folder, *arguments, secure=False, client=None):
        binary = pathlib.Path(martlet).with_name("scripted-kubernetes-api")
        self.folder = pathlib.Path(folder)
        self.authority = self.context = None
        if secure:
            self.authority, key = make_certificate(self.folder, "api")
            self.context = ssl.create_default_context(cafile=self.authority)
            arguments = [*arguments, "--tls-cert", self.authority, "--tls-key", key]
            if client is not None:
                arguments += ["--client-ca", client[0]]
                self.context.load_cert_chain(*client)
        super().__init__("kubernetes-api", [binary, *arguments], folder)

    def start(self):
        self.launch()
        self.url = self.await_line(r"listening on (https?://127\.0\.0\.1:\d+)", "its address").group(1)
        self.port = int(self.url.rpartition(":")[2])
        return self

    def kubeconfig(
        self, token=None, namespace="default", name="kubeconfig", certificate=None, key=None, token_file=None
    ):
        """Writes a kubeconfig for this server with a token, its file or a client certificate, and gives its path."""
        cluster = {"server": self.url}
        if self.authority is not None:
            cluster["certificate-authority"] = str(self.authority)
        user = {} if token is None else {"token": token}
        if token_file is not None:
            user["tokenFile"] = str(token_file)
        if certificate is not None:
            user |= {"client-certificate": str(certificate), "client-key": str(key)}
        context = {"cluster": "scripted", "user": "tester", "namespace": namespace}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "scripted", "cluster": cluster}],
            "users": [{"name": "tester", "user": user}],
            "contexts": [{"name": "scripted", "context": context}],
            "current-context": "scripted",
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(document))
        return path

    def script(self, method, path, body=None):
        """One request to the script; gives the answer, which must be a success."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_script/{path}", data, method=method)
        request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=30, context=self.context) as reply:
                return json.loads(reply.read())
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{method} /_script/{path} {body}: {error.code} {error.read()!r}") from None

    # Objects

    def put(self, *objects):
        """Writes objects, whether they were there or not: spec and status together, and unchecked."""
        return self.script("POST", "objects", list(objects))["version"]

    def define(self):
        """Serves everything that the picker knows."""
        return self.put(*definitions())

    def get(self, resource, name, group="", namespace="default"):
        """An object; None when there is none."""
        for item in self.objects(resource, group):
            place = item["metadata"]
            if place["name"] == name and place.get("namespace", namespace) == namespace:
                return item
        return None

    def objects(self, resource, group=""):
        """All objects of a type."""
        return self.script("GET", f"objects?resource={resource}&group={group}")["items"]

    def change(self, resource, name, edit, group="", namespace="default"):
        """Edits an object in place."""
        item = self.get(resource, name, group, namespace)
        assert item is not None, f"no {resource} {namespace}/{name}"
        edit(item)
        return self.put(item)

    def remove(self, resource, *names, group="", namespace="default", how="remove"):
        """Removes objects at once, whatever their grace period."""
        places = [
            {"resource": resource, "group": group, "namespace": namespace, "name": name, "how": how} for name in names
        ]
        return self.script("POST", "deletions", places)["version"]

    def delete(self, resource, *names, **place):
        """Deletes as a client would: a pod on a node stays, marked, until `finish`."""
        return self.remove(resource, *names, how="delete", **place)

    def finish(self, *names, **place):
        """Lets pods vanish that were deleted."""
        return self.remove("pods", *names, how="finish", **place)

    def set_ready(self, name, ready, namespace="default"):
        """Changes the Ready condition of a pod."""

        def edit(item):
            item["status"]["conditions"] = [{"type": "Ready", "status": "True" if ready else "False"}]

        return self.change("pods", name, edit, namespace=namespace)

    def set_labels(self, name, labels, namespace="default"):
        """Replaces the labels of a pod."""
        return self.change("pods", name, lambda item: item["metadata"].update(labels=labels), namespace=namespace)

    def remove_type(self, plural, group):
        """Serves a type no longer."""
        return self.script("DELETE", "types", {"plural": plural, "group": group})

    # What goes wrong

    def fault(self, action, **what):
        """Lets something go wrong with requests: with one of them, unless `times` says more, or None for all."""
        return self.script("POST", "faults", {"action": action, **what})

    def clear_faults(self):
        """Lets nothing go wrong with requests."""
        return self.script("DELETE", "faults")

    def disturb(self, action, resource=None, **what):
        """Does something to open watches; gives how many there were."""
        if resource is not None:
            what["resource"] = resource
        return self.script("POST", "watches", {"action": action, **what})["watches"]

    def settings(self, **settings):
        """Changes the settings, such as `bookmarkSeconds`."""
        return self.script("POST", "settings", settings)

    def compact(self):
        """Forgets the history: watches from an earlier version fail with 410."""
        return self.script("POST", "versions", {"compact": True})

    def snapshot(self, name="snapshot"):
        """Keeps the present state under a name."""
        return self.script("POST", "snapshots", {"name": name})

    def restart(self, losing_history=False, restoring=None, down_seconds=0):
        """Resets all connections and listens again on the same port; returns when it does."""
        body = {"losingHistory": losing_history, "restoring": restoring, "downSeconds": down_seconds}
        return self.script("POST", "restart", body)

    def allow(self, token, name, rules=None):
        """Accepts a token; `rules` as in a ClusterRole, everything for None."""
        return self.script("POST", "tokens", {"token": token, "name": name, "rules": rules})

    def expire(self, token):
        """Accepts a token no longer."""
        return self.script("DELETE", "tokens", {"token": token})

    # What happened

    def state(self):
        """Version, open watches, connections and how many requests there were."""
        return self.script("GET", "state")

    def requests(self, after=0, **wanted):
        """The requests since a number, those that have the values wanted."""
        found = self.script("GET", f"requests?after={after}")["requests"]
        return [request for request in found if all(request.get(key) == value for key, value in wanted.items())]

    def await_watches(self, resource, count=1):
        """Waits until so many watches of a type are open."""
        eventually(
            lambda: self.state()["openWatches"].get(resource, 0) >= count, f"{count} watches of {resource}", 30
        )
        return self


def start_api(services, *arguments, **options):
    """A scripted API server among the services of a test."""
    api = KubernetesAPI(services.martlet, services.folder, *arguments, **options)
    services.started.append(api)
    return api.start()
