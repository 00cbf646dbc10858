"""What is in force now of what the agent was given in files: read at the start, replaced by whole parts afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias, assert_never

from leadglass_agent.access.deny_list import DenyList, parse_deny_list
from leadglass_agent.access.jwks import MAX_JWKS, JwksError, parse_jwks
from leadglass_agent.credentials import read_credentials
from leadglass_agent.mounted_files import FilesUnread, digest_of, read_set
from leadglass_agent.start import StartRefused
from leadglass_agent.strict_yaml import MAX_BYTES, DocumentError

if TYPE_CHECKING:
    from leadglass_agent.config import Config
    from leadglass_agent.credentials import Credentials
    from leadglass_agent.policy.model import Policy
    from leadglass_agent.trust import Trust


class Part(StrEnum):
    """What is replaced as a whole."""

    TLS = "TLS"
    POLICY = "POLICY"
    DENY_LIST = "DENY_LIST"
    JWKS = "JWKS"


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of ID tokens, as the JSON text (RFC 7517) that the issuer gave; none if there is no issuer."""

    content: bytes = b""
    digest: str = ""


class KeySetError(Exception):
    """The file is no set of keys; the text says why and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class TlsReloaded:
    """Another certificate, key or set of authorities is in force."""

    old: Credentials
    new: Credentials


@dataclass(frozen=True, slots=True)
class PolicyReloaded:
    """Another policy is in force, with the keys that it names."""

    old: Policy
    new: Policy
    jwks: KeySet


@dataclass(frozen=True, slots=True)
class DenyListReloaded:
    """Another deny list is in force."""

    old: DenyList
    new: DenyList


@dataclass(frozen=True, slots=True)
class KeysReloaded:
    """Other keys of ID tokens are in force."""

    old: KeySet
    new: KeySet


@dataclass(frozen=True, slots=True)
class ReloadFailed:
    """New content cannot be used, so that the old stays in force; `detail` is for the audit log."""

    part: Part
    detail: str


Reloaded: TypeAlias = TlsReloaded | PolicyReloaded | DenyListReloaded | KeysReloaded
Change: TypeAlias = Reloaded | ReloadFailed


@dataclass(slots=True)
class Live:
    """What is in force; whoever decides reads each part once, and keeps it for the whole of a decision."""

    credentials: Credentials
    policy: Policy
    deny_list: DenyList
    jwks: KeySet

    @property
    def trust(self) -> Trust:
        """The authorities that vouch for callers."""
        return self.credentials.trust

    def take(self, change: Change) -> None:
        """Puts a change in force; a failure changes nothing."""
        match change:
            case TlsReloaded(new=credentials):
                self.credentials = credentials
            case PolicyReloaded(new=policy, jwks=jwks):
                self.policy, self.jwks = policy, jwks
            case DenyListReloaded(new=deny_list):
                self.deny_list = deny_list
            case KeysReloaded(new=keys):
                self.jwks = keys
            case ReloadFailed():
                pass
            case _:
                assert_never(change)


def read_live(config: Config, policy: Policy) -> Live:
    """Reads everything beside the policy; raises StartRefused for whatever cannot be used: a start has nothing old."""
    try:
        return Live(
            credentials=read_credentials(config.tls),
            policy=policy,
            deny_list=_read_deny_list(config.deny_list) if config.deny_list else DenyList(),
            jwks=read_key_set(policy),
        )
    except (FilesUnread, DocumentError, KeySetError) as error:
        raise StartRefused(str(error)) from None


def read_key_set(policy: Policy) -> KeySet:
    """Reads the keys that a policy names; raises FilesUnread or KeySetError."""
    if policy.evidence is None:
        return KeySet()
    path = policy.evidence.jwks
    return parse_key_set(read_set((path,), MAX_JWKS).contents[0], path)


def parse_key_set(content: bytes, path: str) -> KeySet:
    """Checks that a text is a set of keys that could sign tokens; raises KeySetError."""
    try:
        parse_jwks(content)
    except JwksError as error:
        message = f"{path}: {error}"
        raise KeySetError(message) from None
    return KeySet(content, digest_of((content,)))


def _read_deny_list(path: str) -> DenyList:
    return parse_deny_list(read_set((path,), MAX_BYTES).contents[0], path)
