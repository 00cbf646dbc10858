"""Names the bytes that the readers of names and values compare with."""

from __future__ import annotations

from typing import Final

NEWLINE: Final = 0x0A
RETURN: Final = 0x0D
ESCAPE: Final = 0x1B
BLANK_SPACE: Final = 0x20
BANG: Final = 0x21
HASH: Final = 0x23
DOLLAR: Final = 0x24
PERCENT: Final = 0x25
AMPERSAND: Final = 0x26
OPEN: Final = 0x28
CLOSE: Final = 0x29
STAR: Final = 0x2A
PLUS: Final = 0x2B
COMMA: Final = 0x2C
DASH: Final = 0x2D
DOT: Final = 0x2E
DOUBLE_QUOTE: Final = 0x22
SLASH: Final = 0x2F
COLON: Final = 0x3A
SEMICOLON: Final = 0x3B
LESS: Final = 0x3C
EQUALS: Final = 0x3D
GREATER: Final = 0x3E
QUESTION: Final = 0x3F
AT: Final = 0x40
UPPER_A: Final = 0x41
UPPER_Z: Final = 0x5A
OPEN_BRACKET: Final = 0x5B
BACKSLASH: Final = 0x5C
CLOSE_BRACKET: Final = 0x5D
UNDERSCORE: Final = 0x5F
BACKTICK: Final = 0x60
LOWER_C: Final = 0x63
LOWER_M: Final = 0x6D
LOWER_S: Final = 0x73
LOWER_V: Final = 0x76
OPEN_BRACE: Final = 0x7B
PIPE: Final = 0x7C
CLOSE_BRACE: Final = 0x7D
TILDE: Final = 0x7E
# The bit that parts a letter from its capital, and the first byte that is no ASCII.
CASE_BIT: Final = 0x20
BEYOND_ASCII: Final = 0x80
