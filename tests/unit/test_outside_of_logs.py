"""Lines that are no entries of a log are read for what can only be a secret, whatever stands beside it."""

from __future__ import annotations

import base64
import gzip
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.redaction import database
from leadglass_agent.redaction.redactor import Redactor
from leadglass_agent.redaction.stream import RedactionStream, redact_whole
from leadglass_agent.redaction.windows import Sizes
from planted_text import PASSWORD, shown
from redaction_corpus import HARMLESS
from unnamed_secrets import UNNAMED

_RANDOM = "lcXThy1J" + "LVs93GDURcdgPoSF"
_MADE = "velvet" + "_1987"
_TIME = "2026-03-14 09:30:00 INFO "
_BALANCED = database.load()
_DATABASES = [_BALANCED, replace(_BALANCED, is_strict=True)]


@pytest.mark.parametrize("value", [_RANDOM, _MADE, PASSWORD])
@pytest.mark.parametrize("text", ["@@", "grafana: bob @@", "- @@", "ann,bob,@@", "bob\t@@\tdb", "x = '@@'"])
def test_what_can_only_be_a_secret_is_masked_outside_of_logs_and_stays_in_them(text: str, value: str) -> None:
    text = text.replace("@@", value)

    assert value not in shown(text)
    assert shown(_TIME + text) == _TIME + text


@pytest.mark.parametrize("place", range(4))
def test_each_line_is_judged_for_itself(place: int) -> None:
    lines = [f"{_TIME}request {_RANDOM[::-1]}{number}" for number in range(4)]
    lines[place] = f"bob {_RANDOM}"
    out = shown("\n".join(lines)).split("\n")

    assert out == [*lines[:place], "bob [redacted:token-like]", *lines[place + 1 :]]


_CERTIFICATE_LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"


@pytest.mark.parametrize(
    "text",
    [
        f"id: {_RANDOM}",
        f"commit {_RANDOM}",
        f"${{{_MADE}}}",
        f"%{{{_MADE}}}",
        f"<{_MADE}>",
        _CERTIFICATE_LINE,
        base64.b64encode(b"nothing in this text is a secret of anybody").decode(),
        base64.b64encode(gzip.compress(b"nothing in this text is a secret", mtime=0)).decode(),
        "sha256:QmFzZT/zQmFzZT64QmFzZT+ldCBpcyB4eHh4eHg1",
        "example.org/mod v1.2.3 h1:abcDEF12/abcdEFG34hijKLMN56opq+rstUV78wxyz=",
        f"data:image/png;base64,{_RANDOM}",
        "build 4f3c2b1a9d8e7f60 of app-7d9f8b6c5-x2x4z",
        "node web-12 of db3 at 10.0.0.7:5432",
        "see docs/redaction.md and tests/unit/test_liberal.py",
        "escaped \\u0041bcDe12fg",
        "public key " + _MADE,
    ],
)
def test_identifiers_references_and_public_things_stay(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (f"password={_RANDOM}", "password"),
        (f"https://bob:{_MADE}@db/x", "url-password"),
        (f"token: {_RANDOM}", "token"),
    ],
)
def test_what_a_rule_names_keeps_its_name(text: str, rule: str) -> None:
    assert [str(finding.rule_id) for finding in Redactor().redact(text.encode()).findings] == [rule]


def test_a_secret_in_quotes_is_short_only_with_a_number_in_it() -> None:
    short = "qZx7" + "Kw2mVb"

    assert short not in shown(f'"x": "{short}"')


_PIECES = st.one_of(
    st.sampled_from([line.encode() + b"\n" for line in HARMLESS]),
    st.tuples(st.sampled_from(UNNAMED), st.sampled_from([_RANDOM, _MADE, PASSWORD])).map(
        lambda pair: pair[0].replace("@@", pair[1]).encode() + b"\n"
    ),
    st.sampled_from(
        [b"password: x\n", b"timber rocket summer winter\n", b'["mysql", "-p', b"creds ", b"\n\n", b"09:30:00 "]
    ),
    st.text("paswordcreds:=\"' \n{}[]<>|\\0127", max_size=60).map(str.encode),
)
_TEXTS = st.lists(_PIECES, max_size=25).map(b"".join)


@settings(deadline=None)
@given(
    st.sampled_from(_DATABASES),
    _TEXTS,
    st.lists(st.integers(0, 900), max_size=12),
    st.sampled_from([512, 4096]),
    st.sampled_from([3, 50, 1536]),
)
def test_any_chunks_give_what_the_whole_gives(
    base: database.Database, data: bytes, cuts: list[int], window: int, most: int
) -> None:
    sizes = Sizes(window)
    sizes.most = most
    clean, findings = redact_whole(data, base, sizes)
    stream = RedactionStream(base, sizes)
    out = []
    position = 0
    for size in cuts:
        out.append(stream.feed(data[position : position + size]).data)
        position += size
    out += [stream.feed(data[position:]).data, stream.finish().data]

    assert b"".join(out) == clean.data
    assert sum(stream.counts.values()) == len(findings)


@settings(deadline=None)
@given(_TEXTS, st.sampled_from(["balanced", "strict"]))
def test_findings_are_ordered_places_within_the_text(data: bytes, profile: str) -> None:
    at = 0
    for finding in Redactor(profile).redact(data).findings:
        assert at <= finding.start < finding.end <= len(data)
        at = finding.end


@settings(deadline=None)
@given(st.lists(st.sampled_from([line for line in HARMLESS if line.startswith(("2026-", "Mar "))]), max_size=30))
def test_logs_without_a_secret_stay_as_they_are(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert shown(text) == text
