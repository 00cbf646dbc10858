"""The redactor masks secrets wherever they stand, leaves the rest, and shows nothing when it fails."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leadglass_agent.redaction.catalogue.rules import load_rules
from leadglass_agent.redaction.database import load
from leadglass_agent.redaction.redactor import RedactionError, Redactor, RuleId
from leadglass_agent.redaction.spans import Span, merge
from redaction_corpus import HARMLESS, SURROUNDINGS, longest_surviving_share

if TYPE_CHECKING:
    from types import FrameType

    from leadglass_agent.redaction.catalogue.rules import Rule

_REDACTOR = Redactor()
_RULES = [rule for rule in load_rules() if not rule.generic]
_DATABASE = load()


def _masked_parts(rule: Rule, example: bytes) -> tuple[bytes, ...]:
    return tuple(example[span.start : span.end] for span in _DATABASE.spans(example) if span.rule_id == rule.id)


# A text with a credential, and the parts of it that the rule masks.
_CREDENTIALS = st.sampled_from(
    [(example, _masked_parts(rule, example)) for rule in _RULES for example in rule.examples]
)
_NAMED_TOKEN = re.compile(r"\[redacted:[a-z0-9-]+\]")
_LINES = st.sampled_from(HARMLESS)
# Begins with letters and ends in a digit, so that chance gives no placeholder, number or reference; eight bytes, as
# a name that ends in "key" alone needs so many.
_VALUES = st.text("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!^*_+.~-", min_size=5, max_size=40).map(
    lambda text: f"kQ{text}7"
)


def _shown(text: str) -> str:
    return _REDACTOR.redact(text.encode()).text.data.decode()


@pytest.mark.parametrize("surrounding", SURROUNDINGS)
@pytest.mark.parametrize("value", ["Zk3xQ9vT7pLm2", "pa$$W0rd!x*y", "correct-horse-battery", "a1b2c3d4"])
def test_a_value_under_a_secrets_name_is_masked(surrounding: str, value: str) -> None:
    shown = _shown(surrounding.replace("@@", value))
    assert value not in shown
    assert "[redacted:" in shown


@pytest.mark.parametrize("line", HARMLESS)
def test_a_harmless_line_stays_as_it_is(line: str) -> None:
    assert _shown(line) == line


def test_harmless_lines_stay_as_they_are_together() -> None:
    text = "\n".join(HARMLESS)
    assert _shown(text) == text


@given(st.lists(_LINES, max_size=4), st.sampled_from(SURROUNDINGS), _VALUES, st.lists(_LINES, max_size=4))
def test_a_planted_value_never_survives_among_other_lines(
    before: list[str], surrounding: str, value: str, after: list[str]
) -> None:
    shown = _shown("\n".join([*before, surrounding.replace("@@", value), *after]))
    # By chance, other lines hold pieces of a short value: kQsecre7 beside secretary.
    others = "\n".join([*before, surrounding.replace("@@", ""), *after])
    alone = longest_surviving_share(value.encode(), others.encode())
    assert longest_surviving_share(value.encode(), shown.encode()) < max(0.6, alone + 0.01)


@given(st.binary(max_size=80), _CREDENTIALS, st.binary(max_size=80))
def test_a_planted_credential_never_survives_between_any_bytes(
    before: bytes, credential: tuple[bytes, tuple[bytes, ...]], after: bytes
) -> None:
    text, secrets = credential
    shown = _REDACTOR.redact(before + b" " + text + b" " + after).text.data
    assert all(longest_surviving_share(secret, shown) < 0.6 for secret in secrets)


# Where a password with a blank, a quote or a sign in it still ends where its quotes do.
_FRAMES = st.sampled_from(
    [
        ("password=", ""),
        ("DB_PASSWORD=", "\n"),
        ('"password": "', '"'),
        ('{\\"password\\": \\"', '\\"}'),
        ("password: '", "'"),
        ("<password>", "</password>"),
        ("passwd => '", "',"),
        ("?password=", "&page=2"),
        ("postgres://bob:", "@db.internal/shop"),
        ("export API_TOKEN=", " && start"),
    ]
)
_SEPARATORS = st.sampled_from(["", " ", "\n", "\r\n", "\t", "\0", "; ", ", ", "}\n", "\x1b[0m"])


@given(st.lists(_LINES, max_size=2), _SEPARATORS, _FRAMES, _VALUES, _SEPARATORS, st.lists(_LINES, max_size=2))
def test_a_strong_password_under_its_name_is_masked_whatever_surrounds_it(
    before: list[str], left: str, frame: tuple[str, str], value: str, right: str, after: list[str]
) -> None:
    shown = _shown("\n".join([*before, left + frame[0] + value + frame[1] + right, *after]))
    assert value not in shown
    assert "[redacted:" in shown


@given(
    st.lists(
        st.one_of(
            _LINES, st.tuples(st.sampled_from(SURROUNDINGS), _VALUES).map(lambda pair: pair[0].replace("@@", pair[1]))
        ),
        max_size=6,
    )
)
def test_redacting_twice_gives_the_same_as_redacting_once(lines: list[str]) -> None:
    once = _shown("\n".join(lines))
    assert _shown(once) == once


_FRAGMENTS = st.sampled_from(
    [
        "password",
        "token",
        "=",
        ":",
        " ",
        "\n",
        '"',
        "'",
        "\\",
        "://",
        "@",
        "u:p",
        "[",
        "]",
        "{",
        "}",
        "-----BEGIN RSA PRIVATE KEY-----",
        "-----END RSA PRIVATE KEY-----",
        "eyJhbGciOi",
        ".",
        "Authorization",
        "Bearer ",
        "<",
        ">",
        "|",
        "${",
        ";",
        "&",
        "a1",
        "[redacted:token]",
        "\0",
    ]
)


@given(st.one_of(st.binary(max_size=300), st.lists(_FRAGMENTS, max_size=40).map(lambda parts: "".join(parts).encode())))
@example(b"password=")
@example(b"://@")
@example(b"-----END PRIVATE KEY-----")
def test_findings_are_ordered_spans_of_the_input_and_the_rest_is_untouched(data: bytes) -> None:
    redaction = _REDACTOR.redact(data)
    rebuilt = bytearray()
    position = 0
    for finding in redaction.findings:
        assert position <= finding.start < finding.end <= len(data)
        rebuilt += data[position : finding.start] + f"[redacted:{finding.rule_id}]".encode()
        position = finding.end
    assert redaction.text.data == bytes(rebuilt) + data[position:]


@pytest.mark.parametrize("value", ["abc1", "abcdefgh12", "x" * 300 + "1", "0000", "p@ss w,o;r}d"])
def test_the_token_is_the_same_whatever_the_value(value: str) -> None:
    assert _shown(f'{{"password": "{value}"}}') == '{"password": "[redacted:password]"}'


@given(st.sampled_from(SURROUNDINGS), _VALUES, _VALUES)
def test_what_is_shown_says_nothing_of_the_length_of_a_value(surrounding: str, one: str, two: str) -> None:
    # Which rule names a token may depend on the value; how long the token is and what stands around it may not.
    shown = [_NAMED_TOKEN.sub("[redacted]", _shown(surrounding.replace("@@", value))) for value in (one, two)]
    assert shown[0] == shown[1]


# A header of cookies is one token whatever it holds, and a colour right behind a token makes it a part of a value.
_KEEPING = [surrounding for surrounding in SURROUNDINGS if not surrounding.startswith(("Cookie", "\x1b"))]


@pytest.mark.parametrize("rule", ["bearer-token", "authorization", "password", "twilio-auth-token"])
@pytest.mark.parametrize("surrounding", _KEEPING)
def test_a_token_of_an_earlier_pass_stays_as_it_is(surrounding: str, rule: str) -> None:
    once = _shown(surrounding.replace("@@", f"[redacted:{rule}]"))
    assert f"[redacted:{rule}]" in once


def test_the_most_specific_rule_names_an_overlap() -> None:
    credential = next(rule.examples[0] for rule in _RULES if rule.id == "github-token").decode()
    assert _shown(f"GITHUB_TOKEN={credential}") == "GITHUB_TOKEN=[redacted:github-token]"


def test_overlapping_spans_become_one_and_touching_spans_stay_apart() -> None:
    one, two, three = (RuleId(name) for name in ("one", "two", "three"))
    spans = [Span(3, 9, 1, two), Span(0, 5, 2, one), Span(4, 6, 3, three), Span(9, 12, 3, three)]
    merged = [(span.rule_id, span.start, span.end) for span in merge(spans)]
    assert merged == [(two, 0, 9), (three, 9, 12)]


def test_a_value_found_once_is_masked_at_its_other_occurrences() -> None:
    shown = _shown("connecting as kQ7-pLm/22\npassword=kQ7-pLm/22\nurl x/kQ7-pLm/22/y")
    assert "kQ7-pLm/22" not in shown
    assert shown.count("[redacted:password]") == 3


def test_a_short_value_is_not_searched_for_elsewhere() -> None:
    assert _shown("password=abc\nabc alphabet") == "password=[redacted:password]\nabc alphabet"


def test_a_password_that_is_a_word_is_not_cut_out_of_other_words() -> None:
    assert _shown("password=monkeys\nmonkeys and monkeyshine") == (
        "password=[redacted:password]\n[redacted:password] and monkeyshine"
    )


def test_many_values_in_a_large_text_are_all_masked_everywhere() -> None:
    values = [f"kQ{number:05d}x" for number in range(200)]
    text = "\n".join(f"password={value}" for value in values) + "\n" + "filler line\n" * 20_000 + " ".join(values)
    shown = _shown(text)
    assert not [value for value in values if value in shown]


_KEY_LINES = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7\n"


@pytest.mark.parametrize(
    "kind", ["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PGP PRIVATE KEY BLOCK"]
)
def test_a_private_key_is_masked_over_its_lines(kind: str) -> None:
    assert _shown(f"a\n-----BEGIN {kind}-----\n{_KEY_LINES}-----END {kind}-----\nb") == "a\n[redacted:private-key]\nb"


def test_a_private_key_in_one_json_string_is_masked() -> None:
    escaped = _KEY_LINES.replace("\n", "\\n")
    shown = _shown(f'{{"private_key": "-----BEGIN PRIVATE KEY-----\\n{escaped}-----END PRIVATE KEY-----\\n", "x": 1}}')
    assert "MII" not in shown
    assert '"x": 1' in shown


def test_a_private_key_that_is_cut_at_either_end_is_masked() -> None:
    assert "BKcw" not in _shown(f"-----BEGIN RSA PRIVATE KEY-----\n{_KEY_LINES}")
    assert "BKcw" not in _shown(f"{_KEY_LINES}-----END RSA PRIVATE KEY-----\n")


def test_a_yaml_block_under_a_secrets_name_is_masked() -> None:
    shown = _shown("db:\n  password: |\n    kQfirst7\n    kQsecond7\n  user: bob\n")
    assert "kQ" not in shown
    assert "user: bob" in shown


@pytest.mark.parametrize("profile", ["", "BALANCED", "off"])
def test_a_profile_that_does_not_exist_is_refused(profile: str) -> None:
    with pytest.raises(ValueError, match="profile"):
        Redactor(profile=profile)


@pytest.mark.parametrize("data", [None, "text", 7, [b"x"]])
def test_an_error_inside_gives_no_text_and_says_nothing(data: object) -> None:
    with pytest.raises(RedactionError) as raised:
        _REDACTOR.redact(data)  # type: ignore[arg-type]
    assert str(raised.value) == "redaction failed; nothing is shown"
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_a_million_echoes_of_a_value_are_masked() -> None:
    shown = _REDACTOR.redact(b"password=1111111\n" + b"1" * 2_000_000).text.data
    assert shown == b"password=[redacted:password]\n[redacted:password]"


_HOSTILE = {
    "keys": b"password=",
    "quoted keys": b'"password":"',
    "colons": b"token: ",
    "references": b"password=${",
    "urls": b"://a@",
    "urls with passwords": b"://a:b@c/",
    "json web tokens": b"eyJhbGciOi",
    "dots": b"abcdefgh.eyJ",
    "bearers": b"bearer abcdefgh",
    "key begins": b"-----BEGIN PRIVATE KEY-----",
    "key ends": b"-----END PRIVATE KEY-----",
    "backslashes": b'password="\\',
    "brackets": b"password=[((",
    "blocks": b"password: |\n ",
    "elements": b"<password>",
    "statements": b"password '",
    "netrc": b"machine a login b password ",
    "github": b"ghp_",
    "slack": b"xoxb-0123456789",
    "spaces": b"password     ",
    "cookies": b"cookie: a=",
}


def _calls(data: bytes) -> int:
    count = 0

    def on_event(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(on_event)
    try:
        _REDACTOR.redact(data)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("unit", _HOSTILE.values(), ids=_HOSTILE.keys())
def test_hostile_text_costs_work_in_proportion_to_its_length(unit: bytes) -> None:
    length = 2 * 65_536  # twice the longest value that is spanned at once
    # The steps are small functions, fifty calls a byte here at most; work that grows faster is thousands.
    assert _calls(unit * (length // len(unit))) <= 64 * length
