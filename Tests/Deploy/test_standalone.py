"""Envoy beside the picker, with the bootstraps that are installed and real processes behind them."""

import subprocess
import types

import helm_python as helm
import pytest
from configurations import endpoint_list, picker_config, write
from envoy_process import Envoy, socket_address
from harness import EndpointPicker, Simulator, chat, eventually, fetch, fetch_json
from manifests import DEPLOY, ENVOY, documents
from pods import named

LABELS = {"router": {"modelServers": {"matchLabels": {"app": "vllm"}}}}


def by_kustomize():
    configs = named(documents((DEPLOY / "install/standalone.yaml").read_text()), "ConfigMap")
    (text,) = [config["data"]["envoy.yaml"] for config in configs if "envoy.yaml" in config["data"]]
    return text


def by_helm():
    files = helm.Chart.load(DEPLOY / "helm/martlet-standalone").render(LABELS, name="llama", namespace="inference")
    (config,) = named(documents(files["martlet-standalone/templates/epp.yaml"]), "ConfigMap", "llama-epp-envoy")
    return config["data"]["envoy.yaml"]


BOOTSTRAPS = {"closed": by_kustomize, "open": by_helm}


class Standalone:
    """Two simulators, a picker that knows them, and Envoy with a bootstrap whose addresses are theirs."""

    def __init__(self, martlet, folder, text):
        self.simulators = [Simulator(martlet, folder).start() for _ in range(2)]
        self.addresses = [simulator.address for simulator in self.simulators]
        endpoints = write(folder / "endpoints.yaml", endpoint_list(self.addresses))
        config = write(folder / "picker.yaml", picker_config(endpoints))
        arguments = ["--pool-name", "pool", "--config-file", config, "--health-checking"]
        self.picker = EndpointPicker(martlet, folder, *arguments).start()
        self.envoy = Envoy(folder, types.SimpleNamespace(document=self.moved(documents(text)[0])))
        self.envoy.start()
        ports = {
            entry["name"]: entry["local_address"]["socket_address"]["port_value"]
            for entry in fetch_json(self.envoy.admin + "/listeners?format=json")["listener_statuses"]
        }
        self.url, self.ready = (f"http://127.0.0.1:{ports[name]}" for name in ("http", "ready"))

    def moved(self, document):
        """The bootstrap on ports of the kernel's choice, with its peers where they are here."""
        document["admin"]["address"]["socket_address"]["port_value"] = 0
        for listener in document["static_resources"]["listeners"]:
            listener["address"] = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
        for cluster in document["static_resources"]["clusters"]:
            peers = {"epp": [self.picker.address], "model-servers": self.addresses}.get(cluster["name"])
            if peers:
                cluster["type"] = "STATIC"
                endpoints = [{"lb_endpoints": [socket_address(peer) for peer in peers]}]
                cluster["load_assignment"]["endpoints"] = endpoints
        return document

    def ask(self, **headers):
        return fetch(self.url + "/v1/chat/completions", chat(), headers=headers)

    def stop(self):
        for service in [self.envoy, self.picker, *self.simulators]:
            service.stop()


@pytest.fixture(params=BOOTSTRAPS)
def standalone(request, martlet, tmp_path):
    made = Standalone(martlet, tmp_path, BOOTSTRAPS[request.param]())
    made.fails_open = request.param == "open"
    yield made
    made.stop()


@pytest.mark.parametrize("name", BOOTSTRAPS)
def test_envoy_takes_the_bootstrap(name, tmp_path):
    path = tmp_path / "envoy.yaml"
    path.write_text(BOOTSTRAPS[name]())
    command = [ENVOY, "--mode", "validate", "--use-dynamic-base-id", "--log-level", "warning", "-c", path]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "deprecated" not in (done.stdout + done.stderr).lower(), done.stderr


def test_requests_go_where_the_picker_says(standalone):
    assert fetch(standalone.ready + "/ready")[0] == 200
    assert fetch(standalone.ready + "/drain_listeners", method="POST")[0] == 404
    for _ in range(6):
        assert standalone.ask()[0] == 200
    # Nobody listens there; a client that could choose would get 503.
    assert standalone.ask(**{"x-gateway-destination-endpoint": "127.0.0.1:1"})[0] == 200
    assert standalone.picker.metric("llm_d_epp_request_total") == 7
    eventually(lambda: standalone.picker.leases() == 0, "the end of all requests")
    # The picker learned who served, without a header for it.
    assert standalone.picker.metric("llm_d_epp_request_error_total") is None

    standalone.picker.kill()
    if standalone.fails_open:
        standalone.envoy.await_healthy_hosts("epp", 0)
        assert [standalone.ask()[0] for _ in range(4)] == [200] * 4
        assert standalone.ask(**{"x-gateway-destination-endpoint": "127.0.0.1:1"})[0] == 200
    else:
        assert standalone.ask()[0] == 503
