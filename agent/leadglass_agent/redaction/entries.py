"""Tells the lines of logs from those of any other text."""

from __future__ import annotations

from typing import Final

from leadglass_agent.redaction.tables import ALNUM, DIGIT, LINE_END

# A time, a serial number or a level stands so near to the beginning of an entry.
_REACH: Final = 128
_COLON: Final = 0x3A
_MIN_NUMBER: Final = 5
_MIN_EPOCH: Final = 9
_LEVELS: Final = (b"INFO", b"WARN", b"DEBUG", b"ERROR", b"TRACE", b"FATAL", b"level=", b'"level"', b"NOTICE")
_UPPER_INITIALS: Final = bytes(1 if byte in b'IWDETFl"N' else 0 for byte in range(256))


def is_entry(data: bytes, start: int) -> bool:
    """Says whether the line that begins at `start` is one of a log: a time of day, a level or a long number heads it."""
    limit = min(len(data), start + _REACH)
    position = start
    digits = 0
    first = True
    while position < limit:
        byte = data[position]
        if DIGIT[byte]:
            digits += 1
        else:
            if byte == _COLON:
                if (
                    digits in (1, 2)
                    and position + 2 < len(data)
                    and DIGIT[data[position + 1]]
                    and DIGIT[data[position + 2]]
                ):
                    return True
            elif LINE_END[byte]:
                break
            elif _UPPER_INITIALS[byte] and data.startswith(_LEVELS, position):
                return True
            if digits >= (_MIN_NUMBER if first else _MIN_EPOCH) and not ALNUM[byte]:
                return True
            if ALNUM[byte] or digits:
                first = False
            digits = 0
        position += 1
    return False
