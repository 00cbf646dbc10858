"""Each online command against a simulated agent over real mutual TLS."""

from __future__ import annotations

import csv
import io
import json
import stat
from typing import TYPE_CHECKING

import grpc
import pytest
import yaml

from fake_agent import (
    SESSION_ID,
    FakeAgent,
    Identities,
    file,
    giving,
    make_identities,
    missing,
    plain_answers,
    refusing,
    serving,
)
from leadglass.v1 import common_pb2, inspect_pb2
from leadglass_agent.errors import Reason
from leadglass_cli import Home, flags
from leadglass_client.authority import issue_client
from leadglass_client.connection.refusals import REFUSALS
from leadglass_client.views.access_words import caveat_words, rule_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXIT_CODES = {
    Reason.IDENTITY_REFUSED: 5,
    Reason.CERTIFICATE_EXPIRED: 5,
    Reason.SESSION_MISSING: 5,
    Reason.SESSION_UNKNOWN: 5,
    Reason.SESSION_ENDED: 5,
    Reason.SESSION_LIMIT: 1,
    Reason.REASON_REFUSED: 3,
    Reason.TICKET_REFUSED: 3,
    Reason.POLICY_DENIED: 3,
    Reason.KNOWN_VALUE: 3,
    Reason.KNOWN_VALUES_UNREAD: 1,
    Reason.PROCESS_NOT_FOUND: 4,
    Reason.INVALID_REQUEST: 2,
    Reason.PATTERN_REFUSED: 2,
    Reason.METHOD_UNKNOWN: 1,
    Reason.RATE_LIMITED: 1,
    Reason.AUDIT_UNAVAILABLE: 1,
    Reason.READER_UNAVAILABLE: 6,
    Reason.TIMED_OUT: 7,
    Reason.CERTIFICATE_REVOKED: 5,
    Reason.APPROVAL_NEEDED: 9,
    Reason.CONDITION_UNMET: 3,
    Reason.GRANT_REFUSED: 3,
    Reason.EVIDENCE_REFUSED: 5,
    Reason.BUDGET_SPENT: 3,
    Reason.HALTED: 3,
    Reason.REVEAL_REFUSED: 3,
    Reason.REVIEW_OWED: 3,
    Reason.REVIEW_UNKNOWN: 4,
    Reason.RECORD_UNKNOWN: 4,
    Reason.RECORDING_UNKNOWN: 4,
    Reason.RECORDING_DESTROYED: 4,
    Reason.RECORDING_HELD: 3,
    Reason.INTERNAL: 1,
}
UNAVAILABLE_UID = common_pb2.UNAVAILABLE_REASON_UID_MISMATCH


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Identities:
    return make_identities(tmp_path_factory.mktemp("identities"))


@pytest.fixture
def agent() -> FakeAgent:
    return FakeAgent(plain_answers())


@pytest.fixture
def address(agent: FakeAgent, identities: Identities) -> Iterator[str]:
    with serving(agent, identities.server) as address:
        yield address


@pytest.fixture
def home(tmp_path: Path, address: str, identities: Identities) -> Home:
    home = Home(tmp_path)
    added = home.run_here("context", "set", "demo", *flags(address, identities.client))
    assert added.code == 0, added.err
    return home


def test_an_opened_session_is_used_by_later_commands_until_it_is_closed(home: Home, agent: FakeAgent) -> None:
    opened = home.run("session", "open", "--reason", "looking for the cause of 502s", "--ticket", "INC-1", "-o", "name")
    assert opened.out == f"{SESSION_ID}\n"
    assert stat.S_IMODE(home.sessions.stat().st_mode) == 0o600
    assert home.run("env", "17").code == 0
    assert home.run("session", "close").code == 0
    assert home.run("env", "17").code == 0
    assert [call.session_id for call in agent.calls] == ["", SESSION_ID, SESSION_ID, ""]


def test_the_session_of_the_flag_goes_before_that_of_the_environment(home: Home, agent: FakeAgent) -> None:
    home.run_here("self", LEADGLASS_SESSION="from-environment")
    home.run_here("--session", "from-flag", "self", LEADGLASS_SESSION="from-environment")
    home.run_here("self", "--session", "after-command", LEADGLASS_SESSION="from-environment")
    assert [call.session_id for call in agent.calls] == ["from-environment", "from-flag", "after-command"]


def test_a_session_is_sent_to_no_other_agent(home: Home, identities: Identities) -> None:
    home.run_here("session", "open", "--reason", "looking for the cause of 502s")
    other = FakeAgent(plain_answers())
    with serving(other, identities.server) as address:
        assert home.run_here("--address", address, "self").code == 0
    assert [call.session_id for call in other.calls] == [""]


def test_two_callers_of_one_agent_keep_a_session_each(home: Home, agent: FakeAgent, identities: Identities) -> None:
    bob = issue_client(identities.authority, "/user/bob", home.folder / "bob")
    as_bob = ("--cert", str(bob.certificate), "--key", str(bob.key))
    home.run_here("session", "open", "--reason", "looking for the cause of 502s")
    home.run_here(*as_bob, "self")
    home.run_here("self")
    assert [call.session_id for call in agent.calls] == ["", "", SESSION_ID]


def test_the_tree_shows_parents_first_with_arguments_as_the_agent_gives_them(home: Home) -> None:
    lines = home.run_here("ps").out.splitlines()
    assert [line.split("  ")[-1].strip() for line in lines[:2]] == [
        "COMMAND",
        "'nginx: master process' -g 'daemon off;'",
    ]
    assert lines[2].endswith("├─ gunicorn shop:app --token=[redacted:github-token]")
    assert lines[3].endswith("│  ├─ python3 -m worker --queue mail --name '[red]not a color[/red]'")
    assert lines[4].endswith("│  └─ [python3]")
    assert lines[5].endswith("└─ redis-server --requirepass [redacted:key-name]")


def test_what_ps_is_asked_for_reaches_the_agent(home: Home, agent: FakeAgent) -> None:
    home.run_here("ps", "--pid", "17", "--pid", "1@1001", "--subtree", "1", "--name", "py*", "--limit", "40")
    assert agent.calls[0].request == inspect_pb2.ListProcessesRequest(
        page_size=40, pids=[17, 1], subtree_of_pid=1, name_glob="py*"
    )


def test_a_reused_process_number_is_not_shown_as_the_process_asked_for(home: Home) -> None:
    outcome = home.run_here("ps", "--pid", "17@5")
    assert (outcome.code, outcome.out) == (4, "")
    assert "17@5 has ended" in outcome.err


def test_json_yaml_lines_and_csv_say_the_same(home: Home) -> None:
    document = json.loads(home.run("ps", "-o", "json").out)
    assert yaml.safe_load(home.run("ps", "-o", "yaml").out) == document
    rows = document["processes"]
    assert [json.loads(line) for line in home.run("ps", "-o", "jsonl").out.splitlines()] == rows
    parsed = list(csv.DictReader(io.StringIO(home.run("ps", "-o", "csv").out, newline="")))
    assert [int(row["ref.pid"]) for row in parsed] == [row["ref"]["pid"] for row in rows]
    assert [json.loads(row["arguments"]) for row in parsed] == [row["arguments"] for row in rows]
    assert [float(row["cpu_time_seconds"]) for row in parsed] == [row["cpu_time_seconds"] for row in rows]
    names = home.run("ps", "-o", "name").out.splitlines()
    assert names == [f"{row['ref']['pid']}@{row['ref']['start_ticks']}" for row in rows]


def test_json_has_the_field_names_of_the_api_short_enums_and_rfc_3339_times(home: Home) -> None:
    document = json.loads(home.run_here("ps", "-o", "json").out)
    assert (document["read_time"], document["truncated"]) == ("2026-01-01T12:00:00Z", False)
    assert document["processes"][3] == {
        "ref": {"pid": 24, "start_ticks": 1024},
        "parent_pid": 17,
        "name": "python3",
        "state": "ZOMBIE",
        "owner_uid": 1000,
        "owner_gid": 1000,
        "start_time": "2026-01-01T09:58:36Z",
        "threads": 4,
        "resident_memory_bytes": 12910592,
        "virtual_memory_bytes": 1073741824,
        "cpu_time_seconds": 83.45,
        "executable": "/usr/bin/python3",
        "executable_unavailable": None,
        "arguments": [],
        "arguments_truncated": False,
        "arguments_unavailable": "NO_USER_MEMORY",
        "truncated_fields": [],
    }


def test_every_command_has_every_form(home: Home) -> None:
    session = ("session", "show", SESSION_ID)
    for command in (("env", "17"), ("ls", "17", "/srv/shop"), ("stat", "17", "/etc/shop/app.yaml"), session, ("self",)):
        document = json.loads(home.run_here(*command, "-o", "json").out)
        assert yaml.safe_load(home.run_here(*command, "-o", "yaml").out) == document
        lines = [json.loads(line) for line in home.run_here(*command, "-o", "jsonl").out.splitlines()]
        rows = list(csv.reader(io.StringIO(home.run_here(*command, "-o", "csv").out, newline="")))
        assert len(rows) == len(lines) + 1
        assert {len(row) for row in rows} == {len(rows[0])}
        assert len(home.run_here(*command, "-o", "name").out.splitlines()) == len(lines)


def test_env_shows_presence_and_asks_for_the_names_given(home: Home, agent: FakeAgent) -> None:
    outcome = home.run_here("env", "17@1017", "LANG", "TZ")
    assert outcome.out.splitlines() == [
        "PRESENCE  NAME",
        "PRESENT   DATABASE_URL",
        "EMPTY     LANG",
        "UNSET     SENTRY_DSN",
    ]
    assert agent.calls[0].request == inspect_pb2.ListEnvironmentRequest(
        process=common_pb2.ProcessRef(pid=17, start_ticks=1017), names=["LANG", "TZ"]
    )


def test_ls_names_are_full_paths_and_links_show_their_target(home: Home) -> None:
    assert home.run_here("ls", "17", "/srv/shop", "-o", "name").out.splitlines()[1] == "/srv/shop/current"
    assert (
        "lrw-r-----  1000  1000  1.5K  2025-12-31 12:00:00Z  current -> releases/42"
        in home.run_here("ls", "17", "/x").out
    )


def test_pages_are_followed_to_the_end(home: Home, agent: FakeAgent) -> None:
    def answer(request: object, _context: object) -> inspect_pb2.ListDirectoryResponse:
        assert isinstance(request, inspect_pb2.ListDirectoryRequest)
        number = int(request.page_token or 0)
        return inspect_pb2.ListDirectoryResponse(
            entries=[file(f"f{number}")], next_page_token=str(number + 1) if number < 4 else ""
        )

    agent.answers["ListDirectory"] = answer
    assert home.run_here("ls", "17", "/d", "-o", "name").out.splitlines() == ["/f0", "/f1", "/f2", "/f3", "/f4"]
    limited = home.run_here("ls", "17", "/d", "--limit", "2", "-o", "json")
    assert (limited.code, json.loads(limited.out)["truncated"]) == (0, True)
    assert "more than 2 rows" in limited.err


def test_a_view_that_the_kernel_refuses_is_said_in_words_on_standard_error(home: Home, agent: FakeAgent) -> None:
    agent.answers["ListEnvironment"] = giving(inspect_pb2.ListEnvironmentResponse(unavailable=UNAVAILABLE_UID))
    outcome = home.run_here("env", "17", "-o", "json")
    assert outcome.code == 1
    assert json.loads(outcome.out)["unavailable"] == "UID_MISMATCH"
    assert home.run_here("env", "17").out == ""
    assert "environment not readable: the process runs under another user (UID_MISMATCH)" in outcome.err
    assert "next: run the agent with the user and primary group of the process" in outcome.err


def test_stat_is_partial_if_some_are_missing_and_not_found_if_all_are(home: Home, agent: FakeAgent) -> None:
    gone = missing("/gone", common_pb2.UNAVAILABLE_REASON_NOT_FOUND)
    hidden = missing("/hidden", common_pb2.UNAVAILABLE_REASON_NOT_PERMITTED)
    cases = (((file("/there"), gone), 8), ((gone, gone), 4), ((gone, hidden), 4), ((hidden, hidden), 3))
    for files, code in cases:
        agent.answers["StatFiles"] = giving(inspect_pb2.StatFilesResponse(files=files))
        outcome = home.run_here("stat", "17", "/a", "/b")
        assert outcome.code == code, files
        assert len(outcome.out.splitlines()) == 3
    agent.answers["StatFiles"] = giving(inspect_pb2.StatFilesResponse(files=[gone]))
    assert (
        "leadglass: /gone: no such file, or the policy hides it (NOT_FOUND)" in home.run_here("stat", "17", "/gone").err
    )


@pytest.mark.parametrize(
    ("verdict", "rule", "code", "word"),
    [
        ("ALLOWED", "CAP_DAC_OVERRIDE", 0, "yes: process 17 may read /tls/key.pem"),
        ("DENIED", "OTHER_BITS", 1, "no: process 17 may not read /tls/key.pem"),
        ("DENIED", "NO_SUCH_FILE", 4, "no: process 17 may not read /tls/key.pem"),
        ("UNKNOWN", "UNSPECIFIED", 8, "unknown: process 17 may or may not read /tls/key.pem"),
    ],
)
def test_why_exits_with_the_verdict(
    home: Home, agent: FakeAgent, verdict: str, rule: str, code: int, word: str
) -> None:
    answer = inspect_pb2.ExplainAccessResponse(
        verdict=inspect_pb2.AccessVerdict.Value(f"ACCESS_VERDICT_{verdict}"),
        rule=inspect_pb2.AccessRule.Value(f"ACCESS_RULE_{rule}"),
    )
    if verdict == "UNKNOWN":
        answer.unavailable = common_pb2.UNAVAILABLE_REASON_UID_MISMATCH
    agent.answers["ExplainAccess"] = giving(answer)
    outcome = home.run_here("why", "read", "/tls/key.pem", "--pid", "17")
    assert (outcome.code, word in outcome.out) == (code, True)
    assert ("leadglass: " in outcome.err) is (code in {4, 8})
    assert ("next" in outcome.out) is (code == 1)  # the others say it on standard error, and nothing says it twice
    assert home.run_here("why", "read", "/tls/key.pem", "--pid", "17", "-o", "name").out == f"{verdict}\n"


@pytest.mark.parametrize(("groups", "shown"), [([], "none"), ([1000], "none"), ([1000, 27, 44], "27, 44")])
def test_why_names_the_groups_beside_the_primary_one(
    home: Home, agent: FakeAgent, groups: list[int], shown: str
) -> None:
    answer = inspect_pb2.ExplainAccessResponse(
        verdict=inspect_pb2.ACCESS_VERDICT_ALLOWED,
        identity=inspect_pb2.AccessIdentity(fsuid=1000, fsgid=1000, groups=groups),
    )
    agent.answers["ExplainAccess"] = giving(answer)
    outcome = home.run_here("why", "read", "/tls/key.pem", "--pid", "17")
    assert f"uid 1000 gid 1000, other groups: {shown}, overriding" in outcome.out


def test_every_rule_and_caveat_of_access_has_words() -> None:
    rules = [name.removeprefix("ACCESS_RULE_") for name in inspect_pb2.AccessRule.keys()[1:]]
    caveats = [name.removeprefix("ACCESS_CAVEAT_") for name in inspect_pb2.AccessCaveat.keys()[1:]]
    assert "this version does not know" not in " ".join(rule_words(rule).text for rule in rules)
    assert "this version does not know" not in " ".join(map(caveat_words, caveats))


def test_a_list_that_may_lack_rows_is_a_partial_answer(home: Home, agent: FakeAgent) -> None:
    hidden = inspect_pb2.ListProcessesResponse(incomplete_reason=common_pb2.UNAVAILABLE_REASON_HIDEPID)
    agent.answers["ListProcesses"] = giving(hidden)
    assert home.run_here("ps").code == 8
    agent.answers["ListDirectory"] = giving(inspect_pb2.ListDirectoryResponse(truncated=True))
    assert home.run_here("ls", "17", "/d").code == 8
    agent.answers["ListEnvironment"] = giving(inspect_pb2.ListEnvironmentResponse(truncated=True))
    assert home.run_here("env", "17").code == 8


@pytest.mark.parametrize("reason", list(Reason))
def test_a_refusal_has_its_exit_code_and_says_what_to_do_next(home: Home, agent: FakeAgent, reason: Reason) -> None:
    agent.answers["GetSelf"] = refusing(grpc.StatusCode.FAILED_PRECONDITION, reason.value, error_id="e-77")
    outcome = home.run_here("self")
    _, words, next_step = REFUSALS[reason.value]
    assert (outcome.code, outcome.out) == (EXIT_CODES[reason], "")
    assert outcome.err == f"leadglass: {words} (error id e-77)\n      next: {next_step}\n"


def test_every_reason_of_the_api_has_words(home: Home, agent: FakeAgent) -> None:
    reasons = list(common_pb2.UnavailableReason.values())[1:]
    agent.answers["StatFiles"] = giving(
        inspect_pb2.StatFilesResponse(files=[missing("/a", reason) for reason in reasons])
    )
    outcome = home.run_here("stat", "17", *("/a" for _ in reasons))
    assert outcome.code == 4
    assert "no reason that this version knows" not in outcome.out
    for reason in reasons:
        name = common_pb2.UnavailableReason.Name(reason).removeprefix("UNAVAILABLE_REASON_")
        assert f": {name})" in outcome.out


def test_a_reason_of_a_later_version_is_an_error_that_names_it(home: Home, agent: FakeAgent) -> None:
    agent.answers["GetSelf"] = refusing(grpc.StatusCode.PERMISSION_DENIED, "NEW_REASON")
    outcome = home.run_here("self")
    assert outcome.code == 1
    assert "NEW_REASON" in outcome.err


def test_a_refusal_without_details_is_translated_by_its_status(home: Home, agent: FakeAgent) -> None:
    del agent.answers["GetSelf"]  # the simulated agent fails inside, and gRPC answers UNKNOWN
    outcome = home.run_here("self")
    assert outcome.code == 1
    assert outcome.err.startswith("leadglass: the agent answered UNKNOWN")


def test_a_command_before_any_session_says_how_to_open_one(home: Home) -> None:
    outcome = home.run_here("session", "show")
    assert outcome.code == 5
    assert "leadglass session open" in outcome.err


def test_a_session_id_that_could_do_harm_is_not_kept(home: Home, agent: FakeAgent) -> None:
    answer = agent.answers["OpenSession"]

    def hostile(request: object, context: object) -> object:
        made = answer(request, context)  # type: ignore[arg-type] # passed through as they come
        made.session.session_id = "x; rm -rf $HOME"  # type: ignore[attr-defined] # an OpenSessionResponse
        return made

    agent.answers["OpenSession"] = hostile  # type: ignore[assignment] # gives what the other one gives
    outcome = home.run_here("session", "open", "--reason", "looking for the cause of 502s", "-o", "name")
    assert (outcome.code, outcome.out) == (1, "")
    assert not home.sessions.exists()


def test_a_process_of_its_own_exits_with_the_code_of_the_refusal(home: Home, agent: FakeAgent) -> None:
    agent.answers["ListProcesses"] = refusing(grpc.StatusCode.PERMISSION_DENIED, "POLICY_DENIED")
    outcome = home.run("ps")
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.err.startswith("leadglass: the policy does not permit this\n      next: ")


def test_a_terminal_gets_colors_and_lines_that_fit_and_a_pipe_neither(home: Home) -> None:
    shown = home.run_on_terminal("ps")
    assert "\x1b[1mCOMMAND" in shown
    plain = home.run_on_terminal("ps", "--no-color")
    assert "\x1b" not in plain
    assert plain == home.run_on_terminal("ps", NO_COLOR="1")
    assert max(len(line) for line in plain.splitlines()) == 80
    assert all(
        line.startswith(kept.rstrip("…"))
        for line, kept in zip(home.run("ps").out.splitlines(), plain.splitlines(), strict=True)
    )
