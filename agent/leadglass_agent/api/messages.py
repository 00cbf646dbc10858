"""Rows to protobuf messages; accepts no text of the target but Visible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from leadglass.v1 import access_pb2, agent_pb2, audit_pb2, common_pb2, inspect_pb2
from leadglass_agent.policy.model import Profile
from leadglass_agent.redaction.escape import Visible
from leadglass_agent.views.rows import (
    DirectoryPage,
    EnvironmentPage,
    FileRow,
    MissingFile,
    Presence,
    ProcessPage,
    ProcessRef,
    ProcessRow,
    TextFile,
    TextPage,
    Unavailable,
)

if TYPE_CHECKING:
    from leadglass_agent.access.accounts import Line
    from leadglass_agent.access.session import Session
    from leadglass_agent.audit.receipt import Receipt
    from leadglass_agent.policy.model import Permission
    from leadglass_agent.sandbox.posture import Posture

_SECOND = 1_000_000_000
# Names of variables and files, and of what links point to: as in a log, token-like parts of them are mostly harmless.
NAMES = Profile.BALANCED

# The state letters of /proc/PID/stat, proc(5).
_STATES = {
    "R": inspect_pb2.PROCESS_STATE_RUNNING,
    "S": inspect_pb2.PROCESS_STATE_SLEEPING,
    "D": inspect_pb2.PROCESS_STATE_DISK_SLEEP,
    "T": inspect_pb2.PROCESS_STATE_STOPPED,
    "t": inspect_pb2.PROCESS_STATE_TRACED,
    "Z": inspect_pb2.PROCESS_STATE_ZOMBIE,
    "X": inspect_pb2.PROCESS_STATE_DEAD,
    "I": inspect_pb2.PROCESS_STATE_IDLE,
}


def processes(page: ProcessPage, next_page_token: str) -> inspect_pb2.ListProcessesResponse:
    """Makes the answer of ListProcesses."""
    return inspect_pb2.ListProcessesResponse(
        processes=[_process(row) for row in page.rows],
        next_page_token=next_page_token,
        read_time=timestamp(page.read_unix_ns),
        incomplete_reason=unavailable(page.incomplete),
        redaction=profile(page.redaction),
    )


def environment(page: EnvironmentPage, next_page_token: str) -> inspect_pb2.ListEnvironmentResponse:
    """Makes the answer of ListEnvironment."""
    return inspect_pb2.ListEnvironmentResponse(
        process=_ref(page.process),
        variables=[
            inspect_pb2.EnvironmentVariable(name=visible_text(row.name), presence=_presence(row.presence))
            for row in page.rows
        ],
        next_page_token=next_page_token,
        unavailable=unavailable(page.unavailable),
        truncated=page.truncated,
        redaction=profile(NAMES),
    )


def files(rows: tuple[FileRow | MissingFile, ...]) -> inspect_pb2.StatFilesResponse:
    """Makes the answer of StatFiles."""
    return inspect_pb2.StatFilesResponse(files=[_file(row) for row in rows], redaction=profile(NAMES))


def directory(page: DirectoryPage, next_page_token: str) -> inspect_pb2.ListDirectoryResponse:
    """Makes the answer of ListDirectory."""
    return inspect_pb2.ListDirectoryResponse(
        path=visible_text(page.path),
        entries=[_file(row) for row in page.rows],
        next_page_token=next_page_token,
        unavailable=unavailable(page.unavailable),
        truncated=page.truncated,
        redaction=profile(NAMES),
    )


def text(page: TextPage) -> inspect_pb2.ReadTextResponse:
    """Makes one message of ReadText."""
    return inspect_pb2.ReadTextResponse(
        file=None if page.file is None else _text_file(page.file),
        lines=[
            inspect_pb2.TextLine(text=visible_text(line.text), is_context=line.is_context, after_gap=line.after_gap)
            for line in page.lines
        ],
        position_bytes=page.position_bytes,
        redaction=profile(page.redaction),
        redactions=[common_pb2.RedactionCount(rule_id=rule, count=count) for rule, count in page.redactions],
        end=inspect_pb2.TEXT_END_UNSPECIFIED if page.end is None else inspect_pb2.TextEnd.Value(f"TEXT_END_{page.end}"),
        unavailable=unavailable(page.unavailable),
    )


def profile(value: Profile) -> common_pb2.RedactionProfile.ValueType:
    """Makes the name of a profile."""
    return common_pb2.RedactionProfile.Value(f"REDACTION_PROFILE_{value.name}")


def session(
    value: Session,
    permissions: tuple[Permission, ...],
    policy_digest: str,
    wall_minus_boot_ns: int,
    budget: tuple[tuple[str, Line], ...] = (),
) -> access_pb2.Session:
    """Makes a session message; its end is told in wall time by the offset between the two clocks now.

    `budget` pairs each line with the id of the grant that sets it, or with nothing if the session does.
    """
    return access_pb2.Session(
        session_id=value.session_id,
        caller=value.caller,
        reason=value.reason,
        ticket=value.ticket,
        open_time=timestamp(value.opened.unix_ns),
        expire_time=timestamp(value.expires_boot_ns + wall_minus_boot_ns),
        idle_timeout=duration(value.idle_ns),
        calls=value.calls,
        state=access_pb2.SessionState.Value(f"SESSION_STATE_{value.state.value}"),
        permissions=[permission.value for permission in permissions],
        policy_digest=policy_digest,
        grant_ids=[verified.grant.grant_id for verified in value.grants],
        budget=[
            access_pb2.BudgetLine(grant_id=grant_id, what=line.what.value, spent=line.spent, allowed=line.allowed)
            for grant_id, line in budget
        ],
        target=None if value.target is None else _ref(value.target),
        peer=value.peer_host,
        has_evidence=value.evidence is not None,
    )


def agent_process(posture: Posture, *, attempts: bool) -> agent_pb2.AgentProcess:
    """Makes the report on one of the agent's processes, with what it tried or without."""
    return agent_pb2.AgentProcess(
        role=agent_pb2.AgentProcessRole.Value(f"AGENT_PROCESS_ROLE_{posture.role.value}"),
        pid=posture.pid,
        uid=posture.uid,
        gid=posture.gid,
        effective_capabilities=posture.effective_capabilities,
        no_new_privs=posture.no_new_privs,
        dumpable=posture.dumpable,
        seccomp_filters=posture.seccomp_filters,
        sandbox_level=agent_pb2.SandboxLevel.Value(f"SANDBOX_LEVEL_{posture.sandbox_level.value}"),
        resident_memory_bytes=posture.resident_bytes,
        threads=posture.threads,
        one_way_glass=posture.one_way_glass,
        landlock_abi=posture.landlock_abi,
        threads_filtered=posture.threads_filtered,
        attempts=[
            agent_pb2.ForbiddenAttempt(
                attempt=one.attempt, error_name=one.error_name, forbidden=one.forbidden, refused=one.refused
            )
            for one in (posture.attempts if attempts else ())
        ],
    )


def timestamp(unix_ns: int) -> Timestamp:
    """Makes a time of nanoseconds since 1970."""
    return Timestamp(seconds=unix_ns // _SECOND, nanos=unix_ns % _SECOND)


def duration(nanoseconds: int) -> Duration:
    """Makes a duration of nanoseconds that are not negative."""
    return Duration(seconds=nanoseconds // _SECOND, nanos=nanoseconds % _SECOND)


def _process(row: ProcessRow) -> inspect_pb2.Process:
    message = inspect_pb2.Process(
        ref=_ref(row.ref),
        parent_pid=row.parent_pid,
        name=visible_text(row.name),
        state=_STATES.get(row.state, inspect_pb2.PROCESS_STATE_UNSPECIFIED),
        owner_uid=row.owner_uid,
        owner_gid=row.owner_gid,
        start_time=timestamp(row.start_unix_ns),
        threads=row.threads,
        resident_memory_bytes=row.resident_bytes,
        virtual_memory_bytes=row.virtual_bytes,
        cpu_time=duration(row.cpu_ns),
        arguments_truncated=row.arguments_truncated,
    )
    match row.executable:
        case Unavailable() as reason:
            message.executable_unavailable = unavailable(reason)
        case Visible() as text:
            message.executable.CopyFrom(visible_text(text))
    match row.arguments:
        case Unavailable() as reason:
            message.arguments_unavailable = unavailable(reason)
        case arguments:
            message.arguments.extend(visible_text(argument) for argument in arguments)
    return message


def _file(row: FileRow | MissingFile) -> inspect_pb2.FileMetadata:
    match row:
        case MissingFile():
            return inspect_pb2.FileMetadata(name=visible_text(row.name), unavailable=unavailable(row.reason))
        case FileRow():
            return inspect_pb2.FileMetadata(
                name=visible_text(row.name),
                type=inspect_pb2.FileType.Value(f"FILE_TYPE_{row.type.value}"),
                mode=row.mode,
                owner_uid=row.owner_uid,
                owner_gid=row.owner_gid,
                size_bytes=row.size_bytes,
                allocated_bytes=row.allocated_bytes,
                modify_time=timestamp(row.modify_unix_ns),
                change_time=timestamp(row.change_unix_ns),
                hard_links=row.hard_links,
                link_target=None if row.link_target is None else visible_text(row.link_target),
            )


def _text_file(file: TextFile) -> inspect_pb2.TextFile:
    return inspect_pb2.TextFile(
        path=visible_text(file.path),
        size_bytes=file.size_bytes,
        modify_time=timestamp(file.modify_unix_ns),
        start_bytes=file.start_bytes,
        starts_within_line=file.starts_within_line,
    )


def _presence(presence: Presence) -> inspect_pb2.Presence.ValueType:
    if presence is Presence.UNKNOWN:
        return inspect_pb2.PRESENCE_UNSPECIFIED
    return inspect_pb2.Presence.Value(f"PRESENCE_{presence.value}")


def unavailable(reason: Unavailable | None) -> common_pb2.UnavailableReason.ValueType:
    """Makes a reason; of none, the one that means that the view is there."""
    if reason is None:
        return common_pb2.UNAVAILABLE_REASON_UNSPECIFIED
    return common_pb2.UnavailableReason.Value(f"UNAVAILABLE_REASON_{reason.value}")


def _ref(ref: ProcessRef) -> common_pb2.ProcessRef:
    return common_pb2.ProcessRef(pid=ref.pid, start_ticks=ref.start_ticks)


def visible_text(text: Visible) -> common_pb2.VisibleText:
    """Makes a text of the target that was masked and escaped."""
    return common_pb2.VisibleText(text=text.text, truncated=text.truncated)


def receipt_message(receipt: Receipt) -> audit_pb2.Receipt:
    """Makes the receipt that goes behind a reply."""
    return audit_pb2.Receipt(
        checkpoint=receipt.checkpoint,
        verifier_key=receipt.verifier_key,
        seq=receipt.seq,
        leaf_hash=receipt.leaf_hash,
        hashes=receipt.hashes,
    )
