"""Reads a JSON Web Key Set (RFC 7517) that is pinned by policy: the public keys that may sign ID tokens."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Never, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from joserfc.jwk import ECKey, OKPKey, RSAKey

MAX_JWKS: Final = 256 * 1024
_MAX_KEYS: Final = 64
_MAX_KEY_ID: Final = 256
_MIN_RSA_BITS: Final = 2048  # RFC 7518, sections 3.3 and 3.5

PublicKey: TypeAlias = "RSAKey | ECKey | OKPKey"

_KINDS: Final = frozenset({"RSA", "EC", "OKP"})


class JwksError(Exception):
    """A file that is no usable key set; its text says why and echoes nothing of it."""


@dataclass(frozen=True, slots=True)
class PinnedKey:
    """One public key by its id, and the one algorithm that it is for; an empty one leaves that to the key's type."""

    key_id: str
    algorithm: str
    key: PublicKey


def parse_jwks(text: bytes) -> tuple[PinnedKey, ...]:
    """Reads a key set of at most 256 KiB and 64 keys; raises JwksError.

    Keys for encryption, of unknown types and without an id are left out, as providers publish them beside the others.
    A secret or private key is an error: the file is public, or something went wrong where it was written.
    """
    if len(text) > MAX_JWKS:
        _refuse("the key set is larger than 256 KiB")
    try:
        value: object = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        _refuse("the key set is not JSON, or a member is given twice")
    listed = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(listed, list) or len(listed) > _MAX_KEYS:
        _refuse("the key set has no list of at most 64 keys")
    keys = [key for key in map(_key, listed) if key is not None]
    if not keys:
        _refuse("the key set has no key that could sign a token")
    if len({key.key_id for key in keys}) < len(keys):
        _refuse("two keys of the set have the same id")
    return tuple(keys)


def _key(value: object) -> PinnedKey | None:
    if not isinstance(value, dict):
        _refuse("a key of the set is not an object")
    members = {name: text for name, text in value.items() if isinstance(text, str)}
    if members.get("kty") == "oct" or "d" in value or "k" in value:
        _refuse("the key set holds a secret or private key")
    kind = members.get("kty", "")
    key_id = members.get("kid", "")
    if kind not in _KINDS or not 0 < len(key_id) <= _MAX_KEY_ID or value.get("use", "sig") != "sig":
        return None
    return PinnedKey(key_id, members.get("alg", ""), _imported(kind, members))


def _imported(kind: str, members: Mapping[str, str]) -> PublicKey:
    # Loaded with the first key, by those whose policy pins any: with what it needs it takes 1.4 MB.
    from joserfc.errors import JoseError, SecurityWarning  # noqa: PLC0415
    from joserfc.jwk import ECKey, OKPKey, RSAKey  # noqa: PLC0415

    kinds: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    try:
        with warnings.catch_warnings():
            # A short key is refused below; a warning on standard error would be no answer to anybody.
            warnings.simplefilter("ignore", SecurityWarning)
            key = kinds[kind].import_key(dict(members))
            # The library makes the key of its numbers only when it is used.
            native = key.public_key
    except (JoseError, ValueError, TypeError, KeyError):
        _refuse("a key of the set cannot be read")
    if isinstance(key, RSAKey) and getattr(native, "key_size", 0) < _MIN_RSA_BITS:
        _refuse("an RSA key of the set has less than 2048 bits")
    return key


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        message = "a member is given twice"
        raise ValueError(message)
    return members


def _refuse(text: str) -> Never:
    raise JwksError(text) from None
