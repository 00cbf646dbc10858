"""What passes between the gate and the views: a question in the audit log's words, and a reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import DecodeError, Message

from leadglass_agent.errors import InvalidRequest, ReaderUnavailable, Reason, Refusal, refusal_of
from leadglass_agent.processes.messages import Answer, RefusedAnswer, Request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from leadglass_agent.access.approvals import PodFacts
    from leadglass_agent.access.disclosure import Disclosure
    from leadglass_agent.access.halt_reviews import HaltReviews
    from leadglass_agent.access.reveals import RevealBook
    from leadglass_agent.access.session import Session, SessionBook
    from leadglass_agent.api.journal_writer import JournalWriter
    from leadglass_agent.audit.record import Event, Fact, Ruling
    from leadglass_agent.audit.view import LogView
    from leadglass_agent.clock import Instant
    from leadglass_agent.identity import Caller
    from leadglass_agent.policy.model import Permission, Policy, Profile
    from leadglass_agent.policy.scope import Scope
    from leadglass_agent.processes.live import Live
    from leadglass_agent.processes.reader_client import ReaderClient
    from leadglass_agent.recordings.recorder import Recorder
    from leadglass_agent.redaction.findings import RuleId
    from leadglass_agent.sandbox.own_posture import OwnPosture
    from leadglass_agent.sandbox.posture import Posture
    from leadglass_agent.views.rows import ProcessRef


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """What the agent knows of itself since its start."""

    version: str
    agent_id: str
    start_unix_ns: int


@dataclass(frozen=True, slots=True)
class Ports:
    """What a view may use: the reader, the books of access, and facts about the agent; no clock and no file but one.

    The journal is that one: what a reveal or a review changes is durable before its answer.
    """

    reader: ReaderClient
    sessions: SessionBook
    reveals: RevealBook
    halt_reviews: HaltReviews
    disclosure: Disclosure
    journal: JournalWriter
    live: Live
    pod: PodFacts
    trust_domain: str
    facts: AgentFacts
    audit_writable: Callable[[], bool]
    mask_words: Callable[[str], str]
    redaction_rules: frozenset[RuleId]
    count_redactions: Callable[[Mapping[str, int]], None]
    count_withheld: Callable[[], None]
    count_decision: Callable[[str | None, Ruling, Reason | None], None]
    check_sink: Callable[[], None]
    audit_log: LogView
    own_posture: OwnPosture
    supervisor: Posture
    recordings: Recorder | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call that passed the first four steps of the gate.

    `scope` is where the method's own permission holds, `grants` are those that bound it there; `widened` tells for each
    field group where it holds, or None. `record` brings a record of this call to disk, for what must not happen before
    it; it raises AuditUnavailable.
    """

    caller: Caller
    session: Session | None
    policy: Policy
    scope: Scope
    widened: Mapping[Permission, Scope | None]
    now: Instant
    seconds: float
    record: Callable[[Event], Awaitable[None]]
    grants: tuple[str, ...] = ()


@dataclass(slots=True)
class LiveCall:
    """A call that lasts: its permission is renewed each second, so `call` is read anew before each use.

    `seconds` is how long the stream may last.
    """

    call: Call
    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """A message made of Clean text alone, with what the audit log says of it; `redactions` counts masks by rule.

    `own_words` are the caller's, from an earlier call; `running_text` is a file's text without what divides its lines
    in the message, for the search of what runs on over lines and messages. `names`, `paths` and `answers` (yes or no)
    count for budgets, beside rows and bytes; `missing_paths` are those asked for that do not exist. `facts` say what
    else was shown, in words of our own: arguments are masked, and an id looks like a token.
    """

    message: Message
    rows: int = 0
    masked: int = 0
    events: tuple[Event, ...] = ()
    own_words: tuple[str, ...] = ()
    running_text: str = ""
    redaction: Profile | None = None
    redactions: tuple[tuple[RuleId, int], ...] = ()
    is_last: bool = False
    names: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    answers: int = 0
    missing_paths: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """One request within its bounds: what it asks in the audit log's words, and how it is answered."""

    arguments: tuple[tuple[str, str], ...]
    answer: Callable[[Ports, Call], Awaitable[Reply]]
    target: ProcessRef | None = None


@dataclass(frozen=True, slots=True)
class StreamQuestion:
    """One request within its bounds that is answered by many messages, of which exactly the last says so."""

    arguments: tuple[tuple[str, str], ...]
    answers: Callable[[Ports, LiveCall], AsyncGenerator[Reply, None]]
    target: ProcessRef | None = None


_Request = TypeVar("_Request", bound=Message)


def parse(kind: type[_Request], wire: bytes) -> _Request:
    """Parses a request; raises InvalidRequest on bytes that are not of its kind."""
    try:
        return kind.FromString(wire)
    except DecodeError:
        detail = "the request is not a message of its type"
        raise InvalidRequest(detail) from None


async def ask(ports: Ports, call: Call, build: Callable[[int, int], Request]) -> Answer:
    """Asks the reader and raises its refusal, if it refuses, as our own."""
    answer = await ports.reader.ask(build, call.seconds)
    if isinstance(answer, RefusedAnswer):
        raise refusal_of(answer.reason)(answer.detail)
    return answer


def known_rules(ports: Ports, redactions: tuple[tuple[RuleId, int], ...]) -> tuple[tuple[RuleId, int], ...]:
    """Gives counts by rule as they came over the channel; raises ReaderUnavailable if one is no rule of the engine's.

    They become labels of metrics and fields of the audit log, which hold values of closed sets alone.
    """
    if any(rule not in ports.redaction_rules or count < 1 for rule, count in redactions):
        detail = "the reader counted a rule that the engine does not have"
        raise ReaderUnavailable(detail)
    return redactions


def unexpected(answer: Answer) -> Refusal:
    """Gives the refusal for an answer of another kind than asked for."""
    return ReaderUnavailable(f"the reader answered {type(answer).__name__} ({Reason.READER_UNAVAILABLE})")
