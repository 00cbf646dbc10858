"""`leadglass replay` without an agent: it shows what is in the file, and says in one line what is wrong with it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from leadglass.v1 import access_pb2, inspect_pb2
from leadglass.v1.common_pb2 import ProcessRef, VisibleText
from leadglass_agent.recordings.keys import seal
from leadglass_agent.recordings.records import Ended
from leadglass_cli import Home
from leadglass_client.errors import ExitCode
from leadglass_client.forms import OutputForm
from leadglass_client.offline.recording_keys import KeptKey, write_key
from leadglass_client.views.replay_timeline import timeline_sheet
from made_recordings import KEY, OPENED, SESSION, Tape

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from leadglass_agent.recordings.records import Record

_WEB: Final = ProcessRef(pid=7, start_ticks=70)


def _with(record: Record, **members: object) -> Record:
    return replace(record, **members)  # type: ignore[arg-type] # members of its own kind


def _process(pid: int, name: str = "web") -> inspect_pb2.Process:
    return inspect_pb2.Process(ref=ProcessRef(pid=pid, start_ticks=pid * 10), name=VisibleText(text=name))


def _tape() -> Tape:
    tape = Tape()
    tape.call(inspect_pb2.ListProcessesRequest(), inspect_pb2.ListProcessesResponse(processes=[_process(7)]))
    tape.call(
        inspect_pb2.ListEnvironmentRequest(process=_WEB, names=["LANG"]),
        inspect_pb2.ListEnvironmentResponse(
            process=_WEB,
            variables=[
                inspect_pb2.EnvironmentVariable(name=VisibleText(text="LANG"), presence=inspect_pb2.PRESENCE_PRESENT)
            ],
        ),
    )
    tape.call(inspect_pb2.StatFilesRequest(process=_WEB, paths=["/x"]), refusal="PROCESS_NOT_FOUND", after_seconds=60)
    return tape


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_who_asked_for_what_stands_beside_the_answers_and_not_among_them(home: Home, tmp_path: Path) -> None:
    outcome = home.run_here("replay", str(_tape().save(tmp_path / "it")))

    assert outcome.code == 0
    assert outcome.out.splitlines()[-2:] == ["PRESENCE  NAME", "PRESENT   LANG"]
    for text in (SESSION, OPENED.reason, "call 2", "names=LANG", "refused: PROCESS_NOT_FOUND", "closed after 1m40s"):
        assert text in outcome.err
        assert text not in outcome.out


def test_one_call_can_be_shown_alone(home: Home, tmp_path: Path) -> None:
    file = str(_tape().save(tmp_path / "it"))

    assert home.run_here("replay", file, "--call", "2").out == "PRESENCE  NAME\nPRESENT   LANG\n"
    missing = home.run_here("replay", file, "--call", "4")
    assert (missing.code, missing.out) == (ExitCode.NOT_FOUND, "")


@pytest.mark.parametrize("form", list(OutputForm))
def test_the_timeline_has_each_call_with_its_times_and_result(form: OutputForm, home: Home, tmp_path: Path) -> None:
    outcome = home.run_here("replay", str(_tape().save(tmp_path / "it")), "--timeline", "-o", form.value)

    assert outcome.code == 0
    if form is OutputForm.NAME:
        assert outcome.out.split() == ["call1", "call2", "call3"]
        return
    assert "PROCESS_NOT_FOUND" in outcome.out
    assert "names=LANG" in outcome.out
    if form is OutputForm.JSON:
        calls = json.loads(outcome.out)["calls"]
        assert [call["offset_seconds"] for call in calls] == [1, 2, 60]
        assert [call["idle_seconds"] for call in calls] == [1, 1, 58]
        assert [call["duration_seconds"] for call in calls] == [0.0015] * 3
        assert [call["digest"] for call in calls] == list(_tape().digests().values())


def test_the_pages_of_one_list_are_one_answer_and_another_list_is_not(home: Home, tmp_path: Path) -> None:
    tape = Tape()
    for token, following, pid in (("", "7", 7), ("7", "", 8), ("", "", 9)):
        tape.call(
            inspect_pb2.ListProcessesRequest(page_token=token, page_size=1000 - len(token)),
            inspect_pb2.ListProcessesResponse(processes=[_process(pid)], next_page_token=following),
        )

    outcome = home.run_here("replay", str(tape.save(tmp_path / "it")), "--flat", "-o", "json")

    decoder, documents, rest = json.JSONDecoder(), [], outcome.out
    while rest.strip():
        document, end = decoder.raw_decode(rest)
        documents.append([process["ref"]["pid"] for process in document["processes"]])
        rest = rest[end:].lstrip()
    assert documents == [[7, 8], [9]]


def test_gaps_between_lines_are_drawn_where_the_live_command_drew_them(home: Home, tmp_path: Path) -> None:
    tape = Tape()
    lines = [inspect_pb2.TextLine(text=VisibleText(text=text), after_gap=text == "b") for text in "ab"]
    for before in (0, 1):
        request = inspect_pb2.ReadTextRequest(process=_WEB, path="/x")
        request.filter.pattern, request.filter.before_lines = ".", before
        tape.call(request, inspect_pb2.ReadTextResponse(lines=lines))

    file = str(tape.save(tmp_path / "it"))

    assert home.run_here("replay", file, "--call", "1").out == "a\nb\n"
    assert home.run_here("replay", file, "--call", "2").out == "a\n--\nb\n"


@pytest.mark.parametrize("ended", [True, False])
def test_a_text_that_broke_off_is_shown_as_far_as_it_was_printed(ended: bool, home: Home, tmp_path: Path) -> None:  # noqa: FBT001 - a case
    tape = Tape()
    reply = inspect_pb2.ReadTextResponse(lines=[inspect_pb2.TextLine(text=VisibleText(text="seen"))])
    request = inspect_pb2.ReadTextRequest(process=_WEB, path="/x", follow=True)
    tape.call(request, reply, refusal="SESSION_ENDED" if ended else "", ended=ended)
    file = str(tape.save(tmp_path / "it"))

    assert home.run_here("replay", file).out == "seen\n"
    assert '"text":"seen"' in home.run_here("replay", file, "-o", "jsonl").out
    assert home.run_here("replay", file, "-o", "json").out == ""  # the live command had nothing whole to print


def test_a_list_that_was_cut_says_so_again(home: Home, tmp_path: Path) -> None:
    tape = Tape()
    reply = inspect_pb2.ListProcessesResponse(processes=[_process(7)], next_page_token="7")
    tape.call(inspect_pb2.ListProcessesRequest(page_size=1), reply)

    outcome = home.run_here("replay", str(tape.save(tmp_path / "it")), "-o", "json")

    assert json.loads(outcome.out)["truncated"] is True


def test_what_a_terminal_could_be_fooled_by_is_escaped(home: Home, tmp_path: Path) -> None:
    hostile = "a\x1b[31m\u202eb\x9b\n"
    tape = Tape(opened=replace(OPENED, caller=hostile, reason=hostile, ticket=hostile, peer=hostile, grants=(hostile,)))
    tape.call(
        inspect_pb2.ListEnvironmentRequest(process=_WEB, names=[hostile]),
        inspect_pb2.ListEnvironmentResponse(
            variables=[inspect_pb2.EnvironmentVariable(name=VisibleText(text=hostile))]
        ),
        grants=(hostile,),
    )
    tape.records = [_with(one, call_id=hostile) for one in tape.records]
    tape.call(
        inspect_pb2.ReadTextRequest(process=_WEB, path=hostile),
        inspect_pb2.ReadTextResponse(lines=[inspect_pb2.TextLine(text=VisibleText(text=hostile))]),
    )
    tape.call(inspect_pb2.StatFilesRequest(process=_WEB, paths=["/x"]), refusal=hostile)
    file = str(tape.save(tmp_path / "it"))

    forms = (("--timeline", "-o", form) for form in ("csv", "json", "name"))
    for options in ((), ("-o", "json"), ("--timeline",), *forms):
        outcome = home.run_here("replay", file, *options)
        assert set("\x1b\u202e\x9b").isdisjoint(outcome.out + outcome.err)


def test_a_reveal_is_said_and_its_value_is_not_there(home: Home, tmp_path: Path) -> None:
    tape = Tape()
    tape.call(
        access_pb2.RevealRequest(process=_WEB, name="TOKEN"), access_pb2.RevealResponse(), withheld="REVEALED_VALUE"
    )

    outcome = home.run_here("replay", str(tape.save(tmp_path / "it")))

    assert (outcome.code, outcome.out) == (0, "")
    assert "the value is not in the recording" in outcome.err


def test_raw_bytes_go_to_files_of_a_new_folder_that_nobody_else_can_read(home: Home, tmp_path: Path) -> None:
    file, folder = str(_tape().save(tmp_path / "it")), tmp_path / "raw"

    assert home.run_here("replay", file, "--raw-dir", str(folder)).code == 0
    again = home.run_here("replay", file, "--raw-dir", str(folder))

    assert sorted(one.name for one in folder.iterdir()) == [
        "0001-ListProcesses.reply-0000.bin",
        "0001-ListProcesses.request.bin",
        "0002-ListEnvironment.reply-0000.bin",
        "0002-ListEnvironment.request.bin",
        "0003-StatFiles.request.bin",
    ]
    reply = inspect_pb2.ListProcessesResponse.FromString((folder / "0001-ListProcesses.reply-0000.bin").read_bytes())
    assert reply.processes[0] == _process(7)
    assert {one.stat().st_mode & 0o777 for one in folder.iterdir()} == {0o600}
    assert (folder.stat().st_mode & 0o777, again.code) == (0o700, ExitCode.USAGE)


def test_stepping_waits_for_enter_and_stops_at_q(home: Home, tmp_path: Path) -> None:
    file = str(_tape().save(tmp_path / "it"))

    told = home.converse("replay", file, "--step", replies=(("1 of 3", "\n"), ("2 of 3", "q\n")))

    assert told.code == 0
    assert "PRESENT   LANG" in told.out
    assert "call 3" not in told.out
    assert home.run_here("replay", file, "--step").code == ExitCode.USAGE


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _swapped(tape: Tape) -> bytes:
    frames = tape.frames()
    frames[1], frames[3] = frames[3], frames[1]
    return tape.header.encode() + b"".join(frames)


_WRONG: Final[dict[str, Callable[[Tape], bytes]]] = {
    "a bit of a frame": lambda tape: _flipped(tape.data(), 300),
    "a bit of the head of a frame": lambda tape: _flipped(tape.data(), len(tape.header.encode()) + 4),
    "a bit of the header": lambda tape: _flipped(tape.data(), 12),
    "a frame that is missing": lambda tape: tape.header.encode() + b"".join(tape.frames()[:2] + tape.frames()[3:]),
    "two frames swapped": _swapped,
    "a frame behind the last": lambda tape: tape.data() + tape.frames()[1],
    "no recording": lambda _tape: b"PK\x03\x04 something else, which is as long as any header could be" * 4,
    "nothing": lambda _tape: b"",
    "the header alone": lambda tape: tape.header.encode(),
}


@pytest.mark.parametrize("what", _WRONG)
def test_what_is_not_as_it_was_written_is_refused_in_one_line(what: str, home: Home, tmp_path: Path) -> None:
    tape = _tape()
    file = str(tape.save(tmp_path / "it", _WRONG[what](tape)))

    for options in ((), ("--timeline",), ("--raw-dir", str(tmp_path / "raw"))):
        outcome = home.run_here("replay", file, *options)
        assert (outcome.code, outcome.out) == (ExitCode.AUDIT_INVALID, "")
        assert len(outcome.err.splitlines()) == 2
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize("cut", ["at a frame", "within a frame"])
def test_a_recording_that_stops_early_is_shown_and_fails(cut: str, home: Home, tmp_path: Path) -> None:
    tape = _tape()
    data = tape.data(closed=False)
    file = str(tape.save(tmp_path / "it", data if cut == "at a frame" else data[:-5]))

    outcome = home.run_here("replay", file)

    assert outcome.code == ExitCode.PARTIAL
    assert "PRESENT   LANG" in outcome.out
    assert "--log LOG" in outcome.err


def test_a_key_of_another_recording_opens_nothing(home: Home, tmp_path: Path) -> None:
    file = _tape().save(tmp_path / "it")
    key = tmp_path / "it.key"
    key.write_text(key.read_text().replace(SESSION, "another"), encoding="ascii")
    assert home.run_here("replay", str(file)).code == ExitCode.AUDIT_INVALID

    key.write_text(f"leadglass-recording-key-v1 {SESSION} opened {'A' * 43}=\n", encoding="ascii")
    assert home.run_here("replay", str(file)).code == ExitCode.AUDIT_INVALID


def test_a_key_that_others_can_read_is_not_used(home: Home, tmp_path: Path) -> None:
    file = _tape().save(tmp_path / "it")
    (tmp_path / "it.key").chmod(0o640)

    outcome = home.run_here("replay", str(file))

    assert (outcome.code, outcome.out) == (ExitCode.USAGE, "")
    assert "chmod 600" in outcome.err


def test_a_file_or_key_that_is_not_there_is_named(home: Home, tmp_path: Path) -> None:
    file = _tape().save(tmp_path / "it")
    (tmp_path / "it.key").rename(tmp_path / "elsewhere")

    assert home.run_here("replay", str(tmp_path / "none")).code == ExitCode.NOT_FOUND
    assert home.run_here("replay", str(file)).code == ExitCode.NOT_FOUND
    assert home.run_here("replay", str(file), "--recording-key", str(tmp_path / "elsewhere")).code == 0
    assert home.run_here("replay", str(file), "--recording-key", str(file)).code == ExitCode.USAGE


def _line(kind: str, seq: int, session: str = SESSION) -> str:
    return json.dumps({"kind": kind, "seq": seq} | ({"session_id": session} if session else {}))


def _log(tape: Tape, end: str = "", **changed: str) -> str:
    lines = [
        json.dumps({"session_id": SESSION, "kind": "OUTCOME", "call_id": call_id, "recording": digest, "seq": 7})
        for call_id, digest in (tape.digests() | changed).items()
    ]
    end = end or _line("SESSION_ENDED", 8)
    return "\n".join([_line("AGENT_STARTED", 1, ""), _line("SESSION_OPENED", 5), "no record", *lines, end]) + "\n"


def test_the_audit_log_vouches_for_each_call(home: Home, tmp_path: Path) -> None:
    tape = _tape()
    file, log = str(tape.save(tmp_path / "it")), tmp_path / "log"
    log.write_text(_log(tape))

    outcome = home.run_here("replay", file, "--log", str(log))

    assert outcome.code == 0
    assert "the audit log has the digest of 3 of 3 calls" in outcome.err


def test_a_recording_that_was_made_up_does_not_agree_with_the_audit_log(home: Home, tmp_path: Path) -> None:
    tape, other = _tape(), Tape()
    other.call(inspect_pb2.ListProcessesRequest(), inspect_pb2.ListProcessesResponse(processes=[_process(8)]))
    log = tmp_path / "log"
    cases = {
        "a call is not what the audit log says": _log(tape, call2="00" * 32),
        "the recording lacks a call": _log(tape, call4="00" * 32),
        "the audit log lacks a call": _log(other, call1=tape.digests()["call1"]),
    }
    file = str(tape.save(tmp_path / "it"))
    for what, text in cases.items():
        log.write_text(text)
        outcome = home.run_here("replay", file, "--log", str(log))
        assert (outcome.code, outcome.out) == (ExitCode.AUDIT_INVALID, "")
        assert what in outcome.err


def test_a_cut_that_the_audit_log_does_not_know_of_is_no_failure(home: Home, tmp_path: Path) -> None:
    tape = _tape()
    file, log = str(tape.save(tmp_path / "it", tape.data(closed=False))), tmp_path / "log"
    log.write_text(_log(tape))
    assert home.run_here("replay", file, "--log", str(log)).code == 0

    cut = tape.header.encode() + b"".join(tape.frames()[:4])
    (tmp_path / "it").write_bytes(cut)
    assert home.run_here("replay", file, "--log", str(log)).code == ExitCode.AUDIT_INVALID


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (_line("SESSION_ENDED", 8), 0),
        (_line("AGENT_STARTED", 8, ""), 0),
        (_line("AGENT_STOPPED", 8, ""), 0),
        (_line("AGENT_STARTED", 3, ""), ExitCode.PARTIAL),
        (_line("SESSION_ENDED", 8, "another"), ExitCode.PARTIAL),
        (_line("CHECKPOINT", 8, ""), ExitCode.PARTIAL),
    ],
)
def test_a_cut_is_proved_harmless_only_by_a_log_that_reaches_the_sessions_end(
    end: str, code: int, home: Home, tmp_path: Path
) -> None:
    tape = _tape()
    file, log = str(tape.save(tmp_path / "it", tape.data(closed=False))), tmp_path / "log"
    log.write_text(_log(tape, end))

    outcome = home.run_here("replay", file, "--log", str(log))

    assert outcome.code == code
    assert ("the audit log has no call that is missing" in outcome.err) == (code == 0)
    assert ("the audit log has no end of the session either" in outcome.err) == (code != 0)


@pytest.mark.parametrize("text", ["", _line("SESSION_OPENED", 5, "another") + "\n", _line("SESSION_ENDED", 8) + "\n"])
def test_a_log_that_does_not_know_the_session_proves_nothing(text: str, home: Home, tmp_path: Path) -> None:
    tape = _tape()
    opening = tape.header.encode() + tape.frames()[0]  # all behind it was cut off
    file, log = str(tape.save(tmp_path / "it", opening)), tmp_path / "log"
    log.write_text(text)

    outcome = home.run_here("replay", file, "--timeline", "--log", str(log))

    assert (outcome.code, outcome.out) == (ExitCode.AUDIT_INVALID, "")
    assert "the audit log does not know the session" in outcome.err


@pytest.mark.parametrize("odd", [2**63, 10**400])
@pytest.mark.parametrize("field", ["time_unix_ns", "duration_us", "rows"])
def test_a_number_that_no_agent_counts_to_is_no_recording(odd: int, field: str, home: Home, tmp_path: Path) -> None:
    tape = _tape()
    tape.records = [_with(one, **{field: odd}) if hasattr(one, field) else one for one in tape.records]
    file = str(tape.save(tmp_path / "it"))

    for options in ((), ("--timeline",), ("--timeline", "-o", "json"), ("--policy", file)):
        outcome = home.run_here("replay", file, *options)
        assert (outcome.code, outcome.out) == (ExitCode.AUDIT_INVALID, "")


def test_the_largest_numbers_that_an_agent_counts_to_are_shown(home: Home, tmp_path: Path) -> None:
    tape = _tape()
    tape.records = [replace(one, time_unix_ns=2**63 - 1) for one in tape.records]
    tape.records[-1] = _with(tape.records[-1], duration_us=2**63 - 1, rows=2**63 - 1)
    file = str(tape.save(tmp_path / "it"))

    for options in ((), ("--timeline",), ("--timeline", "-o", "json")):
        assert home.run_here("replay", file, *options).code == 0


def test_a_reply_that_was_recorded_and_then_not_sent_was_not_seen(home: Home, tmp_path: Path) -> None:
    tape = Tape()
    replies = [
        inspect_pb2.ReadTextResponse(lines=[inspect_pb2.TextLine(text=VisibleText(text=text))])
        for text in ("seen", "unsent")
    ]
    request = inspect_pb2.ReadTextRequest(process=_WEB, path="/x", follow=True)
    tape.call(request, *replies, refusal="AUDIT_UNAVAILABLE")
    tape.records[-1] = _with(tape.records[-1], replies=1)
    file, log = str(tape.save(tmp_path / "it")), tmp_path / "log"
    log.write_text(_log(tape))

    outcome = home.run_here("replay", file, "--log", str(log))  # the digest is that of all frames

    assert (outcome.code, outcome.out) == (0, "seen\n")


def test_a_pause_begins_where_the_last_of_the_calls_before_ended() -> None:
    tape = Tape()
    for seconds in (1, 2, 3, 20):
        tape.call(inspect_pb2.ListProcessesRequest(), after_seconds=seconds)
    ends = {"call1": 10, "call2": 5, "call3": 6}
    tape.records = [
        replace(one, time_unix_ns=OPENED.time_unix_ns + ends[one.call_id] * 1_000_000_000)
        if isinstance(one, Ended) and one.call_id in ends
        else one
        for one in tape.records
    ]

    records = timeline_sheet(tape.recording()).records

    assert [record["idle_seconds"] for record in records] == [1, 0, 0, 10]


def test_a_session_of_twice_the_calls_costs_a_timeline_twice_the_work() -> None:
    tape = Tape()
    tape.call(inspect_pb2.ListProcessesRequest())
    recording = tape.recording()
    work = 0

    def count(_frame: object, _event: str, _argument: object) -> None:
        nonlocal work
        work += 1

    def work_of(calls: int) -> int:
        nonlocal work
        work, longer = 0, replace(recording, calls=recording.calls * calls)
        before = sys.getprofile()
        sys.setprofile(count)
        timeline_sheet(longer)
        sys.setprofile(before)
        return work

    assert work_of(1_000) < 2.5 * work_of(500)


def test_ways_of_showing_do_not_mix(home: Home, tmp_path: Path) -> None:
    file = str(_tape().save(tmp_path / "it"))

    assert home.run_here("replay", file, "--timeline", "--step").code == ExitCode.USAGE
    assert home.run_here("replay", file, "--timeline", "--policy", file).code == ExitCode.USAGE


def test_a_sealed_key_needs_the_auditors_and_the_right_one(home: Home, tmp_path: Path) -> None:
    tape = _tape()
    file = tape.save(tmp_path / "it")
    (tmp_path / "it.key").unlink()
    auditor, other = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    for name, key in (("auditor.pem", auditor), ("other.pem", other)):
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (tmp_path / name).write_bytes(pem)
        (tmp_path / name).chmod(0o600)
    sealed = seal(KEY, auditor.public_key().public_bytes_raw(), tape.header.digest)
    write_key(tmp_path / "it.key", KeptKey(SESSION, sealed, is_sealed=True))

    def replay(*options: str) -> int:
        return home.run_here("replay", str(file), *options).code

    assert replay() == ExitCode.USAGE
    assert replay("--auditor-key", str(tmp_path / "auditor.pem")) == 0
    assert replay("--auditor-key", str(tmp_path / "other.pem")) == ExitCode.AUDIT_INVALID
    assert replay("--auditor-key", str(file)) == ExitCode.USAGE
    (tmp_path / "auditor.pem").chmod(0o644)
    assert replay("--auditor-key", str(tmp_path / "auditor.pem")) == ExitCode.USAGE
