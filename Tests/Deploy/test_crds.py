"""The definitions of custom resources: what an API server thinks of them, and what they accept and refuse."""

import copy
import re
import subprocess

import pytest
from crd_cases import ACCEPTED, POOL, REJECTED, UPDATES
from crd_schema import Resource, rules
from manifests import DEPLOY, definitions, documents

DEFINITIONS = definitions()


def run(martlet, *arguments):
    return subprocess.run([martlet, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)


def parts(schema, path=""):
    """Every schema within a schema."""
    yield path, schema
    for name, entry in schema.get("properties", {}).items():
        yield from parts(entry, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from parts(schema[key], f"{path}[]")


@pytest.fixture(params=DEFINITIONS, scope="module")
def definition(request):
    return DEFINITIONS[request.param]


def test_the_api_server_takes_the_definition(definition, validator):
    validator.assert_valid(definition)
    spec = definition["spec"]
    assert definition["metadata"]["name"] == f"{spec['names']['plural']}.{spec['group']}"
    assert spec["scope"] == "Namespaced"
    (version,) = spec["versions"]
    assert version["served"] and version["storage"] and version["subresources"] == {"status": {}}


def test_the_schema_is_structural(definition):
    for path, schema in parts(Resource(definition).schema):
        assert "type" in schema, f"{path} has no type"
        assert not ("properties" in schema and "additionalProperties" in schema), path
        assert schema["type"] != "array" or "items" in schema, path
        # Keys of a list of type map must be there, and be values.
        for key in schema.get("x-kubernetes-list-map-keys", []):
            assert key in schema["items"]["required"], path
            assert schema["items"]["properties"][key]["type"] in ("string", "integer"), path
        # Over a list without a limit the server refuses a rule for what it could cost.
        assert "x-kubernetes-validations" not in schema or schema["type"] != "array" or "maxItems" in schema, path
        for name in ("pattern",):
            assert name not in schema or re.compile(schema[name]), path


def test_everything_has_a_description(definition):
    bare = [path for path, schema in parts(Resource(definition).schema) if not schema.get("description")]
    # Of metadata the server allows none; an entry of a list is what the list says.
    assert [path for path in bare if not path.endswith(("[]", ".metadata"))] == []


def test_defaults_are_valid(definition, validator):
    resource = Resource(definition)
    for path, schema in parts(resource.schema):
        if "default" in schema:
            part = Resource(copy.deepcopy(definition))
            part.schema = {"properties": {"value": schema}}
            stored = part.stored({"value": schema["default"]})
            assert not list(resource.checker.evolve(schema=schema).iter_errors(stored["value"])), path


def test_all_releases_of_one_api_agree():
    releases = {
        name: definition["metadata"].get("annotations", {}).get("inference.networking.k8s.io/bundle-version")
        for name, definition in DEFINITIONS.items()
    }
    assert {releases[name] for name in releases if "inference.networking" in name} == {"v1.6.0"}
    approved = DEFINITIONS["inferencepools.inference.networking.k8s.io"]["metadata"]["annotations"]
    assert approved["api-approved.kubernetes.io"].startswith("https://")


def resource_of(value):
    (found,) = [
        Resource(definition) for definition in DEFINITIONS.values()
        if definition["spec"]["names"]["kind"] == value["kind"]
        and definition["spec"]["group"] == value["apiVersion"].partition("/")[0]
    ]
    assert found.api_version == value["apiVersion"]
    return found


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name):
    assert resource_of(ACCEPTED[name]).faults(ACCEPTED[name]) == []


@pytest.mark.parametrize("name", REJECTED)
def test_rejected(name):
    value, reason = REJECTED[name]
    found = resource_of(value).faults(value)
    assert len(found) == 1 and reason in found[0], found


@pytest.mark.parametrize("name", UPDATES)
def test_updates(name):
    old, new, reason = UPDATES[name]
    found = resource_of(new).faults(new, old)
    assert len(found) == (1 if reason else 0) and (not reason or reason in found[0]), found


def test_every_rule_is_seen_to_refuse():
    messages = {rule["message"] for entry in DEFINITIONS.values() for _, rule in rules(Resource(entry).schema)}
    reasons = [reason for _, reason in REJECTED.values()] + [reason for _, _, reason in UPDATES.values() if reason]
    assert len(messages) == 4 and messages == messages & set(reasons)


def test_what_is_filled_in():
    pool = resource_of(POOL).stored(POOL)
    assert pool["spec"]["appProtocol"] == "http"
    expected = {"group": "", "kind": "Service", "name": "epp", "port": {"number": 9002}, "failureMode": "FailClose"}
    assert pool["spec"]["endpointPickerRef"] == expected
    assert "status" not in pool


def test_the_files_are_what_the_program_prints(martlet):
    listed = run(martlet, "crds", "--list").stdout.splitlines()
    assert {line.split()[0] for line in listed[1:]} == set(DEFINITIONS)
    current = [line.split()[0] for line in listed[1:] if "superseded" not in line]
    printed = documents(run(martlet, "crds").stdout)
    assert [document["metadata"]["name"] for document in printed] == current
    assert all(document == DEFINITIONS[document["metadata"]["name"]] for document in printed)
    assert {file.name.removesuffix(".yaml") for file in (DEPLOY / "crds").glob("*.*.yaml")} == set(current)


@pytest.mark.parametrize("words, count", [
    (["InferencePool"], 2), (["infpool"], 1), (["inferencepools"], 2), (["llm-d.ai"], 2),
    (["inferencemodels.inference.networking.x-k8s.io"], 1), (["infpimp", "INFPOOL"], 2), (["xinfpool"], 1),
])
def test_words_select(martlet, words, count):
    assert len(documents(run(martlet, "crds", *words).stdout)) == count


def test_a_word_that_selects_nothing(martlet):
    done = run(martlet, "crds", "Gateway")
    assert done.returncode == 64 and done.stdout == ""
    assert "There is no custom resource 'Gateway'. martlet crds --list lists all." in done.stderr
