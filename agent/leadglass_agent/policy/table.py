"""Runs the tests of a policy that stand in a file: questions, each with the answer that the policy has to give."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from msgspec import UNSET, UnsetType

from leadglass_agent.policy.glob import is_canonical
from leadglass_agent.policy.model import ProcessSelector, SpiffeId
from leadglass_agent.policy.question import Answer, Question, Yes, answer
from leadglass_agent.policy.scope import ProcessFacts
from leadglass_agent.policy.standing import Evidence, GrantedScope, Standing
from leadglass_agent.policy.table_document import TableFile
from leadglass_agent.policy.targets import Target, asks_for
from leadglass_agent.spiffe import trust_domain_of
from leadglass_agent.strict_yaml import load_document

if TYPE_CHECKING:
    from leadglass_agent.policy.model import Permission, Policy
    from leadglass_agent.policy.table_document import CasePart, GrantPart, ProcessPart, SelectorPart
    from leadglass_agent.strict_yaml import Document, Path

NOON: Final = 1_767_614_400  # Monday 2026-01-05T12:00:00Z, when a case says no time
_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """One test: the line where it begins, its question, and what is expected; "" and None expect nothing more."""

    line: int
    question: Question
    is_allowed: bool
    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A test with the answer that the policy gave, and what is wrong about it; "" if nothing is."""

    case: Case
    answer: Answer
    fault: str


def parse_table(text: bytes, source: str) -> tuple[Case, ...]:
    """Reads a file of tests; `source` is its name for errors, which are all DocumentError."""
    document = load_document(text, source, TableFile)
    return tuple(_case(document, ("spec", "cases", at), part) for at, part in enumerate(document.value.spec.cases))


def run_table(policy: Policy, cases: tuple[Case, ...]) -> tuple[Outcome, ...]:
    """Asks the policy each question."""
    given = ((case, answer(policy, case.question)) for case in cases)
    return tuple(Outcome(case, one, _fault(case, one)) for case, one in given)


def _fault(case: Case, given: Answer) -> str:
    if isinstance(given, Yes):
        if not case.is_allowed:
            return f"it is allowed, by {', '.join(given.rules)}"
        wrong = case.rule and case.rule not in given.rules
        return f"it is allowed by {', '.join(given.rules)}, and not by {case.rule}" if wrong else ""
    because = ", ".join([given.why, *([f"role {given.role}"] if given.role else []), *given.rules])
    if case.is_allowed:
        return f"it is denied: {because}"
    wrong = (case.why and case.why != given.why) or (case.rule and case.rule not in given.rules)
    return f"it is denied for another reason: {because}" if wrong else ""


def _case(document: Document[TableFile], path: Path, part: CasePart) -> Case:
    _check(document, path, part)
    now = _moment(document, (*path, "at"), part.at)
    evidence = None
    if not isinstance(part.evidence, UnsetType):
        given = part.evidence
        evidence = Evidence("somebody", frozenset(given.amr), given.acr, now - given.minutes * 60)
    standing = Standing(
        unix_ns=now * _NANOSECONDS,
        tier=part.tier,
        certificate_since_unix=now - part.certificate_minutes * 60,
        evidence=evidence,
        grants=tuple(_grant(f"grant-{at}", one, part.permission) for at, one in enumerate(part.grants, start=1)),
    )
    target = Target(_process(part.process), _text(part.name) or None, _text(part.path) or None)
    return Case(
        line=document.marks[path][1].line,
        question=Question(SpiffeId(part.caller), part.permission, standing, target),
        is_allowed=part.expect == "allow",
        rule=_text(part.rule),
        why="" if isinstance(part.why, UnsetType) else part.why.value,
    )


def _check(document: Document[TableFile], path: Path, part: CasePart) -> None:
    """Refuses what no agent is ever asked, because such a case would always be denied and prove nothing."""
    if trust_domain_of(part.caller) is None:
        raise document.error((*path, "caller"), "a caller is a SPIFFE id such as spiffe://example.org/user/ada")
    process, name, file = asks_for(part.permission)
    for key, given, wanted in (
        ("process", part.process, process),
        ("name", part.name, name),
        ("path", part.path, file),
    ):
        if given is not UNSET and not wanted:
            raise document.error((*path, key), f"{part.permission} is not about a {key}")
    if not isinstance(part.path, UnsetType) and not is_canonical(part.path):
        raise document.error((*path, "path"), "a path is absolute, without empty, '.' or '..' segments")
    if part.why is not UNSET and part.expect == "allow":
        raise document.error((*path, "why"), "'why' goes with 'expect: deny'")


def _moment(document: Document[TableFile], path: Path, text: str | UnsetType) -> int:
    if isinstance(text, UnsetType):
        return NOON
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment < datetime.fromtimestamp(0, UTC):
        raise document.error(path, 'a time says its zone: "2026-01-05T12:00:00Z"')
    return int(moment.timestamp())


def _process(part: ProcessPart | UnsetType) -> ProcessFacts | None:
    if isinstance(part, UnsetType):
        return None
    return ProcessFacts(pid=1, uid=part.uid, name=part.name, executable=_text(part.executable) or None)


def _grant(grant_id: str, part: GrantPart, permission: Permission) -> GrantedScope:
    permissions = (permission,) if isinstance(part.permissions, UnsetType) else part.permissions
    return GrantedScope(
        grant_id=grant_id,
        permissions=frozenset(permissions),
        approvers=tuple(map(SpiffeId, part.approvers)),
        minutes=part.minutes,
        processes=tuple(_selector(one) for one in part.processes),
        names=() if isinstance(part.names, UnsetType) else part.names,
        paths=() if isinstance(part.paths, UnsetType) else part.paths,
    )


def _selector(part: SelectorPart) -> ProcessSelector:
    return ProcessSelector(
        names=() if isinstance(part.names, UnsetType) else part.names,
        executables=() if isinstance(part.executables, UnsetType) else part.executables,
        uids=() if isinstance(part.uids, UnsetType) else part.uids,
    )


def _text(text: str | UnsetType) -> str:
    return "" if isinstance(text, UnsetType) else text
