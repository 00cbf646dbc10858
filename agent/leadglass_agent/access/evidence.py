"""Decides whether an OIDC ID token is evidence of who is there, as policy pins its issuer and keys.

The checks are those of OpenID Connect Core 1.0, section 3.1.3.7, and RFC 8725. What the token says of itself chooses
nothing but the key's id.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import warnings
from typing import TYPE_CHECKING, Final, Never

from leadglass_agent.access.jwks import JwksError, parse_jwks
from leadglass_agent.errors import EvidenceRefused
from leadglass_agent.policy.standing import Evidence

if TYPE_CHECKING:
    from leadglass_agent.access.jwks import PinnedKey
    from leadglass_agent.policy.model import EvidenceSource

MAX_TOKEN: Final = 16 * 1024
ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)

_LEEWAY_SECONDS: Final = 60
_SEGMENTS: Final = 3
_MAX_HEADER: Final = 4 * 1024
_MAX_SUBJECT: Final = 255  # OpenID Connect Core 1.0, section 2
_MAX_TEXT: Final = 256
_MAX_LIST: Final = 32
_MAX_UNIX: Final = 1 << 40  # beyond it is no time that anybody meant


def verify_id_token(token: str, *, source: EvidenceSource, jwks: bytes, nonce: str, now_unix: int) -> Evidence:
    """Gives what a token proves; raises EvidenceRefused, whose detail names the check and nothing of the token.

    `jwks` are the bytes of the pinned key set, `nonce` is what evidence_nonce gives, times are seconds since 1970.
    """
    if len(token) > MAX_TOKEN or not token.isascii():
        _refuse("the token is larger than 16 KiB or not ASCII")
    segments = token.split(".")
    if len(segments) != _SEGMENTS:
        _refuse("the token is not a signed one in the compact form")
    header = _Claims(_object(_decoded(segments[0], _MAX_HEADER)))
    claims = _Claims(_object(_decoded(segments[1], MAX_TOKEN)))
    _check_signature(token, header, source, _keys(jwks))
    _check_addressee(claims, source, nonce)
    _check_times(claims, now_unix)
    return Evidence(
        subject=claims.text("sub", _MAX_SUBJECT),
        amr=frozenset(claims.texts("amr", _MAX_TEXT)),
        acr=claims.text("acr", _MAX_TEXT) if claims.has("acr") else "",
        auth_unix=_past(claims, "auth_time", now_unix),
    )


class _Claims:
    """The members of a JSON object, each taken with its type and bound."""

    def __init__(self, members: dict[str, object]) -> None:
        self._members = members

    def has(self, name: str) -> bool:
        return name in self._members

    def text(self, name: str, longest: int) -> str:
        value = self._members.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= longest:
            _refuse(f"{name} is missing or no text of a fitting length")
        return value

    def texts(self, name: str, longest: int) -> tuple[str, ...]:
        """Gives a list of texts; a member that is absent is an empty one."""
        values = self._members.get(name, [])
        if not isinstance(values, list) or len(values) > _MAX_LIST:
            _refuse(f"{name} is no list of a fitting length")
        texts = tuple(value for value in values if isinstance(value, str) and len(value) <= longest)
        if len(texts) < len(values):
            _refuse(f"{name} holds something else than short texts")
        return texts

    def text_or_texts(self, name: str, longest: int) -> tuple[str, ...]:
        if isinstance(self._members.get(name), list):
            return self.texts(name, longest)
        return (self.text(name, longest),)

    def time(self, name: str) -> float:
        """Gives a NumericDate (RFC 7519, section 2): seconds since 1970, which may have a fraction."""
        value = self._members.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_UNIX:
            _refuse(f"{name} is missing or no time")
        return value


def _check_signature(token: str, header: _Claims, source: EvidenceSource, keys: tuple[PinnedKey, ...]) -> None:
    algorithm, key_id = header.text("alg", _MAX_TEXT), header.text("kid", _MAX_TEXT)
    # The library takes an empty list of algorithms as leave to choose, so membership is settled here.
    if algorithm not in source.algorithms & ALGORITHMS:
        _refuse("the algorithm is not one that policy lists")
    if header.has("crit") or header.has("b64"):
        _refuse("the header asks for an extension")
    pinned = next((key for key in keys if key.key_id == key_id), None)
    if pinned is None:
        _refuse("no pinned key has the token's kid")
    if pinned.algorithm not in {"", algorithm}:
        _refuse("the pinned key is for another algorithm")
    # Loaded with the first token, by those whose policy asks for any: with what it needs it takes 1.4 MB.
    from joserfc import jws  # noqa: PLC0415
    from joserfc.errors import JoseError, SecurityWarning  # noqa: PLC0415

    registry = jws.JWSRegistry(algorithms=(algorithm,), strict_check_header=False)
    registry.max_header_length, registry.max_payload_length = _MAX_HEADER, MAX_TOKEN
    try:
        with warnings.catch_warnings():
            # RFC 9864 renames EdDSA and deprecates the old name, which providers go on using.
            warnings.simplefilter("ignore", SecurityWarning)
            jws.deserialize_compact(token, pinned.key, registry=registry)
    except (JoseError, ValueError, TypeError):
        _refuse("the signature does not verify with the pinned key")


def _check_addressee(claims: _Claims, source: EvidenceSource, nonce: str) -> None:
    if claims.text("iss", _MAX_TEXT) != source.issuer:
        _refuse("iss is not the issuer that policy pins")
    audiences = claims.text_or_texts("aud", _MAX_TEXT)
    if source.audience not in audiences:
        _refuse("aud is not the audience that policy names")
    if (len(audiences) > 1 or claims.has("azp")) and claims.text("azp", _MAX_TEXT) != source.audience:
        _refuse("azp is not the audience that policy names")
    if not hmac.compare_digest(claims.text("nonce", _MAX_TEXT).encode(), nonce.encode()):
        _refuse("nonce is not bound to this key and these grants")


def _check_times(claims: _Claims, now_unix: int) -> None:
    if claims.time("exp") <= now_unix:
        _refuse("exp is over")
    if claims.has("nbf"):
        _past(claims, "nbf", now_unix)
    _past(claims, "iat", now_unix)


def _past(claims: _Claims, name: str, now_unix: int) -> int:
    """Takes a time that is not in the future, as far as two clocks agree."""
    when = claims.time(name)
    if when > now_unix + _LEEWAY_SECONDS:
        _refuse(f"{name} is in the future")
    return int(when)


def _keys(jwks: bytes) -> tuple[PinnedKey, ...]:
    try:
        return parse_jwks(jwks)
    except JwksError as error:
        _refuse(str(error))


def _decoded(segment: str, longest: int) -> bytes:
    """Decodes base64url without padding (RFC 7515, section 2) of which there is exactly one spelling."""
    try:
        data = base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        _refuse("a part of the token is not base64url")
    if len(data) > longest or base64.urlsafe_b64encode(data).rstrip(b"=") != segment.encode():
        _refuse("a part of the token is too large or not in its one spelling")
    return data


def _object(data: bytes) -> dict[str, object]:
    try:
        value: object = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        _refuse("a part of the token is not JSON, or a member is given twice")
    if not isinstance(value, dict):
        _refuse("a part of the token is not an object")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        message = "a member is given twice"
        raise ValueError(message)
    return members


def _no_constant(name: str) -> Never:
    raise ValueError(name)


def _refuse(detail: str) -> Never:
    # Without the cause: a library's text may quote the token.
    raise EvidenceRefused(detail) from None
