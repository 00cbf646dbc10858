"""Authorities and certificates that live for seconds, handed out in advance of each end, as SPIRE's server does.

The next authority is made and published halfway through the life of the one that signs, and signs from one leaf's life
before its end on; the old one stays published until it has expired (SPIRE's documentation of CA rotation).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import ALICE, Recipe, issue, new_authority
from mounts import Mount

if TYPE_CHECKING:
    from pathlib import Path

    from certificates import Authority, Certificate

_AGENT = "spiffe://test.leadglass/agent/test"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a workload is given: certificate and key, the published authorities, and when to ask again."""

    leaf: Certificate
    bundle: bytes
    authority: int
    renew_at: float


class ShortLived:
    """Issues for Alice, and renews the agent's files in a mount that is swapped, for a with-block."""

    def __init__(self, mount: Path, server_name: str, *, authority_seconds: float, leaf_seconds: float) -> None:
        self._authority_seconds = authority_seconds
        self._leaf_seconds = leaf_seconds
        self._server_name = server_name
        self._lock = threading.Lock()
        self._published = [self._new_authority()]
        self.authorities = 1
        self._agent = self._identity_of_agent()
        self.mount = Mount(mount, _files(self._agent))
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        """Starts to renew."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops renewing."""
        self._done.set()
        self._thread.join()

    def alice(self) -> Identity:
        """Issues a certificate for Alice."""
        return self._identity(Recipe(uris=(ALICE,)))

    def _run(self) -> None:
        while not self._done.wait(0.1):
            with self._lock:
                bundle = self._bundle()
                self._rotate()
                is_new = self._bundle() != bundle
            if is_new or time.time() >= self._agent.renew_at:
                self._agent = self._identity_of_agent()
                self.mount.swap(_files(self._agent))

    def _rotate(self) -> None:
        now = time.time()
        self._published = [one for one in self._published if _end(one) > now]
        if _end(self._published[-1]) - now < self._authority_seconds / 2:
            self._published.append(self._new_authority())
            self.authorities += 1

    def _identity_of_agent(self) -> Identity:
        usages = (ExtendedKeyUsageOID.SERVER_AUTH,)
        return self._identity(Recipe(uris=(_AGENT,), dns=(self._server_name,), usages=usages))

    def _identity(self, recipe: Recipe) -> Identity:
        with self._lock:
            now = time.time()
            signer = next(one for one in self._published if _end(one) - now > self._leaf_seconds)
            made = replace(recipe, starts_in=-timedelta(seconds=10), ends_in=timedelta(seconds=self._leaf_seconds))
            number = self.authorities - len(self._published) + self._published.index(signer)
            return Identity(issue(signer, made), self._bundle(), number, now + self._leaf_seconds / 2)

    def _bundle(self) -> bytes:
        return b"".join(one.certificate.public_bytes(Encoding.PEM) for one in self._published)

    def _new_authority(self) -> Authority:
        return new_authority(lifetime=timedelta(seconds=self._authority_seconds))


def _end(authority: Authority) -> float:
    return authority.certificate.not_valid_after_utc.timestamp()


def _files(identity: Identity) -> dict[str, bytes]:
    return {"tls.crt": identity.leaf.pem, "tls.key": identity.leaf.key, "ca.crt": identity.bundle}
