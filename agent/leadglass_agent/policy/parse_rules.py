"""Reads the rules of a policy file, and refuses one that says less or more than it seems to."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET, UnsetType

from leadglass_agent.policy import document as parts
from leadglass_agent.policy.glob import check_name, check_path
from leadglass_agent.policy.granted import GRANTLESS
from leadglass_agent.policy.model import Effect, Permission, ProcessSelector, Profile, Rule, RuleId
from leadglass_agent.policy.parse_names import listed, nearest, read_globs, refuse_twice
from leadglass_agent.strict_yaml import Document, Path, quoted

_ENVIRONMENT: Final = frozenset({Permission.ENV_PRESENCE, Permission.ENV_NAMES, Permission.ENV_REVEAL})
_FILES: Final = frozenset(
    {Permission.FILES_METADATA, Permission.FILES_LIST, Permission.FILES_ACCESS, Permission.TEXT_REDACTED}
)
_TEXT: Final = frozenset({Permission.PROCESSES_ARGV, Permission.TEXT_REDACTED})
# They show nothing of any process, which is also why they need no grant.
_PROCESSLESS: Final = GRANTLESS

_Document = Document[parts.PolicyFile]


def read_rule(document: _Document, path: Path, rule: parts.RulePart) -> Rule:
    """Reads one rule; raises DocumentError at what is wrong in it."""
    permissions = _permissions(document, (*path, "permissions"), rule.permissions)
    _check_selectors(document, path, rule, permissions)
    _check_redaction(document, (*path, "redaction"), rule, permissions)
    processes = () if isinstance(rule.processes, UnsetType) else rule.processes
    return Rule(
        rule_id=RuleId(rule.id),
        effect=rule.effect,
        permissions=permissions,
        processes=tuple(_selector(document, (*path, "processes", at), part) for at, part in enumerate(processes)),
        names=read_globs(document, (*path, "names"), rule.names, check_name),
        paths=read_globs(document, (*path, "paths"), rule.paths, check_path),
        redaction=None if isinstance(rule.redaction, UnsetType) else rule.redaction,
    )


def _permissions(document: _Document, path: Path, given: tuple[str, ...]) -> frozenset[Permission]:
    known = [permission.value for permission in Permission]
    for at, name in enumerate(given):
        if name not in known:
            raise document.error((*path, at), f"unknown permission {quoted(name)}{nearest(name, known)}")
    refuse_twice(document, listed(path, given))
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
        foreign = next(permission for permission in Permission if permission in permissions & _PROCESSLESS)
        raise document.error((*path, "processes"), f"'processes' does not go with {foreign}")
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
        names=read_globs(document, (*path, "names"), part.names, check_name),
        executables=read_globs(document, (*path, "executables"), part.executables, check_path),
        uids=() if isinstance(part.uids, UnsetType) else part.uids,
    )
