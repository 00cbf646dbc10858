"""Notations of files, code and devices: the value is masked by its rule, and what only looks alike stays."""

from __future__ import annotations

import pytest

from planted_text import PASSWORD, VALUE, planted, shown

_TIME = "2026-03-14 09:30:00 INFO "
_LONG = VALUE + VALUE[::-1]

_MASKED = {
    "wrapped element": ("<Password>\n  <Value>@@</Value></Password>", "password"),
    "CDATA": ("<Password><![CDATA[@@]]></Password>", "password"),
    "PHP's serialised strings": ('s:8:"password";s:11:"@@";', "password"),
    "encoded quotes": ("body=%22password%22=@@%26page", "password"),
    "batch file": ("set password%=@@", "password"),
    "path and value": ("- path: app/password\n  value: @@", "password"),
    "variable, type, value": ("- variable: DB_PASSWORD\n  type: string\n  value: @@", "password"),
    "setting and value": ('{"setting": "smtp.password", "sensitive": "true", "value": "@@"}', "password"),
    "CHAP, either direction": ("node.session.auth.password_in = @@", "password"),
    "PAM's token": ("authtok=@@", "token"),
    "private key of a tool": ("privkey=@@", "private-key"),
    "salted name": ("password_salt=@@", "secret"),
    "brackets in an address": ("postgres://bob:a<b>@@@db/shop", "url-password"),
    "protected sheet": ('Sheet1.protect ("bob", "@@")', "credential"),
    "SNMP, authentication": ("user bob v3 auth sha @@", "password"),
    "SNMP, privacy": ("user bob v3 priv aes 128 @@", "password"),
    "SNMP, community": ("rocommunity @@", "snmp-community"),
    "load balancer": ("insecure-password @@", "password"),
    "wireless": ("wpa psk ascii @@", "password"),
    "interface of a device": ("option key @@", "api-key"),
    "mail fetcher": ("poll login=bob:@@", "password"),
    "phone": ("register => bob:@@@pbx", "password"),
}


@pytest.mark.parametrize(("text", "rule"), _MASKED.values(), ids=_MASKED.keys())
@pytest.mark.parametrize("value", [VALUE, PASSWORD])
def test_the_value_of_a_notation_is_masked_by_its_rule(text: str, rule: str, value: str) -> None:
    out = planted(_TIME + text, value)

    assert value not in out
    assert f"[redacted:{rule}]" in out


@pytest.mark.parametrize(
    "text",
    [
        "<Password>\n</Password>\n<user>orchard</user>",
        's:8:"password";i:12;',
        "- path: app/city\n  value: orchard",
        "- variable: DB_PASSWORD\n  type: string\n- value: orchard",
        "password1 is wrong",
        "if password != other",
        "option key",
        '<a href="http://host/x">bob@host</a> <b>http://bob</b>:x@y',
        "login=required",
        "chunk_in = 12",
        'protect("")',
    ],
)
def test_what_only_looks_like_such_a_notation_stays(text: str) -> None:
    assert shown(_TIME + text) == _TIME + text


@pytest.mark.parametrize("name", [" sid=", "?sid=", "&sid=", ";sid="])
def test_a_session_id_is_masked_and_a_short_number_of_one_stays(name: str) -> None:
    assert planted(f"{_TIME}visit{name}@@", _LONG) == f"{_TIME}visit{name}[redacted:session-id]"
    assert shown(f"{_TIME}visit{name}12") == f"{_TIME}visit{name}12"


@pytest.mark.parametrize("name", ["recovery codes", "backup codes"])
@pytest.mark.parametrize("mark", ["", "- ", " * "])
def test_each_code_below_its_name_is_masked_up_to_another_line(name: str, mark: str) -> None:
    codes = [f"ab{number}cd-ef{number}gh" for number in range(10, 16)]
    text = f"{name}:\n" + "".join(f"{mark}{code}\n" for code in codes)

    assert (
        shown(text + "city: orchard\n") == f"{name}:\n" + f"{mark}[redacted:recovery-phrase]\n" * 6 + "city: orchard\n"
    )


@pytest.mark.parametrize(
    "line", ["see the page of the team", "none", "- one for each user of the shop", "kept in a safe"]
)
def test_a_line_of_prose_below_the_name_of_codes_stays(line: str) -> None:
    assert shown(f"recovery codes:\n{line}\n") == f"recovery codes:\n{line}\n"


@pytest.mark.parametrize(
    "text",
    [
        "aes_key = {0x73, 0xc2, 0xce, 0x83, 0xe7, 0x00, 0xdc, 0xd8}",
        "secret_key = [115, 194, 206, 131, 231, 0, 220, 216]",
        '"secret_key": [115,194,206,131,231,0,220,216]',
    ],
)
def test_a_key_that_is_written_as_its_bytes_is_masked(text: str) -> None:
    out = shown(_TIME + text)

    assert "[redacted:" in out
    assert "131" not in out
    assert "0x83" not in out


@pytest.mark.parametrize(
    "text",
    [
        "aes_sizes = {128, 192, 256, 128, 192, 256, 128, 192}",
        "secret_key = {1, 2, 3}",
        "keys = [1, 2, 3, 4, 5, 6, 7, 8]",
    ],
)
def test_other_lists_of_numbers_stay(text: str) -> None:
    assert shown(_TIME + text) == _TIME + text


def test_brackets_belong_to_the_password_of_an_address_but_not_to_markup_behind_one() -> None:
    assert planted(f"{_TIME}postgres://bob:@@<b>x@db/shop") == f"{_TIME}postgres://bob:[redacted:url-password]@db/shop"
    assert shown(f"{_TIME}<i>http://host</i> bob@host") == f"{_TIME}<i>http://host</i> bob@host"


def test_a_column_of_passwords_may_hold_letters_alone() -> None:
    made = "kqzxvjw" + "mptbrgh"

    assert shown(f"user,password,host\nbob,{made},db1\n") == "user,password,host\nbob,[redacted:password],db1\n"
    assert shown("user,password,host\nbob,required,db1\n") == "user,password,host\nbob,required,db1\n"


@pytest.mark.parametrize(
    "text",
    ['HDWalletProvider("@@")', 'Wallet.fromPhrase("@@", provider)', 'ftp.login("bob", "abcd efgh ijkl mnop")'],
)
def test_a_phrase_is_the_argument_of_a_call_that_takes_one(text: str) -> None:
    out = planted(_TIME + text, "timber rocket summer winter lemon")

    assert "[redacted:credential]" in out
    assert "rocket" not in out
    assert "efgh" not in out
