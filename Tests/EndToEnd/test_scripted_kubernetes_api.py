"""The scripted Kubernetes API server against clients that everybody has: the official Python client, and kubectl."""

import datetime
import json
import subprocess

import pytest
import urllib3
from harness import eventually
from kubernetes import client, watch
from kubernetes.client.rest import ApiException
from kubernetes_api import (
    INFERENCE, KUBECTL, LLMD, adapter_map, definition, definitions, inference_pool, make_certificate, model_rewrite,
    objective, old_inference_pool, pod, start_api,
)

POOLS = {"group": INFERENCE, "version": "v1", "plural": "inferencepools"}


@pytest.fixture
def api(services):
    return start_api(services)


def connect(api, token=None):
    configuration = client.Configuration(host=api.url)
    configuration.retries = False
    if token is not None:
        configuration.api_key = {"authorization": f"Bearer {token}"}
    return client.ApiClient(configuration)


@pytest.fixture
def core(api):
    return client.CoreV1Api(connect(api))


@pytest.fixture
def custom(api):
    return client.CustomObjectsApi(connect(api))


class Kubectl:
    """`kubectl` as a user of a server."""

    def __init__(self, api, folder, token=None, **user):
        self.command = [KUBECTL, "--kubeconfig", api.kubeconfig(token, **user), "--cache-dir", folder / "cache"]

    def __call__(self, *arguments, stdin=None, code=0):
        """Runs it to its end; `stdin` is an object. Gives what it printed."""
        text = "" if stdin is None else json.dumps(stdin)
        done = subprocess.run([*self.command, *arguments], input=text, capture_output=True, text=True, timeout=30)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def start(self, output, *arguments):
        """Starts it, to be ended by the caller."""
        command = [*self.command, *arguments]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)


@pytest.fixture
def kubectl(api, tmp_path):
    return Kubectl(api, tmp_path)


def names(items):
    return [item.metadata.name for item in items]


def message(raised):
    """What the server says about an error of the Python client."""
    return json.loads(raised.value.body)["message"]


# The Python client


def test_client_lists_in_pages(api, core):
    api.put(*[pod(f"pod-{index}", labels={"half": str(index % 2)}) for index in range(7)])
    first = core.list_namespaced_pod("default", limit=3)
    assert names(first.items) == ["pod-0", "pod-1", "pod-2"]
    assert first.metadata.remaining_item_count == 4
    api.remove("pods", "pod-3")
    second = core.list_namespaced_pod("default", limit=9, _continue=first.metadata._continue)
    # The page is of the list's version: the pod that went since is there.
    assert names(second.items) == ["pod-3", "pod-4", "pod-5", "pod-6"]
    assert second.metadata.resource_version == first.metadata.resource_version
    api.compact()
    with pytest.raises(ApiException) as expired:
        core.list_namespaced_pod("default", limit=9, _continue=first.metadata._continue)
    assert expired.value.status == 410
    rest = core.list_namespaced_pod("default", _continue=json.loads(expired.value.body)["metadata"]["continue"])
    assert names(rest.items) == ["pod-4", "pod-5", "pod-6"]
    assert names(core.list_pod_for_all_namespaces(label_selector="half in (1)").items) == ["pod-1", "pod-5"]
    assert names(core.list_namespaced_pod("default", field_selector="metadata.name=pod-2").items) == ["pod-2"]


def test_client_watches_and_resumes(api, core):
    version = api.put(pod("a", labels={"app": "x"}))
    api.put(pod("b", labels={"app": "x"}))
    api.set_labels("b", {"app": "y"})
    seen = [
        (event["type"], event["object"].metadata.name)
        for event in watch.Watch().stream(
            core.list_namespaced_pod, "default", resource_version=str(version), label_selector="app=x",
            timeout_seconds=1,
        )
    ]
    assert seen == [("ADDED", "b"), ("DELETED", "b")]
    api.settings(bookmarkSeconds=0.1)
    bookmarks = [
        event["raw_object"]["metadata"]["resourceVersion"]
        for event in watch.Watch().stream(
            core.list_namespaced_pod, "default", resource_version=str(version), allow_watch_bookmarks=True,
            label_selector="app=none", timeout_seconds=1,
        )
        if event["type"] == "BOOKMARK"
    ]
    assert len(bookmarks) >= 3
    assert set(bookmarks) == {str(api.state()["version"])}
    api.compact()
    with pytest.raises(ApiException) as gone:
        # Without a version that holds, this client would begin anew; with one it tells what happened.
        for _ in watch.Watch().stream(
            core.list_namespaced_pod, "default", resource_version=str(version), timeout_seconds=1
        ):
            pass
    assert gone.value.status == 410


def test_client_patches_and_conflicts(api, core, custom):
    api.put(*definitions(), inference_pool("pool", {"app": "x"}), pod("a"))
    place = {**POOLS, "namespace": "default", "name": "pool"}
    pool = custom.get_namespaced_custom_object(**place)
    pool["spec"]["targetPorts"] = [{"number": 9000}]
    changed = custom.replace_namespaced_custom_object(**place, body=pool)
    assert changed["metadata"]["generation"] == 2
    with pytest.raises(ApiException) as stale:
        custom.replace_namespaced_custom_object(**place, body=pool | {"spec": {}})
    assert stale.value.status == 409
    assert "the object has been modified" in message(stale)
    status = {"status": {"parents": [{"parentRef": {"name": "gateway"}}]}, "spec": {"targetPorts": []}}
    told = custom.patch_namespaced_custom_object_status(**place, body=status)
    assert told["status"] == status["status"] and told["spec"]["targetPorts"] == [{"number": 9000}]
    assert told["metadata"]["generation"] == 2
    core.patch_namespaced_pod("a", "default", [{"op": "add", "path": "/metadata/labels", "value": {"app": "z"}}])
    assert core.read_namespaced_pod("a", "default").metadata.labels == {"app": "z"}
    # Built-in types take a strategic merge patch, which keeps the conditions of other types.
    condition = {"status": {"conditions": [{"type": "Healthy", "status": "True"}]}}
    core.patch_namespaced_pod_status("a", "default", condition)
    conditions = core.read_namespaced_pod("a", "default").status.conditions
    assert sorted(entry.type for entry in conditions) == ["Healthy", "Ready"]


def test_client_keeps_a_lease(api):
    leases = client.CoordinationV1Api(connect(api))
    now = datetime.datetime.now(datetime.timezone.utc)
    lease = client.V1Lease(
        metadata=client.V1ObjectMeta(name="leader"),
        spec=client.V1LeaseSpec(holder_identity="one", lease_duration_seconds=15, acquire_time=now, renew_time=now),
    )
    held = leases.create_namespaced_lease("default", lease)
    with pytest.raises(ApiException) as exists:
        leases.create_namespaced_lease("default", lease)
    assert exists.value.status == 409
    assert json.loads(exists.value.body)["reason"] == "AlreadyExists"
    held.spec.holder_identity = "two"
    leases.replace_namespaced_lease("leader", "default", held)
    held.spec.holder_identity = "three"
    with pytest.raises(ApiException) as stale:
        leases.replace_namespaced_lease("leader", "default", held)
    assert stale.value.status == 409
    assert leases.read_namespaced_lease("leader", "default").spec.holder_identity == "two"


def test_client_meets_tokens_and_rules(api):
    rules = [{"verbs": ["list"], "groups": [""], "resources": ["pods"], "namespaces": ["default"]}]
    api.allow("secret", "system:serviceaccount:default:picker", rules)
    pods = client.CoreV1Api(connect(api, "secret"))
    assert pods.list_namespaced_pod("default").items == []
    with pytest.raises(ApiException) as forbidden:
        pods.list_pod_for_all_namespaces()
    assert forbidden.value.status == 403
    assert 'cannot list resource "pods" in API group "" at the cluster scope' in message(forbidden)
    api.expire("secret")
    api.allow("next", "system:serviceaccount:default:picker")
    with pytest.raises(ApiException) as unauthorized:
        pods.list_namespaced_pod("default")
    assert unauthorized.value.status == 401
    review = client.AuthenticationV1Api(connect(api, "next")).create_token_review(
        client.V1TokenReview(spec=client.V1TokenReviewSpec(token="next"))
    )
    assert review.status.authenticated
    assert review.status.user.username == "system:serviceaccount:default:picker"


def test_client_meets_a_restart_and_faults(api, core):
    version = api.put(pod("a"))
    api.snapshot()
    api.put(pod("b"))
    api.restart(restoring="snapshot", down_seconds=0.2)
    assert names(core.list_namespaced_pod("default").items) == ["a"]
    assert api.state()["version"] == version
    api.fault("status", code=429, retryAfter=1, resource="pods", verb="list")
    with pytest.raises(ApiException) as busy:
        core.list_namespaced_pod("default")
    assert busy.value.status == 429 and busy.value.headers["Retry-After"] == "1"
    assert names(core.list_namespaced_pod("default").items) == ["a"]
    assert [request["status"] for request in api.requests(verb="list")] == [200, 429, 200]


def test_client_meets_broken_watches(api, core):
    version = api.put(pod("a"))

    def events(during):
        """What a watch that lasts a second tells, with something that happens as soon as it is there."""
        seen = []
        for event in watch.Watch().stream(
            core.list_namespaced_pod, "default", resource_version=str(version), timeout_seconds=1
        ):
            if not seen:
                during()
            # What this client cannot read it gives as None.
            seen.append(event and (event["type"], event["object"].metadata.name))
        return seen

    api.put(pod("b"))
    assert events(lambda: api.disturb("duplicate", "pods")) == [("ADDED", "b"), ("ADDED", "b")]

    def cut():
        assert api.disturb("cutNextEvent", "pods", afterBytes=30) == 1
        api.put(pod("c"))

    with pytest.raises(urllib3.exceptions.ProtocolError):
        events(cut)
    broken = events(lambda: api.disturb("line", "pods", text='{"type": "ADD'))
    assert broken == [("ADDED", "b"), ("ADDED", "c"), None]
    with pytest.raises(ApiException) as gone:
        events(lambda: api.disturb("error", "pods", code=410))
    assert gone.value.status == 410
    api.fault("stallBody", afterBytes=10, verb="list")
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        core.list_namespaced_pod("default", _request_timeout=0.5)
    api.fault("staleRead", versionsBehind=1, verb="list")
    assert names(core.list_namespaced_pod("default", resource_version="0").items) == ["a", "b"]
    assert names(core.list_namespaced_pod("default", resource_version="0").items) == ["a", "b", "c"]


def test_a_script_that_makes_no_sense_is_refused(api):
    for path, body in [
        ("faults", {"action": "explode"}), ("faults", {"action": "status"}), ("watches", {"action": "cutNextEvent"}),
        ("objects", {"kind": "Pod"}), ("objects", [{"kind": "Widget", "apiVersion": "v1"}]),
        ("deletions", {"resource": "pods", "name": "none"}), ("settings", {"tooOldWatch": "never"}), ("nothing", {}),
    ]:
        with pytest.raises(AssertionError, match="40[04]"):
            api.script("POST", path, body)


def test_helpers_make_what_the_picker_reads(api, custom):
    api.define()
    api.put(
        inference_pool("pool", {"app": "x"}, [8000, 8001]), old_inference_pool("old", {"app": "x"}),
        objective("urgent", 5), objective("other", None, group=LLMD), model_rewrite("canary", [(["a"], {"b": 1})]),
        adapter_map("adapters", "base", ["one"]), pod("a", "127.0.7.1"),
    )
    pools = custom.list_namespaced_custom_object(namespace="default", **POOLS)
    assert pools["items"][0]["spec"]["targetPorts"] == [{"number": 8000}, {"number": 8001}]
    assert [item["kind"] for item in api.objects("inferencemodelrewrites", "inference.networking.x-k8s.io")] == [
        "InferenceModelRewrite"
    ]
    api.set_ready("a", False)
    api.set_labels("a", {"app": "z"})
    changed = api.get("pods", "a")
    assert changed["status"]["conditions"] == [{"type": "Ready", "status": "False"}]
    assert changed["metadata"]["labels"] == {"app": "z"} and changed["status"]["podIP"] == "127.0.7.1"
    api.remove_type("inferenceobjectives", LLMD)
    with pytest.raises(ApiException) as missing:
        custom.list_cluster_custom_object(LLMD, "v1alpha2", "inferenceobjectives")
    assert missing.value.status == 404 and missing.value.body == "404 page not found\n"


# kubectl


def test_kubectl_applies_and_shows(api, kubectl):
    document = pod("a", labels={"app": "x"}) | {"status": {}}
    assert "serverside-applied" in kubectl("apply", "--server-side", "-f", "-", stdin=document)
    assert "serverside-applied" in kubectl("apply", "--server-side", "-f", "-", stdin=document)
    shown = json.loads(kubectl("get", "pods", "-o", "json"))
    assert [item["kind"] for item in shown["items"]] == ["Pod"]
    owned = json.loads(kubectl("get", "pod", "a", "-o", "json", "--show-managed-fields"))["metadata"]["managedFields"]
    assert owned[0]["manager"] == "kubectl" and owned[0]["operation"] == "Apply"
    kubectl("patch", "pod", "a", "--subresource=status", "--type=merge", "-p", '{"status":{"podIP":"127.0.0.9"}}')
    assert kubectl("get", "pod", "a", "-o", "jsonpath={.status.podIP}") == "127.0.0.9"
    assert "labeled" in kubectl("label", "pod", "a", "tier=gold")
    # Somebody else wants the same field otherwise.
    other = pod("a", labels={"app": "y"}) | {"status": {}}
    conflict = kubectl("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=other, code=1)
    assert 'conflict with "kubectl"' in conflict and ".metadata.labels.app" in conflict
    kubectl("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-", stdin=other)
    assert api.get("pods", "a")["metadata"]["labels"] == {"app": "y", "tier": "gold"}


def test_kubectl_watches(api, kubectl, tmp_path):
    api.put(pod("first"))
    seen = tmp_path / "watch.txt"
    with open(seen, "w") as output:
        process = kubectl.start(output, "get", "pods", "--watch", "-o", "name")
        try:
            api.await_watches("pods")
            api.put(pod("second"))
            eventually(lambda: "pod/second" in seen.read_text(), "the second pod from kubectl", 20)
        finally:
            process.kill()
            process.wait()
    assert seen.read_text().split() == ["pod/first", "pod/second"]


def test_kubectl_defines_a_type(api, kubectl):
    widgets = definition("example.com", "Widget", "widgets", ["v1", "v1beta1"], short_names=["wd"])
    assert "created" in kubectl("apply", "-f", "-", stdin=widgets)
    kubectl("wait", "--for=condition=Established", "crd/widgets.example.com", "--timeout=10s")
    widget = {
        "apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"},
        "spec": {"size": 3, "ratio": 0.5, "on": True, "big": 9007199254740993},
    }
    assert "created" in kubectl("apply", "-f", "-", stdin=widget)
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=widget)
    widget["spec"]["size"] = 4
    assert "configured" in kubectl("apply", "-f", "-", stdin=widget)
    shown = json.loads(kubectl("get", "widgets.v1beta1.example.com", "w", "-o", "json"))
    assert shown["apiVersion"] == "example.com/v1beta1" and shown["spec"] == widget["spec"]
    assert shown["metadata"]["generation"] == 2
    kubectl("patch", "widget", "w", "--subresource=status", "--type=merge", "-p", '{"status":{"ready":true}}')
    assert json.loads(kubectl("get", "wd", "w", "-o", "json"))["status"] == {"ready": True}
    assert "deleted" in kubectl("delete", "widget", "w")
    assert "deleted" in kubectl("delete", "crd", "widgets.example.com")
    assert "NotFound" in kubectl("get", "--raw", "/apis/example.com/v1/widgets", code=1)


def test_kubectl_deletes(api, kubectl):
    api.put(pod("running"), adapter_map("adapters", "base", ["one"]))
    assert "deleted" in kubectl("delete", "configmap", "adapters")
    assert "deleted" in kubectl("delete", "pod", "running", "--wait=false")
    assert "deletionTimestamp" in api.get("pods", "running")["metadata"]
    api.finish("running")
    assert "NotFound" in kubectl("get", "pod", "running", code=1)
    api.put(pod("again"))
    kubectl("delete", "pod", "again", "--force", "--grace-period=0")
    assert api.get("pods", "again") is None


def test_kubectl_asks_about_access(services, tmp_path):
    api = start_api(services, "--token", "admin=first", secure=True)
    api.allow("second", "reader", [{"verbs": ["get", "list"], "groups": [""], "resources": ["pods"]}])
    admin, reader = (Kubectl(api, tmp_path, token, name=token) for token in ("first", "second"))
    admin("create", "-f", "-", stdin=pod("a") | {"status": {}})
    assert reader("get", "pods", "-o", "name") == "pod/a\n"
    assert reader("auth", "can-i", "list", "pods") == "yes\n"
    assert reader("auth", "can-i", "create", "pods", code=1).startswith("no")
    refused = reader("create", "-f", "-", stdin=pod("b") | {"status": {}}, code=1)
    assert 'User "reader" cannot create resource "pods" in API group "" in the namespace "default"' in refused
    api.expire("second")
    assert "must be logged in" in reader("get", "pods", code=1)


def test_kubectl_shows_a_certificate(services, tmp_path):
    certificate, key = make_certificate(tmp_path, "client")
    api = start_api(services, secure=True, client=(certificate, key))
    api.put(pod("a"))
    known = Kubectl(api, tmp_path, certificate=certificate, key=key)
    assert known("get", "pods", "-o", "name") == "pod/a\n"
    assert {request["user"] for request in api.requests(verb="list")} == {"client-certificate"}
    unknown = Kubectl(api, tmp_path, "token", name="unknown")
    assert "certificate required" in unknown("get", "pods", code=1)


def test_kubectl_tries_again(api, kubectl):
    api.put(pod("a"))
    api.fault("status", code=429, retryAfter=1, resource="pods", verb="list")
    assert kubectl("get", "pods", "-o", "name") == "pod/a\n"
    assert [request["status"] for request in api.requests(verb="list")] == [429, 200]
