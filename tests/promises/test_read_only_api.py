"""Promise: no method changes, runs or downloads anything, no field carries bytes, every list is paged or bounded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from google.protobuf.descriptor import FieldDescriptor

from leadglass.v1 import access_pb2, agent_pb2, audit_pb2, common_pb2, inspect_pb2
from leadglass_agent.api.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor, MethodDescriptor

_FILES: Final = (
    common_pb2.DESCRIPTOR,
    access_pb2.DESCRIPTOR,
    agent_pb2.DESCRIPTOR,
    audit_pb2.DESCRIPTOR,
    inspect_pb2.DESCRIPTOR,
)
_SERVICES: Final = tuple(service for file in _FILES for service in file.services_by_name.values())
_METHODS: Final = tuple(method for service in _SERVICES for method in service.methods)
# They open and end sessions, show one variable as ciphertext, and close a review: the agent's own books change, and
# nothing of the pod does.
_OF_ACCESS: Final = {"OpenSession", "GetSession", "CloseSession", "EndSession", "Reveal", "CloseReview"}
# They keep or destroy what the agent itself recorded.
_OF_AUDIT: Final = {"HoldRecording", "ShredRecording"}
_READS: Final = re.compile(r"(?:List|Get|Stat|Read|Explain)(?:[A-Z][a-z]+)+")
# Lists in a reply whose length the request or the agent itself bounds.
_BOUNDED: Final = {
    "StatFilesResponse.files": "as many as paths, at most 100",
    "Process.arguments": "at most 256",
    "ReadTextResponse.lines": "at most 1,000 a message, and max_lines in all",
    "ReadTextResponse.redactions": "one of each rule",
    "AccessIdentity.groups": "at most 64",
    "ExplainAccessResponse.caveats": "one of each",
    "Session.permissions": "one of each permission",
    "Session.grant_ids": "at most 8",
    "Session.budget": "six of the session and of each grant",
    "ListReviewsResponse.reviews": "at most 1,000 are ever owed",
    "GetSelfResponse.processes": "the agent's own",
    "AgentProcess.attempts": "at most 64",
    "GetInclusionProofResponse.hashes": "at most 64",
    "GetConsistencyProofResponse.hashes": "at most 65",
    "ReadLogResponse.records": "at most 256 KiB a message, and max_records in all",
}


def _messages(message: Descriptor, seen: set[str]) -> Iterator[Descriptor]:
    """Walks a message and all that it is made of."""
    if message.full_name not in seen:
        seen.add(message.full_name)
        yield message
        for field in message.fields:
            if field.message_type is not None:
                yield from _messages(field.message_type, seen)


@pytest.mark.parametrize("method", _METHODS, ids=lambda method: method.name)
def test_a_method_reads_or_concerns_access_alone(method: MethodDescriptor) -> None:
    own = {"AccessService": _OF_ACCESS, "AuditService": _OF_AUDIT}.get(method.containing_service.name, set())
    assert method.name in own or _READS.fullmatch(method.name)
    assert not method.client_streaming


@pytest.mark.parametrize("method", _METHODS, ids=lambda method: method.name)
def test_no_field_of_a_reply_carries_bytes_or_an_untyped_message(method: MethodDescriptor) -> None:
    for message in _messages(method.output_type, set()):
        assert message.full_name.startswith(("leadglass.v1.", "google.protobuf.Timestamp", "google.protobuf.Duration"))
        for field in message.fields:
            assert field.type != FieldDescriptor.TYPE_BYTES, field.full_name
            assert not field.message_type or not field.message_type.GetOptions().map_entry, field.full_name


@pytest.mark.parametrize("method", _METHODS, ids=lambda method: method.name)
def test_a_list_in_a_reply_is_paged_or_bounded(method: MethodDescriptor) -> None:
    for message in _messages(method.output_type, set()):
        for field in message.fields:
            name = f"{message.name}.{field.name}"
            if not field.is_repeated or name in _BOUNDED:
                continue
            assert message is method.output_type, f"{name} is a list within a list"
            assert {"page_size", "page_token"} <= set(method.input_type.fields_by_name)
            assert "next_page_token" in message.fields_by_name


def test_text_of_the_target_has_its_own_type() -> None:
    plain = {
        f"{message.name}.{field.name}"
        for method in inspect_pb2.DESCRIPTOR.services_by_name["InspectService"].methods
        for message in _messages(method.output_type, set())
        for field in message.fields
        if field.type == FieldDescriptor.TYPE_STRING
    }

    # Rules are the agent's own: their ids come from its catalogue.
    own = {"RedactionCount.rule_id"}
    assert {name for name in plain if not name.endswith(".next_page_token")} == {"VisibleText.text"} | own


def test_each_method_has_its_row_and_reads_need_a_session() -> None:
    rows = {method.name: method for method in METHODS}

    assert rows.keys() == {f"/{method.containing_service.full_name}/{method.name}" for method in _METHODS}
    assert all(rows[name].in_session for name in rows if "/leadglass.v1.InspectService/" in name)
