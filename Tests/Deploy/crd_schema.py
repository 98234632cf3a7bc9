"""What an API server does with an object of a custom resource: unknown fields, defaults, schema, and rules in CEL."""

import copy
import datetime

import cel
import jsonschema


def _whole_number(bits):
    return lambda value: not isinstance(value, int) or -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)


def _date_time(value):
    if not isinstance(value, str):
        return True
    datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ")
    return True


FORMATS = jsonschema.FormatChecker(formats=())
FORMATS.checks("int32")(_whole_number(32))
FORMATS.checks("int64")(_whole_number(64))
FORMATS.checks("date-time", raises=ValueError)(_date_time)


def strict(schema):
    """A structural schema as JSON Schema in which a field that is not named is a mistake."""
    if isinstance(schema, list):
        return [strict(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    made = {}
    for key, value in schema.items():
        if key == "properties":
            made[key] = {name: strict(entry) for name, entry in value.items()}
        elif key in ("items", "additionalProperties"):
            made[key] = strict(value)
        elif not key.startswith("x-kubernetes-"):
            made[key] = value
    if "properties" in made and "additionalProperties" not in made:
        made["additionalProperties"] = False
    return made


def with_defaults(schema, value):
    """A value with the defaults of its schema filled in, as the server stores it."""
    value = copy.deepcopy(value)
    if isinstance(value, dict):
        for name, entry in schema.get("properties", {}).items():
            if name not in value and "default" in entry:
                value[name] = copy.deepcopy(entry["default"])
            if name in value:
                value[name] = with_defaults(entry, value[name])
    if isinstance(value, list) and "items" in schema:
        value = [with_defaults(schema["items"], entry) for entry in value]
    return value


def list_faults(schema, value, path=""):
    """Entries of a list of type map with the same keys."""
    if isinstance(value, dict):
        for name, entry in schema.get("properties", {}).items():
            if name in value:
                yield from list_faults(entry, value[name], f"{path}.{name}")
    if isinstance(value, list):
        keys = schema.get("x-kubernetes-list-map-keys", [])
        seen = [tuple(entry.get(key) for key in keys) for entry in value] if keys else []
        if len(set(seen)) < len(seen):
            yield f"{path}: two entries have the same {', '.join(keys)}"
        for index, entry in enumerate(value):
            yield from list_faults(schema.get("items", {}), entry, f"{path}[{index}]")


def rules(schema, path=""):
    """Every rule of a schema with the path where it stands."""
    for rule in schema.get("x-kubernetes-validations", []):
        yield path, rule
    for name, entry in schema.get("properties", {}).items():
        yield from rules(entry, f"{path}.{name}")
    if "items" in schema:
        yield from rules(schema["items"], f"{path}[]")


def rule_faults(schema, value, old, path=""):
    """The messages of the rules that do not hold. `old` is the value before an update, or None."""
    for rule in schema.get("x-kubernetes-validations", []):
        changes = "oldSelf" in rule["rule"]
        # A rule over both values is one of updates.
        if changes and old is None:
            continue
        if not cel.evaluate(rule["rule"], {"self": value, "oldSelf": old} if changes else {"self": value}):
            yield f"{path}: {rule['message']}"
    if isinstance(value, dict):
        for name, entry in schema.get("properties", {}).items():
            if name in value:
                before = old.get(name) if isinstance(old, dict) else None
                yield from rule_faults(entry, value[name], before, f"{path}.{name}")
    if isinstance(value, list):
        for index, entry in enumerate(value):
            yield from rule_faults(schema.get("items", {}), entry, None, f"{path}[{index}]")


class Resource:
    """One version of a custom resource."""

    def __init__(self, definition):
        self.definition = definition
        (version,) = definition["spec"]["versions"]
        self.schema = version["schema"]["openAPIV3Schema"]
        self.kind = definition["spec"]["names"]["kind"]
        self.api_version = f"{definition['spec']['group']}/{version['name']}"
        schema = strict(self.schema)
        # The server checks metadata by its own rules.
        schema["properties"]["metadata"] = {"type": "object"}
        self.checker = jsonschema.Draft202012Validator(schema, format_checker=FORMATS)

    def stored(self, value):
        return with_defaults(self.schema, value)

    def faults(self, value, old=None):
        """Why a server would refuse an object; nothing for one that it takes."""
        value = self.stored(value)
        found = [f"{error.json_path[1:]}: {error.message}" for error in self.checker.iter_errors(value)]
        if found:
            return found
        stored = None if old is None else self.stored(old)
        return [*list_faults(self.schema, value), *rule_faults(self.schema, value, stored)]
