"""Hostile text: an engine that fails shows nothing, and no text costs more than in proportion to its length."""

from __future__ import annotations

import base64
import gzip
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from leadglass_agent.redaction import database, engine
from leadglass_agent.redaction.encoded import Encoded
from leadglass_agent.redaction.findings import RedactionError
from leadglass_agent.redaction.redactor import Redactor
from leadglass_agent.redaction.stream import RedactionStream, redact_whole
from leadglass_agent.redaction.windows import Sizes

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from _typeshed import TraceFunction

    from leadglass_agent.redaction.spans import Span

_PROFILES: Final = {profile: Redactor(profile) for profile in ("balanced", "strict")}
_DATABASE: Final = database.load()
_DATABASES: Final = {"balanced": _DATABASE, "strict": replace(_DATABASE, is_strict=True)}
_VALUE: Final = b"kQ7xZ" + b"vT9pLm2w"


class _Fault(Exception):
    """What goes wrong inside; its message holds a value, as messages do."""


def _failing_step(_data: bytes, _end: int) -> Span | None:
    raise _Fault(_VALUE)


def _failing_reader(_data: bytes, _end: int, _out: list[Span]) -> None:
    raise _Fault(_VALUE)


def _broken_database() -> database.Database:
    """Gives the real database with steps that fail, wherever a context rule or a reader is asked."""
    steps = _DATABASE.steps
    broken = engine.Steps(
        steps.heads,
        steps.besides,
        [_failing_step] * len(steps.contexts),
        [_failing_reader] * len(steps.readers),
        _DATABASE.compiled,
    )
    return database.Database(_DATABASE.compiled, broken, _DATABASE.rule_count)


_TRIGGER: Final = b"https://bob:" + _VALUE + b"@host/\n"


def test_a_step_that_fails_yields_no_text_from_a_stream() -> None:
    stream = RedactionStream(_broken_database())
    stream.feed(b"harmless line\n" + _TRIGGER)
    with pytest.raises(RedactionError) as raised:
        stream.finish()
    assert _VALUE.decode() not in f"{raised.value!r} {raised.value}"
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    for call in (stream.finish, lambda: stream.feed(b"more\n")):
        with pytest.raises(RedactionError):
            call()


def test_a_step_that_fails_in_a_later_window_breaks_the_stream_there() -> None:
    stream = RedactionStream(_broken_database())
    shown = stream.feed(b"harmless line\n" * 20_000).data
    assert shown.startswith(b"harmless line\n")
    with pytest.raises(RedactionError):
        stream.feed(_TRIGGER + b"harmless line\n" * 20_000)
    with pytest.raises(RedactionError):
        stream.finish()


_FAMILIES: Final = {
    "names without values": b"password",
    "names with separators": b"password=",
    "names behind each other": b"token: ",
    "unclosed quotes": b'password="',
    "unclosed escaped quotes": b'password=\\" ',
    "quoted names": b'"password":"',
    "brackets": b"password=[((",
    "braces": b"password={{",
    "references": b"password=${",
    "block scalars": b"password: |\n ",
    "block marks on one line": b"AccountKey=|| ",
    "heredocs": b"password=<<EOF ",
    "elements": b"<password>",
    "elements with attributes": b"<password a='",
    "URLs with many @": b"://a@",
    "URLs with passwords": b"://a:b@c/",
    "addresses of drivers": b"a:b@tcp(",
    "key begins": b"-----BEGIN PRIVATE KEY-----",
    "key ends": b"-----END PRIVATE KEY-----",
    "connection strings": b"Server=a;Password=",
    "base64 anchors": b"cGFzc3dvcmQ",
    "base64 anchors, one byte on": b"AcGFzc3dvcmQ=",
    "base64 lines": b"cGFzc3dvcmQ" * 7 + b"\n",
    "heads of gzip": b"H4sI",
    "hex anchors": b"70617373776f7264",
    "islands of UTF-16": "password=a ".encode("utf-16-le"),
    "halves of UTF-16": b"a\0b\0\0c\0d",
    "NUL bytes": b"\0",
    "percent escapes": b"password%3D%22",
    "escapes of JSON": b"password\\u0022:\\u0022",
    "backslashes": b'password="\\',
    "words of vendors": b"datadog ",
    "words of vendors and values": b"datadog: 0123456789abcdef",
    "sentences": b"the password for it is ",
    "options": b"--password ",
    "cookies": b"cookie: a=",
    "cookies that are set": b"set-cookie: a=b; ",
    "netrc": b"machine a login b password ",
    "statements": b"identified by '",
    "JSON web tokens": b"eyJhbGciOi",
    "dots": b"abcdefgh.eyJ",
    "manifests": b"kind: Secret\n",
    "manifests with data": b"apiVersion: v1\ndata:\n  a: b\nkind: Secret\n",
    "echoes": b"password=kQ7xZ\nkQ7xZ1",
    "cells": b"| password | ",
    "calls": b"setPassword(",
    "table heads": b"password,",
    "spaces": b"password     ",
    "entries and other lines in turn": b"09:30:00 a1b2c3\nkQ7v-a1b2\n",
    "one entry of many levels": b"a:1 INF WARM ",
    "passwords near a name": b"password velvet_1987 ",
    "passwords before a name": b"velvet_1987 password\n",
    "accesses": b"creds ",
    "accesses and passwords": b"wifi velvet_1987 ",
    "programs in quotes": b'"mysql" ',
    "lists of programs in quotes": b'"mysql", "-p',
    "logins in quotes": b'"auth" "',
    "questions of mail servers": b"334 UGFzc3dvcmQ6\n",
    "cookie jars": b"\ttrue\t1\t",
    "passphrases": b"passphrase is timber rocket ",
    "passphrases in quotes": b'password "timber rocket ',
    "names of codes": b"recovery codes:\n",
    "codes below their name": b"recovery codes:\nab1cd-ef2gh\n",
    "keys as bytes": b"aes_key={0x1,0x2,",
    "names apart from values": b"name: a\ntype: b\nvalue: ",
    "brackets in addresses": b"://a:<",
    "brackets before an @": b"://a<@",
    "serialised strings": b'"password";s:1:',
    "wrapped elements": b"<password> <a",
    "sections of characters": b"<password><![CDATA[",
    "names without blanks": "密码".encode(),
    "inflected names": "şifre ".encode(),
    "secrets of one paragraph": b"password=kQ7v1\nEnable: wren88\n",
    "texts in base64": b"dGhpcyBpcyBhIHRleHQ",
    "codes in groups": b"ABCD-",
    "questions for codes": b"door code?\n4711\n",
    "escaped letters": b"\\u0041",
}


def _steps(redact: Callable[[bytes], object], data: bytes) -> int:
    """Counts the lines of the engine that run."""
    count = 0

    def on_line(_frame: FrameType, _event: str, _argument: object) -> TraceFunction:
        nonlocal count
        count += 1
        return on_line

    def on_call(frame: FrameType, _event: str, _argument: object) -> TraceFunction | None:
        return on_line if "redaction" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        redact(data)
    finally:
        sys.settrace(before)
    return count


_COMPILED: Final = not (engine.__file__ or "").endswith(".py")


_UNCOUNTED: Final = pytest.mark.skipif(
    _COMPILED, reason="steps of compiled code cannot be counted; its source is the same"
)


@_UNCOUNTED
@pytest.mark.parametrize("profile", ["balanced", "strict"])
@pytest.mark.parametrize("unit", _FAMILIES.values(), ids=_FAMILIES.keys())
def test_twice_the_text_costs_about_twice_the_steps(profile: str, unit: bytes) -> None:
    sizes = Sizes()
    sizes.most = 1 << 30  # a window that ends early is the next test's

    def redact(data: bytes) -> object:
        return redact_whole(data, _DATABASES[profile], sizes)

    redact(unit)
    ratios = []
    # Quadratic work gives four at every length; a walk of bounded length does so until it has reached its bound.
    for length in (2000, 8000):
        text = unit * (2 * length // len(unit) + 1)
        once, twice = _steps(redact, text[:length]), _steps(redact, text[: 2 * length])
        assert once > 0
        ratios.append(twice / once)
        if ratios[-1] < 3:
            return
    pytest.fail(f"twice the text costs {ratios} times the steps")


@_UNCOUNTED
@pytest.mark.parametrize("profile", ["balanced", "strict"])
@pytest.mark.parametrize(
    "unit", [b"password=kQ7xZ1 ", b"datadog ", b"token: ", "pwd=a1b2c3d4 ".encode("utf-16-le"), b"a1b2c3d4e5 "]
)
def test_windows_that_end_early_cost_a_bounded_number_of_times_what_one_costs(profile: str, unit: bytes) -> None:
    text = unit * (16_000 // len(unit))
    few = Sizes(32_768)
    few.most = 64
    one, many = Sizes(), few

    def steps(sizes: Sizes) -> int:
        return _steps(lambda data: redact_whole(data, _DATABASES[profile], sizes), text)

    assert steps(many) < 8 * steps(one)


def test_a_million_echoes_are_masked_and_turn_nothing_off() -> None:
    shown = _PROFILES["balanced"].redact(b"password=abcdef1\n" + b"abcdef1 " * 130_000).text.data
    assert b"abcdef1" not in shown
    assert shown.count(b"[redacted:password]") == 130_001


def test_many_values_with_many_echoes_are_masked() -> None:
    values = [b"kQ%03dxZ" % number for number in range(250)]
    text = b"".join(b"password=%s\n" % value for value in values) + b"\n".join(b" ".join(values) for _ in range(100))
    shown = _PROFILES["balanced"].redact(text).text.data
    assert not [value for value in values if value in shown]


def test_bombs_in_gzip_cost_a_bounded_amount_of_text() -> None:
    bomb = base64.b64encode(gzip.compress(bytes(range(97, 123)) * 400_000, 9))
    seen: list[int] = []
    look = engine.Look(_DATABASE.steps)

    class Counting:
        depth = 2

        def holds(self, text: bytes) -> bool:
            seen.append(len(text))
            return look.holds(text)

    reader = Encoded(Counting())
    spans: list[Span] = []
    reader.confirm(bomb, 4, 2, spans)
    assert 0 < sum(seen) <= 300_000
