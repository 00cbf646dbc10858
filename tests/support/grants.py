"""People with certificates, the grants that some ask for, and the envelopes that others sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from certificates import TRUST_DOMAIN, Recipe, issue
from leadglass_agent.access.dsse import Envelope, signed, write_envelope
from leadglass_agent.access.grant import GRANT_PAYLOAD, Grant, PodSelector
from leadglass_agent.access.grant_json import write_grant
from leadglass_agent.access.signer import certificates_text, read_signer
from leadglass_agent.policy.model import SpiffeId

if TYPE_CHECKING:
    from certificates import Authority, Certificate

GRANT_ID = "0123456789abcdef" * 2


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a certificate; `chain` holds it and what lies between it and the authority."""

    spiffe_id: SpiffeId
    certificate: Certificate
    chain: bytes

    @property
    def certificates(self) -> str:
        """The chain as signatures carry it."""
        return certificates_text(self.chain)

    @property
    def key_digest(self) -> str:
        """Hex SHA-256 of the public key."""
        return read_signer(self.certificates).key_digest

    @property
    def serial(self) -> str:
        """Serial number of the certificate, in hex."""
        return read_signer(self.certificates).serial


def spiffe_id_of(name: str) -> SpiffeId:
    """Gives the SPIFFE id of a user."""
    return SpiffeId(f"spiffe://{TRUST_DOMAIN}/user/{name}")


def person(authority: Authority, name: str, key: str = "P-256") -> Person:
    """Makes a user with a good certificate."""
    return certified(authority, Recipe(uris=(spiffe_id_of(name),), key=key))


def certified(authority: Authority, recipe: Recipe) -> Person:
    """Makes somebody with the certificate of a recipe."""
    certificate = issue(authority, recipe)
    return Person(SpiffeId(next(iter(recipe.uris), "")), certificate, certificate.pem)


def grant_for(requester: Person, now: int) -> Grant:
    """Makes a grant of an hour, from a minute ago, for the production pods of the namespace shop."""
    return Grant(
        grant_id=GRANT_ID,
        requester=requester.spiffe_id,
        requester_key=requester.key_digest,
        permissions=("processes.list", "env.presence"),
        pods=(PodSelector(namespace="shop"),),
        tier="prod",
        not_before_unix=now - 60,
        not_after_unix=now + 3_540,
        reason="orders fail since the last release",
        ticket="OPS-7",
    )


def envelope_of(grant: Grant, *approvers: Person) -> Envelope:
    """Makes the envelope of a grant that these people signed, in this order."""
    envelope = Envelope(GRANT_PAYLOAD, write_grant(grant))
    for approver in approvers:
        envelope = signed_by(envelope, approver)
    return envelope


def signed_by(envelope: Envelope, approver: Person) -> Envelope:
    """Adds a person's signature."""
    key = load_pem_private_key(approver.certificate.key, password=None)
    return signed(envelope, key, approver.certificates)


def approved(grant: Grant, *approvers: Person) -> str:
    """Writes the envelope of a grant that these people signed."""
    return write_envelope(envelope_of(grant, *approvers))
