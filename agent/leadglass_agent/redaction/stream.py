"""Masks a text that arrives in chunks, in memory that does not grow with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from leadglass_agent.redaction.ahead import mask_ahead
from leadglass_agent.redaction.findings import Finding, RedactionError, RuleId
from leadglass_agent.redaction.mask import assembled
from leadglass_agent.redaction.windows import Sizes, Windows

if TYPE_CHECKING:
    from leadglass_agent.redaction.database import Database
    from leadglass_agent.redaction.mask import Clean


@final
class RedactionStream:
    """Clean text for a text in chunks, the same whatever the chunks; after an error there is none any more."""

    __slots__ = ("_broken", "_clean", "_cut", "_data", "_window", "_windows", "counts")

    def __init__(self, database: Database, sizes: Sizes | None = None) -> None:
        sizes = sizes or Sizes()
        self._windows = Windows(database, sizes)
        self._window = sizes.window
        # What stood before the next byte to decide, and what waits behind it.
        self._data = bytearray()
        self._cut = 0
        self._broken = False
        self._clean: list[bytes | memoryview] = []
        self.counts: dict[RuleId, int] = {}

    def feed(self, chunk: bytes) -> Clean:
        """Takes the next bytes and gives the text that is decided by now; raises RedactionError."""
        self._begin()
        try:
            taken = 0
            while len(self._data) - self._cut + len(chunk) - taken > self._window:
                more = self._cut + self._window - len(self._data)
                if more > 0:
                    self._data += chunk[taken : taken + more]
                    taken += more
                self._step(last=False)
            self._data += chunk[taken:]
            return self._given()
        except Exception:  # noqa: BLE001 - whatever fails here, the answer is no text, and its message may hold a value
            raise RedactionError from None

    def finish(self) -> Clean:
        """Gives the rest of the text; no call may follow. Raises RedactionError."""
        self._begin()
        try:
            while self._cut < len(self._data) or self._windows.is_open:
                self._step(last=len(self._data) - self._cut <= self._window)
            clean = self._given()
        except Exception:  # noqa: BLE001 - as in feed
            raise RedactionError from None
        self._broken = True
        return clean

    def _begin(self) -> None:
        # A call that does not come to its end leaves the stream broken.
        if self._broken:
            raise RedactionError
        self._broken = True

    def _step(self, *, last: bool) -> None:
        with memoryview(self._data) as view:
            data = bytes(view[: self._cut + self._window])
        cut, keep = self._windows.step(data, self._cut, data, last=last)
        del self._data[:keep]
        self._cut = cut - keep
        # At once, as each finding and each piece costs more memory than the text that it stands for.
        windows = self._windows
        for finding in windows.findings:
            self.counts[finding.rule_id] = self.counts.get(finding.rule_id, 0) + 1
        windows.findings.clear()
        self._clean.append(assembled(windows.pieces).data)
        windows.pieces.clear()

    def _given(self) -> Clean:
        clean = assembled(self._clean)
        self._clean = []
        self._broken = False
        return clean


def redact_whole(data: bytes, database: Database, sizes: Sizes | None = None) -> tuple[Clean, tuple[Finding, ...]]:
    """Masks a text that is at hand, as a stream over it would."""
    sizes = sizes or Sizes()
    windows = Windows(database, sizes)
    if not isinstance(data, bytes):
        raise RedactionError
    mask_ahead(data, windows, sizes)
    findings = tuple(windows.findings)
    return assembled(windows.pieces if findings else [data]), findings
