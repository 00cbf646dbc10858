"""The rules for what has no shape of its own: what Hyperscan looks for, and what confirms it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from leadglass_agent.redaction.commands import ANCHORS, IN_COMMAND
from leadglass_agent.redaction.encodings import IN_BASE64, IN_HEX, SECRET_KIND, base64_anchors, hex_anchors
from leadglass_agent.redaction.named_values import confirm_named_value
from leadglass_agent.redaction.names import BEHIND_SEPARATOR, IN_NAME, IN_VALUE
from leadglass_agent.redaction.pem import confirm_private_key
from leadglass_agent.redaction.statements import confirm_directive, confirm_netrc, confirm_statement
from leadglass_agent.redaction.urls import confirm_driver_address, confirm_userinfo
from leadglass_agent.redaction.vocabulary import VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.redaction.spans import Span

    Confirm: TypeAlias = Callable[[bytes, int], Span | None]


@dataclass(frozen=True, slots=True)
class Context:
    """Expressions, caseless and pinned to one end for each candidate, and the step that spans the value."""

    expressions: tuple[bytes, ...]
    confirm: Confirm


CONTEXTS: Final = (
    Context(
        (
            rb"://[^\s\"'<>@]*@",
            rb"://[^\s\"'@/<>]{1,64}<[^\s\"'@/]*@",
        ),
        confirm_userinfo,
    ),
    Context((rb"@(?:tcp|unix)\(",), confirm_driver_address),
    Context((rb"private key(?: block)?-----", rb"private key ----"), confirm_private_key),
    Context(
        (
            rb"identified\s(?:with\s[a-z_0-9]{1,40}\s)?by[ \t]{1,4}[\"']",
            rb"password[ \t]{1,4}[\"']",
            rb"passphrase[ \t]{1,4}[\"']",
        ),
        confirm_statement,
    ),
    Context((rb"password[ \t]{1,8}[^\s\"'=:]", rb"passwd[ \t]{1,8}[^\s\"'=:]"), confirm_netrc),
    Context(tuple(word + rb"[ \t]{1,8}[^\s\"'=:]" for word in (b"requirepass", b"masterauth")), confirm_directive),
    Context((rb"value[\"'\\]*[ \t]*[:=]",), confirm_named_value),
)


def _literal(part: str) -> bytes:
    # Names in other scripts are their UTF-8 bytes.
    return b"".join(b"\\x%02x" % byte for byte in part.encode())


# One expression for each part of a name: as one alternation they scan at a quarter of the speed. A part that also
# stands in ordinary words counts only with a separator or a quote behind it; as literals these cost the scan half of
# what a pattern with optional quotes costs.
_ENDINGS: Final = ("=", ":", '":', "':", '\\":', " =", " :", "']", '"]', ">", '" ', "' ")
# "key" is so common that eight bytes of a value must follow it, too.
_KEY_WITH_VALUE: Final = (
    rb"key[0-9]?[\"'`\x5d\\ \t]?[\"'`\x5d\\ \t]?[\"'`\x5d\\ \t]?[:=>][\"'`\\ \t]{0,4}"
    rb"[a-z0-9+/_$!@#%^&*~.-]{8}"
)
_PASSWORD_ALONE: Final = (
    "'pass',", '"pass",', "'salt',", '"salt",', "pass] =", "'auth',", '"auth",',
    'pin">', " sid=", ".sid=", "?sid=", "&sid=",
    ";sid=", "\nsid=", "pin1:", "pin2:", " seed ", "[pin] =", "[auth] =",
    " pw=", " pw:", " pw =", '"pw":', "'pw':", '"pw" ', ",pw=", ";pw=", "&pw=", "?pw=", "\npw=", "\npw:", "(pw=",
    "{pw=", "{pw:",
)  # fmt: skip
NAMES: Final[tuple[tuple[bytes, int], ...]] = (
    *((_literal(part), IN_NAME) for part in VOCABULARY.name_parts),
    *((_literal(part + ending), BEHIND_SEPARATOR) for part in VOCABULARY.key_parts for ending in _ENDINGS),
    (_KEY_WITH_VALUE, IN_VALUE),
    (rb"key[\"'],", BEHIND_SEPARATOR),
    *((_literal(anchor.decode()), IN_COMMAND) for anchor in ANCHORS),
    *((_literal(name), BEHIND_SEPARATOR) for name in _PASSWORD_ALONE),
    (rb"^pw[:=]", BEHIND_SEPARATOR),
    (rb"[?&]code=", BEHIND_SEPARATOR),
    *((expression, IN_BASE64) for expression in base64_anchors()),
    *((expression, IN_HEX) for expression in hex_anchors()),
    (rb"kind[\"']?[ \t]*:[ \t]*[\"']?secret[\"']?[ \t]*[,\r\n}]", SECRET_KIND),
)
