"""Several replicas of `martlet epp`, and who may read their metrics."""

import signal
import time

import pytest
from extproc_client import open_channel
from harness import eventually, fetch
from kubernetes_api import inference_pool, pod
from test_extproc_health import EXT_PROC, NOT_SERVING, SERVING, check
from test_kubernetes_pool import APP, pick

LEASE = "epp-default-pool.llm-d.ai"
GATE = {
    "apiVersion": "llm-d.ai/v1alpha1", "kind": "EndpointPickerConfig",
    "featureGates": ["haPopulateNonLeaderDatastore=false"],
}
SERVICE_UNKNOWN = 3


@pytest.fixture
def api(services):
    api = services.kubernetes_api()
    api.define()
    server = services.model_server("127.2.5.1")
    api.put(pod("m-0", "127.2.5.1", labels=APP), inference_pool("pool", APP, [server.port]))
    return api


def replica(services, api, name, ready=True, **options):
    environment = {"POD_NAME": name}
    return services.cluster_picker(
        api, "--ha-enable-leader-election", environment=environment, ready=ready, **options
    )


def health(picker):
    with open_channel(f"127.0.0.1:{picker.health_port}") as channel:
        names = ["", "liveness", "readiness", EXT_PROC, "inference-extension"]
        return {name: check(channel, name) for name in names}


def expected(status):
    return {
        "": status, "liveness": SERVING, "readiness": status, EXT_PROC: status, "inference-extension": SERVICE_UNKNOWN
    }


def holder(api):
    lease = api.get("leases", LEASE, "coordination.k8s.io")
    return lease and lease["spec"].get("holderIdentity")


def test_the_leader_is_ready_and_followers_are_alive(services, api):
    first = replica(services, api, "first")
    assert holder(api).startswith("first")
    second = replica(services, api, "second", ready=False)
    eventually(lambda: second.endpoints(), "the endpoints of the follower")
    assert health(first) == expected(SERVING)
    assert health(second) == expected(NOT_SERVING)
    assert b"another replica leads" in fetch(second.admin + "/readyz")[2]
    assert pick(second).endpoint, "a follower serves what comes to it"
    assert first.metric("martlet_leader") == 1 and second.metric("martlet_leader") == 0


def test_a_clean_stop_is_taken_over_at_once(services, api):
    first = replica(services, api, "first")
    second = replica(services, api, "second", ready=False)
    eventually(lambda: second.endpoints(), "the endpoints of the follower")
    first.process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    eventually(second.is_ready, "the second replica", within=15)
    took = time.monotonic() - started
    assert took < 3, f"{took:.2f} s"
    assert not first.is_ready(), "the first one drains"
    assert health(first)["liveness"] == SERVING
    assert holder(api).startswith("second")


def test_a_crash_is_taken_over_when_the_lease_ends(services, api):
    first = replica(services, api, "first")
    second = replica(services, api, "second", ready=False)
    eventually(lambda: second.endpoints(), "the endpoints of the follower")
    first.kill()
    started = time.monotonic()
    eventually(second.is_ready, "the second replica", within=20)
    took = time.monotonic() - started
    assert took < 15, f"{took:.2f} s"


def test_a_leader_that_cannot_renew_steps_down_before_another_leads(services, api):
    """An API server that answers nobody: no replica is ready any more, and one is when it answers again."""
    first = replica(services, api, "first")
    api.fault("noAnswer", resource="leases", times=None)
    eventually(lambda: not first.is_ready(), "the leader stepping down", within=12)
    api.clear_faults()
    eventually(first.is_ready, "the leader again", within=30)


def test_followers_without_endpoints(services, api):
    """With the gate off a follower answers 503, and knows the pods as soon as it leads."""
    first = replica(services, api, "first", config=GATE)
    second = replica(services, api, "second", config=GATE, ready=False)
    eventually(lambda: "follows" in second.log(), "the second replica following")
    assert pick(first).endpoint
    assert pick(second).error(503)
    first.kill()
    eventually(second.is_ready, "the second replica", within=20)
    assert pick(second).endpoint


def test_without_an_election_every_replica_is_ready(services, api):
    pickers = [services.cluster_picker(api) for _ in range(2)]
    assert all(pick(picker).endpoint for picker in pickers)
    assert api.get("leases", LEASE, "coordination.k8s.io") is None


# Who may read metrics


def metrics(picker, token=None, path="/metrics"):
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return fetch(picker.admin + path, headers=headers)


def test_the_cluster_says_who_may_read_metrics(services, api):
    api.allow("picker-token", "picker")
    api.allow("reader-token", "reader", [{"verbs": ["get"], "paths": ["/metrics"]}])
    api.allow("other-token", "other", [])
    picker = services.cluster_picker(api, "--metrics-endpoint-auth=true", token="picker-token")
    status, fields, _ = metrics(picker)
    assert status == 401 and fields["www-authenticate"] == "Bearer"
    assert metrics(picker, "nobody-knows-it")[0] == 401
    status, _, text = metrics(picker, "other-token")
    assert status == 403 and b"other" in text
    status, _, page = metrics(picker, "reader-token")
    assert status == 200 and b"llm_d_epp_info" in page
    assert metrics(picker, "reader-token", "/api/state")[0] == 403
    assert metrics(picker, "picker-token", "/api/state")[0] == 200
    assert metrics(picker, path="/healthz")[0] == 200 and metrics(picker, path="/readyz")[0] == 200
    reviews = len(api.requests(resource="tokenreviews"))
    for _ in range(5):
        assert metrics(picker, "reader-token")[0] == 200
    assert len(api.requests(resource="tokenreviews")) == reviews, "an answer is kept for a while"
    api.fault("status", code=500, resource="tokenreviews", times=None)
    assert metrics(picker, "one-more")[0] == 503
    assert "reader-token" not in picker.log() and "one-more" not in picker.log()
