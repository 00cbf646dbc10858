"""The rules for what has no shape of its own: what to look for, and what confirms it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from leadglass_agent.redaction.keyvalue import confirm_pair
from leadglass_agent.redaction.named_values import confirm_named_value
from leadglass_agent.redaction.pem import confirm_private_key
from leadglass_agent.redaction.statements import confirm_directive, confirm_netrc, confirm_statement
from leadglass_agent.redaction.urls import confirm_driver_address, confirm_userinfo
from leadglass_agent.redaction.vocabulary import VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.redaction.findings import Span

    Confirm: TypeAlias = Callable[[bytes, int], Span | None]


@dataclass(frozen=True, slots=True)
class Context:
    """Expressions, caseless and pinned to one end for each candidate, and the step that spans the value."""

    expressions: tuple[bytes, ...]
    confirm: Confirm


# One expression for each part of a name: as one alternation they scan at a quarter of the speed. Names in other scripts
# are their UTF-8 bytes.
_KEY_REST: Final = rb"[A-Za-z0-9_.\x80-\xff-]*[\"'`\x5d\\]*(?:\x1b\[[0-9;]*m)?[ \t]*[:=>]"

CONTEXTS: Final = (
    Context(
        tuple(b"".join(b"\\x%02x" % byte for byte in part.encode()) + _KEY_REST for part in VOCABULARY.key_parts),
        confirm_pair,
    ),
    Context((rb"://[^\s\"'<>@]*@",), confirm_userinfo),
    Context((rb"@(?:tcp|unix)\(",), confirm_driver_address),
    Context((rb"private key(?: block)?-----",), confirm_private_key),
    Context(
        (rb"identified\sby[ \t]{1,4}[\"']", rb"password[ \t]{1,4}[\"']", rb"passphrase[ \t]{1,4}[\"']"),
        confirm_statement,
    ),
    Context((rb"password[ \t]{1,8}[^\s\"'=:]", rb"passwd[ \t]{1,8}[^\s\"'=:]"), confirm_netrc),
    Context(tuple(word + rb"[ \t]{1,8}[^\s\"'=:]" for word in (b"requirepass", b"masterauth")), confirm_directive),
    Context((rb"value[\"'\\]*[ \t]*[:=]",), confirm_named_value),
)
