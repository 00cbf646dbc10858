"""No flood of one client takes the agent from another, its memory beyond its bound, or the room of its audit log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from flooded import PATIENCE, attacker, flooded, is_let_in, is_serving, nobody
from floods import (
    OVER_HTTP2,
    OVER_TCP,
    handshakes,
    held_connections,
    open_streams,
    rapid_resets,
    silent_connections,
    window_updates,
)
from leadglass_agent.access.refusals import MAX_RECORDED
from running_agent import TRUST_DOMAIN, Caller, RunningAgent, running_agent
from wire import Port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_SECONDS: Final = 2.0
# Not the promise, which is 128 and which bench/abuse.py measures: headers without an end reach 222 for some seconds,
# since grpc keeps 104 bytes for each of five on the wire until somebody looks at the connection; a second flood adds
# nothing to that. This bound finds what grows with each flood.
_MOST_MEBIBYTES: Final = 224.0
# Beside those of a flood of refusals there are starts, ends, sums and checkpoints.
_FURTHER_RECORDS: Final = 50
_RECORDS_OF_A_CALL: Final = 2


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent")) as running:
        yield running


@pytest.fixture(scope="module")
def good(agent: RunningAgent) -> Caller:
    return agent.caller("alice")


def _is_harmless(agent: RunningAgent, good: Caller, flood: Callable[[Port, float], int], port: Port) -> None:
    before = len(agent.records())
    begin = time.monotonic()
    fared = flooded(agent, good, flood, port, _SECONDS)
    assert fared.events > 0
    assert fared.calls > 0
    assert fared.failures == ()
    assert fared.most_mebibytes <= _MOST_MEBIBYTES
    assert agent.process.poll() is None
    assert is_serving(agent)
    assert is_let_in(agent)
    minutes = 2 + (time.monotonic() - begin) // 60
    others = len(agent.records()) - before - _RECORDS_OF_A_CALL * fared.calls
    assert others <= minutes * (MAX_RECORDED + _FURTHER_RECORDS)


# Two that differ in what they need; all together take minutes.
_QUICK: Final = ("rapid resets", "open streams")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in _QUICK else pytest.mark.slow) for name in OVER_HTTP2]
)
def test_a_flood_of_somebody_without_a_role_harms_nobody(agent: RunningAgent, good: Caller, name: str) -> None:
    _is_harmless(agent, good, OVER_HTTP2[name], attacker(agent, f"mallory-{name.replace(' ', '-').replace(',', '')}"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["rapid resets", "cancelled calls", "open streams", "unread answers", "held connections"]
)
def test_a_flood_of_somebody_with_a_role_harms_nobody_else(agent: RunningAgent, good: Caller, name: str) -> None:
    _is_harmless(agent, good, OVER_HTTP2[name], attacker(agent, "frank"))


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in OVER_TCP])
def test_a_flood_of_somebody_without_a_certificate_harms_nobody(agent: RunningAgent, good: Caller, name: str) -> None:
    _is_harmless(agent, good, OVER_TCP[name], nobody(agent))


@pytest.mark.slow
def test_handshakes_without_a_certificate_harm_nobody(agent: RunningAgent, good: Caller) -> None:
    _is_harmless(agent, good, handshakes, nobody(agent))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow)
        for name in OVER_HTTP2
        if name not in {"unknown methods", "long paths"}  # which need a gate to be more than others
    ],
)
def test_a_flood_of_the_port_for_health_harms_nobody(agent: RunningAgent, good: Caller, name: str) -> None:
    _is_harmless(agent, good, OVER_HTTP2[name], Port(agent.health_address))


def _abuses(agent: RunningAgent) -> list[dict[str, Any]]:
    return [record for record in agent.records() if record["kind"] == "TRANSPORT_ABUSE"]


@pytest.mark.parametrize(
    ("flood", "has_called", "cause"),
    [
        pytest.param(window_updates, False, "FLOODING", id="window updates"),
        pytest.param(rapid_resets, True, "FLOODING", id="rapid resets", marks=pytest.mark.slow),
        pytest.param(held_connections, True, "CROWDING", id="held connections", marks=pytest.mark.slow),
        pytest.param(silent_connections, False, "SILENCE", id="silent connections", marks=pytest.mark.slow),
    ],
)
def test_who_abuses_the_port_is_in_a_record_that_sums_up(
    tmp_path: Path, flood: Callable[[Port, float], int], cause: str, *, has_called: bool
) -> None:
    with running_agent(tmp_path) as agent:
        good = agent.caller("alice")
        port = attacker(agent, "mallory")
        seconds = _SECONDS
        while not any(cause in record["facts"] for record in _abuses(agent)):
            assert seconds < PATIENCE, "nothing was recorded"
            # On a busy machine an attacker needs its time, too.
            assert flooded(agent, good, flood, port, seconds).failures == ()
            seconds *= 2
        assert agent.stop() == 0
        records = _abuses(agent)
    name = f"spiffe://{TRUST_DOMAIN}/user/mallory"
    callers = {record.get("caller", record["facts"].get("source")) for record in records}
    assert (name if has_called else "ipv4:127.0.0.1") in callers
    assert f"spiffe://{TRUST_DOMAIN}/user/alice" not in callers
    seconds = (records[-1]["boot_ns"] - records[0]["boot_ns"]) // 1_000_000_000
    assert len(records) <= len(callers) * (3 + seconds // 60)


def test_calls_that_found_no_place_are_recorded_under_their_caller(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        good = agent.caller("alice")
        assert flooded(agent, good, open_streams, attacker(agent, "mallory"), _SECONDS).failures == ()
        refused = [record for record in agent.records() if record.get("refusal") == "RATE_LIMITED"]
        assert {record["caller"] for record in refused} == {f"spiffe://{TRUST_DOMAIN}/user/mallory"}
        assert {record.get("detail") for record in refused} >= {"too many calls at once"}
