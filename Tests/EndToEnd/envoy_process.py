"""Envoy as a process, with the bootstraps of deploy/envoy on ports of the kernel's choice."""

import copy
import json
import pathlib
import sys

import yaml
from harness import START_SECONDS, Service, eventually, fetch, fetch_json

BOOTSTRAPS = pathlib.Path(__file__).resolve().parents[2] / "deploy/envoy"
BINARY = pathlib.Path(sys.executable).with_name("envoy")



def socket_address(address):
    """An Envoy endpoint for `host:port`."""
    host, _, port = address.rpartition(":")
    return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}}


class Bootstrap:
    """One file of deploy/envoy as a value that tests may change."""

    def __init__(self, name):
        # Anchors give one object in several places; the copy through JSON takes them apart.
        self.document = json.loads(json.dumps(yaml.safe_load((BOOTSTRAPS / name).read_text())))
        self.document["admin"]["address"]["socket_address"]["port_value"] = 0
        for listener in self.document["static_resources"]["listeners"]:
            listener["address"]["socket_address"]["port_value"] = 0

    def cluster(self, name):
        """The cluster of a name."""
        clusters = self.document["static_resources"]["clusters"]
        return next(cluster for cluster in clusters if cluster["name"] == name)

    def set_endpoints(self, name, addresses):
        """The endpoints of a cluster, as `host:port`; without any the cluster is empty."""
        endpoints = [socket_address(address) for address in addresses]
        self.cluster(name)["load_assignment"]["endpoints"] = [{"lb_endpoints": endpoints}] if endpoints else []

    def set_server(self, name, server):
        """Points an ext_proc cluster at a picker or body-based router, with TLS as that one has it."""
        self.set_endpoints(name, [server.address])
        if not server.secure:
            self.cluster(name).pop("transport_socket", None)

    def add_cluster(self, name, like):
        """A copy of a cluster under another name."""
        added = copy.deepcopy(self.cluster(like))
        added["name"] = added["load_assignment"]["cluster_name"] = name
        self.document["static_resources"]["clusters"].append(added)
        return added

    def protocol_options(self, name):
        """Which HTTP a cluster speaks: one entry, named after the protocol."""
        (options,) = self.cluster(name)["typed_extension_protocol_options"].values()
        return options["explicit_http_config"]

    @property
    def manager(self):
        """The HTTP connection manager of the only listener."""
        (listener,) = self.document["static_resources"]["listeners"]
        return listener["filter_chains"][0]["filters"][0]["typed_config"]

    @property
    def routes(self):
        """The routes of the only virtual host."""
        (host,) = self.manager["route_config"]["virtual_hosts"]
        return host["routes"]

    def log_access(self, path, line):
        """Writes a line for each request to a file; `line` has Envoy's own formatters."""
        self.manager["access_log"] = [
            {
                "name": "envoy.access_loggers.file",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                    "path": str(path),
                    "log_format": {"text_format_source": {"inline_string": line + "\n"}},
                },
            }
        ]

    def filter(self, name):
        """The configuration of the HTTP filter of a name."""
        return next(entry["typed_config"] for entry in self.manager["http_filters"] if entry["name"] == name)


class Envoy(Service):
    """A real Envoy. `url` is where its listener is, `admin` its admin page."""

    def __init__(self, folder, bootstrap, concurrency=2):
        folder = pathlib.Path(folder)
        command = [BINARY, "--use-dynamic-base-id", "--concurrency", concurrency, "--log-level", "warning"]
        command += ["--file-flush-interval-msec", "100"]
        super().__init__("envoy", command, folder)
        self.bootstrap_path = self.log_path.with_suffix(".json")
        self.admin_path = self.log_path.with_suffix(".admin")
        self.bootstrap_path.write_text(json.dumps(bootstrap.document, indent=2))
        self.command += ["--config-path", str(self.bootstrap_path), "--admin-address-path", str(self.admin_path)]

    def start(self):
        self.launch()
        self.admin = "http://" + eventually(self.admin_address, "Envoy's admin address", START_SECONDS)
        eventually(lambda: fetch(self.admin + "/ready")[0] == 200, "readiness of Envoy", START_SECONDS)
        listeners = fetch_json(self.admin + "/listeners?format=json")["listener_statuses"]
        self.port = listeners[0]["local_address"]["socket_address"]["port_value"]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def admin_address(self):
        assert self.process.poll() is None, f"Envoy ended: {self.log()[-2000:]}"
        return self.admin_path.exists() and self.admin_path.read_text()

    def healthy_hosts(self, cluster):
        """How many hosts of a cluster Envoy takes to be healthy."""
        page = fetch(f"{self.admin}/stats?filter=^cluster\\.{cluster}\\.membership_healthy$")[2].decode()
        return int(page.rpartition(":")[2])

    def await_healthy_hosts(self, cluster, count):
        eventually(lambda: self.healthy_hosts(cluster) == count, f"{count} healthy hosts in {cluster}", within=15)

    def stat(self, name):
        """One counter or gauge of Envoy's statistics."""
        page = fetch_json(f"{self.admin}/stats?format=json&filter=^{name}$")["stats"]
        return next((entry["value"] for entry in page if entry.get("name") == name), 0)
