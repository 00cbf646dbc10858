"""Answers whether a process may use a path, within what the caller's policy shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

import msgspec
from msgspec.structs import replace

from leadglass_agent.redaction.escape import Visible, visible
from leadglass_agent.views import paths
from leadglass_agent.views.access.decide import decide, follows_last
from leadglass_agent.views.access.model import (
    Allowed,
    Caveat,
    Denied,
    Followed,
    Operation,
    Rule,
    Unknown,
)
from leadglass_agent.views.access.permission import CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
from leadglass_agent.views.access.walk import walk_path
from leadglass_agent.views.rows import FileType, Unavailable

if TYPE_CHECKING:
    from leadglass_agent.policy.scope import Scope
    from leadglass_agent.redaction.redactor import Redactor
    from leadglass_agent.views.access.model import Credentials, Place, Settings, Verdict, Walk
    from leadglass_agent.views.paths import TargetRoot

MAX_GROUPS: Final = 64
_MAX_CHARACTERS: Final = 1_024
_ASKED: Final = 1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH | 1 << CAP_FOWNER


class Answer(StrEnum):
    """The verdict in one word; the names are those of leadglass.v1.AccessVerdict."""

    ALLOWED = "ALLOWED"
    DENIED = "DENIED"
    UNKNOWN = "UNKNOWN"


class Component(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The part of the path that decides; `type` is None for one that the agent itself cannot see."""

    path: Visible
    type: FileType | None = None
    mode: int = 0
    owner_uid: int = 0
    owner_gid: int = 0
    link_target: Visible | None = None


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who the process is to the file system; of its capabilities those that override permissions."""

    fsuid: int
    fsgid: int
    groups: tuple[int, ...]
    capabilities: int


class AccessRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A verdict with its rule; `needed` and `has` are rights as bits: 4 reads, 2 writes, 1 executes or searches.

    Beside UNKNOWN they tell what keeps the agent itself from seeing more, if its own rights do. `component` and
    `identity` are None where policy hides the metadata of files.
    """

    answer: Answer
    rule: Rule | None = None
    needed: int = 0
    has: int = 0
    component: Component | None = None
    identity: Identity | None = None
    caveats: tuple[Caveat, ...] = ()
    unavailable: Unavailable | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: what a process wants of a path, who that is, who the agent is, and the kernel's settings."""

    path: str
    operation: Operation
    who: Credentials
    own: Credentials
    settings: Settings


def unanswered(reason: Unavailable) -> AccessRow:
    """Gives the answer where nothing of the files can be seen, with the reason."""
    return AccessRow(Answer.UNKNOWN, unavailable=reason)


def explain_access(
    root: TargetRoot,
    redactor: Redactor,
    scope: Scope,
    scope_metadata: Scope | None,
    question: Asked,
) -> AccessRow:
    """Decides for one path; what the scope hides is answered as what is not there.

    Raises InvalidRequest if the path is none, and RedactionError.
    """
    asked, who = paths.parse_path(question.path), question.who
    if not paths.admits(scope, asked):
        return _nothing()
    walk = walk_path(root, asked, follow=follows_last(question.operation))
    verdict = decide(who, question.settings, question.operation, walk)
    where = _where(verdict)
    if where is None or not paths.admits(scope, where):
        return _nothing()
    shown = _Shown(redactor, scope_metadata)
    identity = _identity(who) if shown.admits(asked) else None
    match verdict:
        case Allowed():
            return AccessRow(
                Answer.ALLOWED,
                rule=verdict.rule,
                component=shown.component(verdict.place, walk),
                identity=identity,
                caveats=verdict.caveats,
            )
        case Denied():
            return AccessRow(
                Answer.DENIED,
                rule=verdict.rule,
                needed=verdict.needed,
                has=verdict.has,
                component=None if verdict.place is None else shown.component(verdict.place, walk),
                identity=identity,
            )
        case Unknown():
            # What the agent may not search, it may not by the same rules.
            own = decide(question.own, question.settings, question.operation, walk)
            row = AccessRow(Answer.UNKNOWN, identity=identity, unavailable=verdict.reason)
            if not isinstance(own, Denied) or own.place is None:
                return replace(row, component=shown.unseen(verdict.path))
            component = shown.component(own.place, walk)
            return replace(row, rule=own.rule, needed=own.needed, has=own.has, component=component)
        case _:
            assert_never(verdict)


class _Shown:
    """What of a place is shown: nothing where policy hides the metadata of files."""

    def __init__(self, redactor: Redactor, scope: Scope | None) -> None:
        self._redactor = redactor
        self._scope = scope

    def admits(self, path: bytes) -> bool:
        return self._scope is not None and paths.admits(self._scope, path)

    def component(self, place: Place, walk: Walk) -> Component | None:
        if not self.admits(place.path):
            return None
        target = next(
            (step.target for step in walk.steps if isinstance(step, Followed) and step.place is place),
            None,
        )
        return Component(
            path=self._text(place.path),
            type=place.node.type,
            mode=place.node.mode,
            owner_uid=place.node.uid,
            owner_gid=place.node.gid,
            link_target=None if target is None else self._text(target),
        )

    def unseen(self, path: bytes) -> Component | None:
        return Component(self._text(path)) if self.admits(path) else None

    def _text(self, raw: bytes) -> Visible:
        return visible(self._redactor.redact(raw).text, _MAX_CHARACTERS)


def _nothing() -> AccessRow:
    """Gives the one answer for what is not there and for what is hidden: they must not differ in a byte."""
    return AccessRow(Answer.DENIED, rule=Rule.NO_SUCH_FILE)


def _where(verdict: Verdict) -> bytes | None:
    """Gives where the path leads as far as it was decided; None if nothing is there."""
    match verdict:
        case Denied(place=None) | Denied(rule=Rule.NO_SUCH_FILE):
            return None
        case Denied(place=place) | Allowed(place=place) if place is not None:
            return _joined(place.path, place.rest)
        case Unknown(path=path, rest=rest):
            return _joined(path, rest)
        case _:
            return None


def _joined(path: bytes, rest: tuple[bytes, ...]) -> bytes:
    """Joins what is left of a path to where it has come; ".." of a link is taken by its word."""
    components = [component for component in path.split(b"/") if component]
    for component in rest:
        if component == b"..":
            del components[-1:]
        elif component != b".":
            components.append(component)
    return b"/" + b"/".join(components)


def _identity(who: Credentials) -> Identity:
    return Identity(who.fsuid, who.fsgid, tuple(sorted(who.groups)[:MAX_GROUPS]), who.capabilities & _ASKED)
