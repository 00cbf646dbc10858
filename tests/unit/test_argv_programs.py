"""What the options, words and places of known programs hold, and names that hold a secret for any program."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from command_lines import HARMLESS, WITH_SECRET
from leadglass_agent.redaction.argv.program import PLAIN, SWITCH, Program
from leadglass_agent.redaction.argv.programs import PROGRAMS, ProgramTableError, read_table
from leadglass_agent.redaction.redactor import Redactor

_REDACTOR = Redactor()
_VALUES = ("Zk3xQ9vT7pLm2", "nectar_1984", "cOpper-Lane;7")


def _shown(arguments: list[str]) -> list[str]:
    return [redaction.text.data.decode() for redaction in _REDACTOR.redact_arguments([a.encode() for a in arguments])]


@pytest.mark.parametrize("command", WITH_SECRET)
def test_the_secret_of_a_command_line_is_masked(command: str) -> None:
    for value in _VALUES:
        if ";" in value and any(mark in command for mark in ("://", "sh -c", "'@@'", '@@"')):
            continue  # a value that would need quotes or escapes there
        arguments = [word.replace("@@", value) for word in shlex.split(command)]
        assert value not in "\0".join(_shown(arguments))


@pytest.mark.parametrize("command", HARMLESS)
def test_a_command_line_without_a_secret_stays(command: str) -> None:
    arguments = shlex.split(command)
    assert _shown(arguments) == arguments


@pytest.mark.parametrize("command", HARMLESS)
def test_a_process_title_without_a_secret_stays(command: str) -> None:
    assert _shown([command]) == [command]


def test_the_table_knows_many_programs() -> None:
    telling = [
        program
        for program in PROGRAMS.values()
        if program.subcommands
        or program.words
        or program.places
        or program.pairs
        or program.stdin
        or any(shape not in (PLAIN, SWITCH) for shape in (program.options | program.attached).values())
    ]
    assert len(telling) > 400


def test_every_programs_options_are_found() -> None:
    """Each option of the table that takes the whole next argument masks it, for each of its programs."""
    for name, program in PROGRAMS.items():
        for option, shape in program.options.items():
            if shape == 1:
                arguments = [name.decode(), option.decode(), _VALUES[0]]
                assert _VALUES[0] not in _shown(arguments), (name, option)


def _table(text: str) -> Program:
    programs: dict[bytes, Program] = {}
    read_table(text, programs)
    return programs[b"tool"]


def test_a_line_of_the_table_says_what_holds_a_secret() -> None:
    tool = _table("# a comment\ntool other: -p+ -q* -r. --auth:pair auth>2 @1:word @last db= <-S < ~ -x:switch\n")
    assert tool.options == {b"-p": 1, b"-r": 0, b"--auth": 2, b"-x": 10}
    assert tool.attached == {b"-p": 1, b"-q": 1}
    assert tool.words == {b"auth": 2 << 8 | 1}
    assert tool.places == {1: 6, 0: 1}
    assert tool.pairs == {b"db": 1}
    assert tool.stdin == {b"-S": 1, b"": 1}
    assert tool.bundles


def test_items_behind_a_subcommand_are_its_own() -> None:
    tool = _table("tool: -a\ntool | login: -p\n")
    assert tool.options == {b"-a": 1}
    assert tool.subcommands[b"login"].options == {b"-p": 1}


@pytest.mark.parametrize("item", ["word", "?x", "1"])
def test_an_item_that_says_nothing_is_an_error(item: str) -> None:
    with pytest.raises(ProgramTableError):
        _table(f"tool: {item}\n")


def test_an_option_counts_only_with_its_subcommand() -> None:
    assert _shown(["docker", "login", "-p", "Zk3xQ9vT7pLm2"])[-1] == "[redacted:argument-secret]"
    assert _shown(["docker", "run", "-p", "8080:80"])[-1] == "8080:80"


def test_a_program_is_known_by_its_path_and_with_its_windows_ending() -> None:
    for program in ("/usr/bin/sshpass", "C:\\tools\\SSHPASS.EXE", "sshpass.exe"):
        assert _shown([program, "-p", "velvet"]) == [program, "-p", "[redacted:argument-secret]"]


def test_the_value_of_a_long_option_names_no_program() -> None:
    assert _shown(["tool", "--engine", "sshpass", "-p", "velvet"])[-1] == "velvet"


def test_a_short_option_of_an_unknown_program_is_a_password_only_beside_a_user() -> None:
    assert _shown(["tool", "-u", "bob", "-p", "Zk3xQ9vT7pLm2"])[-1] == "[redacted:argument-secret]"
    assert _shown(["tool", "-p", "Zk3xQ9vT7pLm2", "-u", "bob"])[2] == "[redacted:argument-secret]"
    assert _shown(["tool", "-p", "Zk3xQ9vT7pLm2"])[-1] == "Zk3xQ9vT7pLm2"


def test_the_user_stays_and_the_password_goes() -> None:
    assert _shown(["curl", "-u", "bob:velvet", "h"])[2] == "bob:[redacted:argument-secret]"
    assert _shown(["smbclient", "-U", "DOM\\bob%velvet", "//h/s"])[2] == "DOM\\bob%[redacted:argument-secret]"
    assert _shown(["sqlplus", "bob/velvet@ORCL"])[1] == "bob/[redacted:argument-secret]@ORCL"
    assert _shown(["impdp", "sys/velvet as sysdba"])[1] == "sys/[redacted:argument-secret] as sysdba"
    assert _shown(["mysqlsh", "bob:velvet@db:3306"])[1] == "bob:[redacted:argument-secret]@db:3306"
    assert _shown(["openssl", "rsa", "-passin", "pass:velvet"])[-1] == "pass:[redacted:argument-secret]"


def test_a_token_in_the_users_place_goes() -> None:
    token = "a1B2" * 8
    assert token not in _shown(["curl", "-u", f"{token}:", "h"])[2]
    assert token not in _shown(["curl", "-u", f"{token}:x-oauth-basic", "h"])[2]
    assert token not in _shown(["curl", "-u", f"{token}:velvet", "h"])[2]


def test_an_encoded_script_is_masked_as_a_whole() -> None:
    assert _shown(["pwsh", "-NoProfile", "-EncodedCommand", "ZQBjAGgAbwA="])[-1] == "[redacted:argument-secret]"


def test_the_options_of_a_mount_are_read_one_by_one() -> None:
    assert _shown(["mount.cifs", "//h/s", "/m", "-o", "user=bob,pass=velvet,vers=3.0"])[-1] == (
        "user=bob,pass=[redacted:password],vers=3.0"
    )


def test_a_one_time_code_is_masked_and_a_plain_number_stays() -> None:
    assert _shown(["tool", "--otp", "854099", "--count", "854098"]) == [
        "tool", "--otp", "[redacted:argument-secret]", "--count", "854098"
    ]  # fmt: skip


def test_a_value_that_no_shell_will_read_is_no_variable() -> None:
    assert _shown(["java", "-Ddb.password=$needle291"])[-1] == "-Ddb.password=[redacted:password]"
    assert _shown(["tool", "--password", "$aB3"])[-1] == "[redacted:password]"
    assert _shown(["java", "-Ddb.password=$DB_PASSWORD"])[-1] == "-Ddb.password=$DB_PASSWORD"


def test_the_places_of_a_program_are_counted_from_its_name() -> None:
    assert _shown(["isql", "DSN", "mkpasswd", "velvet"])[-1] == "[redacted:argument-secret]"


def test_an_option_without_a_value_takes_none() -> None:
    assert _shown(["sudo", "-S", "sshpass", "-p", "velvet"])[-1] == "[redacted:argument-secret]"
    assert _shown(["tool", "--use-password", "shop1x2y3"])[-1] == "shop1x2y3"


def test_a_definition_is_read_with_and_without_its_letter() -> None:
    assert _shown(["java", "-Dpw=velvet"])[-1] == "-Dpw=[redacted:password]"
    assert _shown(["tool", "-Password=velvet"])[-1] == "-Password=[redacted:password]"


def test_a_setting_need_not_look_like_a_password() -> None:
    assert _shown(["tool", "config", "set", "clientSecret", "velvet"])[-1] == "[redacted:secret]"
    assert _shown(["tool", "config", "get", "clientSecret", "velvet"])[-1] == "velvet"


def test_the_key_of_a_stream_is_masked() -> None:
    address = "rtmp://a.example/live2/"
    assert _shown(["tool", "-f", "flv", address + "ab1c-" * 4]) == [
        "tool", "-f", "flv", address + "[redacted:argument-secret]"
    ]  # fmt: skip
    assert _shown(["tool", address + "channel"])[-1] == address + "channel"


@given(st.sampled_from(sorted(PROGRAMS)), st.lists(st.binary(max_size=12), max_size=6))
def test_any_words_behind_any_program_keep_their_number(name: bytes, words: list[bytes]) -> None:
    redactions = _REDACTOR.redact_arguments([name, *words])
    assert len(redactions) == len(words) + 1
    assert redactions[0].text.data == name or redactions[0].findings
