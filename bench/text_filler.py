"""Fills templates with random text from a fixed seed, and says which bytes of it are secret."""

from __future__ import annotations

import random
import re
import string
from dataclasses import dataclass
from typing import Final

_SEED: Final = 20_261_122
_ALPHABETS: Final = {
    "alnum": string.ascii_letters + string.digits,
    "base32": string.ascii_uppercase + "234567",
    "base64": string.ascii_letters + string.digits + "+/",
    "digits": string.digits,
    "hex": "0123456789abcdef",
    "lower": string.ascii_lowercase + string.digits,
    "symbols": string.ascii_letters + string.digits + "!#%*+-.=?_~",
    "upper": string.ascii_uppercase + string.digits,
}
_PLACEHOLDER: Final = re.compile(r"\{([a-z0-9]+):(\d+)\}|(«)|(»)")
_SECRET_BEGINS, _SECRET_ENDS = "«", "»"


@dataclass(frozen=True, slots=True)
class Filled:
    """One text, and the secrets that stand in it."""

    text: bytes
    secrets: tuple[bytes, ...]


class Filler:
    """Fills templates; the same name gives the same sequence of texts on every machine."""

    def __init__(self, name: str) -> None:
        self.random = random.Random(f"{_SEED}:{name}")  # noqa: S311 - the same text on every machine is the point
        self._parsed: dict[str, tuple[tuple[str, int], ...]] = {}

    def fill(self, template: str) -> Filled:
        """Replaces each `{alphabet:length}` by random text; what stands between « and » is a secret."""
        pieces: list[str] = []
        secrets: list[bytes] = []
        begin = 0
        for piece, length in self._pieces(template):
            if length:
                pieces.append("".join(self.random.choices(_ALPHABETS[piece], k=length)))
            elif piece == _SECRET_BEGINS:
                begin = len(pieces)
            elif piece == _SECRET_ENDS:
                secrets.append("".join(pieces[begin:]).encode())
            else:
                pieces.append(piece)
        return Filled("".join(pieces).encode(), tuple(secrets))

    def join(self, templates: list[str], end: bytes) -> Filled:
        """Fills several templates as one text, each followed by `end`."""
        filled = [self.fill(template) for template in templates]
        return Filled(b"".join(one.text + end for one in filled), tuple(v for one in filled for v in one.secrets))

    def _pieces(self, template: str) -> tuple[tuple[str, int], ...]:
        known = self._parsed.get(template)
        if known is None:
            pieces: list[tuple[str, int]] = []
            position = 0
            for match in _PLACEHOLDER.finditer(template):
                pieces.append((template[position : match.start()], 0))
                pieces.append((match[1], int(match[2])) if match[1] else (match[0], 0))
                position = match.end()
            pieces.append((template[position:], 0))
            known = self._parsed[template] = tuple(piece for piece in pieces if piece[0])
        return known
