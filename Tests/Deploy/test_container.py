"""The image. It is not built here; what it is made of is made, and run where there is nothing else."""

import os
import pathlib
import re
import subprocess
import sys

import pytest
from harness import Administered, fetch
from manifests import DEPLOY, ROOT, documents

DOCKERFILE = (ROOT / "Dockerfile").read_text()
HADOLINT = pathlib.Path(sys.executable).with_name("hadolint")
PICKER = """\
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: file-discovery
  parameters: {path: /config/endpoints.yaml}
dataLayer: {discovery: {pluginRef: file-discovery}}
"""
# $0 is the folder; then come the program and its arguments.
AS_USER = 'mount --rbind /proc "$0/proc" && exec chroot --userspec=65532:65532 "$0" "$@"'
AS_MAPPED_ROOT = 'mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"'


def test_hadolint():
    done = subprocess.run([HADOLINT, ROOT / "Dockerfile"], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_the_program_is_built_as_make_builds_it():
    flags = re.search(r"^RELEASE_FLAGS = (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE).group(1)
    assert f"swift build -c release --product martlet {flags}" in DOCKERFILE


def test_versions_agree():
    source = (ROOT / "Sources/MartletApp/BuildInformation.swift").read_text()
    version = re.search(r'version = "(.*)"', source).group(1)
    assert f"ARG VERSION={version}\n" in DOCKERFILE
    for chart in DEPLOY.glob("helm/*/Chart.yaml"):
        (metadata,) = documents(chart.read_text())
        assert metadata["version"] == version
        assert metadata.get("appVersion", version) == version
    for folder in ("base", "bbr"):
        (made,) = documents((DEPLOY / "kustomize" / folder / "kustomization.yaml").read_text())
        assert made["images"] == [{"name": "martlet", "newTag": version}]


def test_what_is_ignored_is_not_needed():
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert not {"Sources", "Tests", "Benchmarks", "Package.swift", "scripts"} & set(ignored)
    # Every folder that the manifest names a target in.
    manifest = (ROOT / "Package.swift").read_text()
    assert not any(f'"{name}/' in manifest for name in ignored)
    assert (ROOT / "scripts/make-container-root").exists()


def test_images_do_not_run_as_root_and_have_no_shell():
    last = DOCKERFILE[DOCKERFILE.index("FROM scratch") :]
    assert re.search(r"^USER 65532:65532$", last, re.MULTILINE)
    # Without a shell there is nothing that RUN could run, or an entry point as a text.
    assert "\nRUN" not in last
    assert re.findall(r"^(?:ENTRYPOINT|CMD) (.)", last, re.MULTILINE) == ["["] * 3


@pytest.fixture(scope="module")
def root(martlet, tmp_path_factory):
    """The root of the container, and what runs a program in it as its user."""
    folder = tmp_path_factory.mktemp("container") / "root"
    subprocess.run([ROOT / "scripts/make-container-root", martlet, folder], check=True, timeout=60)
    # As a container runtime does: /proc is mounted, in a mount namespace of its own.
    namespaces = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    probe = subprocess.run([*namespaces, "true"], capture_output=True, text=True, timeout=60)
    if probe.returncode != 0:
        pytest.skip(f"no namespaces are allowed here: {probe.stderr}")
    enter = [*namespaces, "sh", "-c", AS_USER if os.geteuid() == 0 else AS_MAPPED_ROOT, folder]
    return folder, enter


def test_nothing_else_is_in_the_image(root):
    folder, _ = root
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    rest = {name for name in names if not re.search(r"\.so(\.\d+)*$", name)}
    assert rest == {
        "martlet", "etc/ssl/certs/ca-certificates.crt", "etc/nsswitch.conf", "etc/passwd", "etc/group",
    }


def test_the_program_runs_with_nothing_else(root):
    folder, enter = root
    done = subprocess.run([*enter, "/martlet", "crds", "--list"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "inferencepools.inference.networking.k8s.io" in done.stdout, done.stderr


def test_the_picker_serves_with_nothing_else(root, tmp_path):
    folder, enter = root
    config = folder / "config"
    config.mkdir()
    (config / "picker.yaml").write_text(PICKER)
    (config / "endpoints.yaml").write_text('endpoints: [{name: a, address: 127.0.0.1, port: "1"}]\n')
    ports = ["--grpc-port=0", "--grpc-health-port=0", "--metrics-port=0", "--bind-address=127.0.0.1"]
    ports.append("--drain-timeout=0")
    command = [*enter, "/martlet", "epp", "--pool-name=a", "--config-file=/config/picker.yaml", *ports]
    picker = Administered("picker", command, tmp_path)
    picker.launch()
    try:
        address = picker.await_line(r"metrics on (http://127\.0\.0\.1:\d+)", "the metrics port").group(1)
        assert fetch(address + "/healthz")[0] == 200
        status = pathlib.Path(f"/proc/{picker.pid}/status").read_text()
        if os.geteuid() == 0:
            assert re.search(r"^Uid:\s+65532\s+65532", status, re.MULTILINE)
        # It wrote nothing: the root may be read-only.
        assert not [path for path in folder.rglob("*") if path.stat().st_uid == 65532]
    finally:
        picker.stop()
