"""Says what a scope admits that another did not, for lists of which a recording holds only what they showed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.glob import matches_path
from leadglass_agent.policy.members import TooManyMembersError
from leadglass_agent.policy.model import RuleId
from leadglass_agent.policy.scope import Scope, ScopeRule
from leadglass_agent.policy.targets import Target, admits, targets_of
from leadglass_client.replay.changes import Change, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from leadglass_agent.policy.model import Permission
    from leadglass_client.replay.admitting import KnownProcess

WITHOUT_BEFORE: Final = "what the policy of then hid is not in the recording: give that policy as well"
_TOO_MANY: Final = "the two policies tell too many kinds apart to compare them to the end"
_MAX_EXAMPLES: Final = 3
_NO_RULE: Final = RuleId("")


@dataclass(frozen=True, slots=True)
class Asked:
    """Scopes that must admit together, before and after; `before` is None if the policy of then is not there."""

    permission: Permission
    before: tuple[Scope | None, ...] | None
    after: tuple[Scope | None, ...]
    process: KnownProcess | None = None
    below: str = ""


def gain(asked: Asked, write: Callable[[Target], str]) -> tuple[Change, ...]:
    """Gives what may be shown besides: with examples of what the scopes before hid, or with why nobody can tell.

    With `below` set, only the entries of that folder count.
    """
    what = asked.permission.value
    if asked.before == asked.after:
        return ()
    if asked.before is None:
        return (Change(Kind.MAY_SHOW, what, note=WITHOUT_BEFORE),)
    try:
        found = _gained(asked)
    except TooManyMembersError:
        return (Change(Kind.MAY_SHOW, what, note=_TOO_MANY),)
    if not found:
        return ()
    examples = tuple(dict.fromkeys(write(target) for target in found))
    return (Change(Kind.MAY_SHOW, what, items=examples[:_MAX_EXAMPLES], note="if there are such: these are examples"),)


@lru_cache(maxsize=1024)
def _gained(asked: Asked) -> Sequence[Target]:
    before, after = asked.before or (), asked.after
    scopes = [scope for scope in (*before, *after) if scope is not None]
    children = f"{asked.below.rstrip('/')}/*" if asked.below else ""
    # A glob of its own tells the entries of the folder apart from everything else.
    marked = [*scopes, Scope((ScopeRule(rule_id=_NO_RULE, paths=(children,)),))] if children else scopes
    process = asked.process
    given = Target(process=process.facts if process is not None and not process.unknown else None)
    return [
        target
        for target in targets_of(marked, asked.permission, given)
        if (not children or (target.path is not None and matches_path(children, target.path)))
        and _all(after, asked.permission, target)
        and not _all(before, asked.permission, target)
    ]


def _all(scopes: tuple[Scope | None, ...], permission: Permission, target: Target) -> bool:
    return all(scope is not None and admits(scope, permission, target) for scope in scopes)
