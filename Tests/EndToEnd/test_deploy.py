"""The bootstraps of deploy/envoy as they stand there: Envoy itself takes them, and they keep what they promise."""

import subprocess

import pytest
import yaml
from envoy_process import BINARY, BOOTSTRAPS

FILES = sorted(BOOTSTRAPS.glob("*.yaml"))
FORGEABLE = ["x-gateway-model-name", "x-gateway-base-model-name"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_envoy_accepts_the_bootstrap(file):
    command = [BINARY, "--mode", "validate", "--use-dynamic-base-id", "--log-level", "warning", "-c", file]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "deprecated" not in (done.stdout + done.stderr).lower(), done.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_forged_headers_are_removed_before_anybody_is_asked(file):
    document = yaml.safe_load(file.read_text())
    manager = document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    first, *rest = manager["http_filters"]
    mutations = first["typed_config"]["mutations"]["request_mutations"]
    assert [entry["remove"] for entry in mutations if "remove" in entry] == FORGEABLE
    (matched,) = [entry["remove_on_match"]["key_matcher"] for entry in mutations if "remove_on_match" in entry]
    assert matched["prefix"] == "x-gateway-destination-endpoint"
    assert any("ext_proc" in entry["name"] for entry in rest)


def test_every_bootstrap_is_in_the_table():
    table = (BOOTSTRAPS / "README.md").read_text()
    assert FILES and all(f"[{file.name}]({file.name})" in table for file in FILES)
