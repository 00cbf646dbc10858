"""The method table names each RPC of the contract exactly once, with the permission that the contract promises."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from leadglass.v1 import access_pb2, agent_pb2, inspect_pb2
from leadglass_agent.api.methods import METHODS, Method, MethodTableError, method_table
from leadglass_agent.errors import Reason, Refusal, refusal_of
from leadglass_agent.policy.model import Permission

_PROTOS = Path(__file__).parents[2] / "protos" / "leadglass" / "v1"
_PACKAGE = re.compile(r"^package (?P<name>[a-z0-9.]+);$", re.MULTILINE)
_SERVICE = re.compile(r"^service (?P<name>\w+) \{\n(?P<body>.*?)^\}$", re.MULTILINE | re.DOTALL)
_RPC = re.compile(r"(?P<comment>(?:^  //[^\n]*\n)+)^  rpc (?P<name>\w+)\((?P<rest>[^;]*);", re.MULTILINE)
_NEEDS = re.compile(r"Needs: (?P<permission>[a-z_.]+)\.$")


def _promised() -> dict[str, str]:
    """Reads from the contract's own text which permission each RPC says that it needs; empty if it says none."""
    promised: dict[str, str] = {}
    for file in sorted(_PROTOS.glob("*.proto")):
        text = file.read_text(encoding="utf-8")
        package = _PACKAGE.search(text)
        assert package is not None
        for service in _SERVICE.finditer(text):
            rpcs = list(_RPC.finditer(service["body"]))
            assert len(rpcs) == service["body"].count("  rpc "), f"{service['name']} has an RPC without a comment"
            for rpc in rpcs:
                needs = _NEEDS.search(rpc["comment"].rstrip())
                name = f"/{package['name']}.{service['name']}/{rpc['name']}"
                promised[name] = needs["permission"] if needs else ""
    return promised


def test_the_table_is_the_contract() -> None:
    assert set(method_table()) == set(_promised())


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_each_rpc_s_comment_ends_with_the_permission_of_its_row(method: Method) -> None:
    assert _promised()[method.name] == method.needs.value


@pytest.mark.parametrize("left_out", METHODS, ids=lambda method: method.name)
def test_an_rpc_without_a_row_stops_the_start(left_out: Method) -> None:
    with pytest.raises(MethodTableError):
        method_table([method for method in METHODS if method is not left_out])


def test_a_row_without_an_rpc_stops_the_start() -> None:
    with pytest.raises(MethodTableError):
        method_table([*METHODS, replace(METHODS[0], name="/leadglass.v1.InspectService/Exec")])


def test_a_row_that_comes_twice_stops_the_start() -> None:
    with pytest.raises(MethodTableError):
        method_table([*METHODS, replace(METHODS[0], needs=Permission.AGENT_SELF)])


def test_a_service_that_the_table_does_not_know_stops_the_start() -> None:
    with pytest.raises(MethodTableError):
        method_table(METHODS, (inspect_pb2.DESCRIPTOR, access_pb2.DESCRIPTOR))
    with pytest.raises(MethodTableError):
        method_table(
            [method for method in METHODS if "AgentService" not in method.name],
            (inspect_pb2.DESCRIPTOR, access_pb2.DESCRIPTOR, agent_pb2.DESCRIPTOR),
        )


def test_every_read_of_the_pod_needs_a_session() -> None:
    for method in METHODS:
        assert method.in_session or "InspectService" not in method.name


def test_every_rpc_has_a_deadline() -> None:
    for method in METHODS:
        assert 0 < method.deadline_seconds <= 10


def test_every_permission_opens_something() -> None:
    used = {permission for method in METHODS for permission in (method.needs, *method.widens)}
    # Approvers sign files; no RPC is theirs.
    assert used == set(Permission) - {Permission.GRANTS_APPROVE}


def test_a_row_that_streams_where_the_contract_does_not_stops_the_start() -> None:
    for at, method in enumerate(METHODS):
        changed = replace(method, stream_seconds=0.0 if method.stream_seconds else 60.0)
        with pytest.raises(MethodTableError):
            method_table([*METHODS[:at], changed, *METHODS[at + 1 :]])


def test_one_rpc_streams_its_reply_and_none_takes_or_gives_bytes() -> None:
    for descriptor in (inspect_pb2.DESCRIPTOR, access_pb2.DESCRIPTOR, agent_pb2.DESCRIPTOR):
        for service in descriptor.services_by_name.values():
            for method in service.methods:
                assert not method.client_streaming
                assert method.server_streaming == (method.name == "ReadText")
        for message in descriptor.message_types_by_name.values():
            for field in message.fields:
                assert field.type != field.TYPE_BYTES, f"{field.full_name} could hold content"


def test_each_refusal_has_a_fixed_public_text_and_one_reason() -> None:
    kinds = Refusal.__subclasses__()
    assert {kind.reason for kind in kinds} == set(Reason)
    assert len({kind.reason for kind in kinds}) == len(kinds)
    for kind in kinds:
        refusal = kind("secret detail")
        assert str(refusal) == "secret detail"
        assert refusal.public == kind.public
        assert "secret" not in refusal.public
        assert refusal_of(kind.reason) is kind
