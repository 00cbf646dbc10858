"""The strict profile masks what looks like a token beside any name, unless it is known to be harmless."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.redaction import strict, windows
from leadglass_agent.redaction.redactor import RedactionError, Redactor
from redaction_corpus import HARMLESS, SURROUNDINGS, longest_surviving_share

if TYPE_CHECKING:
    from types import FrameType

    from _typeshed import TraceFunction

    from leadglass_agent.redaction.spans import Span

_STRICT = Redactor(profile="strict")
_BALANCED = Redactor()
# Random strings and passwords as people make them, put together so that no scanner takes them for live ones.
_RANDOM = "lcXThy1J" + "LVs93GDURcdgPoSF"
_HUMAN = "Kettle" + "Needle261"
_WORDS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-=:/ \n\"'(),;@#!$&?+%"


def _shown(text: str) -> str:
    return _STRICT.redact(text.encode()).text.data.decode()


@pytest.mark.parametrize(
    "surrounding",
    [
        "x=@@",
        "unknown_name: @@",
        '{"anything":"@@"}',
        "new=@@ old=1",
        "the blob @@ was kept",
        "handler('@@')",
        "GET /hook/@@ HTTP/1.1",
        "GET /u?t=@@&page=1 HTTP/1.1",
        "- @@",
        "@@",
        "SESSION: @@",
        "a\tb\t@@\tc",
    ],
)
def test_a_random_string_is_masked_beside_any_name_and_without_one(surrounding: str) -> None:
    shown = _shown(surrounding.replace("@@", _RANDOM))
    assert longest_surviving_share(_RANDOM.encode(), shown.encode()) < 0.6
    assert shown.startswith(surrounding.partition("@@")[0])


@pytest.mark.parametrize(
    "surrounding",
    [
        "server.login('noreply@example.com', '@@')",
        'FTP("h", "bob", "@@")',
        "mysql root @@ (password)",
        "ssh bob@h, pw @@",
        "mysql -uroot -p@@ shop",
        "docker login -u bot -p @@ registry",
        "echo @@ | sudo -S ls",
        "chpasswd: root:@@",
        "salasana: @@",
        "jenkins admin pw >> @@",
        "key to decrypt the archive: @@",
        "--db-password\n      - @@",
        "password =\n    @@",
    ],
)
@pytest.mark.parametrize("value", [_HUMAN, "needle291", "camel_1987", "Silver2008#"])
def test_a_password_of_words_and_digits_is_masked_where_one_is_expected(surrounding: str, value: str) -> None:
    assert value not in _shown(surrounding.replace("@@", value))


@pytest.mark.parametrize(
    "name", ["salasana", "wagwoord", "nenosiri", "lykilor\u00f0", "\u5bc6\u7801", "c\u00e2u kh\u1ea9u"]
)
@pytest.mark.parametrize("value", ["orangerabbit", "vienna1", "spring-monkey-orange"])
def test_even_a_word_is_masked_as_the_value_of_a_passwords_name(name: str, value: str) -> None:
    assert value not in _shown(f"{name}: {value}\nnext: line")


@pytest.mark.parametrize("text", ["the nenosiri is @@", "set nenosiri @@", "username bob nenosiri @@"])
def test_a_word_that_a_sentence_or_a_command_gives_as_the_password_is_masked(text: str) -> None:
    assert "orangerabbit" not in _shown(text.replace("@@", "orangerabbit"))


@pytest.mark.parametrize(
    "text", ["nenosiri is required", "nenosiri: ${DB_PASSWORD}", "nenosiri: DB_PASSWORD", "nenosiri:"]
)
def test_a_sentence_or_a_reference_behind_a_passwords_name_stays(text: str) -> None:
    assert _shown(text) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("pin=1951", "1951"),
        ("door code: 6132", "6132"),
        ("740247 is your login code", "740247"),
        ("PIN code 562633 for the safe", "562633"),
    ],
)
def test_a_short_code_is_masked_beside_its_name(text: str, code: str) -> None:
    assert code not in _shown(text)


@pytest.mark.parametrize(
    "line",
    [
        "148 INFO dfs.DataNode$PacketResponder: PacketResponder 1 for block blk_38865049064139660 terminating",
        "org.apache.hadoop.mapreduce.v2.app.MRAppMaster: application appattempt_1445144423722_0020_000001",
        "nova [req-3ea4052c-895d-4b64-9e2d-04d64c4d94ab - -] [instance: b9000564-fe1a-409b-b8cc-1e88b294cd1d]",
        "Skipping AppWindowToken{df0798e token=Token{78af589 ActivityRecord{3b04890 u0 com.tencent.qt.qtl}}}",
        "19:04:12,394 - INFO  [/10.10.34.11:3888:QuorumCnxManager$Listener@493] - Received connection request",
        "Expiring session 0x14f05578bd80006, timeout of 10000ms exceeded",
        "sshd[24200]: Failed password for invalid user webmaster from 173.234.31.186 port 38926 ssh2",
        "R02-M1-N0-C:J12-U11 RAS KERNEL INFO instruction cache parity error corrected",
        "CBS Loaded Stack v6.1.7601.23505 with Core: C:\\Windows\\amd64_31bf3856ad364e35_none_681aa442\\cbscore.dll",
        "calvisitor-10-105-160-95 kernel[0]: en0: BSSID changed to 5c:50:15:4c:18:13",
        "chrome.exe - proxy.cse.cuhk.edu.hk:5070 close, 1190 bytes (1.16 KB) sent, 1671 bytes received, lifetime 00:02",
        "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "request_id=550e8400-e29b-41d4-a716-446655440000 status=200",
        '"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"',
        "image: registry.example/shop@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    ],
)
def test_lines_of_harmless_logs_stay_as_they_are(line: str) -> None:
    assert _shown(line) == line


def test_nearly_all_harmless_lines_stay_as_they_are() -> None:
    touched = [line for line in HARMLESS if _shown(line) != line]
    assert len(touched) <= len(HARMLESS) // 20


@pytest.mark.parametrize("kind", ["CERTIFICATE", "PUBLIC KEY"])
def test_public_blocks_stay_as_they_are(kind: str) -> None:
    text = f"-----BEGIN {kind}-----\n{_RANDOM * 2}\n{_RANDOM}/{_RANDOM}\n-----END {kind}-----\nx=1\n"
    assert _shown(text) == text
    assert _RANDOM not in _shown(text + _RANDOM)


def test_a_block_without_an_end_hides_nothing() -> None:
    assert _RANDOM not in _shown(f"-----BEGIN CERTIFICATE-----\nx={_RANDOM}\n")


@pytest.mark.parametrize("surrounding", SURROUNDINGS)
def test_what_the_balanced_profile_masks_is_masked(surrounding: str) -> None:
    text = surrounding.replace("@@", "Zk3xQ9vT7pLm2").encode()
    assert _places(_BALANCED, text) <= _places(_STRICT, text)


@given(
    st.lists(
        st.one_of(
            st.sampled_from(HARMLESS),
            st.text(_WORDS, max_size=60),
            st.sampled_from([_RANDOM, _HUMAN, "password=x7Qz9"]),
        ),
        max_size=6,
    ).map("\n".join)
)
def test_the_strict_profile_masks_at_least_every_byte_that_the_balanced_one_masks(text: str) -> None:
    data = text.encode()
    assert _places(_BALANCED, data) <= _places(_STRICT, data)


@given(st.binary(max_size=400))
def test_whatever_the_bytes_the_spans_lie_within_them(data: bytes) -> None:
    spans: list[Span] = []
    assert strict.strict_spans(data, spans, 0, 1000) == len(data)
    assert all(0 <= span.start < span.end <= len(data) for span in spans)


def test_a_text_that_is_full_of_tokens_is_left_for_the_next_window() -> None:
    data = f"x={_RANDOM}\n".encode() * 100
    spans: list[Span] = []
    stopped = strict.strict_spans(data, spans, 0, 10)
    assert len(spans) == 10
    assert spans[-1].end <= stopped < len(data)


@settings(max_examples=20)
@given(st.integers(1, 80), st.sampled_from([f"x={_RANDOM} ", f"password: {_HUMAN}\n", '"a","b1c2"; ']))
def test_a_stream_masks_as_the_whole_does(step: int, piece: str) -> None:
    data = (piece * 40).encode()
    stream = _STRICT.stream()
    parts = [stream.feed(data[start : start + step]).data for start in range(0, len(data), step)]
    assert b"".join([*parts, stream.finish().data]) == _STRICT.redact(data).text.data


_PIECES = {
    "words": b"word ",
    "tokens": b"lcXThy1JLVs93GDURcdgPoSF ",
    "base64": b"lcXThy1JLVs93GDU/RcdgPoSF+",
    "ats": b"a@",
    "signs": b"a!1",
    "queries": b"a=1&b1?",
    "names": b"password ",
    "ends": b"-----BEGIN CERTIFICATE-----\n",
    "quotes": b'"a1b2c3","',
    "options": b" -pab12x",
    "codes": b"1234 is pin ",
    "phrases": b"key to the ",
    "dashes": b"is a-b-",
    "hex": b"0x7f1825d1 ",
}


@pytest.mark.parametrize("piece", _PIECES.values(), ids=_PIECES)
def test_the_work_grows_with_the_length_and_no_faster(piece: bytes) -> None:
    once = _lines_run(piece * (2000 // len(piece)))
    twice = _lines_run(piece * (8000 // len(piece)))
    assert twice <= 4.6 * once + 2000


@pytest.mark.skipif(
    not windows.__file__.endswith(".py"), reason="compiled code cannot be broken from outside; its source is the same"
)
def test_a_failure_in_the_pass_gives_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass_agent.redaction.windows.strict_spans", None)
    with pytest.raises(RedactionError):
        _STRICT.redact(b"x=1")


def _places(redactor: Redactor, data: bytes) -> set[int]:
    return {place for finding in redactor.redact(data).findings for place in range(finding.start, finding.end)}


def _lines_run(data: bytes) -> int:
    """Counts the lines of Python that the pass runs; the compiled twin does the same steps."""
    count = 0

    def tracer(_frame: FrameType, event: str, _argument: object) -> TraceFunction:
        nonlocal count
        if event == "line":
            count += 1
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        strict.strict_spans(data, [], 0, len(data))
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "arguments",
    [
        ["tool", "-z", "needle291"],
        ["tool", "--unknown", "vienna1"],
        ["tool", "needle_1987"],
        ["tool", "--unknown=Silver2008#"],
        ["tool", "--nenosiri", "orangerabbit"],
    ],
)
def test_an_option_is_the_name_of_the_argument_behind_it(arguments: list[str]) -> None:
    shown = [answer.text.data for answer in _STRICT.redact_arguments([argument.encode() for argument in arguments])]
    assert b"[redacted:" in shown[-1]
    assert shown[:-1] == [argument.encode() for argument in arguments[:-1]]


@pytest.mark.parametrize(
    "arguments",
    [
        ["docker", "run", "-p", "8080:80", "--name", "web", "nginx:1.25"],
        ["ssh", "-i", "/home/bob/.ssh/id_ed25519", "-p", "2222", "deploy@host.example.net"],
        ["java", "-Xmx2g", "-Djavax.net.ssl.keyStore=/etc/ks.p12", "-jar", "app.jar"],
    ],
)
def test_plain_arguments_stay_as_they_are(arguments: list[str]) -> None:
    listed = [argument.encode() for argument in arguments]
    assert [answer.text.data for answer in _STRICT.redact_arguments(listed)] == listed
