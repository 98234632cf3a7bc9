"""Where the program under test is, and the Python that has the clients of users."""

import pathlib

import pytest
from markdown_page import ROOT


def pytest_addoption(parser):
    parser.addoption("--martlet", default=str(ROOT / ".build/debug/martlet"), help="the program under test")
    parser.addoption("--client-python", default=str(ROOT / ".venv/bin/python"), help="a Python with openai in it")


def pytest_configure(config):
    for option in ("--martlet", "--client-python"):
        if not pathlib.Path(config.getoption(option)).exists():
            raise pytest.UsageError(f"{config.getoption(option)} does not exist: make it first")


@pytest.fixture(scope="session")
def martlet(request):
    return request.config.getoption("--martlet")


@pytest.fixture(scope="session")
def client_python(request):
    return request.config.getoption("--client-python")
