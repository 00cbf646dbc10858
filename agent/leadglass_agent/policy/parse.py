"""Reads a policy file into a Policy, or says at which line and column it is not one."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from msgspec import UnsetType

from leadglass_agent.policy import document as parts
from leadglass_agent.policy.glob import PatternError, check_segments
from leadglass_agent.policy.model import Binding, Policy, Profile, Role
from leadglass_agent.policy.parse_approval import break_glass, check_reveals, role_grant
from leadglass_agent.policy.parse_conditions import role_conditions
from leadglass_agent.policy.parse_evidence import evidence_source
from leadglass_agent.policy.parse_guard import guard_limits
from leadglass_agent.policy.parse_limits import policy_limits, role_budget, role_limits
from leadglass_agent.policy.parse_names import check_names, check_role, read_globs
from leadglass_agent.policy.parse_rules import read_rule
from leadglass_agent.strict_yaml import Document, Path, load_document

if TYPE_CHECKING:
    from leadglass_agent.policy.model import SessionLimits

# The trust domain is literal, and each segment below it is made of what a SPIFFE id may hold, or of wildcards.
_CALLER: Final = re.compile(r"spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._*?-]+)+")

_Document = Document[parts.PolicyFile]


def parse_policy(text: bytes, source: str) -> Policy:
    """Reads a policy; `source` is the file's name for errors, which are all DocumentError."""
    document = load_document(text, source, parts.PolicyFile)
    spec = document.value.spec
    names = [role.name for role in spec.roles]
    check_names(document, [(("metadata", "name"), document.value.metadata.name)])
    check_names(document, [(("spec", "roles", at, "name"), name) for at, name in enumerate(names)])
    _check_rule_ids(document)
    session = policy_limits(document)
    roles = tuple(_role(document, ("spec", "roles", at), role, names, session) for at, role in enumerate(spec.roles))
    check_reveals(document)
    return Policy(
        name=document.value.metadata.name,
        digest=f"sha256:{hashlib.sha256(text).hexdigest()}",
        roles=roles,
        bindings=tuple(
            _binding(document, ("spec", "bindings", at), binding, names) for at, binding in enumerate(spec.bindings)
        ),
        session=session,
        redaction=None if isinstance(spec.redaction, UnsetType) else Profile(spec.redaction),
        evidence=evidence_source(document),
        guard=guard_limits(document),
        break_glass=break_glass(document, names),
    )


def _check_rule_ids(document: _Document) -> None:
    ids: list[tuple[Path, str]] = [
        (("spec", "roles", at, "rules", index, "id"), rule.id)
        for at, role in enumerate(document.value.spec.roles)
        for index, rule in enumerate(role.rules)
    ]
    if len(ids) > parts.MAX_RULES:
        raise document.error(ids[parts.MAX_RULES][0], f"a policy has at most {parts.MAX_RULES} rules")
    check_names(document, ids)


def _role(document: _Document, path: Path, role: parts.RolePart, names: list[str], session: SessionLimits) -> Role:
    return Role(
        name=role.name,
        rules=tuple(read_rule(document, (*path, "rules", at), rule) for at, rule in enumerate(role.rules)),
        session=role_limits(document, (*path, "session"), role.session, session),
        conditions=role_conditions(document, (*path, "conditions"), role.conditions),
        grant=role_grant(document, (*path, "grant"), role.grant, names),
        budget=role_budget(document, (*path, "budget"), role.budget),
    )


def _binding(document: _Document, path: Path, binding: parts.BindingPart, names: list[str]) -> Binding:
    check_role(document, (*path, "role"), binding.role, names)
    return Binding(binding.role, read_globs(document, (*path, "callers"), binding.callers, _check_caller))


def _check_caller(pattern: str) -> None:
    check_segments(pattern)
    segments = pattern.split("/")
    if not _CALLER.fullmatch(pattern) or not {".", ".."}.isdisjoint(segments):
        message = "a caller is a SPIFFE id such as spiffe://example.org/ns/*/sa/sre, with its trust domain written out"
        raise PatternError(message)
