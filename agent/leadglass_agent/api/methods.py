"""The method table: one row for each RPC; a row too few or too many stops the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass.v1 import access_pb2, agent_pb2, audit_pb2, inspect_pb2
from leadglass_agent.api import access, administration, audit, file_access, inspect, itself, recordings, reveal, text
from leadglass_agent.policy.model import Permission

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from google.protobuf.descriptor import FileDescriptor

    from leadglass_agent.api.question import Question, StreamQuestion


@dataclass(frozen=True, slots=True)
class Method:
    """What the gate must know of one RPC.

    `needs` is the permission without which the call is refused; `widens` are the field groups that the answer holds
    only as far as policy permits them too. `deadline_seconds` is the server's own; a caller may ask for less. A call
    that is answered by a stream may last `stream_seconds`, and each read for it `deadline_seconds`. Without
    `records_replies` a recording of the session tells that it was answered, and never what.
    """

    name: str
    needs: Permission
    question: Callable[[bytes], Question | StreamQuestion]
    widens: tuple[Permission, ...] = ()
    in_session: bool = True
    deadline_seconds: float = 5.0
    stream_seconds: float = 0.0
    changes: bool = False
    records_replies: bool = True


METHODS: tuple[Method, ...] = (
    Method(
        "/leadglass.v1.InspectService/ListProcesses",
        needs=Permission.PROCESSES_LIST,
        widens=(Permission.PROCESSES_EXECUTABLE, Permission.PROCESSES_ARGV),
        question=inspect.list_processes,
    ),
    Method(
        "/leadglass.v1.InspectService/ListEnvironment",
        needs=Permission.ENV_PRESENCE,
        widens=(Permission.ENV_NAMES,),
        question=inspect.list_environment,
    ),
    Method(
        "/leadglass.v1.InspectService/StatFiles",
        needs=Permission.FILES_METADATA,
        question=inspect.stat_files,
    ),
    Method(
        "/leadglass.v1.InspectService/ListDirectory",
        needs=Permission.FILES_LIST,
        widens=(Permission.FILES_METADATA,),
        question=inspect.list_directory,
    ),
    Method(
        "/leadglass.v1.InspectService/ReadText",
        needs=Permission.TEXT_REDACTED,
        question=text.read_text,
        stream_seconds=3_600.0,
    ),
    Method(
        "/leadglass.v1.InspectService/ExplainAccess",
        needs=Permission.FILES_ACCESS,
        widens=(Permission.FILES_METADATA,),
        question=file_access.explain_access,
    ),
    Method(
        "/leadglass.v1.AccessService/OpenSession",
        needs=Permission.SESSION_OPEN,
        question=access.open_session,
        in_session=False,
        changes=True,
    ),
    Method(
        "/leadglass.v1.AccessService/GetSession",
        needs=Permission.SESSION_OPEN,
        question=access.get_session,
        in_session=False,
    ),
    Method(
        "/leadglass.v1.AccessService/CloseSession",
        needs=Permission.SESSION_OPEN,
        question=access.close_session,
        in_session=False,
        changes=True,
    ),
    Method(
        "/leadglass.v1.AccessService/ListSessions",
        needs=Permission.SESSIONS_LIST,
        question=administration.list_sessions,
        in_session=False,
    ),
    Method(
        "/leadglass.v1.AccessService/EndSession",
        needs=Permission.SESSIONS_END,
        question=administration.end_session,
        in_session=False,
        changes=True,
    ),
    Method(
        "/leadglass.v1.AccessService/Reveal",
        needs=Permission.ENV_REVEAL,
        question=reveal.reveal,
        changes=True,
        records_replies=False,
    ),
    Method(
        "/leadglass.v1.AccessService/ListReviews",
        needs=Permission.REVIEWS_LIST,
        question=administration.list_reviews,
        in_session=False,
    ),
    Method(
        "/leadglass.v1.AccessService/CloseReview",
        needs=Permission.REVIEWS_CLOSE,
        question=administration.close_review,
        in_session=False,
        changes=True,
    ),
    Method(
        "/leadglass.v1.AgentService/GetSelf",
        needs=Permission.AGENT_SELF,
        question=itself.get_self,
        in_session=False,
    ),
    Method(
        "/leadglass.v1.AuditService/GetCheckpoint",
        needs=Permission.AUDIT_CHECKPOINT,
        question=audit.get_checkpoint,
        in_session=False,
    ),
    Method(
        "/leadglass.v1.AuditService/GetInclusionProof",
        needs=Permission.AUDIT_CHECKPOINT,
        question=audit.get_inclusion_proof,
        in_session=False,
    ),
    Method(
        "/leadglass.v1.AuditService/GetConsistencyProof",
        needs=Permission.AUDIT_CHECKPOINT,
        question=audit.get_consistency_proof,
        in_session=False,
    ),
    Method(
        "/leadglass.v1.AuditService/ReadLog",
        needs=Permission.AUDIT_READ,
        question=audit.read_log,
        in_session=False,
        stream_seconds=600.0,
    ),
    Method(
        "/leadglass.v1.AuditService/ListRecordings",
        needs=Permission.RECORDINGS_LIST,
        question=recordings.list_recordings,
        in_session=False,
    ),
    Method(
        "/leadglass.v1.AuditService/ReadRecording",
        needs=Permission.RECORDINGS_READ,
        question=recordings.read_recording,
        in_session=False,
        stream_seconds=600.0,
    ),
    Method(
        "/leadglass.v1.AuditService/HoldRecording",
        needs=Permission.RECORDINGS_HOLD,
        question=recordings.hold_recording,
        in_session=False,
        changes=True,
    ),
    Method(
        "/leadglass.v1.AuditService/ShredRecording",
        needs=Permission.RECORDINGS_SHRED,
        question=recordings.shred_recording,
        in_session=False,
        changes=True,
    ),
)

_DESCRIPTORS = (inspect_pb2.DESCRIPTOR, access_pb2.DESCRIPTOR, agent_pb2.DESCRIPTOR, audit_pb2.DESCRIPTOR)


class MethodTableError(Exception):
    """The table and the service descriptors differ: the server does not start."""


def method_table(
    methods: Iterable[Method] = METHODS,
    descriptors: Iterable[FileDescriptor] = _DESCRIPTORS,
) -> dict[str, Method]:
    """Gives the table by method name; raises MethodTableError unless it names each RPC of the contract exactly once."""
    rows = tuple(methods)
    table = {method.name: method for method in rows}
    if len(table) != len(rows):
        message = "the method table names an RPC twice"
        raise MethodTableError(message)
    contract = {
        f"/{service.full_name}/{method.name}": method.server_streaming
        for descriptor in descriptors
        for service in descriptor.services_by_name.values()
        for method in service.methods
    }
    if table.keys() != contract.keys():
        message = f"the method table and the contract differ in {sorted(table.keys() ^ contract.keys())}"
        raise MethodTableError(message)
    unlike = [name for name, streams in contract.items() if streams is not (table[name].stream_seconds > 0)]
    if unlike:
        message = f"the method table and the contract differ in what streams: {sorted(unlike)}"
        raise MethodTableError(message)
    return table
