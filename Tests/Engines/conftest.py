"""Fixtures: engines that start once, and the doors to them."""

import pathlib

import pytest
from doors import Door
from engines import LlamaCpp, VLLM, make_models

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pytest_addoption(parser):
    parser.addoption("--martlet", default=str(ROOT / ".build/debug/martlet"), help="the program under test")
    parser.addoption(
        "--engines-python", default=str(ROOT / ".venv-engines/bin/python"), help="the Python that has the engines"
    )


def pytest_configure(config):
    for option in ("--martlet", "--engines-python"):
        if not pathlib.Path(config.getoption(option)).exists():
            raise pytest.UsageError(f"{config.getoption(option)} does not exist: `make test-engines` makes it")


RUNNING = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for service in RUNNING:
            report.sections.append((f"output of {service.name}", service.log()[-8000:]))
    return report


@pytest.fixture(scope="session")
def python(request):
    return request.config.getoption("--engines-python")


@pytest.fixture(scope="session")
def models(python, tmp_path_factory):
    """The folder of the model and its adapters."""
    folder = tmp_path_factory.mktemp("models")
    make_models(python, folder)
    return folder


@pytest.fixture(scope="session")
def vllms(python, models, tmp_path_factory):
    """Two vLLM servers."""
    yield from started([VLLM(python, models, tmp_path_factory.mktemp("vllm")) for _ in range(2)])


@pytest.fixture(scope="session")
def llamas(python, models, tmp_path_factory):
    """Two servers of llama.cpp."""
    yield from started([LlamaCpp(python, models, tmp_path_factory.mktemp("llamacpp")) for _ in range(2)])


def started(engines):
    """The engines while they run."""
    RUNNING.extend(engines)
    try:
        for engine in engines:
            engine.launch()
        for engine in engines:
            engine.await_answers()
        yield engines
    finally:
        for engine in engines:
            engine.stop()
            RUNNING.remove(engine)


@pytest.fixture(scope="module", params=["serve", "epp"])
def open_door(request, tmp_path_factory):
    """Opens the door of a kind to some engines, which may have labels; one for all tests of a file."""
    doors = []

    def open_one(engines, labels=None):
        martlet = request.config.getoption("--martlet")
        door = Door(request.param, martlet, tmp_path_factory.mktemp(request.param), engines, labels)
        doors.append(door)
        RUNNING.extend(door.services)
        return door

    yield open_one
    for door in doors:
        door.stop()
        for service in door.services:
            RUNNING.remove(service)
