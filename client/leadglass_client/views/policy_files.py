"""Shows what is in policy files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_client.output.sheet import Cell, Column, Sheet
from leadglass_client.output.visible import printable, short_digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from leadglass_agent.policy.model import Policy
    from leadglass_client.output.records import Record

_FIELDS: Final = ("file", "name", "digest", "roles", "rules", "bindings", "unbound_roles", "break_glass")


def policies_sheet(read: Sequence[tuple[Path, Policy]]) -> Sheet:
    """Makes the sheet of all policies; the identifiers are their digests, as audit records name them."""
    titles = ("POLICY", "ROLES", "RULES", "BINDINGS", "BREAK-GLASS", "DIGEST", "FILE")
    records = tuple(_record(path, policy) for path, policy in read)
    return Sheet(
        document={"policies": list(records)},
        records=records,
        fields=_FIELDS,
        identifiers=tuple(policy.digest for _, policy in read),
        columns=tuple(Column(title, right=title in {"ROLES", "RULES", "BINDINGS"}) for title in titles),
        rows=tuple(_row(path, policy) for path, policy in read),
    )


def _record(path: Path, policy: Policy) -> Record:
    bound = {binding.role for binding in policy.bindings}
    return {
        "file": printable(str(path)),
        "name": policy.name,
        "digest": policy.digest,
        "roles": [role.name for role in policy.roles],
        "rules": sum(len(role.rules) for role in policy.roles),
        "bindings": len(policy.bindings),
        "unbound_roles": [role.name for role in policy.roles if role.name not in bound],
        "break_glass": policy.break_glass is not None,
    }


def _row(path: Path, policy: Policy) -> tuple[Cell, ...]:
    return (
        Cell(policy.name),
        Cell(str(len(policy.roles))),
        Cell(str(sum(len(role.rules) for role in policy.roles))),
        Cell(str(len(policy.bindings))),
        Cell("off" if policy.break_glass is None else "on"),
        Cell(short_digest(policy.digest)),
        Cell(printable(str(path))),
    )
