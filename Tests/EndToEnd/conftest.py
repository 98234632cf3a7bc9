"""Fixtures: the program under test, and services that stop with the test and show their output when it fails."""

import pathlib
import resource

import pytest
from harness import Gateway, Simulator

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pytest_addoption(parser):
    parser.addoption("--martlet", default=str(ROOT / ".build/debug/martlet"), help="the program under test")
    parser.addoption("--promtool", default=None, help="promtool, to check the metrics page with")
    parser.addoption("--soak-seconds", type=float, default=8.0, help="how long the soak test runs")


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

    def simulator(self, *arguments, **options):
        service = Simulator(self.martlet, self.folder, *arguments, **options)
        self.started.append(service)
        return service.start()

    def simulators(self, count, *arguments, **options):
        return [self.simulator(*arguments, **options) for _ in range(count)]

    def gateway(self, *arguments, ready=True, **options):
        service = Gateway(self.martlet, self.folder, *arguments, **options)
        self.started.append(service)
        return service.start(ready)

    def gateway_over(self, simulators, *arguments, **options):
        """A gateway with simulators as its static endpoints."""
        endpoints = [part for simulator in simulators for part in ("--endpoint", simulator.url)]
        return self.gateway("--served-header", *endpoints, *arguments, **options)

    def stop(self):
        # Gateways first: a gateway whose endpoints vanish would fill its log with that.
        for service in reversed(self.started):
            service.stop()


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
def promtool(request):
    tool = request.config.getoption("--promtool")
    if tool is None:
        pytest.skip("no --promtool given")
    return tool
