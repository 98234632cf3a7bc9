"""Whether Envoy takes the filter that an EnvoyFilter of Istio puts into its chain."""

import json
import subprocess

from manifests import ENVOY

TYPE = "type.googleapis.com/envoy.extensions.filters"


def assert_envoy_takes_filter(document, folder):
    """Puts the filter into a bootstrap of its own, with a cluster of the name that it asks for."""
    (patch,) = document["spec"]["configPatches"]
    assert patch["applyTo"] == "HTTP_FILTER" and patch["match"]["context"] == "GATEWAY"
    added = patch["patch"]["value"]
    cluster = added["typed_config"]["grpc_service"]["envoy_grpc"]["cluster_name"]
    # Istio names the clusters of Services so.
    direction, port, subset, host = cluster.split("|")
    assert (direction, subset) == ("outbound", "") and port == "9004" and host.endswith(".svc.cluster.local")
    router = {"name": "router", "typed_config": {"@type": f"{TYPE}.http.router.v3.Router"}}
    manager = {
        "@type": f"{TYPE}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gateway",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": []}]},
        "http_filters": [added, router],
    }
    listener = {
        "name": "http",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
        ]}],
    }
    path = folder / "bootstrap.json"
    clusters = [{"name": cluster, "type": "STATIC"}]
    path.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": clusters}}))
    command = [ENVOY, "--mode", "validate", "--use-dynamic-base-id", "--log-level", "warning", "-c", path]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "deprecated" not in (done.stdout + done.stderr).lower(), done.stderr
