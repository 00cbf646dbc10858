"""Passwords that nothing links to a name: near a word for one, around another secret, outside of logs."""

from __future__ import annotations

import pytest

from leadglass_agent.redaction.entries import is_entry
from leadglass_agent.redaction.phrases import is_phrase
from leadglass_agent.redaction.redactor import Redactor

_VALUE = "velvet" + "_1987"
_TIME = "2026-03-14 09:30:00 "


def _shown(text: str, profile: str = "balanced") -> str:
    return Redactor(profile).redact(text.encode()).text.data.decode()


@pytest.mark.parametrize(
    "text",
    [
        "pw manager of the team generated @@ for it",
        "event cs1Label=password cs1=@@",
        "数据库密码已经改成 @@ 了",
        "VPN şifresi @@ olarak güncellendi",
        "WARN weak password @@ for the shop",
    ],
)
def test_a_password_near_a_word_for_one_is_masked_in_a_log_as_well(text: str) -> None:
    assert _VALUE not in _shown(_TIME + text.replace("@@", _VALUE))


@pytest.mark.parametrize(
    "text",
    [
        "Failed password for invalid user web12 from 10.0.0.7 port 51122 ssh2",
        "token expired for request=ab12cd34ef56ab78cd90",
        "Accepted password for bob from host-12.example.net",
        "SASL LOGIN authentication failed: UGFzc3dvcmQ6",
    ],
)
def test_an_entry_of_a_log_that_only_speaks_of_a_password_stays(text: str) -> None:
    assert _shown(_TIME + text) == _TIME + text


def test_a_lone_password_is_masked_outside_of_logs_only() -> None:
    assert _VALUE not in _shown(f"grafana: bob {_VALUE}\n")
    assert _VALUE in _shown(f"{_TIME}INFO grafana: bob {_VALUE}\n")


def test_a_second_secret_of_a_paragraph_is_masked() -> None:
    first, second = "Hk3" + "mZ9qLw2Xv", "wren" + "88"

    assert second not in _shown(f"password = {first}\nEnable: {second}\n")


@pytest.mark.parametrize("text", ['["mysqladmin", "ping", "-p@@"]', '"AUTH" "worker" "@@"', "334 UGFzc3dvcmQ6\n>> @@"])
def test_words_in_quotes_and_dialogues_are_read(text: str) -> None:
    value = "Qm9z" + "dG9uMTk4"

    assert value not in _shown(text.replace("@@", value))


@pytest.mark.parametrize(
    "text",
    ["aes_key = {0x73, 0xc2, 0xce, 0x83, 0xe7, 0x00, 0xdc, 0xd8}", "recovery codes:\nab1cd-ef2gh\nzzyxw-vutsr\n"],
)
def test_keys_as_bytes_and_codes_below_their_name_are_masked(text: str) -> None:
    assert not any(part in _shown(text) for part in ("0x83", "vutsr"))


def test_the_strict_profile_masks_a_passphrase_of_plain_words_and_leaves_prose() -> None:
    assert "lantern" not in _shown("passphrase is lantern rocket summer winter", "strict")
    assert _shown("the password is not what you think", "strict") == "the password is not what you think"


@pytest.mark.parametrize(
    "line", [b"2026-01-02 03:04:05 x", b"Dec 10 06:55:46 host", b"134681 node-246 x", b"- 1117838570 x"]
)
def test_the_beginning_of_an_entry_tells_it(line: bytes) -> None:
    assert is_entry(line, 0)


@pytest.mark.parametrize("line", [b"password: x", b"bob / x", b"", b"key = 12"])
def test_other_lines_are_no_entries(line: bytes) -> None:
    assert not is_entry(line, 0)


def test_a_phrase_has_no_word_of_prose() -> None:
    assert is_phrase(b"timber rocket summer winter", 3)
    assert not is_phrase(b"the rocket and winter", 3)
    assert not is_phrase(b"timber rocket", 3)
