"""Writes docs/access-matrix.md, who may do what under the shipped policies: `python -m leadglass_agent.api.matrix`.

Everything on the page is asked of the code: the method table for what each RPC needs, and `decide` for what each role
gives in pods of each tier. So an RPC, a permission or a role that is new makes the page stale until it is written anew.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leadglass_agent.api.methods import METHODS
from leadglass_agent.policy.changes import ChangeKind
from leadglass_agent.policy.decide import DenyReason
from leadglass_agent.policy.explain import explain
from leadglass_agent.policy.model import Binding, Permission, SpiffeId, Tier
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.policy.question import Question, Yes, answer
from leadglass_agent.policy.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leadglass_agent.policy.model import Policy

PAGE: Final = Path("docs/access-matrix.md")
SHIPPED: Final = ("open", "production", "regulated")
_ROLES: Final = ("viewer", "sre", "sre-granted", "dashboard", "approver", "auditor", "admin")
_NOON: Final = 1_767_614_400  # Monday 2026-01-05T12:00:00Z, within everybody's working hours
_SOMEBODY: Final = SpiffeId("spiffe://matrix/somebody")
_CHANGES: Final = {
    ChangeKind.BRING_GRANT: "grant",
    ChangeKind.SHOW_EVIDENCE: "ID token",
    ChangeKind.RENEW_CERTIFICATE: "newer certificate",
    ChangeKind.WAIT_FOR_WINDOW: "other hours",
    ChangeKind.ASK_IN_TIER: "other tier",
}
_HEAD: Final = """\
# Who may do what

This page is written by `python -m leadglass_agent.api.matrix --write`, and the tests hold it to the code.

## What each call needs

| call | needs | shows more with | in a session |
|---|---|---|---|
"""
_LEGEND: Final = """
## What each role gives

By the [shipped policies](policies.md), on a Monday at noon, with a certificate of five minutes ago, in pods of
either tier: `prod / non-prod`, or one word if it is the same in both. **yes**: as the role stands, for at least
something. **grant**, **ID token**: not without, and yes with one that satisfies the policy. **–**: no rule permits it.
**never**: a rule forbids it whatever other roles the caller holds.
"""


def page(policies: Sequence[Policy]) -> str:
    """Gives the whole page for policies that are named as the shipped ones are."""
    return _HEAD + "".join(f"{line}\n" for line in _calls()) + _LEGEND + "".join(_of_policy(one) for one in policies)


def read_shipped(root: Path) -> tuple[Policy, ...]:
    """Reads the shipped policies of a working tree."""
    files = [root / "policies" / f"{name}.yaml" for name in SHIPPED]
    return tuple(parse_policy(file.read_bytes(), str(file)) for file in files)


def main() -> int:
    """Writes the page, or checks that it is current, in the working tree that is the current folder."""
    given = sys.argv[1:]
    if given not in (["--write"], ["--check"]):
        sys.stderr.write("say --write or --check\n")
        return 2
    text = page(read_shipped(Path()))
    if given == ["--write"]:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{PAGE} is not what the code says: run it with --write\n")
    return 1


def _calls() -> Iterator[str]:
    for method in METHODS:
        name = method.name.rpartition(".")[2].replace("/", ".")
        more = ", ".join(f"`{permission}`" for permission in method.widens) or "–"
        yield f"| `{name}` | `{method.needs}` | {more} | {'yes' if method.in_session else 'no'} |"


def _of_policy(policy: Policy) -> str:
    roles = sorted((role.name for role in policy.roles), key=_place)
    lines = [f"\n### `{policy.name}`\n\n", f"| permission | {' | '.join(roles)} |\n", f"|---|{'---|' * len(roles)}\n"]
    for permission in Permission:
        cells = " | ".join(_cell(policy, role, permission) for role in roles)
        lines.append(f"| `{permission}` | {cells} |\n")
    return "".join(lines)


def _place(role: str) -> tuple[int, str]:
    return (_ROLES.index(role) if role in _ROLES else len(_ROLES)), role


def _cell(policy: Policy, role: str, permission: Permission) -> str:
    words = [_word(policy, role, permission, tier) for tier in Tier]
    return words[0] if len(set(words)) == 1 else " / ".join(words)


def _word(policy: Policy, role: str, permission: Permission, tier: Tier) -> str:
    """Asks for somebody who holds this role alone, beside those who hold what they have by the file."""
    bound = replace(policy, bindings=(*policy.bindings, Binding(role, (_SOMEBODY,))))
    question = Question(_SOMEBODY, permission, Standing(_NOON * 1_000_000_000, tier, _NOON - 300))
    given = answer(bound, question)
    if isinstance(given, Yes):
        return "yes"
    if given.why is DenyReason.FORBIDDEN:
        return "never"
    ways = [way for way in explain(bound, question).ways if not any(change.is_to_policy for change in way.changes)]
    if not ways:
        return "–"
    return " and ".join(_CHANGES[change.kind] for change in ways[0].changes)


if __name__ == "__main__":
    sys.exit(main())
