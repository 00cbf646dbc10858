"""Where the walk over one command's words stands."""

from __future__ import annotations

from typing import Final, final

from leadglass_agent.redaction.argv.program import LAST, PLAIN, UNKNOWN, Program

# The programs whose options count: a wrapper, what it starts, and their subcommands.
MAX_ACTIVE: Final = 4


@final
class State:
    """The programs named so far, and what is expected of the words that follow."""

    __slots__ = (
        "active", "due", "due_shape", "has_user", "last_plain", "last_shape", "maybe", "place", "placed", "taken"
    )  # fmt: skip

    def __init__(self) -> None:
        self.active: list[Program] = []
        self.taken = -1  # the word that is the value of an option
        self.due = 0  # so many words until a secret
        self.due_shape = PLAIN
        self.placed: Program | None = None  # the last program that has its secret at a place,
        self.place = 0  # and its words so far that are no options
        self.last_shape = UNKNOWN
        self.last_plain = -1
        self.has_user = False
        self.maybe: list[int] = []  # words that are passwords if there is a user

    def activate(self, program: Program) -> None:
        """Makes a program's options and words count."""
        if len(self.active) >= MAX_ACTIVE:
            self.active = self.active[1:]
        self.active.append(program)
        if program.places:
            self.placed = program
            self.place = 0
            if LAST in program.places:
                self.last_shape = program.places[LAST]
                self.last_plain = -1

    def expect(self, due: int) -> None:
        """Waits for a secret: distance << 8 | shape."""
        distance = due >> 8
        if distance == LAST:
            self.last_shape = due & 0xFF
        else:
            self.due = distance
            self.due_shape = due & 0xFF
