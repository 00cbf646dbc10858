"""Writes a standing as JSON and reads it back, so that a recorded call can be decided again by another policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec

from leadglass_agent.policy.model import Permission, ProcessSelector, SpiffeId, Tier
from leadglass_agent.policy.standing import Evidence, GrantedScope, Standing
from leadglass_agent.recordings.format import RecordingError

if TYPE_CHECKING:
    from leadglass_agent.recordings.records import Json


class _Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    subject: str
    amr: tuple[str, ...]
    acr: str
    auth_unix: int


class _Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    grant_id: str
    permissions: tuple[Permission, ...]
    approvers: tuple[SpiffeId, ...]
    minutes: int
    processes: tuple[ProcessSelector, ...]
    names: tuple[str, ...]
    paths: tuple[str, ...]


class _Standing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    unix_ns: int
    tier: Tier
    certificate_since_unix: int
    evidence: _Evidence | None
    grants: tuple[_Grant, ...]


def standing_fields(standing: Standing) -> dict[str, Json]:
    """Gives a standing's fields; what is a set is a sorted list, so that the same standing is always the same text."""
    written = _Standing(
        unix_ns=standing.unix_ns,
        tier=standing.tier,
        certificate_since_unix=standing.certificate_since_unix,
        evidence=None if standing.evidence is None else _evidence(standing.evidence),
        grants=tuple(_grant(grant) for grant in standing.grants),
    )
    # By way of the text: there tuples are lists, as they are when somebody reads it.
    return cast("dict[str, Json]", msgspec.json.decode(msgspec.json.encode(written)))


def standing_of(fields: dict[str, Json]) -> Standing:
    """Gives the standing that was written; raises RecordingError."""
    try:
        read = msgspec.convert(fields, _Standing)
    except msgspec.ValidationError as error:
        message = f"a recorded standing is none: {error}"
        raise RecordingError(message) from None
    seen = read.evidence
    return Standing(
        unix_ns=read.unix_ns,
        tier=read.tier,
        certificate_since_unix=read.certificate_since_unix,
        evidence=None if seen is None else Evidence(seen.subject, frozenset(seen.amr), seen.acr, seen.auth_unix),
        grants=tuple(
            GrantedScope(
                grant_id=grant.grant_id,
                permissions=frozenset(grant.permissions),
                approvers=grant.approvers,
                minutes=grant.minutes,
                processes=grant.processes,
                names=grant.names,
                paths=grant.paths,
            )
            for grant in read.grants
        ),
    )


def _evidence(evidence: Evidence) -> _Evidence:
    return _Evidence(evidence.subject, tuple(sorted(evidence.amr)), evidence.acr, evidence.auth_unix)


def _grant(grant: GrantedScope) -> _Grant:
    return _Grant(
        grant_id=grant.grant_id,
        permissions=tuple(sorted(grant.permissions)),
        approvers=grant.approvers,
        minutes=grant.minutes,
        processes=grant.processes,
        names=grant.names,
        paths=grant.paths,
    )
