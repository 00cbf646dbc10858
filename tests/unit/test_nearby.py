"""What looks like a password on the line of a word for one is masked, in entries of a log as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.keynames import classify
from leadglass_agent.redaction.names import Name
from leadglass_agent.redaction.nearby import read_access, read_nearby
from planted_text import VALUE, planted, shown

if TYPE_CHECKING:
    from leadglass_agent.redaction.spans import Span

_VALUE = "velvet" + "_1987"
_TIME = "2026-03-14 09:30:00 INFO "
_NAME = b"password"
_REACH = 96
_MAX_RUN = 1024


def _near(data: bytes, start: int, read_to: int) -> tuple[list[Span], int]:
    """Reads what stands near the name at `start`; gives the spans and the place up to which it was read."""
    secret = classify(_NAME)
    assert secret is not None
    spans: list[Span] = []
    stop = read_nearby(data, Name(start, start + len(_NAME), secret), read_to, spans)
    return spans, stop


@pytest.mark.parametrize(
    "text",
    [
        "pw manager of the team generated @@ for it",
        "event cs1Label=password cs1=@@",
        "数据库密码已经改成 @@ 了",
        "VPN şifresi @@ olarak güncellendi",
        "weak password @@ for the shop",
        "@@ is the password",
        "bob changed it to @@, his new password",
        "password of bob, value=@@",
        "password of bob, admin: @@",
        "token of the shop @@",
        "the password (that of bob) was *@@*",
    ],
)
def test_a_password_near_a_word_for_one_is_masked(text: str) -> None:
    out = planted(_TIME + text, _VALUE)

    assert _VALUE not in out
    assert "-like]" not in out


@pytest.mark.parametrize(
    "text",
    [
        "Failed password for invalid user web12 from 10.0.0.7 port 51122 ssh2",
        "token expired for request=ab12cd34ef56ab78cd90",
        "Accepted password for bob from host-12.example.net",
        "SASL LOGIN authentication failed: UGFzc3dvcmQ6",
        "password is in vault/@@",
        "password of call(@@)",
        "password reset by user=@@",
        "password reset request=@@",
        "password for @@/shop",
        "password for @@(1)",
        "password ok, host: @@",
        "password ok, user 'webshopadmin7'",
        "password of table 'webshoporders'",
        "password of bob@host1.example, 4711",
        "password2 is not password3",
        "password\t" + "x " * 60 + "@@",
        "password\n" + _TIME + "@@",
    ],
)
def test_what_has_another_name_or_is_a_place_stays(text: str) -> None:
    text = (_TIME + text).replace("@@", _VALUE)

    assert shown(text) == text


@pytest.mark.parametrize("phrase", ["timber rocket summer", "lemon harbor candle walnut"])
def test_a_passphrase_in_quotes_is_masked(phrase: str) -> None:
    assert shown(f'{_TIME}the password "{phrase}" was used') == f'{_TIME}the password "[redacted:password]" was used'


def test_not_every_word_in_quotes_is_one() -> None:
    for text in ('password checked by "the host and user"', 'password checked by "orchard"', 'password at "12345678"'):
        assert shown(_TIME + text) == _TIME + text


def test_at_most_two_runs_are_masked_for_one_name() -> None:
    data = b"password history velvet_1987 velvet_1988 velvet_1989"
    spans = _near(data, 0, 0)[0]

    assert [data[span.start : span.end] for span in spans] == [b"velvet_1987", b"velvet_1988"]


def test_no_byte_behind_a_name_is_read_twice() -> None:
    data = b"password password velvet_1987"

    assert _near(data, 0, 0)[1] == len(data)
    assert _near(data, 9, len(data)) == ([], len(data))


@pytest.mark.parametrize(
    "text",
    [
        "creds for the shop: bob / @@",
        "log in as bob @@",
        "logged in with bob @@",
        "sign in as bob, @@",
        "wi-fi of the office @@",
        "vpn account of bob, @@",
        "admin / @@",
        "root: @@",
    ],
)
def test_a_password_behind_a_word_for_an_access_is_masked(text: str) -> None:
    out = planted(_TIME + text, _VALUE)

    assert _VALUE not in out
    assert "-like]" not in out


@pytest.mark.parametrize(
    "text", ["login: host-12 from web_7", "creds of bob are in vault/@@", "wi-fi is down", "creds\n" + _TIME + "@@"]
)
def test_an_access_without_a_password_stays(text: str) -> None:
    text = (_TIME + text).replace("@@", _VALUE)

    assert shown(text) == text


@given(
    st.lists(
        st.sampled_from([b"a", b"kQ7vT9xLm2pR", b"velvet_1987", b" ", b"\n", b"=", b'"', b"\xc3\xa9", b"timber "])
    ),
    st.lists(
        st.sampled_from([b"a", b"kQ7vT9xLm2pR", b"velvet_1987", b" ", b"\n", b"=", b'"', b"\xc3\xa9", b"timber "])
    ),
    st.integers(0, 300),
)
def test_a_stretch_is_read_once_and_what_is_masked_lies_in_the_text(
    before: list[bytes], behind: list[bytes], read_to: int
) -> None:
    start = len(b"".join(before))
    data = b"".join([*before, b"password", *behind])
    read_to = min(read_to, len(data))
    spans, stop = _near(data, start, read_to)
    read_access(data, start + len(_NAME), spans)

    assert all(0 <= span.start < span.end <= len(data) for span in spans)
    assert stop <= max(start + len(_NAME) + _REACH, read_to) + _MAX_RUN
    assert all(b"\n" not in data[span.start : span.end] for span in spans)


def test_only_a_name_whose_value_is_a_secret_looks_before_itself() -> None:
    assert VALUE not in planted(f"{_TIME}@@ is the password")
    assert VALUE in planted(f"{_TIME}@@ has set-cookie")
