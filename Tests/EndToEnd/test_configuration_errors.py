"""Mistakes in configuration and on the command line: where, what, and the nearest right name; exit code 1."""

import re
import subprocess

import pytest

POOL = """\
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata:
  name: llama
spec:
  selector:
    matchLabels: {app: llama}
  targetPorts:
  - number: 8000
"""

# What is wrong, the document, the line and the path of the mistake, and words of the sentence.
MISTAKES = {
    "an unknown key": (POOL.replace("targetPorts", "targetPort"), 8, "spec.targetPort", ["targetPorts"]),
    "an unknown key deep inside": (POOL.replace("number", "numbr"), 9, "spec.targetPorts[0].numbr", ["number"]),
    "an unknown kind": (POOL.replace("InferencePool", "InferencePol"), 2, "kind", ["InferencePol", "InferencePool"]),
    "a wrong type": (POOL.replace("8000", "http"), 9, "spec.targetPorts[0].number", ["http"]),
    "a port out of range": (POOL.replace("8000", "80000"), 9, "spec.targetPorts[0].number", ["80000"]),
    "a duplicate key": (POOL + "  selector: {}\n", 6, "", ["selector", "more than once"]),
    "not YAML": (POOL + "  : [\n", 10, "", []),
    "an unknown plugin": (
        "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nplugins:\n- type: queue-scorr\n",
        4, "plugins[0].type", ["queue-scorr", "queue-scorer"],
    ),
    "an unknown plugin reference": (
        "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nplugins:\n- type: queue-scorer\n"
        "schedulingProfiles:\n- name: default\n  plugins:\n  - pluginRef: queue-score\n",
        8, "schedulingProfiles[0].plugins[0].pluginRef", ["queue-score", "queue-scorer"],
    ),
    "an unknown plugin parameter": (
        "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nplugins:\n"
        "- type: prefix-cache-scorer\n  parameters:\n    noSuchParameter: 1\n",
        6, "plugins[0].parameters.noSuchParameter", ["noSuchParameter"],
    ),
}


def serve(martlet, *arguments):
    return subprocess.run(
        [martlet, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
    )


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_in_a_file(martlet, tmp_path, name):
    text, line, path, words = MISTAKES[name]
    file = tmp_path / "gateway.yaml"
    file.write_text(text if text.startswith(POOL[:30]) or "kind: InferenceP" in text else POOL + "---\n" + text)
    if not (text.startswith(POOL[:30]) or "kind: InferenceP" in text):
        line += POOL.count("\n") + 1
    done = serve(martlet, "--config", file)
    assert done.returncode == 1, done
    assert re.search(rf"gateway\.yaml:{line}:\d+: ", done.stderr), done.stderr
    assert path in done.stderr
    for word in words:
        assert word in done.stderr


def test_a_route_to_a_missing_pool(martlet, tmp_path):
    file = tmp_path / "gateway.yaml"
    file.write_text(
        POOL + "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec:\n"
        "  rules:\n  - backendRefs:\n    - {group: inference.networking.k8s.io, kind: InferencePool, name: lama}\n"
    )
    done = serve(martlet, "--config", file)
    assert done.returncode == 1
    assert "gateway.yaml:17:" in done.stderr and "lama" in done.stderr and "llama" in done.stderr


def test_all_mistakes_of_a_file_are_told_at_once(martlet, tmp_path):
    file = tmp_path / "gateway.yaml"
    file.write_text(POOL.replace("targetPorts", "targetPort").replace("matchLabels", "matchLabel"))
    done = serve(martlet, "--config", file)
    assert "targetPorts" in done.stderr and "matchLabels" in done.stderr


def test_a_missing_file(martlet, tmp_path):
    done = serve(martlet, "--config", tmp_path / "nowhere.yaml")
    assert done.returncode == 1
    assert "nowhere.yaml" in done.stderr


def test_a_port_in_use(martlet, services):
    simulator = services.simulator()
    done = subprocess.run(
        [martlet, "serve", "--listen", simulator.address, "--admin", "127.0.0.1:0", "--endpoint", simulator.url],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
    )
    assert done.returncode != 0
    assert simulator.address in done.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--endpoint", "not a url"], "not a url"),
        (["--endpoint", "ftp://127.0.0.1:1"], "ftp"),
        (["--simulate=-1"], "-1"),
        (["--simulate", "many"], "many"),
        (["--max-body-bytes", "0"], "0"),
        (["--retry-on", "full-moon"], "full-moon"),
        (["--simulate", "1", "--listen", "nowhere"], "nowhere"),
        (["--no-such-option"], "--no-such-option"),
        ([], "--endpoint"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_mistakes_on_the_command_line(martlet, arguments, word):
    done = serve(martlet, *arguments)
    assert done.returncode not in (0, -11, -4, -6), done
    assert word in done.stderr, done.stderr
