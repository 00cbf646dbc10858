"""Windows that are masked ahead of the search for their echoes give what a stream gives, which searches at each."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from leadglass_agent.redaction import database
from leadglass_agent.redaction.echo import Echoes
from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.stream import RedactionStream, redact_whole
from leadglass_agent.redaction.windows import Sizes

_DATABASE = database.load()
_VALUES = [b"kQ%03dxZvT9" % number for number in range(12)]
_LINE = b"2026-03-14 09:27:01 request completed in 12 ms\n"
_OPEN = b'password="' + b"vT9pLm2w " * 90

_LINES = st.one_of(
    st.integers(1, 30).map(lambda count: _LINE * count),
    st.sampled_from(_VALUES).map(lambda value: b"password=" + value + b"\n"),
    st.sampled_from(_VALUES).map(lambda value: b"token: " + value + b"\n"),
    st.sampled_from(_VALUES).map(lambda value: b"job " + value + b" done\n"),
    st.sampled_from(_VALUES).map(lambda value: _OPEN + value + b'"\n'),
    st.tuples(st.sampled_from(_VALUES), st.integers(1, 9)).map(lambda pair: pair[0] * pair[1]),
)


def _agree(data: bytes, window: int, most: int) -> bytes:
    sizes = Sizes(window)
    sizes.most = most
    clean, findings = redact_whole(data, _DATABASE, sizes)
    stream = RedactionStream(_DATABASE, sizes)
    assert stream.feed(data).data + stream.finish().data == clean.data
    assert sum(stream.counts.values()) == len(findings)
    return clean.data


@settings(deadline=None)
@given(st.lists(_LINES, min_size=8, max_size=60).map(b"".join), st.sampled_from([512, 1024]), st.sampled_from([4, 768]))
@example(b"password=" + _VALUES[0] + b"\n" + _LINE * 90 + b"x " + _VALUES[0] * 40, 512, 4)
def test_a_text_of_many_windows_is_masked_as_its_stream_is(data: bytes, window: int, most: int) -> None:
    _agree(data, window, most)


def test_an_echo_that_no_rule_finds_is_masked_however_many_windows_behind() -> None:
    value = _VALUES[0]
    for windows in (1, 5, 30, 200):
        data = (
            b"password=%s\n" % value
            + _LINE * (windows * 512 // len(_LINE))
            + b"2026-03-14 09:27:02 job %s done\n" % value
            + _LINE
        )
        shown = _agree(data * 2, 512, 768)
        assert value not in shown
        assert shown.count(b"job [redacted:password] done") == 2


def test_values_that_are_taken_back_are_found_anew() -> None:
    echoes = Echoes()
    first, second = b"one kQ7xZvT9 ", b"two vT9pLm2w "
    echoes.keep(first, [Span(4, 12, 40, RuleId("password"))], 0, len(first))
    known = echoes.count
    echoes.keep(second, [Span(4, 12, 40, RuleId("password"))], 0, len(second))
    assert echoes.count == known + 1
    echoes.forget(known)
    assert echoes.count == known
    assert [span.start for span in echoes.known(first + second, 0, 768)[0]] == [4]
    echoes.keep(second, [Span(4, 12, 40, RuleId("password"))], 0, len(second))
    assert [span.start for span in echoes.known(first + second, 0, 768)[0]] == [4, 17]
