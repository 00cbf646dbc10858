"""Reads the deny list: certificates, keys, callers and grants that are refused whatever else is right about them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from leadglass_agent.spiffe import trust_domain_of
from leadglass_agent.strict_yaml import load_document, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.identity import Caller
    from leadglass_agent.strict_yaml import Document

_ENTRIES: Final = 10_000
# As tools print them: openssl in capitals, some with a colon between bytes (RFC 5280 bounds a serial to 20 bytes).
_SERIAL: Final = re.compile(r"[0-9A-Fa-f]{1,42}|[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){0,20}")
_KEY: Final = re.compile(r"[0-9A-Fa-f]{64}|[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31}")
_GRANT: Final = re.compile(r"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_SEPARATORS: Final = str.maketrans("", "", ":-")


@dataclass(frozen=True, slots=True)
class DenyList:
    """What is refused: serials (hex without leading zeros), keys (SHA-256 of the SPKI), SPIFFE ids, ids of grants.

    `digest` is `sha256:` and the hex digest of the file's bytes; the list that nobody configured has none.
    """

    digest: str = ""
    serials: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    callers: frozenset[str] = frozenset()
    grants: frozenset[str] = frozenset()

    def denies(self, name: str) -> bool:
        """Says whether a serial, key digest, SPIFFE id or grant id is refused; their shapes keep them apart."""
        return name in self.serials or name in self.keys or name in self.callers or name in self.grants

    def denies_caller(self, caller: Caller) -> bool:
        """Says whether a caller is refused by certificate, key or id."""
        return caller.serial in self.serials or caller.key_digest in self.keys or caller.spiffe_id in self.callers


_Entries = Annotated[tuple[str, ...], msgspec.Meta(max_length=_ENTRIES)]


class _Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    serials: _Entries = ()
    keys: _Entries = ()
    callers: _Entries = ()
    grants: _Entries = ()


class _Metadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    api_version: Literal["leadglass.dev/v1"]
    kind: Literal["DenyList"]
    metadata: _Metadata
    spec: _Spec


def parse_deny_list(text: bytes, source: str) -> DenyList:
    """Parses a deny list; raises DocumentError with `source:line:column: message`.

    An entry that could never fit anything is an error: somebody believes that it refuses something.
    """
    document = load_document(text, source, _File)
    spec = document.value.spec
    return DenyList(
        digest=f"sha256:{hashlib.sha256(text).hexdigest()}",
        serials=_entries(document, "serials", spec.serials, _serial),
        keys=_entries(document, "keys", spec.keys, _key),
        callers=_entries(document, "callers", spec.callers, _caller),
        grants=_entries(document, "grants", spec.grants, _grant),
    )


def _entries(
    document: Document[_File], field: str, given: tuple[str, ...], read: Callable[[str], str | None]
) -> frozenset[str]:
    known: set[str] = set()
    for at, text in enumerate(given):
        name = read(text)
        if name is None:
            message = f"{quoted(text)} is not one: {_SHAPES[field]}"
            raise document.error(("spec", field, at), message)
        known.add(name)
    return frozenset(known)


_SHAPES: Final = {
    "serials": "a certificate's serial number in hexadecimal, in quotes",
    "keys": "the SHA-256 of a public key (SPKI), 64 hexadecimal digits",
    "callers": "a whole SPIFFE id such as spiffe://example.org/user/alice, without wildcards",
    "grants": "the id of a grant, a UUID",
}


def _serial(text: str) -> str | None:
    return f"{int(text.translate(_SEPARATORS), 16):x}" if _SERIAL.fullmatch(text) else None


def _key(text: str) -> str | None:
    return text.translate(_SEPARATORS).lower() if _KEY.fullmatch(text) else None


def _caller(text: str) -> str | None:
    return text if trust_domain_of(text) is not None else None


def _grant(text: str) -> str | None:
    return text.translate(_SEPARATORS).lower() if _GRANT.fullmatch(text) else None
