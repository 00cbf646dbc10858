"""ReadText from client to file: masked, bounded, held back by its reader, permitted anew each second, audited."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from leadglass.v1 import access_pb2, common_pb2, inspect_pb2
from planted_secrets import plant
from running_agent import OPEN_POLICY, Caller, RunningAgent, reason_of, running_agent
from sample_processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 30.0


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent")) as running:
        yield running


@pytest.fixture(scope="module")
def alice(agent: RunningAgent) -> Caller:
    return agent.caller()


def _request(path: Path | str, **fields: object) -> inspect_pb2.ReadTextRequest:
    made = inspect_pb2.ReadTextRequest(process=common_pb2.ProcessRef(pid=os.getpid()), path=str(path))
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def _call(
    caller: Caller, request: inspect_pb2.ReadTextRequest, seconds: float = _SECONDS
) -> grpc._CallIterator[inspect_pb2.ReadTextResponse]:
    metadata = (("leadglass-session", caller.session_id),) if caller.session_id else ()
    return caller.inspect.ReadText(request, timeout=seconds, metadata=metadata)


def _lines(messages: list[inspect_pb2.ReadTextResponse]) -> list[str]:
    return [line.text.text for message in messages for line in message.lines]


def _record(agent: RunningAgent, kind: str) -> dict[str, object]:
    """Waits for the last record of a ReadText."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        records = [one for one in agent.records() if str(one.get("method", "")).endswith("ReadText")]
        if records and records[-1]["kind"] == kind:
            return dict(records[-1])
        time.sleep(0.05)
    message = f"no record {kind}"
    raise AssertionError(message)


def test_a_file_is_shown_masked_and_recorded_with_profile_and_counts(
    agent: RunningAgent, alice: Caller, tmp_path: Path
) -> None:
    planted = plant("log", "configuration")
    log, configuration = tmp_path / "app.log", tmp_path / "app.yaml"
    log.write_text(f"start\nlogin password={planted['log']} ok\n")
    configuration.write_text(f"db:\n  password: {planted['configuration']}\n")

    messages = list(_call(alice, _request(log)))
    strict = list(_call(alice, _request(configuration)))

    assert _lines(messages) == ["start", "login password=[redacted:password] ok"]
    assert messages[0].file.path.text == str(log)
    assert messages[0].file.size_bytes == log.stat().st_size
    assert {message.redaction for message in messages} == {common_pb2.REDACTION_PROFILE_BALANCED}
    assert {message.redaction for message in strict} == {common_pb2.REDACTION_PROFILE_STRICT}
    assert [message.end for message in messages][-1] == inspect_pb2.TEXT_END_END_OF_FILE
    counts = {count.rule_id: count.count for message in messages for count in message.redactions}
    assert counts == {"password": 1}
    assert planted.leaks(b"".join(message.SerializeToString() for message in (*messages, *strict))) == ()
    record = _record(agent, "OUTCOME")
    assert record["redaction"] == "strict"
    assert record["redactions"] == {"password": 1}
    assert (record["rows"], record["masked"], record["permission"]) == (2, 1, "text.redacted")
    assert record["arguments"] == {
        "path": [str(configuration)],
        "start": ["HEAD"],
        "max_lines": ["100000"],
        "max_bytes": ["16777216"],
    }


def test_what_no_rule_permits_is_not_read(alice: Caller, tmp_path: Path) -> None:
    (tmp_path / "app.key").write_text("x")
    (tmp_path / "app.bin.log").write_bytes(b"\x7fELF\0")

    hidden = list(_call(alice, _request(tmp_path / "app.key")))
    binary = list(_call(alice, _request(tmp_path / "app.bin.log")))

    assert [message.unavailable for message in hidden] == [common_pb2.UNAVAILABLE_REASON_NOT_FOUND]
    assert [message.unavailable for message in binary] == [common_pb2.UNAVAILABLE_REASON_BINARY_FILE]
    assert {message.end for message in (*hidden, *binary)} == {inspect_pb2.TEXT_END_UNAVAILABLE}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"path": "relative"}, "INVALID_REQUEST"),
        ({"path": "/a/../b.log"}, "INVALID_REQUEST"),
        ({"start": 9}, "INVALID_REQUEST"),
        ({"offset_bytes": 2**64 - 1}, "INVALID_REQUEST"),
        ({"filter": inspect_pb2.TextFilter()}, "INVALID_REQUEST"),
        ({"filter": inspect_pb2.TextFilter(pattern="x" * 257)}, "INVALID_REQUEST"),
        ({"filter": inspect_pb2.TextFilter(pattern="x", before_lines=51)}, "INVALID_REQUEST"),
        ({"filter": inspect_pb2.TextFilter(pattern="(a)\\1")}, "PATTERN_REFUSED"),
        ({"process": common_pb2.ProcessRef(pid=0)}, "INVALID_REQUEST"),
        ({"process": common_pb2.ProcessRef(pid=4_194_304)}, "PROCESS_NOT_FOUND"),
    ],
)
def test_a_request_out_of_bounds_is_refused(
    agent: RunningAgent, alice: Caller, tmp_path: Path, fields: dict[str, object], reason: str
) -> None:
    (tmp_path / "app.log").write_text("x\n")
    request = _request(tmp_path / "app.log")
    request.MergeFrom(inspect_pb2.ReadTextRequest(**fields))  # type: ignore[arg-type] # names and values of the contract
    if "process" in fields:
        request.process.CopyFrom(fields["process"])  # type: ignore[arg-type] # as above

    with pytest.raises(grpc.RpcError) as caught:
        list(_call(alice, request))

    assert reason_of(caught.value) == reason
    assert _record(agent, "REFUSED")["refusal"] == reason


def test_without_a_session_nothing_is_read(agent: RunningAgent, tmp_path: Path) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        list(_call(agent.caller(session=False), _request(tmp_path / "app.log")))

    assert reason_of(caught.value) == "SESSION_MISSING"


def test_a_file_is_followed_and_its_end_is_recorded_when_the_caller_goes(
    agent: RunningAgent, alice: Caller, tmp_path: Path
) -> None:
    log = tmp_path / "app.log"
    log.write_text("one\ntwo\n")
    call = _call(alice, _request(log, start=inspect_pb2.TEXT_START_TAIL, max_lines=1, follow=True))

    assert _lines([next(call)]) == ["two"]
    with log.open("a") as file:
        file.write("three password=correcthorsebattery\n")
    assert _lines([next(call)]) == ["three password=[redacted:password]"]
    call.cancel()

    record = _record(agent, "OUTCOME")
    assert (record["rows"], record["masked"], record["redaction"]) == (2, 1, "balanced")
    assert "ended the stream" in str(record["detail"])


def test_a_stream_ends_within_two_seconds_of_its_session(agent: RunningAgent, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("one\n")
    caller = agent.caller("bob")
    call = _call(caller, _request(log, follow=True))
    next(call)

    caller.call(caller.access.CloseSession, access_pb2.CloseSessionRequest(session_id=caller.session_id))
    with pytest.raises(grpc.RpcError) as caught:
        next(call)

    assert reason_of(caught.value) == "SESSION_ENDED"
    assert _record(agent, "REFUSED")["refusal"] == "SESSION_ENDED"


def test_a_caller_s_deadline_ends_a_stream_in_order(alice: Caller, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("one\n")

    messages = list(_call(alice, _request(tmp_path / "app.log", follow=True), seconds=2.0))

    assert messages[-1].end == inspect_pb2.TEXT_END_TIME_LIMIT


def test_a_caller_has_so_many_streams_and_no_more(alice: Caller, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("one\n")
    calls = [_call(alice, _request(tmp_path / "app.log", follow=True)) for _ in range(8)]
    for call in calls:
        next(call)

    with pytest.raises(grpc.RpcError) as caught:
        next(_call(alice, _request(tmp_path / "app.log", follow=True)))

    assert reason_of(caught.value) == "RATE_LIMITED"
    for call in calls:
        call.cancel()


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone may look into a worker, which is not dumpable")
def test_a_caller_who_does_not_read_holds_the_reading_back(agent: RunningAgent, alice: Caller, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"".join(b"%09d " % number + b"x" * 190 + b"\n" for number in range(500_000)))  # 100 MB
    before = _read_bytes(agent)

    call = _call(alice, _request(log, max_bytes=1 << 30, max_lines=1_000_000))
    next(call)
    held, then = 0, -1
    while held != then:
        then = held
        time.sleep(1.5)
        held = _read_bytes(agent) - before
    call.cancel()

    # What is under way: the windows of HTTP/2, one message and what the redactor holds back.
    assert 0 < held < 24_000_000


def _read_bytes(agent: RunningAgent) -> int:
    """Counts the bytes that the file workers have read; proc(5), rchar."""
    counters = (Path(f"/proc/{pid}/io").read_text(encoding="ascii") for pid in agent.worker_pids())
    return sum(int(counter.split()[1]) for counter in counters)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone may look into a worker, which is not dumpable")
def test_windows_of_callers_who_went_away_are_let_go(agent: RunningAgent, alice: Caller, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("one\n")
    for _ in range(5):
        for _ in range(7):
            call = _call(alice, _request(tmp_path / "app.log", follow=True))
            next(call)
            call.cancel()
        time.sleep(0.3)

    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and _open_logs(agent):
        time.sleep(0.1)
    assert _open_logs(agent) == 0


def _open_logs(agent: RunningAgent) -> int:
    links = [link for pid in agent.worker_pids() for link in _links(pid)]
    return sum(link.endswith("app.log") for link in links)


def _links(pid: int) -> Iterator[str]:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            yield str(descriptor.readlink())
        except OSError:
            continue


def test_a_tighter_policy_names_its_profile(tmp_path: Path) -> None:
    policy = OPEN_POLICY.replace("spec:\n", "spec:\n  redaction: strict\n")
    (tmp_path / "app.log").write_text("x\n")
    (tmp_path / "agent").mkdir()
    with running_agent(tmp_path / "agent", policy) as agent:
        messages = list(_call(agent.caller(), _request(tmp_path / "app.log")))

    assert {message.redaction for message in messages} == {common_pb2.REDACTION_PROFILE_STRICT}


def test_a_killed_worker_interrupts_its_streams_and_no_other_call(
    agent: RunningAgent, alice: Caller, tmp_path: Path
) -> None:
    log = tmp_path / "app.log"
    log.write_text("one\n")
    call = _call(alice, _request(log, follow=True))
    next(call)
    for pid in agent.worker_pids():
        os.kill(pid, 9)

    rest = list(call)

    assert rest[-1].end in {inspect_pb2.TEXT_END_INTERRUPTED, inspect_pb2.TEXT_END_UNAVAILABLE}
    assert _lines(list(_call(alice, _request(log)))) == ["one"]


def test_two_streams_do_not_wait_for_one_another(alice: Caller, tmp_path: Path) -> None:
    large, small = tmp_path / "large.log", tmp_path / "small.log"
    large.write_bytes(b"needle in no line\n" * 2_000_000)
    small.write_text("one\n")
    request = _request(large)
    request.filter.pattern = "absent[0-9]"
    searching = threading.Thread(target=lambda: list(_call(alice, request)))
    searching.start()

    assert _lines(list(_call(alice, _request(small)))) == ["one"]
    searching.join()


def test_a_search_does_not_confirm_a_guess_at_a_value_that_the_pod_keeps(alice: Caller, tmp_path: Path) -> None:
    value = "heron-quartz-ember-lantern-9137"
    log = tmp_path / "app.log"
    log.write_text(f"before\nit is {value} they say\n")
    with running(environment={"API_TOKEN": value}) as pid:
        for pattern in ("", value, "before|heron"):
            request = _request(log)
            request.process.pid = pid
            if pattern:
                request.filter.pattern = pattern
            with pytest.raises(grpc.RpcError) as caught:
                list(_call(alice, request))
            assert reason_of(caught.value) == "KNOWN_VALUE", pattern
        request.filter.pattern = "before"
        assert _lines(list(_call(alice, request))) == ["before"]
