"""`martlet epp` and `martlet bbr`: flags, banner, metrics port, discovery file, drain."""

import subprocess

import pytest
from harness import START_SECONDS, Service, eventually, fetch, fetch_json

PICKER = """\
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: file-discovery
  parameters: {path: %s, watchFile: true}
- type: queue-scorer
dataLayer: {discovery: {pluginRef: file-discovery}}
"""


class Picker(Service):
    """`martlet epp` on free ports, with a discovery file."""

    def __init__(self, martlet, folder, *arguments):
        self.file, configuration = folder / "endpoints.yaml", folder / "picker.yaml"
        configuration.write_text(PICKER % self.file)
        ports = ["--grpc-port=0", "--grpc-health-port", "0", "--metricsPort=0", "--bind-address", "127.0.0.1"]
        command = [martlet, "epp", *ports, "--drain-timeout=0", "--config-file", configuration, *arguments]
        super().__init__("picker", command, folder)

    def list(self, *addresses):
        lines = []
        for address in addresses:
            host, _, port = address.rpartition(":")
            lines.append(f'- {{name: e{port}, address: {host}, port: "{port}"}}\n')
        self.file.write_text("endpoints:\n" + "".join(lines) if lines else "endpoints: []\n")

    def start(self):
        self.launch()
        self.metrics = self.await_line(r"metrics on (http://127\.0\.0\.1:\d+)", "the metrics port").group(1)
        return self

    def pool(self):
        return fetch_json(self.metrics + "/api/state")["pools"][0]

    def await_endpoints(self, *addresses):
        def found():
            return {endpoint["address"] for endpoint in self.pool()["endpoints"]} == set(addresses)

        eventually(found, f"the endpoints {addresses}", START_SECONDS)


def run(martlet, *arguments):
    return subprocess.run(
        [martlet, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )


@pytest.fixture
def picker(request, martlet, tmp_path):
    started = []
    request.node.services = started

    def make(*arguments):
        started.append(Picker(martlet, tmp_path, *arguments))
        return started[-1]

    yield make
    for service in started:
        service.stop()


@pytest.mark.parametrize("command", ["epp", "bbr"])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help(martlet, command, flag):
    result = run(martlet, command, flag)
    assert result.returncode == 0 and result.stderr == ""
    assert f"USAGE: martlet {command} [FLAGS]" in result.stdout and "--grpc-health-port INT" in result.stdout


@pytest.mark.parametrize("arguments, sentence", [
    (["epp", "--grpc-prt", "1"], "--grpc-prt is not a flag of martlet epp (did you mean --grpc-port?)."),
    (["epp", "--config-file=a", "--config-text=b"], "--config-file and --config-text say the same thing twice"),
    (["epp", "--lora-info-metric=x"], "engineConfigs"),
    (["epp", "--secure-serving", "false"], "write --flag=false"),
    (["bbr", "--plugin=x"], "--plugin: \"x\" is not of the form"),
    (["bbr", "--grpc-port=9005"], "9005 is the port of --grpc-port as well"),
])
def test_flags_that_cannot_be_used(martlet, arguments, sentence):
    result = run(martlet, *arguments)
    assert result.returncode == 64 and result.stdout == ""
    assert result.stderr.startswith("Error: ") and sentence in result.stderr.splitlines()[0]


def test_without_endpoints_there_is_nothing_to_pick_from(martlet):
    result = run(martlet, "epp", "--pool-name", "llama")
    assert result.returncode == 1
    assert "--config PATH" in result.stderr and "file-discovery" in result.stderr


def test_the_banner_names_three_ports(picker):
    service = picker("--secure-serving=false", "--zap-devel", "-poolName", "llama")
    service.list("127.0.0.1:1", "127.0.0.1:2")
    service.start()
    service.await_line(r"^martlet \S+: 1 pool, 2 endpoints$", "the counts")
    service.await_line(r"^ext_proc on grpc://127\.0\.0\.1:\d+$", "the port of ext_proc")
    service.await_line(r"^health on grpc://127\.0\.0\.1:\d+$", "the port of health")
    service.await_line(r"--zap-devel has no effect", "a warning")
    service.await_line(r"-poolName is deprecated: write --pool-name", "a warning")
    assert service.pool()["name"] == "llama"
    assert fetch(service.metrics + "/metrics")[0] == 200


def test_the_discovery_file_is_followed(picker, services):
    simulators = services.simulators(2)
    service = picker()
    service.list(simulators[0].address)
    service.start()
    service.await_line(r"^ext_proc on grpcs://", "TLS")
    eventually(lambda: fetch(service.metrics + "/readyz")[0] == 200, "readiness", START_SECONDS)
    service.await_endpoints(simulators[0].address)
    service.list(*(simulator.address for simulator in simulators))
    service.await_endpoints(*(simulator.address for simulator in simulators))
    service.file.write_text("endpoints: [{name: x}]\n")
    service.await_line(r"the last good state stays", "the report of the bad file")
    assert len(service.pool()["endpoints"]) == 2
    service.list(simulators[1].address)
    service.await_endpoints(simulators[1].address)


def test_a_bad_discovery_file_ends_the_start(picker):
    service = picker()
    service.file.write_text("endpoints:\n- {name: a, address: a b, port: 1}\n- {name: c, address: c}\n")
    service.launch()
    assert service.process.wait(timeout=START_SECONDS) == 1
    assert f"{service.file}:2:" in service.log() and f"{service.file}:3:" in service.log()


def test_the_drain_goes_on_serving_and_then_ends(picker):
    service = picker("--drain-timeout", "1s")
    service.list("127.0.0.1:1")
    service.start()
    service.process.terminate()
    eventually(lambda: b"draining" in fetch(service.metrics + "/readyz")[2], "the drain")
    assert service.process.wait(timeout=START_SECONDS) == 0


def test_no_drain_timeout_ends_at_once(picker):
    service = picker("--drain-timeout=0")
    service.list("127.0.0.1:1")
    service.start()
    assert service.terminate(within=10) == 0
