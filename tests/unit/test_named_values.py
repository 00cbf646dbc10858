"""The name of a value may stand in a field of its own before it, in JSON, YAML, XML and what escapes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.named_values import confirm_named_value

_VALUE = "velvet" + "_1987"

_PAIRS = {
    "YAML": "- name: DB_PASSWORD\n  value: @@",
    "YAML with quotes": "- name: 'DB_PASSWORD'\n  value: '@@'",
    "JSON": '{"name": "DB_PASSWORD", "value": "@@"}',
    "JSON without blanks": '{"name":"DB_PASSWORD","value":"@@"}',
    "JSON over lines": '{\n    "name": "DB_PASSWORD",\n    "value": "@@"\n}',
    "escaped JSON": '{\\"name\\":\\"DB_PASSWORD\\",\\"value\\":\\"@@\\"}',
    "attributes": '<add key="DbPassword" value="@@"/>',
    "properties of an element": '<property name="db.password" value="@@"/>',
    "a path": "path: app/db/password\nvalue: @@",
    "a variable of CI": '{"variable":"DB_PASSWORD","value":"@@"}',
    "one field between": '{"name":"DB_PASSWORD","type":"string","value":"@@"}',
    "two fields between": "- key: DB_PASSWORD\n  type: env_var\n  protected: true\n  value: @@",
    "capitals": '"Name": "DB_PASSWORD",\n"Value": "@@"',
    "tabs": "name:\tDB_PASSWORD\nvalue:\t@@",
}


def _found(text: str) -> str:
    """Gives what is masked behind the separator of the last value's field."""
    data = text.replace("@@", _VALUE).encode()
    at = data.lower().rfind(b"value")
    end = at + len(b"value")
    while data[end] not in b":=":
        end += 1
    span = confirm_named_value(data, end + 1)
    return "" if span is None else data[span.start : span.end].decode()


@pytest.mark.parametrize("text", _PAIRS.values(), ids=_PAIRS.keys())
def test_the_value_behind_the_field_of_a_secrets_name_is_found(text: str) -> None:
    assert _found(text) == _VALUE


@pytest.mark.parametrize("field", "name key path variable setting field label param option property env".split())  # noqa: SIM905
def test_each_field_that_names_a_value_is_known(field: str) -> None:
    assert _found(f"{field}: DB_PASSWORD\nvalue: @@") == _VALUE


@pytest.mark.parametrize(
    "text",
    [
        "- name: CITY\n  value: @@",
        "username: DB_PASSWORD\nvalue: @@",
        "name DB_PASSWORD\nvalue: @@",
        "name: DB_PASSWORD\nother: x\nvalue: @@",
        "name: DB_PASSWORD\ntype: a\nid: b\nop: c\nvalue: @@",
        "name: DB_PASSWORD and more\nvalue: @@",
        "- name: DB_PASSWORD\n- name: CITY\n  value: @@",
        "- name: DB_PASSWORD\n  default_value_of: x\n  vale: 1 ; value: @@",
        "name: DB_PASSWORD\n" + " " * 300 + "value: @@",
        "name: " + "x" * 300 + "PASSWORD\nvalue: @@",
        "value: @@",
        '{"name":"DB_PASSWORD","value":"${DB_PASSWORD}"}',
        '{"name":"DB_PASSWORD","value":"true"}',
    ],
)
def test_a_value_of_another_field_stays(text: str) -> None:
    assert _found(text) == ""


@given(st.text("namevluekytp:=\"'\\, \n<DB_PASSWORD/.-", max_size=120), st.integers(1, 200))
def test_a_value_lies_behind_its_separator_whatever_stands_before(text: str, end: int) -> None:
    data = text.encode() + b"=x"
    end = min(end, len(data))
    span = confirm_named_value(data, end)

    assert span is None or end <= span.start < span.end <= len(data)
