"""The deny list is read strictly, and an entry that could never fit anything is an error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.access.deny_list import DenyList, parse_deny_list
from leadglass_agent.identity import Caller
from leadglass_agent.policy.model import SpiffeId
from leadglass_agent.strict_yaml import DocumentError

_EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "deny-list.yaml"
_HEAD = "apiVersion: leadglass.dev/v1\nkind: DenyList\nmetadata: {name: test}\n"
_KEY = "ab" * 32
_GRANT = "00112233445566778899aabbccddeeff"
_CALLER = Caller(
    spiffe_id=SpiffeId("spiffe://test.leadglass/user/alice"),
    key_digest=_KEY,
    serial="1f2e",
    certificate_since_unix=0,
    not_after_unix=1,
    peer="ipv4:127.0.0.1:5",
)


def _parse(spec: str) -> DenyList:
    return parse_deny_list(f"{_HEAD}spec: {spec}\n".encode(), "deny.yaml")


@pytest.mark.parametrize(
    "spec",
    [
        '{serials: ["1f2e"]}',
        '{serials: ["1F2E"]}',
        '{serials: ["00001f2e"]}',
        '{serials: ["1F:2E"]}',
        f'{{keys: ["{_KEY}"]}}',
        f'{{keys: ["{_KEY.upper()}"]}}',
        f'{{keys: ["{":".join(["ab"] * 32)}"]}}',
        '{callers: ["spiffe://test.leadglass/user/alice"]}',
    ],
)
def test_an_entry_denies_the_caller_however_tools_print_it(spec: str) -> None:
    assert _parse(spec).denies_caller(_CALLER)


@pytest.mark.parametrize(
    "spec",
    [
        "{}",
        '{serials: ["1f2f", "1f2e0"]}',
        f'{{keys: ["{"ac" * 32}"]}}',
        '{callers: ["spiffe://test.leadglass/user/alice2", "spiffe://test.leadglass/user"]}',
        f'{{grants: ["{_GRANT}"]}}',
    ],
)
def test_a_list_denies_nobody_else(spec: str) -> None:
    assert not _parse(spec).denies_caller(_CALLER)


@pytest.mark.parametrize("grant", [_GRANT, _GRANT.upper(), "00112233-4455-6677-8899-AABBCCDDEEFF"])
def test_a_grant_is_denied_by_its_id_in_both_spellings(grant: str) -> None:
    assert _parse(f'{{grants: ["{grant}"]}}').denies(_GRANT)


def test_each_name_on_the_list_is_denied_and_no_other() -> None:
    listed = _parse(f'{{serials: ["1f2e"], keys: ["{_KEY}"], callers: ["{_CALLER.spiffe_id}"], grants: ["{_GRANT}"]}}')
    assert all(listed.denies(name) for name in ("1f2e", _KEY, _CALLER.spiffe_id, _GRANT))
    assert not any(listed.denies(name) for name in ("", "1f2", _KEY[:-1], "spiffe://test.leadglass/user/bob"))


def test_the_documented_example_is_one() -> None:
    listed = parse_deny_list(_EXAMPLE.read_bytes(), str(_EXAMPLE))
    assert listed.denies("3a0f52c1")
    assert listed.denies("0b5ad9d66f4b4a0c9d536f5f7c9f0a3e")
    assert len(listed.keys) == len(listed.callers) == 1


def test_a_list_that_nobody_configured_denies_nobody() -> None:
    assert not DenyList().denies_caller(_CALLER)
    assert not DenyList().denies("")


def test_the_digest_names_the_content() -> None:
    assert _parse("{}").digest.startswith("sha256:")
    assert _parse("{}").digest != _parse("{serials: []}").digest


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("{serials: [1234]}", "expected `str`"),
        ('{serials: [""]}', "serial number"),
        ('{serials: ["0x1f"]}', "serial number"),
        ('{serials: ["1f 2e"]}', "serial number"),
        (f'{{serials: ["{"a" * 43}"]}}', "serial number"),
        (f'{{keys: ["{_KEY[:-1]}"]}}', "64 hexadecimal digits"),
        (f'{{keys: ["{"g" * 64}"]}}', "64 hexadecimal digits"),
        ('{callers: ["spiffe://test.leadglass/user/*"]}', "without wildcards"),
        ('{callers: ["spiffe://test.leadglass"]}', "without wildcards"),
        ('{callers: ["alice"]}', "without wildcards"),
        ('{grants: ["1234"]}', "a UUID"),
        ('{serial: ["1f2e"]}', "unknown key 'serial'"),
        ("{serials: }", "expected `array`"),
    ],
)
def test_a_list_that_says_something_else_is_an_error_at_its_place(spec: str, fault: str) -> None:
    with pytest.raises(DocumentError, match=fault) as caught:
        _parse(spec)
    assert caught.value.line == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        _HEAD,
        f"{_HEAD}spec: {{}}\nmore: 1\n",
        _HEAD.replace("DenyList", "AccessPolicy") + "spec: {}\n",
        _HEAD.replace("v1", "v2") + "spec: {}\n",
        f"{_HEAD}spec: {{}}\n---\n",
        f"{_HEAD}spec: {{callers: [&a 'spiffe://a.b/c', *a]}}\n",
    ],
)
def test_what_is_no_deny_list_is_an_error(text: str) -> None:
    with pytest.raises(DocumentError):
        parse_deny_list(text.encode(), "deny.yaml")


@given(serial=st.integers(min_value=1, max_value=2**160 - 1), zeros=st.integers(0, 2))
def test_every_serial_fits_itself_and_not_its_neighbour(serial: int, zeros: int) -> None:
    listed = _parse(f'{{serials: ["{"0" * zeros}{serial:X}"]}}')
    assert listed.denies_caller(replace(_CALLER, serial=f"{serial:x}"))
    assert not listed.denies_caller(replace(_CALLER, serial=f"{serial + 1:x}"))
