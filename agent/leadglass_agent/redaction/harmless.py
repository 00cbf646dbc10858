"""Decides which values under a secret's name are plainly no secret."""

from __future__ import annotations

import re
from typing import Final

from leadglass_agent.redaction.vocabulary import VOCABULARY

# Nothing longer is a placeholder or a reference; it also bounds what the patterns below may read.
_MAX_LENGTH: Final = 256
_REFERENCE: Final = re.compile(
    rb"\$\{[^}]*\}|\$\$?[A-Za-z_][A-Za-z0-9_]*|\$\([^)]*\)|%[A-Za-z_][A-Za-z0-9_]*%|\{\{.*\}\}|<%.*%>"
    rb"|\{[A-Za-z_][A-Za-z0-9_.]*\}|%(?:\([a-z_]+\))?[sdvr]|<[A-Za-z][A-Za-z0-9 _.-]*>|\[[A-Z][A-Za-z _-]*\]"
    rb"|:[a-z_]+|\?"
    rb"|(?:\$?\(\(|!Ref |!Sub |!GetAtt |!vault|ref\+|arn:aws[a-z-]*:|vault:|env:|file:|fd:|op://|secret://|ssm:).*"
    rb"|projects/[a-z0-9-]+/secrets/.*|\[redacted:[a-z0-9-]+\]",
    re.IGNORECASE | re.DOTALL,
)
_FILLER: Final = re.compile(
    rb"\*+|[xX]{3,}|\.{3,}|#{3,}|-+|_+|(?:\xe2\x80\xa6)+|(?:\xe2\x80\xa2)+"
    rb"|(?:your|my|the|an?|some|enter|insert|put|replace)[_ -](?:[a-z0-9]{1,20}[_ -]){0,6}"
    rb"(?:password|passwd|secret|token|key|credentials?|here|value|this|me)"
    rb"|(?:insert|replace|your)[-_ ][a-z0-9_ -]{1,60}",
    re.IGNORECASE,
)
_CODE: Final = re.compile(
    rb"(?:self|this|config|settings|process|os|env|cfg|conf|opts|options|args|params|request|req|props|secrets|var|local|module"
    rb"|each|values|data|user|form|input|body|system|sys|lookup)(?:\.|\[|->|::)[A-Za-z_\"'\[].*"
    rb"|(?:[A-Za-z_][A-Za-z0-9_]*(?:\.|::|->))*[A-Za-z_][A-Za-z0-9_]*\([^)]*\)?;?"
    rb"|&?'?(?:str|String|Option<[A-Za-z<>]+>|Optional\[[A-Za-z]+\]|SecretStr)",
    re.DOTALL,
)
_PATH: Final = re.compile(
    rb"(?:/(?:etc|run|var|home|usr|opt|mnt|srv|tmp|secrets?|data|root|app|vault|proc|dev|config|tls|certs?|keys?|workspace|build|src)"
    rb"|~|\.{1,2}|[A-Za-z]:)[/\\][A-Za-z0-9_.@ /\\-]*"
)
_NUMBER: Final = re.compile(rb"[0-9]{1,7}(?:\.[0-9]{1,3})?(?:ms|s|m|h|d|kb|mb|%)?", re.IGNORECASE)
_PUBLIC_KEY: Final = re.compile(
    rb"-----BEGIN (?:[A-Z0-9 ]* )?(?:PUBLIC KEY|CERTIFICATE)|ssh-(?:rsa|ed25519|dss) |ecdsa-sha2-"
)
_SECRET_WORDS: Final = VOCABULARY.passwords | VOCABULARY.secrets | VOCABULARY.tokens | VOCABULARY.credentials
_TOKEN_LENGTH, _LONG_TOKEN = 8, 20


def is_harmless(value: bytes, *, quoted: bool = False) -> bool:
    """Says whether a value under a secret's name is a placeholder, reference, type, state, path or public key."""
    if not value.strip():
        return True
    if _PUBLIC_KEY.match(value):
        return True
    if len(value) > _MAX_LENGTH:
        return False
    if value.lower() in VOCABULARY.plain_values or any(p.fullmatch(value) for p in (_REFERENCE, _FILLER, _PATH)):
        return True
    return not quoted and _CODE.fullmatch(value) is not None


def is_prose(value: bytes) -> bool:
    """Says whether a line after `password:` goes on as a sentence about passwords."""
    first, _, rest = value[:_MAX_LENGTH].partition(b" ")
    return bool(rest) and first.lower().strip(b".,") in VOCABULARY.plain_values


def names_secret(value: bytes) -> bool:
    """Says whether a value is itself a word for a secret, as in `Secret: secrets "x" not found`."""
    word = value[:_MAX_LENGTH].lower()
    return word.decode("utf-8", "replace") in _SECRET_WORDS


def is_count(value: bytes) -> bool:
    """Says whether a value is a small number, a size, a duration or a list of numbers."""
    if value.startswith(b"["):
        return not value.strip(b"[]0123456789, ")
    return _NUMBER.fullmatch(value[: _TOKEN_LENGTH * 2]) is not None


def looks_like_token(value: bytes) -> bool:
    """Says whether a value has the variety of a credential: eight bytes with letters beside digits, or a long run."""
    if len(value) < _TOKEN_LENGTH or b" " in value:
        return False
    has_digit = any(byte in b"0123456789" for byte in value)
    has_letter = any(byte | 0x20 in b"abcdefghijklmnopqrstuvwxyz" for byte in value)
    return (has_digit and has_letter) or (len(value) >= _LONG_TOKEN and not value.islower())
