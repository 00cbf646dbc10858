"""Spans private keys in PEM armour, over many lines or escaped into one."""

from __future__ import annotations

import re
from typing import Final

from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.spans import Span

_RANK: Final = 0
_RULE: Final = RuleId("private-key")
# An RSA key of 16,384 bits is 13 KiB of PEM.
_MAX_BODY: Final = 32_768
_MAX_LABEL: Final = 64
_BODY: Final = re.compile(rb"[A-Za-z0-9+/=\s\\:,.\"'-]*+")
_BODY_BYTES: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n\\"
_END_MARK: Final = re.compile(rb"----[- ]END [A-Za-z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?----", re.IGNORECASE)


def confirm_private_key(data: bytes, end: int) -> Span | None:
    """Spans a block from BEGIN to END; one without its END to where its body stops, one without its BEGIN backwards."""
    window_start = max(0, end - _MAX_LABEL)
    label = data[window_start:end].upper()
    begin = max(label.rfind(b"-----BEGIN "), label.rfind(b"---- BEGIN "))
    closing = max(label.rfind(b"-----END "), label.rfind(b"---- END "))
    if begin > closing:
        mark = _END_MARK.search(data, end, end + _MAX_BODY)
        if mark is not None:
            return Span(window_start + begin, mark.end(), _RANK, _RULE)
        body = _BODY.match(data, end, end + _MAX_BODY)
        return Span(window_start + begin, end if body is None else body.end(), _RANK, _RULE)
    if closing < 0:
        return None
    before = data[max(0, window_start + closing - _MAX_BODY) : window_start + closing]
    body_length = len(before) - len(before.rstrip(_BODY_BYTES))
    return Span(window_start + closing - body_length, end, _RANK, _RULE)
