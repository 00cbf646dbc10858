"""Reads what needs approval by others: the grant rules of roles, and break-glass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UnsetType

from leadglass_agent.policy.glob import check_name
from leadglass_agent.policy.model import BreakGlass, Effect, GrantRule, Permission
from leadglass_agent.policy.parse_names import read_globs, read_roles

if TYPE_CHECKING:
    from leadglass_agent.policy.document import GrantRulePart, PolicyFile
    from leadglass_agent.strict_yaml import Document, Path


def role_grant(
    document: Document[PolicyFile], path: Path, part: GrantRulePart | UnsetType, roles: list[str]
) -> GrantRule | None:
    """Reads a role's grant rule; None if its permits count without a grant."""
    if isinstance(part, UnsetType):
        return None
    return GrantRule(
        approvals=part.approvals,
        approvers=read_roles(document, (*path, "approvers"), part.approvers, roles),
        max_minutes=part.max_minutes,
    )


def break_glass(document: Document[PolicyFile], roles: list[str]) -> BreakGlass | None:
    """Reads `spec.breakGlass`; None, and nothing is ever revealed, if the file has none."""
    part = document.value.spec.break_glass
    if isinstance(part, UnsetType):
        return None
    path = ("spec", "breakGlass")
    if part.approvals == 1 and not part.review_owed:
        raise document.error((*path, "approvals"), "one approval is enough only where 'reviewOwed' is true")
    return BreakGlass(
        names=read_globs(document, (*path, "names"), part.names, check_name),
        approvals=part.approvals,
        approvers=read_roles(document, (*path, "approvers"), part.approvers, roles),
        max_minutes=part.max_minutes,
        per_month=part.per_month,
        review_owed=part.review_owed,
    )


def check_reveals(document: Document[PolicyFile]) -> None:
    """Refuses a permit of env.reveal that would have no effect: it has none outside a grant or without break-glass."""
    spec = document.value.spec
    for at, role in enumerate(spec.roles):
        for index, rule in enumerate(role.rules):
            if rule.effect is not Effect.PERMIT or Permission.ENV_REVEAL.value not in rule.permissions:
                continue
            path = ("spec", "roles", at, "rules", index, "permissions", rule.permissions.index(Permission.ENV_REVEAL))
            if isinstance(role.grant, UnsetType):
                raise document.error(path, "env.reveal is permitted within grants alone: the role needs 'grant'")
            if isinstance(spec.break_glass, UnsetType):
                raise document.error(path, "env.reveal is off: 'spec.breakGlass' says for which variables it is on")
