"""`martlet check` and `martlet plugins`: exit codes, what goes to which stream, standard input, folders."""

import json
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

PICKER = """\
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: prefix-cache-scorer
"""

POOL = """\
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata: {name: NAME}
spec: {selector: {matchLabels: {app: NAME}}, targetPorts: [{number: 8000}]}
"""


def run(martlet, *arguments, text="", folder=None):
    return subprocess.run(
        [martlet, *arguments], input=text, capture_output=True, text=True, timeout=30, cwd=folder
    )


def test_a_configuration_without_mistakes(martlet, tmp_path):
    file = tmp_path / "picker.yaml"
    file.write_text(PICKER)
    result = run(martlet, "check", file)
    assert result.returncode == 0 and result.stderr == ""
    assert result.stdout.startswith("apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nplugins:\n")
    assert "- name: approx-prefix-cache-producer\n  type: approx-prefix-cache-producer\n" in result.stdout
    assert "  - pluginRef: max-score-picker\n" in result.stdout


def test_the_canonical_form_is_its_own(martlet, tmp_path):
    first = run(martlet, "check", "-", text=PICKER)
    assert first.returncode == 0
    again = run(martlet, "check", "-", text=first.stdout)
    assert again.returncode == 0 and again.stdout == first.stdout


def test_warnings_go_to_standard_error(martlet):
    result = run(martlet, "check", "-", text=PICKER + "flowControl: {maxRequests: 5}\n")
    assert result.returncode == 0 and "maxRequests: 5\n" in result.stdout
    assert result.stderr == (
        'warning: <stdin>:5:14: flowControl: has no effect without the feature gate "flowControl"\n'
    )


def test_mistakes_go_to_standard_error_all_at_once(martlet, tmp_path):
    (tmp_path / "picker.yaml").write_text(PICKER.replace("type:", "tpye:") + "featureGates: [flowcontrol]\n")
    result = run(martlet, "check", "picker.yaml", folder=tmp_path)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.splitlines() == [
        'picker.yaml:4:3: plugins[0].type: required field "type" is missing',
        'picker.yaml:4:3: plugins[0].tpye: unknown field "tpye" (did you mean "type"?)',
        'picker.yaml:5:16: featureGates[0]: unknown feature gate "flowcontrol" (did you mean "flowControl"?)',
    ]


def test_a_folder_of_resources(martlet, tmp_path):
    for name in "llama", "qwen":
        (tmp_path / f"{name}.yaml").write_text(POOL.replace("NAME", name))
    (tmp_path / "picker.yaml").write_text(PICKER.replace("plugins:", "metadata: {name: qwen}\nplugins:"))
    result = run(martlet, "check", tmp_path)
    assert result.returncode == 0
    llama, qwen = result.stdout.split("---\n")
    assert "  name: llama\n" in llama and "pluginRef: queue-scorer\n    weight: 2\n" in llama
    assert "  name: qwen\n" in qwen and "queue-scorer" not in qwen
    assert result.stderr.count("warning: ") == result.stderr.count("\n") == 2
    assert "no endpoint of the namespace" in result.stderr
    assert run(martlet, "check", "-", text=result.stdout).stdout == result.stdout


def test_json(martlet, tmp_path):
    file = tmp_path / "picker.json"
    file.write_text(
        json.dumps({"apiVersion": "llm-d.ai/v1alpha1", "kind": "EndpointPickerConfig", "plugins": [{"type": "x"}]})
    )
    result = run(martlet, "check", file)
    assert result.returncode == 1 and "picker.json:1:" in result.stderr


@pytest.mark.parametrize("text, sentence", [
    ("", "<stdin>: there is no document in it"),
    ("a: [\n", "<stdin>:2:1: not YAML"),
    (PICKER + "plugins: []\n", '<stdin>:3:1: "plugins" is written more than once'),
])
def test_bad_standard_input(martlet, text, sentence):
    result = run(martlet, "check", "-", text=text)
    assert result.returncode == 1 and result.stdout == "" and result.stderr.startswith(sentence)


def test_standard_input_that_is_not_text(martlet):
    result = subprocess.run([martlet, "check", "-"], input=b"a: b\n\xff\n", capture_output=True, timeout=30)
    assert result.returncode == 1 and result.stderr == b"<stdin>:2:1: the line is not UTF-8\n"


def test_what_cannot_be_read(martlet, tmp_path):
    missing = run(martlet, "check", tmp_path / "nowhere.yaml")
    assert missing.returncode == 1 and "nowhere.yaml: there is no such file or folder" in missing.stderr
    empty = run(martlet, "check", tmp_path)
    assert empty.returncode == 1 and "the folder has no *.yaml" in empty.stderr


@pytest.mark.parametrize("arguments", [["check"], ["check", "a", "b"], ["check", "--strict", "a"]])
def test_wrong_usage(martlet, arguments):
    result = run(martlet, *arguments)
    assert result.returncode == 64 and result.stdout == "" and "martlet check" in result.stderr


def test_the_list_of_plugins(martlet):
    result = run(martlet, "plugins")
    assert result.returncode == 0 and result.stderr == ""
    assert "\nScorers\n" in result.stdout and "\n  queue-scorer  " in result.stdout
    assert "\nNot in this release\n" in result.stdout


def test_one_plugin(martlet):
    result = run(martlet, "plugins", "label-selector-filter")
    assert result.returncode == 0
    assert "acts as    filter" in result.stdout and "  matchExpressions[].key " in result.stdout


def test_the_documents_page(martlet):
    result = run(martlet, "plugins", "--markdown")
    assert result.returncode == 0
    assert result.stdout == (ROOT / "docs/plugins.md").read_text()


def test_plugins_as_json(martlet):
    everything = json.loads(run(martlet, "plugins", "--json").stdout)
    assert len(everything) > 50
    (one,) = json.loads(run(martlet, "plugins", "--json", "max-score-picker").stdout)
    assert one["acts_as"] == ["picker"]
    assert one["parameters"] == [
        {"key": "maxNumOfEndpoints", "kind": "whole number", "required": False, "default": 1, "has_effect": True}
    ]


def test_an_unknown_plugin(martlet):
    result = run(martlet, "plugins", "queue-scorr")
    assert result.returncode == 64 and result.stdout == "" and "did you mean 'queue-scorer'?" in result.stderr
    assert run(martlet, "plugins", "--json", "--markdown").returncode == 64
