"""Where the program under test is, and what every test reads."""

import pathlib

import pytest
from manifests import ROOT, Validator


def pytest_addoption(parser):
    parser.addoption("--martlet", default=str(ROOT / ".build/debug/martlet"), help="the program under test")
    parser.addoption("--promtool", default=None, help="promtool, to check the alert rules with")


def pytest_configure(config):
    if not pathlib.Path(config.getoption("--martlet")).exists():
        raise pytest.UsageError(f"{config.getoption('--martlet')} does not exist: build it first")


@pytest.fixture(scope="session")
def martlet(request):
    return request.config.getoption("--martlet")


@pytest.fixture(scope="session")
def validator():
    return Validator.of_deploy()
