"""Spans the value of a pair whose name stands in a field of its own: `name: DB_PASSWORD`, then `value: …`."""

from __future__ import annotations

import re
from typing import Final

from leadglass_agent.redaction.blocks import KEY_RANK
from leadglass_agent.redaction.harmless import is_harmless, looks_like_token
from leadglass_agent.redaction.keynames import QUERY, TOKEN, classify
from leadglass_agent.redaction.lines import Walks
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.values import find_value

_LOOKBACK: Final = 256
# The name's field directly before the value's, in JSON, YAML and XML attributes.
_NAME: Final = re.compile(
    rb"\b(?:name|key|path|variable|setting|field|label|param|option|property|env)[\"'\\]{0,4}[ \t]{0,4}[:=][ \t]{0,4}[\"'\\]{0,4}([A-Za-z0-9_./-]{2,80})[\"'\\]{0,4}"
    rb"(?:[ \t]{0,4},?\s{0,64}[\"'\\]{0,4}(?:type|id|op|scope|sensitive|version|masked|protected)[\"'\\]{0,4}[ \t]{0,4}[:=][ \t]{0,4}[\"'\\]{0,4}"
    rb"[A-Za-z0-9_.-]{0,40}[\"'\\]{0,4}){0,2}[ \t]{0,4},?\s{0,64}[\"'\\]{0,4}\Z",
    re.IGNORECASE,
)
_FIELD: Final = re.compile(rb"value[\"'\\]*[ \t]*[:=]\Z", re.IGNORECASE)


def confirm_named_value(data: bytes, end: int) -> Span | None:
    """Confirms a name's field right before a value's; `end` is just behind the value's separator."""
    window_start = max(0, end - _LOOKBACK)
    window = data[window_start:end]
    field = _FIELD.search(window, max(0, len(window) - len(b"value") - 16))
    if field is None:
        return None
    name = _NAME.search(window, 0, field.start())
    secret = None if name is None else classify(name[1].rpartition(b"/")[2])
    if secret is None:
        return None
    start, stop, quoted = find_value(data, end, window_start + field.start(), data[end - 1], 0, Walks())
    if start < 0 or is_harmless(data[start:stop], quoted=quoted):
        return None
    if secret.form in (TOKEN, QUERY) and not looks_like_token(data[start:stop]):
        return None
    return Span(start, stop, KEY_RANK, secret.rule_id)
