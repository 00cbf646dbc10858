"""Asks a policy file one question, and shows what decides it and what would change that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from leadglass_client.errors import ExitCode, Failure
from leadglass_client.offline.policy_files import read_policy
from leadglass_client.output.screen import show

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_agent.policy.model import Permission
    from leadglass_agent.policy.question import Question
    from leadglass_agent.policy.standing import Standing
    from leadglass_agent.policy.targets import Target
    from leadglass_client.forms import OutputForm

_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One question in the words of the command line; None is left open."""

    caller: str
    permission: str
    process: str | None
    executable: str | None
    uid: int | None
    name: str | None
    path: str | None
    tier: str
    at_unix: int | None
    certificate_minutes: int
    amr: tuple[str, ...]
    acr: str
    signed_in_minutes: int | None
    approvers: tuple[str, ...]
    grant_minutes: int


def explain_policy(path: Path, asked: Asked, form: OutputForm, *, no_color: bool) -> None:
    """Prints the answer of the policy, the rule behind it, and the ways to the other answer."""
    policy = read_policy(path)
    from leadglass_agent.policy.explain import explain
    from leadglass_agent.policy.members import TooManyMembersError
    from leadglass_client.views.policy_answer import explanation_sheet

    question = _question(asked)
    try:
        explanation = explain(policy, question)
    except TooManyMembersError as error:
        next_step = "leave less open: name the process, and the variable or the path"
        raise Failure(ExitCode.ERROR, f"cannot look at all that is left open: {error}", next_step) from error
    show(explanation_sheet(policy, question, explanation), form, no_color=no_color)


def _question(asked: Asked) -> Question:
    from leadglass_agent.policy.model import Permission, SpiffeId
    from leadglass_agent.policy.question import Question
    from leadglass_agent.spiffe import trust_domain_of

    if trust_domain_of(asked.caller) is None:
        what = f"{asked.caller} is no SPIFFE id of a caller"
        raise Failure(ExitCode.USAGE, what, "write it out: spiffe://example.org/user/ada")
    permission = Permission(asked.permission)
    return Question(SpiffeId(asked.caller), permission, _standing(asked, permission), _target(asked, permission))


def _target(asked: Asked, permission: Permission) -> Target:
    from leadglass_agent.policy.glob import is_canonical
    from leadglass_agent.policy.scope import ProcessFacts
    from leadglass_agent.policy.targets import Target, asks_for

    about_process, about_name, about_path = asks_for(permission)
    for option, given, wanted in (
        ("--process", asked.process, about_process),
        ("--name", asked.name, about_name),
        ("--path", asked.path, about_path),
    ):
        if given is not None and not wanted:
            raise Failure(ExitCode.USAGE, f"{permission} is not about that", f"leave out {option}")
    if asked.path is not None and not is_canonical(asked.path):
        what = f"{asked.path} is no path that an agent looks at"
        raise Failure(ExitCode.USAGE, what, "write it from / on, without '.', '..' and '//'")
    if (asked.process is None) is not (asked.uid is None) or (asked.executable and asked.process is None):
        raise Failure(ExitCode.USAGE, "a process has a name and a user", "give --process and --uid, or neither")
    process = None
    if asked.process is not None and asked.uid is not None:
        process = ProcessFacts(pid=1, uid=asked.uid, name=asked.process, executable=asked.executable)
    return Target(process, asked.name, asked.path)


def _standing(asked: Asked, permission: Permission) -> Standing:
    from leadglass_agent.policy.model import SpiffeId, Tier
    from leadglass_agent.policy.standing import Evidence, GrantedScope, Standing

    now = int(datetime.now(UTC).timestamp()) if asked.at_unix is None else asked.at_unix
    evidence = None
    if asked.amr or asked.acr or asked.signed_in_minutes is not None:
        evidence = Evidence("somebody", frozenset(asked.amr), asked.acr, now - (asked.signed_in_minutes or 0) * 60)
    approvers = tuple(map(SpiffeId, asked.approvers))
    grant = GrantedScope("the-grant", frozenset({permission}), approvers, asked.grant_minutes)
    return Standing(
        unix_ns=now * _NANOSECONDS,
        tier=Tier(asked.tier),
        certificate_since_unix=now - asked.certificate_minutes * 60,
        evidence=evidence,
        grants=(grant,) if approvers else (),
    )
