"""The committed JSON Schema of policy files: it is fresh, and it takes and refuses what the parser does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TypeAlias

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.policy.schema import policy_schema
from leadglass_agent.strict_yaml import DocumentError

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

_DOCS = Path(__file__).parents[2] / "docs"
_COMMITTED = _DOCS / "policy.schema.json"
_EXAMPLE = (_DOCS / "examples" / "policy.yaml").read_text(encoding="utf-8")
_SCHEMA: dict[str, Json] = json.loads(policy_schema())
_KEYWORDS = {
    "$ref", "type", "enum", "properties", "required", "additionalProperties", "items", "minItems", "maxItems",
    "minimum", "maximum", "minLength", "maxLength", "pattern", "title", "description", "default",
}  # fmt: skip

_TYPES: dict[type, str] = {
    bool: "boolean", int: "integer", str: "string", list: "array", dict: "object", type(None): "null",
}  # fmt: skip


def follow(schema: Json) -> dict[str, Json]:
    assert isinstance(schema, dict)
    assert set(schema) - {"$schema", "$defs"} <= _KEYWORDS
    reference = schema.get("$ref")
    if reference is None:
        return schema
    assert isinstance(reference, str)
    definitions = _SCHEMA["$defs"]
    assert isinstance(definitions, dict)
    return follow(definitions[reference.removeprefix("#/$defs/")])


def is_taken(schema: Json, value: Json) -> bool:
    """Says whether the value fits, for the keywords that the schema has (JSON Schema 2020-12, §6 and §10)."""
    rules = follow(schema)
    choices = rules.get("enum")
    if isinstance(choices, list) and value not in choices:
        return False
    fits = rules.get("type") == _TYPES[type(value)] or choices is not None
    match value:
        case bool() | None:
            return fits
        case int():
            return fits and within(rules, "minimum", "maximum", value)
        case str():
            pattern = rules.get("pattern", "")
            assert isinstance(pattern, str)
            found = re.search(pattern.replace("$", r"\Z"), value) is not None
            return fits and found and within(rules, "minLength", "maxLength", len(value))
        case list():
            sized = fits and within(rules, "minItems", "maxItems", len(value))
            return sized and all(is_taken(rules["items"], item) for item in value)
        case dict():
            return fits and has_its_keys(rules, value)


def has_its_keys(rules: dict[str, Json], value: dict[str, Json]) -> bool:
    known, needed = rules["properties"], rules["required"]
    assert isinstance(known, dict)
    assert isinstance(needed, list)
    whole = value.keys() <= known.keys() and all(key in value for key in needed)
    return whole and all(is_taken(known[key], item) for key, item in value.items())


def within(rules: dict[str, Json], least: str, most: str, number: int) -> bool:
    low, high = rules.get(least, number), rules.get(most, number)
    assert isinstance(low, int)
    assert isinstance(high, int)
    return low <= number <= high


def test_the_committed_schema_is_the_one_that_the_parser_s_types_give() -> None:
    assert _COMMITTED.read_text(encoding="utf-8") == policy_schema()


def test_the_module_writes_the_schema() -> None:
    command = [sys.executable, "-m", "leadglass_agent.policy.schema"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=300, text=True, stdin=subprocess.DEVNULL)
    assert done.stdout == policy_schema()


def test_every_object_of_the_schema_refuses_keys_that_it_does_not_know() -> None:
    definitions = _SCHEMA["$defs"]
    assert isinstance(definitions, dict)
    objects = [shape for shape in map(follow, definitions.values()) if shape.get("type") == "object"]
    assert len(objects) > 10
    assert all(shape["additionalProperties"] is False for shape in objects)
    assert all(isinstance(shape["description"], str) for shape in objects)


@pytest.mark.parametrize(
    "text", [_EXAMPLE, *re.findall(r"```yaml\n(apiVersion.*?)```", (_DOCS / "policy.md").read_text(), re.DOTALL)]
)
def test_the_schema_takes_the_documented_policies(text: str) -> None:
    parse_policy(text.encode(), "policy.yaml")
    assert is_taken(_SCHEMA, yaml.safe_load(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("effect: permit", "effect: allow"),
        ("env.names", "env.name"),
        ("approvals: 1", "approvals: 0"),
        ("maxMinutes: 5\n", "maxMinutes: 6\n"),
        ("reviewOwed: true", "reviewOwed: maybe"),
        ("[ES256, EdDSA]", "[none]"),
        ("days: [mon", "days: [monday"),
        ('"06:00"', '"6:00"'),
        ("tiers: [prod]", "tiers: []"),
        ("https://", "http://"),
        ("name: dashboard", "name: Dash Board"),
        ("budget:", "budgets:"),
    ],
)
def test_the_schema_refuses_slips_that_the_parser_refuses(old: str, new: str) -> None:
    text = _EXAMPLE.replace(old, new, 1)
    assert text != _EXAMPLE
    with pytest.raises(DocumentError):
        parse_policy(text.encode(), "policy.yaml")
    assert not is_taken(_SCHEMA, yaml.safe_load(text))


_SPLIT = re.findall(r"\w+|\W", _EXAMPLE)
_ODD = ("0", "-1", "null", "true", "x", "[]", "{}", "99999999")


@settings(max_examples=1000)
@given(st.integers(0, len(_SPLIT) - 1), st.sampled_from([*sorted(set(_SPLIT)), *_ODD]))
def test_the_schema_takes_whatever_the_parser_takes(at: int, piece: str) -> None:
    text = "".join([*_SPLIT[:at], piece, *_SPLIT[at + 1 :]])
    try:
        parse_policy(text.encode(), "policy.yaml")
    except DocumentError:
        return
    assert is_taken(_SCHEMA, yaml.safe_load(text))
