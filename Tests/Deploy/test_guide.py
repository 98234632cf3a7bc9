"""The guide speaks of what there is."""

import re
import subprocess

import pytest
from manifests import DEPLOY, ROOT, documents, kustomize
from pods import LEADER, PICKER, POOLS, REVIEWS, ROUTER

GUIDE = (ROOT / "docs/kubernetes.md").read_text()


@pytest.mark.parametrize("page", ["docs/kubernetes.md", "deploy/README.md"])
def test_links_lead_somewhere(page):
    path = ROOT / page
    text = path.read_text()
    for target in re.findall(r"\]\(([^)#]*)(?:#[^)]*)?\)", text):
        assert not target or (path.parent / target).exists(), target
    for file, anchor in re.findall(r"\]\(([^)#]*)#([^)]*)\)", text):
        other = (path.parent / file).read_text() if file else text
        headings = re.findall(r"^#+ (.*)$", other, re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
        assert anchor in anchors, f"{file}#{anchor}"


def test_files_of_commands_exist():
    for path in re.findall(r"(?<![\w/])(deploy/[\w./-]+)", GUIDE):
        assert (ROOT / path).exists(), path


def test_every_file_to_install_is_in_the_table():
    for file in (DEPLOY / "install").glob("*.yaml"):
        assert f"[install/{file.name}](../deploy/install/{file.name})" in GUIDE
    for folder in (DEPLOY / "examples").iterdir():
        assert f"(../deploy/examples/{folder.name})" in GUIDE


def test_permissions_are_told():
    table = GUIDE[GUIDE.index("## Permissions") : GUIDE.index("## Several replicas")]
    for _, resource in PICKER | POOLS | LEADER | ROUTER | REVIEWS:
        assert resource.partition("/")[0] in table


def test_definitions_are_told(martlet):
    listed = subprocess.run([martlet, "crds", "--list"], capture_output=True, text=True, timeout=30).stdout
    table = GUIDE[GUIDE.index("## Custom resources") :]
    for line in listed.splitlines()[1:]:
        plural, _, group = line.split()[0].partition(".")
        assert plural in table and group in table


def test_the_kustomization_of_the_guide_works(tmp_path):
    text = re.search(r"```yaml\n(apiVersion: kustomize.*?)```", GUIDE, re.DOTALL).group(1)
    (tmp_path / "mine").mkdir()
    base = "../" * len((tmp_path / "mine").resolve().parts[1:]) + str(DEPLOY / "kustomize/base").lstrip("/")
    (tmp_path / "mine/kustomization.yaml").write_text(text.replace("martlet/deploy/kustomize/base", base))
    found = documents(kustomize(tmp_path / "mine"))
    (pool,) = [document for document in found if document["kind"] == "InferencePool"]
    assert pool["metadata"]["namespace"] == "inference" and pool["spec"]["selector"]["matchLabels"] == {"app": "vllm"}
    (deployment,) = [document for document in found if document["kind"] == "Deployment"]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/martlet:0.1.0"
