"""Masks a text that is read from the middle on: what stands before it is known to the redactor and not shown."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.mask import joined, part

if TYPE_CHECKING:
    from leadglass_agent.redaction.findings import Finding, RuleId
    from leadglass_agent.redaction.mask import Clean
    from leadglass_agent.redaction.redactor import Redactor

CONTEXT_BYTES: Final = 64 * 1024


class MaskedText:
    """A stream of the redactor that begins before the window.

    A secret that the window's start cuts in two is shown as its token; what the context alone holds is dropped.
    """

    def __init__(self, redactor: Redactor, context: bytes, ahead: bytes) -> None:
        """Takes up to CONTEXT_BYTES before the window, and as much of the window, which feed gets again."""
        self._stream = redactor.stream()
        self._drop = 0
        self._before: Counter[RuleId] = Counter()
        if context:
            findings = redactor.redact(context + ahead).findings
            self._drop = _shown_length(findings, len(context))
            self._before.update(finding.rule_id for finding in findings if finding.end <= len(context))
        self._early = self._window(self._stream.feed(context))

    def feed(self, raw: bytes) -> Clean:
        """Takes more of the window; gives what can be shown by now."""
        shown, self._early = joined(self._early, self._window(self._stream.feed(raw))), part(self._early, 0, 0)
        return shown

    def finish(self) -> Clean:
        """Gives the rest."""
        return joined(self._early, self._window(self._stream.finish()))

    def counts(self) -> Counter[RuleId]:
        """Counts what was masked in the window so far, by rule."""
        return Counter(self._stream.counts) - self._before

    def _window(self, clean: Clean) -> Clean:
        dropped = min(self._drop, len(clean.data))
        self._drop -= dropped
        return part(clean, dropped)


def _shown_length(findings: tuple[Finding, ...], length: int) -> int:
    """Gives how long the first `length` bytes become when masked; of a finding across the end, nothing is counted."""
    shown = position = 0
    for finding in findings:
        if finding.start >= length:
            break
        shown += finding.start - position
        if finding.end <= length:
            shown += len(finding.rule_id) + len("[redacted:]")
        position = finding.end
    return shown + max(0, length - position)
