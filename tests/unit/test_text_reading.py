"""Windows of text files: where they begin and end, and that no edge of theirs shows half a secret."""

from __future__ import annotations

import os
import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadglass_agent.errors import InvalidRequest, PatternRefused, RateLimited
from leadglass_agent.policy.model import Profile
from leadglass_agent.views.open_texts import MAX_OPEN, OpenTexts
from leadglass_agent.views.paths import TargetRoot
from leadglass_agent.views.redactors import build_redactors
from leadglass_agent.views.rows import (
    TextEnd,
    TextFile,
    TextFilter,
    TextLine,
    TextPage,
    TextQuery,
    TextStart,
    Unavailable,
)
from sample_processes import EVERY_PATH, paths_scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.policy.scope import Scope

REDACTORS = build_redactors()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[TargetRoot]:
    fd = os.open(tmp_path, os.O_PATH)
    yield TargetRoot(fd)
    os.close(fd)


@dataclass(slots=True)
class Window:
    """All pages of one window, put together."""

    file: TextFile | None = None
    lines: list[TextLine] = field(default_factory=list)
    end: TextEnd | None = None
    unavailable: Unavailable | None = None
    redactions: dict[str, int] = field(default_factory=dict)
    redaction: Profile | None = None
    pages: int = 0

    @property
    def texts(self) -> list[str]:
        """The text of each line."""
        return [line.text.text for line in self.lines]

    def add(self, page: TextPage) -> None:
        """Takes the next page."""
        self.file = page.file or self.file
        self.lines += page.lines
        self.end, self.unavailable, self.redaction = page.end, page.unavailable, page.redaction
        self.pages += 1
        for rule, count in page.redactions:
            self.redactions[rule] = self.redactions.get(rule, 0) + count


def _query(
    path: str = "/app.log",
    start: TextStart = TextStart.HEAD,
    *,
    offset: int = 0,
    lines: int = 100_000,
    size: int = 1 << 30,
    follow: bool = False,
    wanted: TextFilter | None = None,
) -> TextQuery:
    return TextQuery(path, start, offset, lines, size, follow, wanted)


def _read(root: TargetRoot, query: TextQuery, scope: Scope = EVERY_PATH, *, most_pages: int = 10_000) -> Window:
    """Reads a window to its end, or until nothing new is there."""
    texts = OpenTexts(root, REDACTORS)
    window, stream = Window(), 0
    while window.end is None and window.pages < most_pages:
        page = texts.page(1, stream, scope, query)
        stream = page.stream
        window.add(page)
        if page.is_waiting:
            break
    texts.close(stream)
    return window


def test_a_whole_file_is_read_line_by_line(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"one\n\ttwo\n\nfour without an end")

    window = _read(root, _query())

    assert window.texts == ["one", "\ttwo", "", "four without an end"]
    assert window.end is TextEnd.END_OF_FILE
    assert window.file is not None
    assert (window.file.path.text, window.file.size_bytes, window.file.start_bytes) == ("/app.log", 29, 0)


def test_the_first_lines_are_those_of_head_and_the_last_those_of_tail(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"".join(b"line %d\n" % number for number in range(100_000)))

    assert _read(root, _query(lines=3)).texts == ["line 0", "line 1", "line 2"]
    assert _read(root, _query(lines=3)).end is TextEnd.LINE_LIMIT
    tail = _read(root, _query(start=TextStart.TAIL, lines=3))
    assert tail.texts == ["line 99997", "line 99998", "line 99999"]
    assert tail.end is TextEnd.END_OF_FILE
    many = _read(root, _query(start=TextStart.TAIL, lines=90_000))
    assert (len(many.lines), many.texts[0]) == (90_000, "line 10000")


@pytest.mark.parametrize("content", [b"a\nb\nc", b"a\nb\nc\n", b"c", b"c\n", b"\n\n", b"", b"\nc"])
@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_a_tail_has_as_many_lines_as_asked_for(root: TargetRoot, tmp_path: Path, content: bytes, count: int) -> None:
    (tmp_path / "app.log").write_bytes(content)

    expected = content.decode().removesuffix("\n").split("\n")[-count:] if content else []
    assert _read(root, _query(start=TextStart.TAIL, lines=count)).texts == expected


def test_a_window_by_bytes_begins_and_ends_with_whole_lines(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"first\nsecond\nthird\nfourth\n")

    assert _read(root, _query(start=TextStart.OFFSET, offset=8, size=7)).texts == ["second", "third"]
    assert _read(root, _query(start=TextStart.OFFSET, offset=6, size=7)).texts == ["second"]
    assert _read(root, _query(size=1)).texts == ["first"]
    assert _read(root, _query(size=1)).end is TextEnd.BYTE_LIMIT
    assert _read(root, _query(start=TextStart.TAIL, lines=0, size=3)).texts == ["fourth"]
    assert _read(root, _query(start=TextStart.OFFSET, offset=1 << 40)).texts == []


def test_a_page_is_bounded_and_the_pages_are_the_whole(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"\n" * 5_000 + b"x" * 3_000_000 + b"\nend\n")
    texts = OpenTexts(root, REDACTORS)

    first = texts.page(7, 0, EVERY_PATH, _query())
    window = _read(root, _query())

    assert (len(first.lines), first.stream, first.end) == (1_000, 7, None)
    assert len(window.lines) == 5_002
    assert window.texts[-1] == "end"
    assert (len(window.texts[-2]), window.lines[-2].text.truncated) == (16_384, True)


_BODY = "".join(random.Random(7).choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=1_600))  # noqa: S311 - text of a test, the same each time
TOKEN = "ghp" + "_" + _BODY[60:96].replace("+", "a").replace("/", "b")
_KEY = "\n".join(
    (
        f"-----BEGIN RSA {'PRIVATE'} KEY-----",
        *(_BODY[at : at + 64] for at in range(0, 1_600, 64)),
        f"-----END RSA {'PRIVATE'} KEY-----",
    ),
)
_PASSWORD = _BODY[:40].replace("+", "x").replace("/", "y")
_JSON = f'{{"level":"info","database":{{"user":"shop","password":"{_PASSWORD}"}},"note":"{TOKEN}"}}'


def _shown_of(text: str, secret: str) -> int:
    """Gives the length of the longest piece of a secret that stands in the text, up to 12."""
    return max(
        (size for size in range(1, 13) for at in range(len(secret) - size + 1) if secret[at : at + size] in text),
        default=0,
    )


@pytest.mark.parametrize("start", [TextStart.OFFSET, TextStart.TAIL])
def test_a_key_that_the_window_s_edge_cuts_is_not_shown(root: TargetRoot, tmp_path: Path, start: TextStart) -> None:
    content = f"2026-11-22 server starts\n{_KEY}\n2026-11-22 server listens\n".encode()
    (tmp_path / "app.log").write_bytes(content)

    for at in range(0, len(content), 23):
        query = (
            _query(start=start, offset=at)
            if start is TextStart.OFFSET
            else _query(start=start, lines=0, size=len(content) - at)
        )
        text = "\n".join(_read(root, query).texts)
        assert _shown_of(text, _BODY) < 6, at
        assert text.endswith("server listens")


def test_a_window_that_ends_within_a_key_or_a_line_shows_nothing_of_it(root: TargetRoot, tmp_path: Path) -> None:
    content = f"2026-11-22 server starts\n{_KEY}\n{_JSON}\nlast\n".encode()
    (tmp_path / "app.log").write_bytes(content)

    for at in range(1, len(content), 23):
        text = "\n".join(_read(root, _query(size=at)).texts)
        assert _shown_of(text, _BODY) < 6, at
        assert TOKEN[4:16] not in text


def test_a_line_of_json_that_is_cut_anywhere_shows_no_secret(root: TargetRoot, tmp_path: Path) -> None:
    content = f"{_JSON}\n".encode()
    (tmp_path / "app.log").write_bytes(content)

    for at in range(len(content)):
        for query in (_query(start=TextStart.OFFSET, offset=at), _query(start=TextStart.OFFSET, offset=at, size=1)):
            text = "\n".join(_read(root, query).texts)
            assert _BODY[:8] not in text
            assert TOKEN[4:16] not in text
            assert '"user":"shop"' in text or at == len(content)


def test_a_giant_line_is_bounded_and_a_secret_across_its_edges_is_masked(root: TargetRoot, tmp_path: Path) -> None:
    filler = b"lorem ipsum dolor sit amet " * 10_000  # 270 kB
    content = filler + TOKEN.encode() + b" " + filler
    (tmp_path / "app.log").write_bytes(content)

    for at in (*range(len(filler) - 3, len(filler) + len(TOKEN) + 3), len(filler) - 70_000):
        middle = _read(root, _query(start=TextStart.OFFSET, offset=at, size=1_000))
        assert middle.file is not None
        assert middle.file.starts_within_line
        assert len(middle.lines) <= 1
        assert all(TOKEN[size : size + 12] not in "".join(middle.texts) for size in range(len(TOKEN) - 12))
    for size in range(len(filler) - 20, len(filler) + len(TOKEN) + 20, 7):
        assert TOKEN[4:16] not in "".join(_read(root, _query(size=size)).texts)


def test_a_giant_line_shows_nothing_of_a_secret_that_its_end_cuts(root: TargetRoot, tmp_path: Path) -> None:
    # What is masked is short, so that the place of the cut comes into view.
    head = f'{{"password":"{_BODY[:1_500] * 42}", "note":"'.encode()
    for at in range(64 * 1024 - 30, 64 * 1024 + 3, 3):
        filler = b"plain " * ((at - len(head)) // 6)
        (tmp_path / "app.log").write_bytes(head + filler + TOKEN.encode() + b" plain" * 50_000)

        text = "".join(_read(root, _query(size=1)).texts)
        assert TOKEN[4:9] not in text


def test_the_tail_of_a_huge_file_costs_the_window_and_not_the_file(root: TargetRoot, tmp_path: Path) -> None:
    with (tmp_path / "app.log").open("wb") as file:
        file.write(b"begin\n" * 2_000)
        file.truncate(10 << 30)
        file.seek(0, os.SEEK_END)
        file.write(b"\nlast but one\nlast\n")

    window = _read(root, _query(start=TextStart.TAIL, lines=2))

    assert window.texts == ["last but one", "last"]
    assert window.pages <= 2


def test_a_hostile_line_of_a_gigabyte_is_cut(root: TargetRoot, tmp_path: Path) -> None:
    with (tmp_path / "app.log").open("wb") as file:
        file.write(b"x" * 100_000)
        file.truncate(1 << 30)

    window = _read(root, _query(size=4 << 20))

    assert len(window.lines) == 1
    assert (len(window.texts[0]), window.lines[0].text.truncated) == (16_384, True)
    assert window.end is TextEnd.BYTE_LIMIT


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x7fELF" + b"x" * 100, Unavailable.BINARY_FILE),
        (b"\x1f\x8b" + b"x" * 100, Unavailable.BINARY_FILE),
        (b"text\0text", Unavailable.BINARY_FILE),
        (b"\x30\x82" + b"x" * 100, Unavailable.BINARY_FILE),
        (b"\xff\xfe\0\0t\0\0\0", Unavailable.BINARY_FILE),
        (b"text", None),
        (b"", None),
        (b"caf\xe9 in Latin-1", None),
        ("ünïcode".encode(), None),
    ],
)
def test_a_binary_file_is_refused(root: TargetRoot, tmp_path: Path, content: bytes, reason: Unavailable | None) -> None:
    (tmp_path / "app.log").write_bytes(content)

    assert _read(root, _query()).unavailable is reason


def test_what_is_no_file_is_never_opened(root: TargetRoot, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()

    for path in ("/fifo", "/folder", "/"):
        assert _read(root, _query(path)).unavailable is Unavailable.NOT_A_FILE
    assert _read(root, _query("/absent")).unavailable is Unavailable.NOT_FOUND
    with pytest.raises(InvalidRequest):
        _read(root, _query("/a/../b"))


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_read_as_text(root: TargetRoot, tmp_path: Path, codec: str) -> None:
    text = f"\ufeffeins\nzwei ä\u010a\u0a0a\ndrei password={_BODY[:30]}\nvier"
    (tmp_path / "app.log").write_bytes(text.encode(codec))

    whole = _read(root, _query())
    assert whole.texts[:2] == ["eins", "zwei ä\u010a\u0a0a"]
    assert _BODY[:8] not in "".join(whole.texts)
    assert whole.texts[3] == "vier"
    assert _read(root, _query(start=TextStart.TAIL, lines=1)).texts == ["vier"]
    for at in range(len(text) * 2):
        assert _BODY[:8] not in "".join(_read(root, _query(start=TextStart.OFFSET, offset=at)).texts)


def test_only_what_the_scope_admits_is_read(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "a.log").write_text("hidden\n")
    (tmp_path / "link.log").symlink_to("keys/a.log")
    scope = paths_scope("/*.log")

    assert _read(root, _query("/keys/a.log"), scope).unavailable is Unavailable.NOT_FOUND
    assert _read(root, _query("/link.log"), scope).unavailable is Unavailable.NOT_FOUND
    assert _read(root, _query("/link.log")).texts == ["hidden"]


def test_a_window_ends_when_its_file_is_admitted_no_more(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"x\n" * 5_000)
    texts = OpenTexts(root, REDACTORS)
    texts.page(1, 0, EVERY_PATH, _query())

    page = texts.page(2, 1, paths_scope("/other"), _query())

    assert (page.end, page.unavailable, page.lines) == (TextEnd.UNAVAILABLE, Unavailable.NOT_FOUND, ())
    assert texts.page(3, 1, EVERY_PATH, _query()).end is TextEnd.INTERRUPTED


def test_so_many_windows_are_open_and_no_more(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"x\n" * 5_000)
    texts = OpenTexts(root, REDACTORS)
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    for number in range(MAX_OPEN):
        texts.page(number + 1, 0, EVERY_PATH, _query())
    with pytest.raises(RateLimited):
        texts.page(99, 0, EVERY_PATH, _query())

    for number in range(MAX_OPEN):
        texts.close(number + 1)
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before


def test_lines_that_are_added_follow_when_they_are_whole(root: TargetRoot, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"one\ntwo\nhalf of th")
    texts = OpenTexts(root, REDACTORS)
    query = _query(start=TextStart.TAIL, lines=2, follow=True)

    def new() -> tuple[list[str], TextPage]:
        page = texts.page(1, 0 if query.path not in seen else 1, EVERY_PATH, query)
        seen.add(query.path)
        return [line.text.text for line in page.lines], page

    seen: set[str] = set()
    assert new()[0] == ["two"]
    assert new()[0] == []
    with log.open("ab") as file:
        file.write(b"ree\nfour\nfi")
    assert new()[0] == ["half of three", "four"]
    with log.open("ab") as file:
        file.write(f"ve password={_BODY[:20]}\n".encode())
    lines, page = new()
    assert _BODY[:6] not in lines[0]
    assert lines[0].startswith("five password=[redacted:")
    assert sum(count for _, count in page.redactions) == 1
    assert page.is_waiting is False


def test_a_key_that_is_written_piece_by_piece_is_never_shown(root: TargetRoot, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"start\n")
    texts = OpenTexts(root, REDACTORS)
    query = _query(follow=True)
    shown = [line.text.text for line in texts.page(1, 0, EVERY_PATH, query).lines]
    data = f"{_KEY}\nafter\n".encode()
    for at in range(0, len(data), 50):
        with log.open("ab") as file:
            file.write(data[at : at + 50])
        shown += [line.text.text for line in texts.page(1, 1, EVERY_PATH, query).lines]

    assert _shown_of("\n".join(shown), _BODY) < 6
    assert shown[0] == "start"
    assert shown[-1] == "after"


def test_a_token_whose_second_half_is_written_later_is_not_shown(root: TargetRoot, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text(f"start\nuses {TOKEN[:22]}")
    texts = OpenTexts(root, REDACTORS)
    query = _query(follow=True)
    shown = [line.text.text for line in texts.page(1, 0, EVERY_PATH, query).lines]
    with log.open("a") as file:
        file.write(f"{TOKEN[22:]} for it\n")
    shown += [line.text.text for line in texts.page(1, 1, EVERY_PATH, query).lines]

    assert shown == ["start", "uses [redacted:github-token] for it"]


@pytest.mark.parametrize(
    ("change", "end"),
    [
        ("truncate", TextEnd.FILE_TRUNCATED),
        ("rotate", TextEnd.FILE_ROTATED),
        ("remove", TextEnd.FILE_ROTATED),
        ("remove at once", TextEnd.FILE_ROTATED),
    ],
)
def test_following_ends_when_the_file_is_another(root: TargetRoot, tmp_path: Path, change: str, end: TextEnd) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"one\n")
    texts = OpenTexts(root, REDACTORS)
    query = _query(follow=True)
    texts.page(1, 0, EVERY_PATH, query)
    if change == "truncate":
        log.write_bytes(b"")
    else:
        if change != "remove at once":
            with log.open("ab") as file:
                file.write(b"last words\n")
        log.unlink()
        if change == "rotate":
            log.write_bytes(b"new\n")

    window = Window()
    for _ in range(5):
        if window.end is None:
            page = texts.page(1, 1, EVERY_PATH, query)
            window.add(page)

    assert window.end is end
    assert not page.is_waiting  # such a page is not sent
    assert window.texts == (["last words"] if change in {"rotate", "remove"} else [])


def _filter(pattern: str, *, fixed: bool = False, fold: bool = False, before: int = 0, after: int = 0) -> TextFilter:
    return TextFilter(pattern, fixed, fold, before, after)


_LINES = b"GET /a 200\nGET /b 500\nPOST /c 201\nwarn: \xc3\x84rger 1.5\nGET /d 500\nbye\n"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (_filter("GET .* 500$"), ["GET /b 500", "GET /d 500"]),
        (_filter("^GET|bye"), ["GET /a 200", "GET /b 500", "GET /d 500", "bye"]),
        (_filter("1.5", fixed=True), ["warn: Ärger 1.5"]),
        (_filter("201|1.5", fixed=True), []),
        (_filter("ärger", fixed=True, fold=True), ["warn: Ärger 1.5"]),
        (_filter("Är+ger"), ["warn: Ärger 1.5"]),
        (_filter("get /[ab]", fold=True), ["GET /a 200", "GET /b 500"]),
        (_filter(r"\Abye\z"), ["bye"]),
        (_filter("a 200\\nGET"), []),
        (_filter("200[^x]GET"), []),
        (_filter("POST", before=1, after=1), ["GET /b 500", "POST /c 201", "warn: Ärger 1.5"]),
        (_filter("x*"), _LINES.decode().splitlines()),
    ],
)
def test_a_filter_keeps_the_lines_that_fit(
    root: TargetRoot, tmp_path: Path, wanted: TextFilter, expected: list[str]
) -> None:
    (tmp_path / "app.log").write_bytes(_LINES)

    assert _read(root, _query(wanted=wanted)).texts == expected


def test_context_and_gaps_are_marked(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"".join(b"%d\n" % number for number in range(30)))

    lines = _read(root, _query(wanted=_filter("^[05]$|^20$", before=1, after=1))).lines

    assert [(line.text.text, line.is_context, line.after_gap) for line in lines] == [
        ("0", False, False),
        ("1", True, False),
        ("4", True, True),
        ("5", False, False),
        ("6", True, False),
        ("19", True, True),
        ("20", False, False),
        ("21", True, False),
    ]


@pytest.mark.parametrize(
    "pattern",
    ["(a)\\1", "(?=a)b", "(", "[", "a{1,1000}", "x" * 257, "[ä]", "a\nb", "a{99999999999}"],
)
def test_a_pattern_that_takes_more_than_linear_time_is_refused(root: TargetRoot, tmp_path: Path, pattern: str) -> None:
    (tmp_path / "app.log").write_bytes(_LINES)

    with pytest.raises(PatternRefused):
        _read(root, _query(wanted=_filter(pattern)))


def test_a_pattern_finds_no_secret(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(f"login password={_BODY[:24]}\n".encode())

    for size in range(4, 24):
        assert _read(root, _query(wanted=_filter(_BODY[:size], fixed=True))).lines == []
    assert len(_read(root, _query(wanted=_filter("redacted"))).lines) == 1


def test_a_filter_stops_at_its_limit_of_lines(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"hit\nmiss\n" * 5_000)

    window = _read(root, _query(wanted=_filter("hit"), lines=3))

    assert window.texts == ["hit"] * 3
    assert window.end is TextEnd.LINE_LIMIT


def test_logs_are_masked_as_logs_and_all_else_strictly(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "var" / "log").mkdir(parents=True)
    for name in ("app.log", "app.log.1", "x.out", "x.err", "var/log/messages", "app.yaml", "catalog"):
        (tmp_path / name).write_text("x\n")

    chosen = {name: _read(root, _query(f"/{name}")).redaction for name in ("app.log.1", "x.out", "var/log/messages")}
    assert set(chosen.values()) == {Profile.BALANCED}
    assert {_read(root, _query(f"/{name}")).redaction for name in ("app.yaml", "catalog")} == {Profile.STRICT}


@given(
    content=st.lists(
        st.sampled_from([b"plain words\n", b"\n", _JSON.encode(), _KEY.encode() + b"\n", b"\xff\xfe mixed\n", b"end"]),
        max_size=12,
    ).map(b"".join),
    offset=st.integers(0, 6_000),
    size=st.integers(1, 6_000),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_window_shows_a_secret(root: TargetRoot, tmp_path: Path, content: bytes, offset: int, size: int) -> None:
    (tmp_path / "app.log").write_bytes(content)

    for query in (
        _query(start=TextStart.OFFSET, offset=offset, size=size),
        _query(start=TextStart.TAIL, lines=0, size=size),
        _query(start=TextStart.TAIL, lines=1 + size % 5),
    ):
        text = "\n".join(_read(root, query).texts)
        assert _BODY[:10] not in text
        assert TOKEN[4:16] not in text


_PIECES = st.sampled_from(
    [
        b"plain words and numbers 12345\n",
        b"\n",
        b"\ttabs\tand \\ backslashes\r\n",
        f"{_JSON}\n".encode(),
        f"{_KEY}\n".encode(),
        f"again {_BODY[:40]}\n".encode().replace(b"+", b"x").replace(b"/", b"y"),
        b"kind: password\nvalue: hunter2-and-more\n",
        "ünïcode \u202e \x1b[31m\n".encode(),
        b"caf\xe9 \xff\n",
        b"password=",
    ],
)


@given(content=st.lists(_PIECES, max_size=40).map(b"".join), repeats=st.sampled_from([1, 1, 1, 200]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_pages_of_a_file_are_what_the_redactor_makes_of_the_whole(
    root: TargetRoot, tmp_path: Path, content: bytes, repeats: int
) -> None:
    (tmp_path / "app.log").write_bytes(content * repeats)

    clean = REDACTORS.balanced.redact(content * repeats).text.data.decode("utf-8", "surrogateescape")
    expected = clean.removesuffix("\n").split("\n") if clean else []
    shown = [_unescaped(text) for text in _read(root, _query(lines=1_000_000)).texts]
    assert shown == expected


@given(content=st.lists(_PIECES, max_size=20).map(b"".join), offset=st.integers(0, 8_000), lines=st.integers(1, 30))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_window_shows_what_the_whole_shows_there(
    root: TargetRoot, tmp_path: Path, content: bytes, offset: int, lines: int
) -> None:
    (tmp_path / "app.log").write_bytes(content)

    whole = "\n".join(_read(root, _query()).texts)
    for query in (_query(start=TextStart.OFFSET, offset=offset), _query(start=TextStart.TAIL, lines=lines)):
        assert whole.endswith("\n".join(_read(root, query).texts))


def _unescaped(text: str) -> str:
    """Undoes the escapes of a line."""

    def character(found: re.Match[str]) -> str:
        if found[0] == "\\\\":
            return "\\"
        code = int.from_bytes(bytes.fromhex(found[0][2:]))
        return chr(0xDC00 + code) if found[0][1] == "x" else chr(code)

    return re.sub(r"\\(?:\\|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})", character, text)


@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
@pytest.mark.parametrize("line", ["", "word " * 20])
def test_a_tail_of_many_lines_is_found_whatever_the_encoding(
    root: TargetRoot, tmp_path: Path, codec: str, line: str
) -> None:
    (tmp_path / "app.log").write_text(f"{line}\n" * 60_000, encoding=codec)

    window = _read(root, _query(start=TextStart.TAIL, lines=50_000))

    assert window.texts == [line] * 50_000
