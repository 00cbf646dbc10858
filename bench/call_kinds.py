"""The calls that are measured, each with a request as people make it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass.v1 import access_pb2, agent_pb2, audit_pb2, common_pb2, inspect_pb2

if TYPE_CHECKING:
    from benched_agent import App

ENVIRONMENT: Final = "ListEnvironment"
GET_SESSION: Final = "GetSession"
# These change something that is there once, or need what other people sign first; a loop of them measures set-up.
NOT_MEASURED: Final = (
    "OpenSession", "CloseSession", "EndSession", "Reveal", "CloseReview",
    "ListRecordings", "ReadRecording", "HoldRecording", "ShredRecording",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """One RPC, its request, and how often a caller may make it."""

    name: str
    method: str
    request: bytes
    streams: bool = False
    in_session: bool = True
    names_session: bool = False


def _may_read(process: common_pb2.ProcessRef, app: App) -> inspect_pb2.ExplainAccessRequest:
    return inspect_pb2.ExplainAccessRequest(
        process=process, path=str(app.log), operation=inspect_pb2.ACCESS_OPERATION_READ
    )


def kinds(app: App) -> tuple[Kind, ...]:
    """Gives every RPC that reads, by name."""
    process = common_pb2.ProcessRef(pid=app.pid)
    folder = str(app.log.parent)
    made = (
        (ENVIRONMENT, "Inspect", inspect_pb2.ListEnvironmentRequest(process=process), False, True),
        ("ListProcesses", "Inspect", inspect_pb2.ListProcessesRequest(page_size=50), False, True),
        ("StatFiles", "Inspect", inspect_pb2.StatFilesRequest(process=process, paths=[str(app.log)]), False, True),
        ("ExplainAccess", "Inspect", _may_read(process, app), False, True),
        ("ListDirectory", "Inspect", inspect_pb2.ListDirectoryRequest(process=process, path=folder), False, True),
        ("ReadText", "Inspect", inspect_pb2.ReadTextRequest(process=process, path=str(app.log)), True, True),
        ("GetSelf", "Agent", agent_pb2.GetSelfRequest(), False, False),
        (GET_SESSION, "Access", access_pb2.GetSessionRequest(), False, False),
        ("ListSessions", "Access", access_pb2.ListSessionsRequest(), False, False),
        ("ListReviews", "Access", access_pb2.ListReviewsRequest(), False, False),
        ("GetCheckpoint", "Audit", audit_pb2.GetCheckpointRequest(), False, False),
        ("GetInclusionProof", "Audit", audit_pb2.GetInclusionProofRequest(seq=3, tree_size=90), False, False),
        ("GetConsistencyProof", "Audit", audit_pb2.GetConsistencyProofRequest(old_size=9, new_size=90), False, False),
        ("ReadLog", "Audit", audit_pb2.ReadLogRequest(first_seq=1, max_records=50), True, False),
    )
    return tuple(
        Kind(
            name,
            f"/leadglass.v1.{service}Service/{name}",
            message.SerializeToString(),
            streams,
            in_session,
            names_session=name == GET_SESSION,
        )
        for name, service, message, streams, in_session in made
    )
