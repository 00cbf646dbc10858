"""Promise: a reply that holds a value which the pod keeps as a secret does not leave, whatever the redactor does.

The redactor of these tests masks nothing; only the barrier stands between the views and the caller.
"""

from __future__ import annotations

import json
import random
import string
import time
from typing import TYPE_CHECKING

import pytest

from gate_without_redaction import UnmaskedGate, unmasked_gate
from gathering import gather_here
from leadglass.v1 import access_pb2, common_pb2, inspect_pb2
from leadglass_agent.barrier.barrier import Barrier
from leadglass_agent.errors import Reason
from leadglass_agent.redaction.escape import visible
from leadglass_agent.redaction.mask import Clean
from leadglass_agent.views.procfs import open_proc
from sample_processes import OnDisk, lay_out, running
from spellings import SPELLINGS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from google.protobuf.message import Message

_VALUES = 10_000
_FAR_NS = 600_000_000_000
_SPECIAL = "!@#$%^&*()[]{};,.<>?|~'\"\\ \u00e9\u4e16"
_ALPHABETS = (
    string.ascii_letters + string.digits,
    string.ascii_letters + string.digits + "-_",
    string.ascii_letters + string.digits + "+/",
    string.hexdigits.lower(),
    string.ascii_letters + string.digits + _SPECIAL,
)


# Of the spellings those that differ for the barrier; all of them go through every view below.
_MASS = (
    "raw",
    "base64 at 0",
    "base64 at 1",
    "base64url at 2",
    "base64 in a URL",
    "base64 of UTF-16",
    "base32",
    "HEX",
    "URL",
    "URL in a URL",
    "JSON",
    "JSON in JSON",
    "shell quotes",
    "C hex",
    "HTML",
    "shown",
)


def _values() -> list[str]:
    """Makes values of many forms; `k1Z` within makes sure that none is a word or a number by chance."""
    source = random.Random(20_261_122)  # noqa: S311 - the same values each time
    made: list[str] = []
    for number in range(_VALUES):
        alphabet = _ALPHABETS[number % len(_ALPHABETS)]
        body = "".join(source.choices(alphabet, k=source.randint(10, 60)))
        made.append(f"qk1Z{body}")
    return made


VALUES = _values()
_NAMES = [f"SERVICE_{number}_PASSWORD" for number in range(_VALUES)]


@pytest.fixture(scope="module")
def barrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barrier]:
    """A barrier over a pod whose one process has all values in its environment."""
    block = b"".join(f"{name}={value}\0".encode() for name, value in zip(_NAMES, VALUES, strict=True))
    folder = tmp_path_factory.mktemp("pod") / "proc"
    proc = open_proc(lay_out(folder, OnDisk(pid=7, environment=block)))
    yield Barrier(proc, gather_here)
    proc.close()


@pytest.mark.parametrize("spelling", _MASS)
def test_each_of_ten_thousand_values_is_found_in_each_spelling(barrier: Barrier, spelling: str) -> None:
    # Base64 of UTF-16 is so regular that many of ten thousand values end alike: one reply holds fewer of them.
    step = 10 if spelling == "base64 of UTF-16" else 250
    missed: list[str] = []
    for start in range(0, _VALUES, step):
        some = range(start, start + step)
        # As messages carry it: made visible, each in a field of its own with its tag and length.
        texts = [visible(Clean(SPELLINGS[spelling](VALUES[index]).encode()), 1 << 20).text for index in some]
        argv = [common_pb2.VisibleText(text=f"--x={text}") for text in texts]
        reply = inspect_pb2.ListProcessesResponse(processes=[inspect_pb2.Process(arguments=argv)])
        origins = set(barrier.held(reply.SerializeToString(), 0, time.monotonic_ns() + _FAR_NS).values())
        missed += [_NAMES[index] for index in some if _origin(index) not in origins]
    assert missed == []


def _origin(index: int) -> str:
    return f"environment variable {_NAMES[index]} of process 7"


_PLANTED = "hT7'p9\"x\\Qz%2f-&_v3Lk\u00fc"
_FILE_VALUE = "mOunted-9f3k2L0q-Value"


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[UnmaskedGate]:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "api-token").write_text(_FILE_VALUE + "\n")
    async with unmasked_gate(tmp_path, (str(tmp_path / "secret"),)) as made:
        yield made


def _withheld(gate: UnmaskedGate) -> list[tuple[str, str]]:
    records = [json.loads(line) for line in gate.log.read_bytes().splitlines()]
    return [(record["severity"], record["refusal"]) for record in records if "severity" in record]


async def test_no_view_shows_a_value_in_any_spelling(gate: UnmaskedGate, tmp_path: Path) -> None:
    calls = 0
    for number, (name, spell) in enumerate(SPELLINGS.items()):
        spelled = spell(_PLANTED)
        files = _files(tmp_path / f"files-{number}", spelled)
        # A name of a variable ends where "=" is.
        environment = {b"DB_PASSWORD": _PLANTED.encode(), f"X_{spelled.replace('=', '')}".encode(): b"1"}
        with running(spelled, environment=environment) as pid:
            for method, request in _requests(pid, files).items():
                if method in {"ListDirectory", "ExplainAccess"} and "/" in spelled:
                    continue  # no name of a file holds a slash, and without it the spelling is another text
                asked = await gate.ask(f"InspectService/{method}", request)
                assert (asked.sent, asked.refused) == ([], Reason.KNOWN_VALUE), (method, name)
                calls += 1
    assert calls > 100
    assert _withheld(gate) == [("CRITICAL", "KNOWN_VALUE")] * calls
    assert gate.withheld == calls
    log = gate.log.read_bytes()
    assert b"environment variable DB_PASSWORD of process" in log
    for value in (_PLANTED, SPELLINGS["hex"](_PLANTED), SPELLINGS["base64 at 0"](_PLANTED)[:24]):
        assert value.encode() not in log


def _files(folder: Path, spelled: str) -> Path:
    """Lays out a link whose target, a file whose name and a log whose line is the spelling."""
    folder.mkdir()
    (folder / "link").symlink_to(f"/nowhere/{spelled}")
    (folder / "app.log").write_text(f"started\nconnecting with {spelled}\nready\n")
    (folder / "names").mkdir()
    (folder / "names" / spelled.replace("/", "_")[:255]).touch()
    (folder / "via").symlink_to(folder / "names" / spelled.replace("/", "_")[:255])
    return folder


def _requests(pid: int, files: Path) -> dict[str, Message]:
    ref = common_pb2.ProcessRef(pid=pid)
    return {
        "ListProcesses": inspect_pb2.ListProcessesRequest(pids=[pid]),
        "ListEnvironment": inspect_pb2.ListEnvironmentRequest(process=ref),
        "StatFiles": inspect_pb2.StatFilesRequest(process=ref, paths=[f"{files}/link"]),
        "ListDirectory": inspect_pb2.ListDirectoryRequest(process=ref, path=f"{files}/names"),
        "ReadText": inspect_pb2.ReadTextRequest(process=ref, path=f"{files}/app.log"),
        "ExplainAccess": inspect_pb2.ExplainAccessRequest(
            process=ref, path=f"{files}/via", operation=inspect_pb2.ACCESS_OPERATION_READ
        ),
    }


async def test_a_value_that_lies_across_two_lines_of_a_file_does_not_leave(gate: UnmaskedGate, tmp_path: Path) -> None:
    half = len(_PLANTED) // 2
    (tmp_path / "app.log").write_text(f"{_PLANTED[:half]}\n{_PLANTED[half:]}\n")
    with running(environment={"DB_PASSWORD": _PLANTED}) as pid:
        request = inspect_pb2.ReadTextRequest(process=common_pb2.ProcessRef(pid=pid), path=f"{tmp_path}/app.log")
        asked = await gate.ask("InspectService/ReadText", request)
    assert (asked.sent, asked.refused) == ([], Reason.KNOWN_VALUE)


async def test_what_the_caller_wrote_itself_comes_back_whether_or_not_it_is_a_value(
    gate: UnmaskedGate, tmp_path: Path
) -> None:
    # A refusal would tell that a guess is right: the barrier must be no oracle.
    for guess in (_PLANTED, _PLANTED[::-1]):
        with running(environment={"DB_PASSWORD": _PLANTED}) as pid:
            ref = common_pb2.ProcessRef(pid=pid)
            paths = [f"{tmp_path}/{guess.replace('/', '_')}"]
            asked = await gate.ask("InspectService/StatFiles", inspect_pb2.StatFilesRequest(process=ref, paths=paths))
            assert (len(asked.sent), asked.refused) == (1, None)
            names = inspect_pb2.ListEnvironmentRequest(process=ref, names=[guess])
            asked = await gate.ask("InspectService/ListEnvironment", names)
            assert (len(asked.sent), asked.refused) == (1, None)
            opened = await gate.open(reason=f"looking whether {guess} is still in use")
            assert (len(opened.sent), opened.refused) == (1, None)
            shown = await gate.ask("AccessService/GetSession", access_pb2.GetSessionRequest(session_id=gate.session_id))
            assert (len(shown.sent), shown.refused) == (1, None)
    assert _withheld(gate) == []


async def test_whoever_writes_the_start_of_a_value_does_not_get_its_end(gate: UnmaskedGate) -> None:
    long = "".join(f"x{number}Qz" for number in range(100, 140))
    with running(long, environment={"DB_PASSWORD": long}) as pid:
        request = inspect_pb2.ListProcessesRequest(pids=[pid], name_glob="*")
        await gate.open(reason=f"knowing {long[:64]} I want more")
        asked = await gate.ask("InspectService/ListProcesses", request)
    assert (asked.sent, asked.refused) == ([], Reason.KNOWN_VALUE)


async def test_a_file_of_a_secret_mount_does_not_leave(gate: UnmaskedGate, tmp_path: Path) -> None:
    with running(f"--mysterious={_FILE_VALUE}") as pid:
        asked = await gate.ask("InspectService/ListProcesses", inspect_pb2.ListProcessesRequest(pids=[pid]))
        assert (asked.sent, asked.refused) == ([], Reason.KNOWN_VALUE)
        ref = common_pb2.ProcessRef(pid=pid)
        read = inspect_pb2.ReadTextRequest(process=ref, path=str(tmp_path / "secret" / "api-token"))
        asked = await gate.ask("InspectService/ReadText", read)
        assert (asked.sent, asked.refused) == ([], Reason.KNOWN_VALUE)
    assert b"secret mount's file api-token of process" in gate.log.read_bytes()
    assert _FILE_VALUE.encode() not in gate.log.read_bytes()


async def test_a_pod_without_its_secret_in_the_reply_is_answered(gate: UnmaskedGate) -> None:
    with running("--port=8080", environment={"DB_PASSWORD": _PLANTED, "LANG": "C"}) as pid:
        asked = await gate.ask("InspectService/ListProcesses", inspect_pb2.ListProcessesRequest(pids=[pid]))
        assert asked.refused is None
        assert b"--port=8080" in asked.sent[0]
    assert _withheld(gate) == []
