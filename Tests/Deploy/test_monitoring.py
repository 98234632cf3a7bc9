"""The dashboard and the alert rules ask for metrics and labels that the program has."""

import json
import re
import subprocess

import pytest
import yaml
from manifests import DEPLOY, ROOT

DASHBOARD = json.loads((DEPLOY / "dashboards/martlet.json").read_text())
RULES = DEPLOY / "alerts/martlet.rules.yaml"
# What Prometheus adds to every series, or to those of a histogram.
ADDED_LABELS = {"job", "instance", "pod", "namespace", "le"}
def catalogue():
    """Every metric of the program with its type and labels, as it lists them itself."""
    listed = subprocess.run(
        [ROOT / ".build/debug/martlet", "metrics"], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    found = {}
    for line in listed.splitlines():
        name, kind, *labels = line.split(" ", 2)
        found[name] = (kind, set(labels[0].strip("{}").split(",")) if labels else set())
    return found


CATALOGUE = catalogue()


def queries():
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", target["expr"]
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            yield f"alert {rule['alert']}", rule["expr"]


def metric_of(name):
    """The metric whose series has a name, and the labels of that series."""
    for suffix in ("", "_bucket", "_sum", "_count"):
        metric = name.removesuffix(suffix) if suffix else name
        if metric in CATALOGUE and name.endswith(suffix):
            kind, labels = CATALOGUE[metric]
            assert (kind == "histogram") == bool(suffix), f"{name}: {metric} is a {kind}"
            return metric, labels
    raise AssertionError(f"the program has no metric {name}")


@pytest.mark.parametrize("where, query", list(queries()))
def test_a_query_asks_for_what_there_is(where, query):
    names = set(re.findall(r"\b((?:llm_d_epp|martlet|bbr|process)_\w+)", query))
    assert names, "a query of nothing"
    known = set(ADDED_LABELS)
    for name in names:
        known |= metric_of(name)[1]
    for matchers in re.findall(r"\{([^}]*)\}", query):
        assert {part.partition("=")[0].rstrip("!") for part in re.findall(r"\w+!?=~?", matchers)} <= known
    for grouped in re.findall(r"\b(?:by|on|without)\s*\(([^)]*)\)", query):
        assert {label.strip() for label in grouped.split(",")} <= known, grouped


def test_the_catalogue_was_read():
    assert len(CATALOGUE) > 60
    assert CATALOGUE["llm_d_epp_request_error_total"] == (
        "counter", {"model_name", "target_model_name", "fairness_id", "priority", "error_code"}
    )


def test_a_metric_that_does_not_exist_is_noticed():
    with pytest.raises(AssertionError, match="has no metric"):
        metric_of("llm_d_epp_requests_total")


def test_variables_ask_for_what_there_is():
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.match(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", variable["definition"]).groups()
            assert label in metric_of(metric)[1] | ADDED_LABELS


def test_panels_have_places_of_their_own():
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    identities = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identities)) == len(identities)


def test_promtool_takes_the_rules(request):
    promtool = request.config.getoption("--promtool")
    if promtool is None:
        pytest.skip("no --promtool given")
    done = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
