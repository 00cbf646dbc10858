"""Reads a policy file into a Policy, or says at which line and column it is not one."""

from __future__ import annotations

import hashlib
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from msgspec import UNSET, UnsetType

from leadglass_agent.policy import document as parts
from leadglass_agent.policy.glob import PatternError, check_name, check_path, check_segments
from leadglass_agent.policy.model import (
    Binding,
    Effect,
    Permission,
    Policy,
    ProcessSelector,
    Profile,
    Role,
    Rule,
    RuleId,
)
from leadglass_agent.policy.parse_limits import policy_limits, role_limits
from leadglass_agent.strict_yaml import Document, Path, load_document, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from leadglass_agent.policy.model import SessionLimits

# A DNS label, as Kubernetes asks of its own names.
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# The trust domain is literal, and each segment below it is made of what a SPIFFE id may hold, or of wildcards.
_CALLER: Final = re.compile(r"spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._*?-]+)+")
_ENVIRONMENT: Final = frozenset({Permission.ENV_PRESENCE, Permission.ENV_NAMES})
_FILES: Final = frozenset({Permission.FILES_METADATA, Permission.FILES_LIST, Permission.TEXT_REDACTED})
_TEXT: Final = frozenset({Permission.PROCESSES_ARGV, Permission.TEXT_REDACTED})
_PROCESSLESS: Final = frozenset({Permission.SESSION_OPEN, Permission.AGENT_SELF})

_Document = Document[parts.PolicyFile]


def parse_policy(text: bytes, source: str) -> Policy:
    """Reads a policy; `source` is the file's name for errors, which are all DocumentError."""
    document = load_document(text, source, parts.PolicyFile)
    spec = document.value.spec
    _check_names(document, [(("metadata", "name"), document.value.metadata.name)])
    _check_names(document, [(("spec", "roles", at, "name"), role.name) for at, role in enumerate(spec.roles)])
    _check_rule_ids(document)
    session = policy_limits(document)
    roles = tuple(_role(document, ("spec", "roles", at), role, session) for at, role in enumerate(spec.roles))
    names = [role.name for role in roles]
    return Policy(
        name=document.value.metadata.name,
        digest=f"sha256:{hashlib.sha256(text).hexdigest()}",
        roles=roles,
        bindings=tuple(
            _binding(document, ("spec", "bindings", at), binding, names) for at, binding in enumerate(spec.bindings)
        ),
        session=session,
        redaction=None if isinstance(spec.redaction, UnsetType) else Profile(spec.redaction),
    )


def _check_rule_ids(document: _Document) -> None:
    ids: list[tuple[Path, str]] = [
        (("spec", "roles", at, "rules", index, "id"), rule.id)
        for at, role in enumerate(document.value.spec.roles)
        for index, rule in enumerate(role.rules)
    ]
    if len(ids) > parts.MAX_RULES:
        raise document.error(ids[parts.MAX_RULES][0], f"a policy has at most {parts.MAX_RULES} rules")
    _check_names(document, ids)


def _role(document: _Document, path: Path, role: parts.RolePart, session: SessionLimits) -> Role:
    return Role(
        name=role.name,
        rules=tuple(_rule(document, (*path, "rules", at), rule) for at, rule in enumerate(role.rules)),
        session=role_limits(document, (*path, "session"), role.session, session),
    )


def _rule(document: _Document, path: Path, rule: parts.RulePart) -> Rule:
    permissions = _permissions(document, (*path, "permissions"), rule.permissions)
    _check_selectors(document, path, rule, permissions)
    _check_redaction(document, (*path, "redaction"), rule, permissions)
    processes = () if isinstance(rule.processes, UnsetType) else rule.processes
    return Rule(
        rule_id=RuleId(rule.id),
        effect=rule.effect,
        permissions=permissions,
        processes=tuple(_selector(document, (*path, "processes", at), part) for at, part in enumerate(processes)),
        names=_globs(document, (*path, "names"), rule.names, check_name),
        paths=_globs(document, (*path, "paths"), rule.paths, check_path),
        redaction=None if isinstance(rule.redaction, UnsetType) else rule.redaction,
    )


def _permissions(document: _Document, path: Path, given: tuple[str, ...]) -> frozenset[Permission]:
    known = [permission.value for permission in Permission]
    for at, name in enumerate(given):
        if name not in known:
            raise document.error((*path, at), f"unknown permission {quoted(name)}{_nearest(name, known)}")
    _refuse_twice(document, [((*path, at), name) for at, name in enumerate(given)])
    return frozenset(Permission(name) for name in given)


def _check_selectors(document: _Document, path: Path, rule: parts.RulePart, permissions: frozenset[Permission]) -> None:
    """Refuses selectors that would not bind all permissions of the rule, and permits that leave open what they show."""
    if rule.names is not UNSET and not permissions <= _ENVIRONMENT:
        raise document.error(
            (*path, "names"), "'names' goes with env permissions alone; give the others a rule of their own"
        )
    if rule.paths is not UNSET and not permissions <= _FILES:
        raise document.error(
            (*path, "paths"), "'paths' goes with files and text permissions alone; give the others a rule of their own"
        )
    if rule.processes is not UNSET and permissions & _PROCESSLESS:
        raise document.error((*path, "processes"), "'processes' does not go with session.open or agent.self")
    if rule.effect is Effect.PERMIT and permissions & _ENVIRONMENT and rule.names is UNSET:
        raise document.error(path, "a permit of env permissions must say which 'names'; all of them are ['*']")
    if rule.effect is Effect.PERMIT and permissions & _FILES and rule.paths is UNSET:
        raise document.error(
            path, "a permit of files or text permissions must say which 'paths'; all of them are ['/**']"
        )


def _check_redaction(document: _Document, path: Path, rule: parts.RulePart, permissions: frozenset[Permission]) -> None:
    """Refuses a profile where no text is shown, or where it has no effect."""
    if isinstance(rule.redaction, UnsetType):
        return
    if rule.effect is not Effect.PERMIT or not permissions & _TEXT:
        raise document.error(path, "'redaction' goes with a permit of text.redacted or processes.argv")
    if rule.redaction is Profile.BALANCED and document.value.spec.redaction is not UNSET:
        raise document.error(path, "the policy's own 'redaction' is strict, so this would have no effect")


def _selector(document: _Document, path: Path, part: parts.ProcessesPart) -> ProcessSelector:
    if part == parts.ProcessesPart():
        raise document.error(path, "a process selector needs 'names', 'executables' or 'uids'")
    return ProcessSelector(
        names=_globs(document, (*path, "names"), part.names, check_name),
        executables=_globs(document, (*path, "executables"), part.executables, check_path),
        uids=() if isinstance(part.uids, UnsetType) else part.uids,
    )


def _globs(
    document: _Document, path: Path, patterns: tuple[str, ...] | UnsetType, check: Callable[[str], None]
) -> tuple[str, ...]:
    if isinstance(patterns, UnsetType):
        return ()
    for at, pattern in enumerate(patterns):
        try:
            check(pattern)
        except PatternError as fault:
            raise document.error((*path, at), str(fault)) from None
    return patterns


def _binding(document: _Document, path: Path, binding: parts.BindingPart, roles: list[str]) -> Binding:
    if binding.role not in roles:
        raise document.error((*path, "role"), f"unknown role {quoted(binding.role)}{_nearest(binding.role, roles)}")
    return Binding(binding.role, _globs(document, (*path, "callers"), binding.callers, _check_caller))


def _check_caller(pattern: str) -> None:
    check_segments(pattern)
    segments = pattern.split("/")
    if not _CALLER.fullmatch(pattern) or not {".", ".."}.isdisjoint(segments):
        message = "a caller is a SPIFFE id such as spiffe://example.org/ns/*/sa/sre, with its trust domain written out"
        raise PatternError(message)


def _check_names(document: _Document, named: list[tuple[Path, str]]) -> None:
    for path, name in named:
        if not _NAME.fullmatch(name):
            raise document.error(path, f"{quoted(name)} is not a name of at most 63 characters a-z, 0-9 and '-'")
    _refuse_twice(document, named)


def _refuse_twice(document: _Document, named: Iterable[tuple[Path, str]]) -> None:
    seen: set[str] = set()
    for path, name in named:
        if name in seen:
            raise document.error(path, f"{quoted(name)} is there twice")
        seen.add(name)


def _nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name[:64], known, n=1, cutoff=0.5)
    return f"; did you mean {quoted(near[0])}?" if near else ""
