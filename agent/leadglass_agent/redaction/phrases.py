"""Tells a passphrase of plain words, `timber rocket summer winter`, from prose."""

from __future__ import annotations

from typing import Final

from leadglass_agent.redaction.harmless import SECRET_WORDS
from leadglass_agent.redaction.tables import LOWER, run_end, table
from leadglass_agent.redaction.vocabulary import VOCABULARY

_MAX_PHRASE: Final = 120
_MIN_WORD: Final = 3
_MAX_WORD: Final = 12
_MOST_WORDS: Final = 12
_WORDS: Final = table(LOWER + b" -")
_JOINED: Final = table(LOWER + b"-_.")
# What nearly every sentence has and hardly any passphrase, as their words are drawn from lists of nouns.
_PROSE: Final = frozenset(
    b"the and for not with your you was are has had have been but can will may must should this that these those from"
    b" into when where which who why how what then than its our their his her her any all one two use used using new"
    b" old get set let see too also only just per via more most less least same such each every some none never always"
    b" before after while until once again here there now out off over under between without within about against"
    b" does did done doing say says said try failed invalid expired required please change changed reset send sent"
    b" cannot could would user users login does want need needs make made change still".split()
)
_PROSE_ENDINGS: Final = tuple(b"ed ing ment able ible tion sion ance ence ity ally".split())
_PLAIN: Final = VOCABULARY.plain_values


def is_prose_word(word: bytes) -> bool:
    """Says whether a word is one that nearly every sentence has, or a state."""
    lower = word.lower()
    return lower in _PROSE or lower in _PLAIN or lower.endswith(_PROSE_ENDINGS)


def is_phrase(text: bytes, least: int) -> bool:
    """Says whether the text is so many words or more, parted by one blank or dash each, and none of them of prose."""
    if len(text) > _MAX_PHRASE or run_end(text, 0, len(text), _WORDS) < len(text):
        return False
    words = text.split(b" ") if b" " in text else text.split(b"-")
    if not least <= len(words) <= _MOST_WORDS:
        return False
    seen: set[bytes] = set()
    for word in words:
        if not _MIN_WORD <= len(word) <= _MAX_WORD or word in _PROSE or word in _PLAIN:
            return False
        if word.decode("ascii", "replace") in SECRET_WORDS:
            return False
        seen.add(word)
    return len(seen) == len(words)
