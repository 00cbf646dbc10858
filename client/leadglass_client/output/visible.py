"""Escapes what a terminal or an eye could be fooled by; the agent did so already, and this does not rely on it."""

from __future__ import annotations

# Letters and marks that show nothing although str.isprintable() accepts them (Unicode's Default_Ignorable_Code_Point).
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
_DIGEST_CHARACTERS = len("sha256:") + 12 + len("…")
_ONE_BYTE = 0xFF
_TWO_BYTES = 0xFFFF


def printable(text: str) -> str:
    r"""Returns text with controls, bidi and invisible characters and surrogates as \xNN, \uNNNN or \UNNNNNNNN.

    A backslash stays: text of the target arrives with its backslashes escaped, and doubling them would change it.
    """
    if text.isprintable() and _INVISIBLE.isdisjoint(text):
        return text
    return "".join(char if char.isprintable() and char not in _INVISIBLE else _escape(char) for char in text)


def capped(text: str, characters: int) -> str:
    """Returns printable text of at most so many characters, with an ellipsis in place of a lost end."""
    shown = printable(text[: characters + 1])
    return shown if len(shown) <= characters else shown[: characters - 1] + "…"


def short_digest(digest: str) -> str:
    """Returns the start of a digest such as sha256:HEX, enough to tell two policies apart by eye."""
    return capped(digest, _DIGEST_CHARACTERS)


def _escape(char: str) -> str:
    code = ord(char)
    if code <= _ONE_BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _TWO_BYTES else f"\\U{code:08x}"
