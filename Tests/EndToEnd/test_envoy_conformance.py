"""What the conformance suite of the Gateway API Inference Extension asks of a gateway's data plane and its picker.

The suite itself needs a cluster. Here every address of 127.0.0.0/8 is a pod, Envoy is the gateway, and deploy/envoy is
what a controller would write. The names are those of the suite's tests.
"""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from configurations import endpoint_list, write
from envoy_process import Bootstrap
from harness import accepts, eventually, fetch, free_port
from raw_http import RawConnection, ask, request_bytes

BODY = {"model": "conformance-fake-model", "prompt": "Write as if you were a critic: San Francisco"}
SELECTION = "test-epp-endpoint-selection"
SERVED = "x-conformance-test-served-endpoint"
# The two plugins with which the suite ran the picker.
PLUGINS = ["header-based-testing-filter", "max-score-picker", "destination-endpoint-served-verifier"]
PROFILE = ["header-based-testing-filter", "max-score-picker"]
# Nobody looks at metrics here, and all pods share one thread.
CALM = ("--refresh-metrics-interval", "1s")


def conformance_picker(services, servers, *arguments, **options):
    return services.endpoint_picker(servers, *CALM, *arguments, plugins=PLUGINS, profile=PROFILE, **options)


def select(port, selection, body=BODY, path="/v1/completions", headers=()):
    """A request whose header names the pods it may go to."""
    return ask(port, body, path, headers=[(SELECTION, ",".join(selection)), *headers])


def backends(port, selection, requests, at_once, **options):
    """How many of some requests each pod served; all must succeed."""
    with ThreadPoolExecutor(at_once) as pool:
        replies = list(pool.map(lambda _: select(port, selection, **options), range(requests)))
    failed = [reply for reply in replies if reply.status != 200]
    assert not failed, f"{len(failed)} of {requests}, the first {failed[0].status}: {failed[0].body[:300]!r}"
    return Counter(reply.headers["x-backend"] for reply in replies)


@pytest.fixture(scope="module")
def pods(shared):
    return [shared.model_server(f"127.1.0.{number}") for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def envoy(shared, pods):
    return shared.envoy_over(conformance_picker(shared, pods, secure=True), pods)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_gateway_following_epp_routing(envoy, pods, count):
    """A hundred requests, ten at a time, go to the pods of the list and to no other."""
    for pod in pods:
        assert select(envoy.port, [pod.host]).headers["x-backend"] == pod.address
    served = backends(envoy.port, [pod.host for pod in pods[:count]], 100, 10)
    assert set(served) == {pod.address for pod in pods[:count]}


def test_gateway_following_epp_routing_with_data_parallelism(services):
    """Three pods with three ports each; an address without a port stands for all of its ports."""
    ranks = {host: [services.model_server(host) for _ in range(3)] for host in ("127.1.5.1", "127.1.5.2", "127.1.5.3")}
    servers = [server for rank in ranks.values() for server in rank]
    envoy = services.envoy_over(conformance_picker(services, servers), servers)
    first, second, third = ranks.values()
    for selection, allowed in (
        (["127.1.5.2"], second),
        (["127.1.5.1", third[1].address], [*first, third[1]]),
        (["127.1.5.1", second[0].address, second[2].address, "127.1.5.3"], [*first, second[0], second[2], *third]),
    ):
        served = backends(envoy.port, selection, 100, 10)
        assert set(served) <= {server.address for server in allowed}, selection
        assert {address.partition(":")[0] for address in served} == {server.host for server in allowed}


def test_gateway_destination_endpoint_served(envoy, pods):
    """The picker is told who served, and tells it in a header."""
    for pod in pods:
        reply = select(envoy.port, [pod.address])
        assert (reply.status, reply.headers[SERVED]) == (200, pod.address)


def test_destination_endpoint_served_without_metadata(services, pods):
    """The attribute of Envoy is enough: no filter has to write metadata."""
    picker = conformance_picker(services, pods)
    bootstrap = Bootstrap("one-pool.yaml")
    bootstrap.set_server("epp", picker)
    bootstrap.set_endpoints("pool", [pod.address for pod in pods])
    filters = bootstrap.manager["http_filters"]
    filters[:] = [entry for entry in filters if entry["name"] != "envoy.filters.http.header_to_metadata.served"]
    envoy = services.envoy(bootstrap)
    assert select(envoy.port, [pods[1].address]).headers[SERVED] == pods[1].address


@pytest.fixture(scope="module")
def two_pools(shared, pods):
    """Two pools behind one name, 70 to 30, each with its own picker; hosts and paths beside them."""
    others = [shared.model_server(f"127.2.0.{number}") for number in (1, 2, 3)]
    primary, secondary = conformance_picker(shared, pods), conformance_picker(shared, others)
    bootstrap = Bootstrap("model-routes.yaml")
    bootstrap.set_server("bbr", shared.body_based_router())
    for name, picker, servers in (
        ("llama", primary, pods), ("qwen", primary, pods), ("qwen-next", secondary, others),
    ):
        bootstrap.set_server(f"epp-{name}", picker)
        bootstrap.set_endpoints(name, [server.address for server in servers])
    by_model = bootstrap.routes[2]
    secondary_only = by_model["route"]["weighted_clusters"]["clusters"][1]["typed_per_filter_config"]
    primary_only = by_model["route"]["weighted_clusters"]["clusters"][0]["typed_per_filter_config"]
    bootstrap.routes[:0] = [
        {
            "match": {"path_separated_prefix": path},
            "route": {"cluster": cluster, "timeout": "0s"},
            "typed_per_filter_config": asked,
        }
        for path, cluster, asked in (("/primary", "qwen", primary_only), ("/secondary", "qwen-next", secondary_only))
    ]
    hosts = bootstrap.manager["route_config"]["virtual_hosts"]
    routes = [bootstrap.routes[1], bootstrap.routes[-1]]
    hosts.append({"name": "secondary", "domains": ["secondary.example.com"], "routes": routes})
    return shared.envoy(bootstrap), pods, others


def test_gateway_weighted_across_two_inference_pools(two_pools):
    """Every request lists all six pods; each pool's picker keeps to its own; the shares are those of the weights."""
    envoy, primary, secondary = two_pools
    everybody = [pod.address for pod in (*primary, *secondary)]
    served = backends(envoy.port, everybody, 200, 5, body=BODY | {"model": "qwen"})
    share = sum(served[pod.address] for pod in primary) / 200
    assert abs(share - 0.7) <= 0.146, served
    assert set(served) <= set(everybody)


def test_http_route_multiple_rules_different_pools(two_pools):
    envoy, primary, secondary = two_pools
    for path, pods in (("/primary", primary), ("/secondary", secondary)):
        everybody = [pod.address for pod in (*primary, *secondary)]
        served = backends(envoy.port, everybody, 20, 5, path=path + "/v1/completions")
        assert set(served) <= {pod.address for pod in pods}
    assert select(envoy.port, [primary[0].address], path="/elsewhere").status == 404


def test_http_route_multiple_gateways_different_pools(two_pools):
    """A host name has its own pool, and only the paths that are routed there."""
    envoy, _, secondary = two_pools
    for path, expected in (("/secondary/v1/completions", 200), ("/primary/v1/completions", 404)):
        request = request_bytes(BODY, path, headers=[(SELECTION, secondary[0].address)])
        with RawConnection(envoy.port) as connection:
            reply = connection.exchange(request.replace(b"host: gateway.test", b"host: secondary.example.com"))
        assert reply.status == expected
        if expected == 200:
            assert reply.headers["x-backend"] == secondary[0].address


def test_inference_pool_app_protocol(services, pods):
    """Servers that speak HTTP/2 without TLS, by POST and for each pod."""
    envoy_bootstrap = Bootstrap("one-pool.yaml")
    envoy_bootstrap.set_server("epp", conformance_picker(services, pods))
    envoy_bootstrap.set_endpoints("pool", [pod.address for pod in pods])
    envoy_bootstrap.protocol_options("pool").clear()
    envoy_bootstrap.protocol_options("pool")["http2_protocol_options"] = {}
    envoy = services.envoy(envoy_bootstrap)
    for pod in pods:
        reply = select(envoy.port, [pod.address])
        assert (reply.status, reply.headers["x-backend"], reply.headers[SERVED]) == (200, pod.address, pod.address)
        assert reply.json()["headers"][":scheme"] == "http"


def test_inference_pool_invalid_epp_service(services, pods):
    """The picker of a FailClose pool does not exist: 5xx, with a body and without."""
    bootstrap = Bootstrap("one-pool.yaml")
    bootstrap.set_endpoints("epp", [])
    bootstrap.set_endpoints("pool", [pod.address for pod in pods])
    envoy = services.envoy(bootstrap)
    assert 500 <= select(envoy.port, [pods[0].address]).status <= 504
    assert 500 <= fetch(envoy.url + "/invalid-epp-test")[0] <= 504


@pytest.mark.parametrize("file", ["fail-open.yaml", "fail-open-buffered.yaml"])
def test_epp_unavailable_fail_open(services, pods, file):
    """The picker of this very pool goes away; requests with a body go on, and follow the picker when it is back."""
    port = free_port()
    arguments = ("--health-checking",) if file == "fail-open.yaml" else ()
    picker = conformance_picker(services, pods, *arguments, grpc_port=port)
    envoy = services.envoy_over(picker, pods, file)
    if file == "fail-open.yaml":
        envoy.await_healthy_hosts("epp", 1)
    pinned = [pods[2].address]
    assert set(backends(envoy.port, pinned, 12, 3)) == set(pinned)
    picker.kill()
    eventually(lambda: not accepts(port), "no picker")
    if file == "fail-open.yaml":
        envoy.await_healthy_hosts("epp", 0)
    served = backends(envoy.port, pinned, 30, 3)
    assert set(served) == {pod.address for pod in pods}, "round robin reaches every pod"
    # Nobody strips what the picker would have overwritten but the bootstrap itself.
    forged = [("x-gateway-destination-endpoint", pods[0].address)]
    served = backends(envoy.port, pinned, 30, 3, headers=forged)
    assert set(served) == {pod.address for pod in pods}, "a forged header chose the endpoint"
    conformance_picker(services, pods, *arguments, grpc_port=port)
    if file == "fail-open.yaml":
        envoy.await_healthy_hosts("epp", 1)
    eventually(lambda: set(backends(envoy.port, pinned, 12, 3)) == set(pinned), "the picker's choice again")


def test_a_picker_that_drains_is_not_asked(services, pods):
    """On SIGTERM the health check turns, and no request fails in between: open streams end, new ones go without."""
    port = free_port()
    picker = conformance_picker(services, pods, "--health-checking", "--drain-timeout", "10s", grpc_port=port)
    envoy = services.envoy_over(picker, pods, "fail-open.yaml")
    envoy.await_healthy_hosts("epp", 1)
    ended = threading.Event()

    def wait_for_end():
        picker.terminate()
        ended.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    while not ended.is_set() and envoy.healthy_hosts("epp"):
        assert select(envoy.port, [pods[0].address]).status == 200
    envoy.await_healthy_hosts("epp", 0)
    assert set(backends(envoy.port, [pods[0].address], 12, 3)) == {pod.address for pod in pods}


def test_pods_that_come_and_go(services, pods):
    """The picker follows its endpoint file; who is in Envoy's cluster and not in the file is not chosen."""
    picker = conformance_picker(services, pods[:2])
    envoy = services.envoy_over(picker, pods)
    late = [pods[2].address]
    refused = select(envoy.port, late)
    assert refused.status in (429, 503), refused.body
    write(picker.endpoint_file, endpoint_list([pod.address for pod in pods[1:]]))
    eventually(lambda: select(envoy.port, late).status == 200, "the new pod")
    assert set(backends(envoy.port, late, 10, 2)) == set(late)
    assert select(envoy.port, [pods[0].address]).status in (429, 503)
