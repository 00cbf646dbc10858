"""Knows every rule that a mask can name: a closed set, so that rules can be labels of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.findings import RuleId

if TYPE_CHECKING:
    from leadglass_agent.redaction.database import Database

# What context rules give, which are code and no data; a test finds one that is missing here.
CONTEXT_RULES: Final = frozenset(
    RuleId(name)
    for name in (
        "api-key",
        "argument-secret",
        "authorization",
        "aws-secret-access-key",
        "connection-string",
        "cookie",
        "credential",
        "encoded-secret",
        "kubernetes-secret",
        "license-key",
        "login",
        "one-time-code",
        "password",
        "password-like",
        "private-key",
        "recovery-phrase",
        "secret",
        "session-id",
        "snmp-community",
        "token",
        "token-like",
        "unread-script",
        "url-password",
        "url-signature",
    )
)


def rule_ids_of(database: Database) -> frozenset[RuleId]:
    """Gives the ids of the catalogue's rules and of the context rules."""
    steps = database.steps
    heads = {head.rule_id for head in steps.heads}
    besides = {shape.rule_id for shapes in steps.besides for shape in shapes}
    return CONTEXT_RULES | heads | besides
