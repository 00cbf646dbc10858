"""Remembers how names and command lines look once they are masked, by keyed digests of what they were.

Whoever lists processes again and again asks about the same ones: masking them anew is most of the work. What is kept
is what callers are shown anyway; of the raw bytes only a digest under a key that never leaves the process.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from leadglass_agent.redaction.escape import UNREADABLE, visible
from leadglass_agent.redaction.findings import RedactionError

if TYPE_CHECKING:
    from leadglass_agent.redaction.escape import Visible
    from leadglass_agent.redaction.findings import RuleId
    from leadglass_agent.redaction.redactor import Redactor

_MAX_ENTRIES: Final = 4_096
_MAX_CHARACTERS: Final = 4 * 1024 * 1024  # of all that is kept
_DIGEST_BYTES: Final = 32

_Kept = TypeVar("_Kept")


@dataclass(frozen=True, slots=True)
class ShownName:
    """A name as callers see it, and the rule of each mask in it."""

    text: Visible
    masked: tuple[RuleId, ...]


class Remembered(Generic[_Kept]):
    """Answers by what they were made of; forgets all of them when there are too many."""

    def __init__(self) -> None:
        self._key: Final = secrets.token_bytes(_DIGEST_BYTES)
        self._kept: dict[bytes, _Kept] = {}
        self._characters = 0

    def digest(self, *parts: bytes) -> bytes:
        """Stands for the parts; nobody without the key can tell what they were."""
        made = hashlib.blake2b(key=self._key, digest_size=_DIGEST_BYTES)
        for part in parts:
            made.update(len(part).to_bytes(8))
            made.update(part)
        return made.digest()

    def find(self, digest: bytes) -> _Kept | None:
        """Gives the answer, if it is remembered."""
        return self._kept.get(digest)

    def keep(self, digest: bytes, answer: _Kept, characters: int) -> _Kept:
        """Remembers an answer of so many characters, and gives it."""
        if len(self._kept) >= _MAX_ENTRIES or self._characters + characters > _MAX_CHARACTERS:
            self._kept.clear()
            self._characters = 0
        self._kept[digest] = answer
        self._characters += characters
        return answer


class ShownNames:
    """Names of processes, executables and variables, masked by one redactor and cut to so many characters."""

    def __init__(self, redactor: Redactor, max_characters: int) -> None:
        self._redactor = redactor
        self._max_characters = max_characters
        self._names: Remembered[ShownName] = Remembered()

    def of(self, raw: bytes) -> ShownName:
        """Gives the name as it is shown; one that cannot be looked through is not."""
        digest = self._names.digest(raw)
        found = self._names.find(digest)
        if found is not None:
            return found
        try:
            redaction = self._redactor.redact(raw)
        except RedactionError:
            return ShownName(UNREADABLE, ())
        text = visible(redaction.text, self._max_characters)
        shown = ShownName(text, tuple(finding.rule_id for finding in redaction.findings))
        return self._names.keep(digest, shown, len(text.text))
