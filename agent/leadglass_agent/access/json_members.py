"""Takes the members of a grant's JSON as the types that they must have, and names the one that is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Never, TypeVar

from leadglass_agent.access.grant import GrantError
from leadglass_agent.audit.text import shown
from leadglass_agent.policy.glob import PatternError

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

T = TypeVar("T")

MAX_GLOBS: Final = 100
MAX_TEXT: Final = 2_048  # the longest SPIFFE id


@dataclass(frozen=True, slots=True)
class Members:
    """The members of one object, each taken as the type that it must have."""

    place: str
    content: object

    def check_keys(self, keys: frozenset[str]) -> None:
        """Refuses whatever is not an object with exactly these members."""
        if not isinstance(self.content, dict) or self.content.keys() != keys:
            refuse(self.place or "payload", "not an object with exactly the known members")

    def at(self, key: str) -> str:
        """Names the place of a member."""
        return f"{self.place}.{key}" if self.place else key

    def value(self, key: str) -> object:
        """Gives a member as it is, None if it is not there."""
        return self.content[key] if isinstance(self.content, dict) else None

    def text(self, key: str, form: re.Pattern[str], longest: int = MAX_TEXT, *, optional: bool = False) -> str:
        """Takes a text of this form; an optional one may be empty."""
        value = take_text(self.value(key), self.at(key), longest)
        if not (form.fullmatch(value) or (optional and not value)):
            refuse(self.at(key), "not of the form that it must have")
        return value

    def number(self, key: str, most: int) -> int:
        """Takes a whole number from 0 to `most`."""
        return take_number(self.value(key), self.at(key), most)

    def flag(self, key: str) -> bool:
        """Takes true or false."""
        value = self.value(key)
        if not isinstance(value, bool):
            refuse(self.at(key), "not true or false")
        return value

    def each(self, key: str, most: int, take: Callable[[object, str], T]) -> tuple[T, ...]:
        """Takes a list of at most `most`, each by `take` with its place, none of them twice."""
        values = self.value(key)
        if not isinstance(values, list) or len(values) > most:
            refuse(self.at(key), f"not a list of at most {most}")
        taken = tuple(take(value, f"{self.at(key)}[{at}]") for at, value in enumerate(values))
        if any(one in taken[:at] for at, one in enumerate(taken)):
            refuse(self.at(key), "names something twice")
        return taken

    def globs(self, key: str, check: Callable[[str], None]) -> tuple[str, ...]:
        """Takes a list of globs that `check` accepts."""

        def take(value: object, place: str) -> str:
            return take_glob(value, place, check)

        return self.each(key, MAX_GLOBS, take)


def take_text(value: object, place: str, longest: int = MAX_TEXT) -> str:
    """Takes text that a screen shows as it is: what approvers read must be what they sign."""
    if not isinstance(value, str) or len(value) > longest:
        refuse(place, f"not text of at most {longest} characters")
    if shown(value.replace("\\", "/"), 12 * longest + 1)[0] != value.replace("\\", "/"):
        refuse(place, "holds a control or an invisible character")
    return value


def take_number(value: object, place: str, most: int) -> int:
    """Takes a whole number from 0 to `most`; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        refuse(place, f"not a whole number from 0 to {most}")
    return value


def take_glob(value: object, place: str, check: Callable[[str], None]) -> str:
    """Takes a glob that `check` accepts."""
    text = take_text(value, place)
    try:
        check(text)
    except PatternError as error:
        refuse(place, str(error))
    return text


def refuse(field: str, fault: str) -> Never:
    """Raises GrantError."""
    raise GrantError(field, fault)
