"""A stream gives what the whole text gives, however it is cut, in bounded memory, and nothing after an error."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leadglass_agent.redaction import database
from leadglass_agent.redaction.findings import RedactionError, RuleId
from leadglass_agent.redaction.redactor import Redactor
from leadglass_agent.redaction.stream import RedactionStream, redact_whole
from leadglass_agent.redaction.windows import Sizes
from redaction_corpus import HARMLESS, SURROUNDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

_REDACTOR = Redactor()
_DATABASE = database.load()
_WINDOW = Sizes().window
_MEBI = 1024 * 1024
_VALUE = b"kQ7xZ" + b"vT9pLm2w"
_LINE = b"2026-03-14 09:27:01 request completed in 12 ms\n"

_PIECES = st.one_of(
    st.sampled_from([line.encode() + b"\n" for line in HARMLESS]),
    st.tuples(st.sampled_from(SURROUNDINGS), st.integers(0, 99)).map(
        lambda pair: pair[0].replace("@@", f"kQ{pair[1]}xZvT9-p").encode() + b"\n"
    ),
    st.integers(1, 2000).map(lambda length: b"x" * length),
    st.integers(1, 3000).map(lambda length: b'password="' + b"Ab1$" * length + b'"\n'),
    st.integers(1, 60).map(
        lambda lines: (
            b"-----BEGIN RSA PRIVATE KEY-----\n" + b"MIIEvQIBADANBgkq\n" * lines + b"-----END RSA PRIVATE KEY-----"
        )
    ),
    st.binary(max_size=60),
    st.text("paswordtken:=\"' \n{}[]<>|\\", max_size=60).map(str.encode),
    st.text("abc äöü password=", max_size=60).map(lambda text: text.encode("utf-16-le")),
)
_TEXTS = st.lists(_PIECES, max_size=25).map(b"".join)


def _in_chunks(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    position = 0
    for size in cuts:
        yield data[position : position + size]
        position += size
    yield data[position:]


def _streamed(data: bytes, cuts: list[int], sizes: Sizes | None = None) -> tuple[bytes, dict[RuleId, int]]:
    stream = RedactionStream(_DATABASE, sizes)
    shown = [stream.feed(chunk).data for chunk in _in_chunks(data, cuts)]
    return b"".join([*shown, stream.finish().data]), stream.counts


@settings(deadline=None)
@given(
    _TEXTS,
    st.lists(st.integers(0, 5000), max_size=12),
    st.sampled_from([512, 1024, 4096]),
    st.sampled_from([3, 50, 1536]),
)
def test_any_chunks_give_what_the_whole_gives(data: bytes, cuts: list[int], window: int, most: int) -> None:
    sizes = Sizes(window)
    sizes.most = most
    clean, findings = redact_whole(data, _DATABASE, sizes)
    shown, counts = _streamed(data, cuts, sizes)
    assert shown == clean.data
    assert counts == {rule: sum(finding.rule_id == rule for finding in findings) for rule in counts}
    assert sum(counts.values()) == len(findings)


@settings(deadline=None)
@given(_TEXTS, st.sampled_from([512, 1024, 4096]))
def test_findings_of_windows_are_ordered_places_of_the_whole_text(data: bytes, window: int) -> None:
    clean, findings = redact_whole(data, _DATABASE, Sizes(window))
    at = 0
    kept = [b""]
    for finding in findings:
        assert at <= finding.start < finding.end <= len(data)
        kept.append(data[at : finding.start])
        at = finding.end
    kept.append(data[at:])
    shown = clean.data
    for part in kept:
        place = shown.find(part)
        assert place >= 0
        shown = shown[place + len(part) :]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([line.encode() + b"\n" for line in HARMLESS]), min_size=1, max_size=60),
    st.sampled_from([text for text in SURROUNDINGS if "\n" not in text]),
    st.integers(0, 4096),
)
@example([b"x\n"], "password: @@", 4090)
def test_a_secret_at_any_place_of_a_window_is_masked(lines: list[bytes], surrounding: str, before: int) -> None:
    secret = surrounding.replace("@@", _VALUE.decode()).encode()
    alone = _REDACTOR.redact(secret).text.data
    data = b"." * before + b"\n" + secret + b"\n" + b"".join(lines) * 4 + b"." * 4096
    clean, _findings = redact_whole(data, _DATABASE, Sizes(4096))
    assert (_VALUE in clean.data) == (_VALUE in alone)


def test_a_name_before_a_cut_counts_for_the_value_behind_it() -> None:
    manifest = b"- name: DB_PASSWORD\n  value: " + _VALUE + b"\n"
    for before in range(3650, 3980, 3):
        data = b"." * before + b"\n" + manifest + b"." * 4096
        assert _VALUE not in redact_whole(data, _DATABASE, Sizes(4096))[0].data


@pytest.mark.parametrize("size", [0, 1, _WINDOW - 1, _WINDOW, _WINDOW + 1, 3 * _WINDOW + 17])
def test_the_redactor_and_its_stream_agree_at_every_size(size: int) -> None:
    text = (_LINE * 40 + b"password=" + _VALUE + b"\n") * (size // 1000 + 1)
    data = text[:size]
    stream = _REDACTOR.stream()
    shown = stream.feed(data).data + stream.finish().data
    assert shown == _REDACTOR.redact(data).text.data


_LONG = _WINDOW * 2 + 4321
_FILLER = (b"Zk3xQ9vT7pLm2wB8" * (_LONG // 16 + 1))[:_LONG]
_ENDS = {
    "in quotes": (b'{"password": "', _FILLER, b'", "user": "bob"}\n'),
    "in escaped quotes": (b'{"a": "{\\"password\\": \\"', _FILLER, b'\\", \\"user\\": 1}"}\n'),
    "to a blank": (b"2026 url x password=", _FILLER, b" user=bob\n"),
    "to the end of its line": (b"password: ", _FILLER, b"\nuser: bob\n"),
    "with a word in quotes": (b'password="', _FILLER.replace(b"Zk3", b'\\"3'), b'" user\n'),
    "in three quotes": (b'password = """', _FILLER.replace(b"Zk3", b'a"\n'), b'"""\nuser\n'),
    "an element": (b"<password>", _FILLER, b"</password><user>bob</user>\n"),
    "a key": (
        b"-----BEGIN RSA PRIVATE KEY-----\n",
        _FILLER.replace(b"Zk3x", b"k3x\n"),
        b"-----END RSA PRIVATE KEY-----\nuser\n",
    ),
    "a key without its end": (
        b"-----BEGIN RSA PRIVATE KEY-----\n",
        _FILLER.replace(b"Zk3x", b"k3x\n"),
        b"(user) bob\n",
    ),
}


@pytest.mark.parametrize(("before", "secret", "after"), _ENDS.values(), ids=_ENDS.keys())
@pytest.mark.parametrize("place", [0, _WINDOW - 20])
def test_a_secret_longer_than_two_windows_is_masked_to_its_end(
    before: bytes, secret: bytes, after: bytes, place: int
) -> None:
    data = (_LINE * 3000)[:place] + b"\n" + before + secret + after + _LINE
    shown = _REDACTOR.redact(data).text.data
    assert b"3x" not in shown
    assert shown.count(b"[redacted:") == 1
    assert b"user" in shown
    assert shown.endswith(_LINE)
    assert _streamed(data, [7] * 20 + [50_000] * 4)[0] == shown


def test_a_value_is_masked_at_its_other_occurrences_in_later_windows() -> None:
    data = b"password=" + _VALUE + b"\n" + _LINE * 20_000 + b"again " + _VALUE + b"\n"
    assert _VALUE not in _REDACTOR.redact(data).text.data


def test_values_stay_known_while_others_come() -> None:
    values = [b"kQ%06dxZ" % number for number in range(200)]
    data = b"".join(b"password=" + value + b"\n" + _LINE * 60 for value in values) + b" ".join(values)
    shown = _REDACTOR.redact(data).text.data
    assert not [value for value in values if value in shown]


@pytest.mark.parametrize(
    "text",
    [
        b"x" * 7919,
        b"password=1111111\n" + b"1" * 8000,
        b"password=abcdef1\n",
        b"pwd=",
        b"token",
        b"://a:b@c ",
        b'"password": "',
        b"a\0b\0c\0d\0password=\0",
        b"H4sIAAAA",
        _LINE,
    ],
    ids=lambda text: text[:12].decode("latin-1"),
)
def test_a_stream_holds_less_than_a_mebibyte_whatever_it_is_fed(text: bytes) -> None:
    chunk = (text * (65_536 // len(text) + 1))[:65_536]
    stream = _REDACTOR.stream()
    stream.feed(chunk * 2)  # what the process keeps for all streams
    stream.feed(chunk)
    gc.collect()
    tracemalloc.start()
    try:
        stream = _REDACTOR.stream()
        for _ in range(4):
            stream.feed(chunk)
        stream.finish()
        _now, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < _MEBI


def test_a_stream_shows_nothing_after_an_error() -> None:
    stream = _REDACTOR.stream()
    stream.feed(b"first\n")
    with pytest.raises(RedactionError):
        stream.feed(None)  # type: ignore[arg-type]
    with pytest.raises(RedactionError):
        stream.feed(b"more\n")
    with pytest.raises(RedactionError):
        stream.finish()


def test_a_finished_stream_takes_no_more() -> None:
    stream = _REDACTOR.stream()
    assert stream.finish().data == b""
    with pytest.raises(RedactionError):
        stream.feed(b"more\n")
