"""What the walk over a list of words has found: spans by word, and the words that are scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.spans import Span

if TYPE_CHECKING:
    from leadglass_agent.redaction.keynames import SecretName

ARGUMENT: Final = RuleId("argument-secret")
UNREAD: Final = RuleId("unread-script")
RANK: Final = 35

# How sure it is that a word is a script: a title of a process or a text, the argument of a shell's -c, or a command
# whose output is a password.
PERHAPS: Final = 0
SURELY: Final = 1
PRINTS_SECRET: Final = 2


@final
class Found:
    """Spans with the number of their word, and scripts likewise; `knows_program` says that a word names one."""

    __slots__ = ("indexes", "knows_program", "literal", "script_indexes", "script_kinds", "script_starts", "spans")

    def __init__(self, *, literal: bool) -> None:
        self.indexes: list[int] = []
        self.spans: list[Span] = []
        self.script_indexes: list[int] = []
        self.script_kinds: list[int] = []
        self.script_starts: list[int] = []
        self.knows_program = False
        # The words are what a program got: no shell will put a variable's value in the place of $name.
        self.literal = literal

    def add(self, index: int, start: int, end: int, rule_id: RuleId) -> None:
        """Keeps a span of the word `index`."""
        self.indexes.append(index)
        self.spans.append(Span(start, end, RANK, rule_id))

    def add_named(self, index: int, start: int, end: int, secret: SecretName) -> None:
        """Keeps the span of a named value."""
        self.indexes.append(index)
        self.spans.append(Span(start, end, RANK, secret.rule_id))

    def add_script(self, index: int, kind: int, start: int = 0) -> None:
        """Keeps a word to be read as a script from `start` on."""
        self.script_starts.append(start)
        self.script_indexes.append(index)
        self.script_kinds.append(kind)
