"""Scripts in arguments: their commands, what a pipe hands to a password prompt, scripts within, and bounds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction import database
from leadglass_agent.redaction.argv.arguments import find
from leadglass_agent.redaction.redactor import Redactor

if TYPE_CHECKING:
    from types import FrameType

_REDACTOR = Redactor()
_DATABASE = database.load()


def _script(script: str) -> str:
    return _REDACTOR.redact_arguments([b"sh", b"-c", script.encode()])[-1].text.data.decode()


@pytest.mark.parametrize(
    "script",
    [
        "echo velvet | sudo -S ls",
        "echo -n velvet | sudo -kS ls",
        "printf '%s' velvet | docker login -u b --password-stdin r",
        "printf velvet | gh auth login --with-token",
        "echo dmVsdmV0 velvet | base64 -d | docker login --password-stdin r",
        "echo velvet | cryptsetup luksOpen /dev/sdb x",
        "echo velvet | passwd --stdin bob",
        "echo bob:velvet | chpasswd",
        "sudo -S ls <<< velvet",
        "x=1; echo 'velvet' | kinit bob && ls",
        "(echo velvet; echo velvet) | smbpasswd -s bob || (echo velvet | kinit)",
    ],
)
def test_what_is_handed_to_a_password_prompt_is_masked(script: str) -> None:
    shown = _script(script)
    assert "[redacted:argument-secret]" in shown
    assert "velvet" not in shown.removeprefix("(echo velvet; ")


@pytest.mark.parametrize(
    "script",
    [
        "echo velvet | grep velvet",
        "echo velvet; sudo ls",
        "echo velvet || sudo -S ls",
        "echo $PASSWORD | sudo -S ls",
        "echo hello | tool --stdin",
        "cat <<< velvet",
    ],
)
def test_what_is_handed_to_another_command_stays(script: str) -> None:
    assert _script(script) == script


def test_a_command_that_prints_a_password_is_read() -> None:
    for arguments in (["--password-command", "echo velvet"], ["--password-command=echo velvet"]):
        shown = _REDACTOR.redact_arguments([b"restic", *(a.encode() for a in arguments)])
        assert b"velvet" not in b" ".join(redaction.text.data for redaction in shown)


def test_the_format_of_printf_stays() -> None:
    assert _script("printf 'a%sb\\n' velvet | kinit") == "printf 'a%sb\\n' [redacted:argument-secret] | kinit"


def test_a_text_that_names_no_program_is_no_script() -> None:
    text = b"the flags -u bob -p v1beta2x are new"
    assert _REDACTOR.redact_arguments([b"tool", b"--note", text])[-1].text.data == text


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_scripts_are_read_three_levels_deep(depth: int) -> None:
    script = "sshpass -p velvet ssh h"
    for _ in range(depth - 1):
        script = 'sh -c "' + script.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert "velvet" not in _script(script)


def test_the_scripts_of_a_list_have_one_bound_together() -> None:
    script = b"true; " * 20_000
    arguments = [word for _ in range(12) for word in (b"sh", b"-c", script)] + [b"sh", b"-c", b"sshpass -p velvet x"]
    shown = _REDACTOR.redact_arguments(arguments)
    assert shown[2].text.data == script
    assert shown[-1].text.data == b"[redacted:unread-script]"


def test_a_quoted_secret_loses_its_quotes_content_and_keeps_the_quotes() -> None:
    assert _script("mysql -p'vel vet' -h db") == "mysql -p'[redacted:argument-secret]' -h db"
    assert _script("mysql -p$'vel\\'vet' -h db") == "mysql -p$'[redacted:argument-secret]' -h db"


_PIECES = st.sampled_from(
    [
        b"--db-password=S3cret-x1",
        b"password: S3cret-x1",
        b"https://bob:S3cret-x1@h/",
        b"Authorization: Bearer S3cret-x1",
        b"AKIA" + b"QYLPMN5HGXTWRZ3B",
        *b"x|a b|-p|token|key=|://|bob@h|password|value=| |\n|".split(b"|"),
    ]
)


@given(st.lists(st.one_of(_PIECES, st.binary(max_size=20)), max_size=8))
def test_one_scan_over_all_arguments_finds_what_a_scan_of_each_finds(arguments: list[bytes]) -> None:
    found = find(arguments, _DATABASE.compiled, _DATABASE.steps, False)  # noqa: FBT003
    for index, argument in enumerate(arguments):
        ours = {(span.start, span.end, span.rule_id) for span in found.get(index, [])}
        assert {(span.start, span.end, span.rule_id) for span in _DATABASE.spans(argument)} <= ours


def _calls(arguments: list[bytes]) -> int:
    count = 0

    def on_event(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(on_event)
    try:
        _REDACTOR.redact_arguments(arguments)
    finally:
        sys.setprofile(None)
    return count


_HOSTILE = {
    "one script in another": lambda size: [b"sh", b"-c", b"sh -c '" * size],
    "pipes": lambda size: [b"sh", b"-c", b"echo a|base64|" * size],
    "here-strings": lambda size: [b"sh", b"-c", b"sudo -S " + b"<<< a " * size],
    "programs": lambda size: [b"docker", b"login", b"mysql"] * size,
    "options": lambda size: [b"-u", b"-p", b"--password"] * size,
    "secrets": lambda size: [b"--password=S3cret%dx" % number for number in range(size)],
    "pairs": lambda size: [b"a=b=" * size, b"a:" * size + b"@h"],
    "mount options": lambda size: [b"mount", b"-o", b"password=S3cr3t," * size],
    "titles": lambda size: [b"sh -c 'mysql -pS3cr3t99'"] * size,
}


@pytest.mark.parametrize("shape", _HOSTILE.values(), ids=_HOSTILE.keys())
def test_hostile_lists_cost_work_in_proportion_to_their_length(shape: object) -> None:
    assert callable(shape)
    half, whole = _calls(shape(300)), _calls(shape(600))
    assert whole <= 2.5 * half + 2_000
