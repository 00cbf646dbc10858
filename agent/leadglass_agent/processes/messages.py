"""The messages between the agent's processes: every type that may cross, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from leadglass_agent.errors import Reason
from leadglass_agent.policy.scope import Scope
from leadglass_agent.processes.frames import ChannelError
from leadglass_agent.processes.notices import Interfered
from leadglass_agent.sandbox.posture import Posture
from leadglass_agent.views.access.answer import AccessRow
from leadglass_agent.views.access.model import Credentials, Operation, Settings
from leadglass_agent.views.rows import (
    DirectoryPage,
    EnvironmentPage,
    FileRow,
    ForeignProcess,
    MissingFile,
    ProcessPage,
    ProcessRef,
    TextPage,
    TextQuery,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# A page is at most 1 MiB of text (views); four times that bounds what its escapes and numbers can add.
MAX_ANSWER = 4 * 1024 * 1024
_PART = 192 * 1024  # leaves room for the envelope within one frame


class _Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """A question from the front: the number that its answer carries, and until when somebody waits for it.

    deadline_ns is on CLOCK_MONOTONIC, which both processes share.
    """

    id: int
    deadline_ns: int

    def is_late(self, now_ns: int) -> bool:
        """Says whether nobody waits for the answer any more."""
        return self.deadline_ns <= now_ns


class ProcessesRequest(_Request, frozen=True, forbid_unknown_fields=True, tag=True):
    """Asks for one page of the process tree."""

    after_pid: int
    limit: int
    pids: tuple[int, ...]
    subtree_of_pid: int
    name_glob: str
    scope_list: Scope
    scope_executable: Scope | None
    scope_argv: Scope | None


class EnvironmentRequest(_Request, frozen=True, forbid_unknown_fields=True, tag=True):
    """Asks for presence of variables of one process."""

    process: ProcessRef
    names: tuple[str, ...]
    scope_presence: Scope
    scope_names: Scope | None
    after_index: int
    limit: int


class FilesRequest(_Request, frozen=True, forbid_unknown_fields=True, tag=True):
    """Asks for metadata of paths below one process' root."""

    process: ProcessRef
    scope: Scope
    paths: tuple[str, ...]
    follow_symlinks: bool


class DirectoryRequest(_Request, frozen=True, forbid_unknown_fields=True, tag=True):
    """Asks for one page of a directory below one process' root."""

    process: ProcessRef
    scope_list: Scope
    scope_metadata: Scope | None
    path: str
    after_index: int
    limit: int


class TextRequest(_Request, frozen=True, forbid_unknown_fields=True, tag=True):
    """Asks for the next page of a window; stream 0 opens it, and `close` lets go of it."""

    process: ProcessRef
    scope: Scope
    query: TextQuery
    stream: int
    close: bool


class AccessRequest(_Request, frozen=True, forbid_unknown_fields=True, tag=True):
    """Asks whether one process may use a path; the reader adds who it and the agent are, and the kernel's settings."""

    process: ProcessRef
    scope: Scope
    scope_metadata: Scope | None
    path: str
    operation: Operation
    who: Credentials | None = None
    own: Credentials | None = None
    settings: Settings | None = None


class RevealRequest(_Request, frozen=True, forbid_unknown_fields=True, tag=True):
    """Asks for one variable of one process, sealed to a public X25519 key of 32 bytes."""

    process: ProcessRef
    name: str
    scope: Scope
    recipient_key: bytes


class CheckRequest(_Request, frozen=True, forbid_unknown_fields=True, tag=True):
    """Asks which known values a text holds that is about to leave; `pid` is the process that it is about, or 0."""

    pid: int
    text: bytes


class AliveRequest(_Request, frozen=True, forbid_unknown_fields=True, tag=True):
    """Asks which processes still run, of those that the scope shows."""

    processes: tuple[ProcessRef, ...]
    scope: Scope


class ObserveRequest(_Request, frozen=True, forbid_unknown_fields=True, tag=True):
    """Asks what was done to the agent's own processes, and for processes that came from outside if `foreign`."""

    front_pid: int
    foreign: bool


class AgentRequest(_Request, frozen=True, forbid_unknown_fields=True, tag=True):
    """Asks for the reader's report on its own processes and engine; `attempt`: with what each tried anew."""

    attempt: bool


FileRequest = FilesRequest | DirectoryRequest | TextRequest | AccessRequest
ReadRequest = ProcessesRequest | EnvironmentRequest | CheckRequest | AliveRequest | AgentRequest | ObserveRequest
Request = ReadRequest | FileRequest | RevealRequest


class ProcessesAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Answers ProcessesRequest."""

    page: ProcessPage


class EnvironmentAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Answers EnvironmentRequest."""

    page: EnvironmentPage


class FilesAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Answers FilesRequest, one row for each path."""

    rows: tuple[FileRow | MissingFile, ...]


class DirectoryAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Answers DirectoryRequest."""

    page: DirectoryPage


class TextAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Answers TextRequest."""

    page: TextPage


class AccessAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Answers AccessRequest."""

    row: AccessRow


class RevealAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Answers RevealRequest with ciphertext alone (access/sealing.py); empty if the variable is not set."""

    is_set: bool
    sealed: bytes


class HeldPiece(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of a known value by 46 bits of a digest, whose key never leaves the reader, and where the value lies."""

    digest: int
    origin: str


class CheckAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Answers CheckRequest."""

    held: tuple[HeldPiece, ...]


class AliveAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Answers AliveRequest: those that run, with their starts."""

    alive: tuple[ProcessRef, ...]


class AgentAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Answers AgentRequest."""

    redaction_rules: int
    postures: tuple[Posture, ...]


class ObservedAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Answers ObserveRequest; `look_again` asks for the next look sooner than usual."""

    interference: tuple[Interfered, ...]
    foreign: tuple[ForeignProcess, ...]
    look_again: bool


class RefusedAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Refuses a request; detail is for the audit log and holds no value of the target."""

    reason: Reason
    detail: str


Answer = (
    ProcessesAnswer
    | EnvironmentAnswer
    | FilesAnswer
    | DirectoryAnswer
    | TextAnswer
    | AccessAnswer
    | RevealAnswer
    | AliveAnswer
    | CheckAnswer
    | AgentAnswer
    | ObservedAnswer
    | RefusedAnswer
)


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """One piece of an encoded answer, so that no frame exceeds its bound; `last` closes the answer."""

    id: int
    piece: bytes
    last: bool


_encoder = msgspec.msgpack.Encoder()
_request_decoder: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_answer_decoder: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)
_part_decoder = msgspec.msgpack.Decoder(Part)


def encode_request(request: Request) -> bytes:
    """Encodes a request as one frame's payload."""
    return _encoder.encode(request)


def decode_request(payload: bytes) -> Request:
    """Decodes a frame's payload; raises ChannelError on an unknown type or field, or a value of a wrong type."""
    return _decoded(_request_decoder, payload)


def encode_answer(number: int, answer: Answer) -> Iterator[bytes]:
    """Encodes an answer as payloads of parts; an answer above MAX_ANSWER raises ChannelError and nothing is sent."""
    whole = _encoder.encode(answer)
    if len(whole) > MAX_ANSWER:
        message = f"an answer of {len(whole)} bytes is out of bounds"
        raise ChannelError(message)
    for start in range(0, len(whole), _PART):
        end = start + _PART
        yield _encoder.encode(Part(number, whole[start:end], last=end >= len(whole)))


def encode_part(part: Part) -> bytes:
    """Encodes a part that is passed on as it came."""
    return _encoder.encode(part)


def decode_part(payload: bytes) -> Part:
    """Decodes a frame's payload as a part; raises ChannelError."""
    return _decoded(_part_decoder, payload)


def decode_answer(whole: bytes) -> Answer:
    """Decodes a reassembled answer; raises ChannelError."""
    return _decoded(_answer_decoder, whole)


_Type = TypeVar("_Type")


def _decoded(decoder: msgspec.msgpack.Decoder[_Type], payload: bytes) -> _Type:
    try:
        return decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as error:
        # The decoder's own text may quote the payload, so it is not passed on.
        message = "a frame is not a known message"
        raise ChannelError(message) from error
