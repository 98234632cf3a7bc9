"""Fixtures: the program under test, and services that stop with the test and show their output when it fails."""

import pathlib
import resource

import pytest
from configurations import endpoint_list, picker_config, write
from envoy_process import Bootstrap, Envoy
from extproc_client import Stream, open_channel
from harness import BodyBasedRouter, EndpointPicker, Gateway, Simulator
from kubernetes_api import KubernetesAPI
from model_servers import ModelServers

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pytest_addoption(parser):
    parser.addoption("--martlet", default=str(ROOT / ".build/debug/martlet"), help="the program under test")
    parser.addoption("--promtool", default=None, help="promtool, to check the metrics page with")
    parser.addoption("--browser", default=None, help="a Chromium, to look at the dashboard with")
    parser.addoption("--update-pictures", action="store_true", help="make the pictures in docs/images anew")
    parser.addoption("--soak-seconds", type=float, default=8.0, help="how long the soak test runs")
    parser.addoption("--soak-requests", type=int, default=3_000, help="requests of the soak test through Envoy")
    parser.addoption("--soak-streams", type=int, default=60, help="ext_proc streams at once in the soak test")


def pytest_configure(config):
    # Thousands of connections on both sides; the gateway inherits the limit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if not pathlib.Path(config.getoption("--martlet")).exists():
        raise pytest.UsageError(f"{config.getoption('--martlet')} does not exist: build it first")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for services in getattr(item, "services", []), getattr(item.parent, "services", []):
            for service in services:
                report.sections.append((f"output of {' '.join(service.command)}", service.log()[-8000:]))
    return report


class Services:
    """Starts gateways and simulators, and stops all of them at the end."""

    def __init__(self, martlet, folder):
        self.martlet, self.folder = martlet, folder
        self.started = []
        self._model_servers = None

    def simulator(self, *arguments, environment=(), **options):
        service = Simulator(self.martlet, self.folder, *arguments, **options)
        service.environment = dict(environment)
        self.started.append(service)
        return service.start()

    def simulators(self, count, *arguments, **options):
        return [self.simulator(*arguments, **options) for _ in range(count)]

    def gateway(self, *arguments, ready=True, environment=(), **options):
        service = Gateway(self.martlet, self.folder, *arguments, **options)
        service.environment = dict(environment)
        self.started.append(service)
        return service.start(ready)

    def gateway_over(self, simulators, *arguments, **options):
        """A gateway with simulators as its static endpoints."""
        endpoints = [part for simulator in simulators for part in ("--endpoint", simulator.url)]
        return self.gateway("--served-header", *endpoints, *arguments, **options)

    def model_server(self, host="127.1.0.1", **options):
        """A model server in this process (model_servers.py)."""
        if self._model_servers is None:
            self._model_servers = ModelServers()
        return self._model_servers.add(host, **options)

    def endpoint_picker(
        self, servers, *arguments, plugins=(), profile=(), parsers=(), labels=None, ready=True, environment=(),
        **options,
    ):
        """`martlet epp` over some servers, with the default plugins or those given; the list is at `endpoint_file`.

        `labels` has the labels of each server.
        """
        number = len(self.started)
        addresses = [server if isinstance(server, str) else server.address for server in servers]
        endpoint_file = write(self.folder / f"endpoints-{number}.yaml", endpoint_list(addresses, labels))
        config = write(self.folder / f"picker-{number}.yaml", picker_config(endpoint_file, plugins, profile, parsers))
        service = EndpointPicker(
            self.martlet, self.folder, "--pool-name", "pool", "--config-file", config, *arguments, **options
        )
        service.endpoint_file = endpoint_file
        service.environment = dict(environment)
        self.started.append(service)
        return service.start(ready)

    def kubernetes_api(self, *arguments, **options):
        """A scripted Kubernetes API server."""
        service = KubernetesAPI(self.martlet, self.folder, *arguments, **options)
        self.started.append(service)
        return service.start()

    def cluster_picker(
        self, api, *arguments, pool="pool", config=None, token=None, token_file=None, environment=(), ready=True
    ):
        """`martlet epp` for a pool of a cluster; without `pool` the arguments say which pods are meant.

        `config` is an EndpointPickerConfig. Everybody may read the metrics.
        """
        number = len(self.started)
        named = ["--pool-name", pool] if pool else []
        if config is not None:
            named += ["--config-file", write(self.folder / f"picker-{number}.yaml", config)]
        kubeconfig = api.kubeconfig(token=token, token_file=token_file, name=f"kubeconfig-{number}")
        service = EndpointPicker(
            self.martlet, self.folder, "--kubeconfig", kubeconfig, "--metrics-endpoint-auth=false", *named, *arguments
        )
        service.environment = dict(environment)
        self.started.append(service)
        return service.start(ready)

    def endpoint_picker_of(self, path, *arguments, **options):
        """`martlet epp` over resources, as `martlet serve` takes them: pools, routes, endpoints."""
        service = EndpointPicker(self.martlet, self.folder, "--config", path, *arguments, **options)
        self.started.append(service)
        return service.start()

    def body_based_router(self, *arguments, environment=(), ready=True, **options):
        service = BodyBasedRouter(self.martlet, self.folder, *arguments, **options)
        service.environment = dict(environment)
        self.started.append(service)
        return service.start(ready)

    def envoy(self, bootstrap):
        """Envoy with a bootstrap as it is."""
        service = Envoy(self.folder, bootstrap)
        self.started.append(service)
        return service.start()

    def envoy_over(self, picker, servers, file="one-pool.yaml"):
        """Envoy with a bootstrap of one pool, before a picker and the servers of its list."""
        bootstrap = Bootstrap(file)
        bootstrap.set_server("epp", picker)
        bootstrap.set_endpoints("pool", [server.address for server in servers])
        return self.envoy(bootstrap)

    def stop(self):
        # Gateways first: a gateway whose endpoints vanish would fill its log with that.
        for service in reversed(self.started):
            service.stop()
        if self._model_servers is not None:
            self._model_servers.stop()


@pytest.fixture(scope="session")
def martlet(request):
    return request.config.getoption("--martlet")


@pytest.fixture
def services(request, martlet, tmp_path):
    """Services of one test."""
    services = Services(martlet, tmp_path)
    request.node.services = services.started
    yield services
    services.stop()


@pytest.fixture(scope="module")
def shared(request, martlet, tmp_path_factory):
    """Services of all tests of a file."""
    services = Services(martlet, tmp_path_factory.mktemp("shared"))
    request.node.services = services.started
    yield services
    services.stop()


@pytest.fixture
def soak_seconds(request):
    return request.config.getoption("--soak-seconds")


@pytest.fixture
def soak_requests(request):
    return request.config.getoption("--soak-requests")


@pytest.fixture
def soak_streams(request):
    return request.config.getoption("--soak-streams")


@pytest.fixture
def promtool(request):
    tool = request.config.getoption("--promtool")
    if tool is None:
        pytest.skip("no --promtool given")
    return tool


@pytest.fixture(scope="module")
def browser(request):
    """A browser, for the dashboard. Its loop runs as long as it is there, and other modules run loops of their own."""
    program = request.config.getoption("--browser")
    if program is None:
        pytest.skip("no --browser given")
    # Only here: what drives a browser takes a while to be imported.
    from browser import Browser

    browser = Browser(program)
    yield browser
    browser.stop()


@pytest.fixture(scope="session")
def pictures():
    """Where pictures of the dashboard go, for people to look at."""
    return ROOT / ".build/screenshots"


@pytest.fixture(scope="module")
def channel(picker):
    """A channel to the endpoint picker of a file, its fixture `picker`."""
    with open_channel(picker.address) as channel:
        yield channel


@pytest.fixture
def stream(channel):
    """An ext_proc stream of one test, on the file's channel."""
    stream = Stream(channel)
    yield stream
    stream.cancel()
