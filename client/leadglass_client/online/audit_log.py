"""Asks an agent for the signed state of its audit log, and for the records themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from leadglass.v1.audit_pb2 import (
    GetCheckpointRequest,
    GetCheckpointResponse,
    GetConsistencyProofRequest,
    ReadLogRequest,
)
from leadglass.v1.audit_pb2_grpc import AuditServiceStub
from leadglass_client.connection.agent import Agent
from leadglass_client.connection.consistency import is_beginning
from leadglass_client.connection.kept_states import kept_states
from leadglass_client.connection.notes import NoteError, open_note
from leadglass_client.connection.receipt_store import (
    broken_log,
    keep_contradicting_state,
    path_of,
    standing_contradiction,
)
from leadglass_client.connection.receipts import clock
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.names import is_session_id
from leadglass_client.output.lines import LineOutput
from leadglass_client.output.screen import note, show
from leadglass_client.output.visible import printable
from leadglass_client.settings.folders import receipts_folder
from leadglass_client.settings.global_options import DEFAULT_TIMEOUT_SECONDS
from leadglass_client.settings.target import resolve_target
from leadglass_client.views.checkpoint import checkpoint_sheet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_client.connection.kept_states import Kept
    from leadglass_client.connection.notes import Checkpoint
    from leadglass_client.forms import OutputForm
    from leadglass_client.settings.global_options import GlobalOptions

_READ_SECONDS: Final = 600.0  # as long as the agent lets a stream last
_MAX_RECORDS: Final = 100_000  # the API's bound for one call
_NO_END: Final = "the agent does not come to an end of its log"
_TOO_MANY: Final = "the agent gives more records than were asked for"
_TOO_FEW: Final = "the agent did not give all the records that it has"
_DISTRUST: Final = "do not rely on this agent, and tell whoever is responsible for it"


def show_checkpoint(options: GlobalOptions, form: OutputForm) -> None:
    """Prints the signed state of the log, and that it goes on from what was proved to this user before.

    Fails with the exit code of an invalid log if it does not.
    """
    began = clock()
    with Agent(resolve_target(options)) as agent:
        stub = AuditServiceStub(agent.channel)
        reply = agent.ask(stub.GetCheckpoint, GetCheckpointRequest())
        state = _opened(reply)
        kept = _check_all(agent, reply, state, began)
    show(checkpoint_sheet(reply, state, kept), form, no_color=options.no_color)


def read_log(options: GlobalOptions, first_seq: int, session_id: str, most: int | None) -> None:
    """Prints records as they lie on the agent's disk, one a line, to the end of the log or `most` of them."""
    if session_id and not is_session_id(session_id):
        what = f"{printable(session_id)} is no id of a session"
        raise Failure(ExitCode.USAGE, what, "see: leadglass session show")
    if options.timeout_seconds == DEFAULT_TIMEOUT_SECONDS:
        options = replace(options, timeout_seconds=_READ_SECONDS)
    out = LineOutput()
    count = 0
    with Agent(resolve_target(options)) as agent:
        request = ReadLogRequest(first_seq=first_seq, session_id=session_id)
        while True:
            request.max_records = _MAX_RECORDS if most is None else min(most - count, _MAX_RECORDS)
            following = 0
            for records, next_seq in _messages(agent, request):
                out.write(records)
                count += len(records)
                following = next_seq
            if following == 0 or count == most:
                break
            if following <= request.first_seq:
                raise _odd(_NO_END)
            request.first_seq = following
    if not count:
        note("no record fits")
    elif following:
        note(f"there may be more: --from {following}")


def _opened(reply: GetCheckpointResponse) -> Checkpoint:
    try:
        return open_note(reply.checkpoint, reply.verifier_key)
    except NoteError as error:
        what = f"the agent's signed state of its audit log proves nothing: {error}"
        raise Failure(ExitCode.AUDIT_INVALID, what, _DISTRUST) from error


def _check_all(agent: Agent, reply: GetCheckpointResponse, state: Checkpoint, began: str) -> Kept | None:
    """Has the agent prove that the log goes on from all that is kept of it; gives the largest of that."""
    standing = standing_contradiction(state.origin)
    if standing:
        raise broken_log(state.origin, standing)
    kept = kept_states(state.origin, began)
    if kept.damaged:
        note(f"damaged lines passed over in {path_of(state.origin)}: {kept.damaged}")
    for one in kept.states:
        why = _broken(agent, one.state, state)
        if why:
            try:
                keep_contradicting_state(state.origin, reply.checkpoint, reply.verifier_key, why)
            except OSError as error:
                note(f"what contradicts your receipts is not kept: {receipts_folder()}: {error.strerror or error}")
            raise broken_log(state.origin, why)
    if kept.more:
        note(
            f"{kept.more} older states are not compared: leadglass audit verify LOG --receipts {path_of(state.origin)}"
        )
    return kept.states[0] if kept.states else None


def _broken(agent: Agent, earlier: Checkpoint, state: Checkpoint) -> str | None:
    """Has the agent prove that what it proved earlier still stands in its log; says what is wrong otherwise."""
    if earlier.size > state.size:
        return f"it had {earlier.size} records, and has {state.size} now"
    hashes: tuple[bytes, ...] = ()
    if earlier.size < state.size:
        request = GetConsistencyProofRequest(old_size=earlier.size, new_size=state.size)
        reply = agent.ask(AuditServiceStub(agent.channel).GetConsistencyProof, request)
        try:
            hashes = tuple(bytes.fromhex(one) for one in reply.hashes)
        except ValueError:
            return "its proof cannot be read"
    if not is_beginning(earlier, state, hashes):
        return f"its first {earlier.size} records are not what they were"
    return None


def _messages(agent: Agent, request: ReadLogRequest) -> Iterator[tuple[list[str], int]]:
    """Yields the records of each message, printable whatever they hold, and where to go on."""
    left = request.max_records
    is_last = False
    for message in agent.stream(AuditServiceStub(agent.channel).ReadLog, request):
        left -= len(message.records)
        if left < 0 or is_last:
            raise _odd(_TOO_MANY)
        is_last = message.is_last
        yield [printable(record) for record in message.records], message.next_seq
    if not is_last:
        raise _odd(_TOO_FEW)


def _odd(what: str) -> Failure:
    return Failure(ExitCode.PARTIAL, what, "compare versions: leadglass self, leadglass --version")
