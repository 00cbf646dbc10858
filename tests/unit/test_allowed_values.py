"""The words of a closed choice, at any place of a document."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
import pytest

from leadglass_agent.allowed_values import allowed_values
from leadglass_agent.config import parse_config
from leadglass_agent.strict_yaml import DocumentError

Long = StrEnum("Long", ["A", "B", "C", "D", "E", "F", "G", "H", "I"])


class Inner(msgspec.Struct, rename="camel"):
    """An object within others."""

    how_far: Literal["full", "none"] | None = None
    which: Annotated[Literal["a"], msgspec.Meta(description="the first letter")] = "a"
    long: Long | None = None


class Outer(msgspec.Struct):
    """A document."""

    one: Inner | None = None
    many: tuple[Inner, ...] = ()
    pair: list[Annotated[Inner, msgspec.Meta(title="one of many")]] = []
    named: dict[str, Inner] = {}
    text: str = ""


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (("one", "howFar"), ("full", "none")),
        (("many", 3, "howFar"), ("full", "none")),
        (("pair", 0, "which"), ("a",)),
        (("named", "x.y", "howFar"), ("full", "none")),
        (("one", "long"), ()),
        (("text",), ()),
        (("none", 1, "such"), ()),
        (("text", "beyond"), ()),
        ((), ()),
    ],
)
def test_the_words_of_a_short_choice_are_named_and_nothing_else(
    path: tuple[str | int, ...], words: tuple[str, ...]
) -> None:
    assert allowed_values(Outer, path) == words


@pytest.mark.parametrize(
    ("slip", "said"),
    [(b"ful", "'ful' is not one of the values allowed here"), (b"true", "expected `str | null`, got `bool`")],
)
def test_a_slip_in_the_configuration_is_answered_with_what_may_stand_there(slip: bytes, said: str) -> None:
    text = (
        b"apiVersion: leadglass.dev/v1\nkind: AgentConfig\nmetadata: {name: a}\nspec:\n"
        b"  listen: 127.0.0.1:1\n  healthListen: 127.0.0.1:2\n  trustDomain: a.b\n  policy: p\n"
        b"  tls: {certificate: a, key: b, callerAuthorities: c}\n  audit: {path: d}\n  requireSandbox: " + slip
    )
    with pytest.raises(DocumentError, match=f"{re.escape(said)}: full, seccomp, none$"):
        parse_config(text, "agent.yaml")
