"""The recorded session of docs/replay.md, with the two policies that stand on the page."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from google.protobuf.timestamp_pb2 import Timestamp

from leadglass.v1 import inspect_pb2
from leadglass.v1.common_pb2 import (
    REDACTION_PROFILE_BALANCED,
    REDACTION_PROFILE_STRICT,
    UNAVAILABLE_REASON_NOT_PERMITTED,
    ProcessRef,
    VisibleText,
)
from leadglass_agent.errors import Reason
from made_recordings import OPENED, Tape
from policies import NOON

if TYPE_CHECKING:
    from pathlib import Path

_SHOP: Final = ProcessRef(pid=17, start_ticks=1700)
_MEBIBYTE: Final = 1024 * 1024


def write_example(folder: Path, policies: list[str]) -> None:
    """Writes incident.rec with its key, the audit log's records of it, then.yaml and now.yaml."""
    for name, text in zip(("then.yaml", "now.yaml"), policies, strict=True):
        (folder / name).write_text(text, encoding="utf-8")
    digest = f"sha256:{hashlib.sha256(policies[0].encode()).hexdigest()}"
    opened = replace(
        OPENED,
        session_id="Zq3vJx0cT5Wb",
        caller="spiffe://shop.example/sre/alice",
        reason="checkout answers 502 since 14:50",
        ticket="OPS-1207",
        peer="ipv4:10.0.3.7",
        policy_digest=digest,
    )
    tape = Tape(opened=opened)
    tape.call(
        inspect_pb2.ListProcessesRequest(),
        inspect_pb2.ListProcessesResponse(
            processes=[_process(17, "shop-web", 0), _process(23, "shop-vault", 17)],
            redaction=REDACTION_PROFILE_STRICT,
            read_time=Timestamp(seconds=NOON + 1),
        ),
        rules=("tree",),
        rows=2,
    )
    present = inspect_pb2.PRESENCE_PRESENT
    names = ("DB_PASSWORD", "LANG", "PAYMENT_KEY")
    variables = [inspect_pb2.EnvironmentVariable(name=VisibleText(text=name), presence=present) for name in names]
    tape.call(
        inspect_pb2.ListEnvironmentRequest(process=_SHOP),
        inspect_pb2.ListEnvironmentResponse(process=_SHOP, variables=variables),
        after_seconds=9,
        rules=("env",),
        rows=3,
    )
    lines = ("14:50:01 connect db:5432 user=shop password=[redacted:assigned-password]", "14:50:02 502 upstream gone")
    tape.call(
        inspect_pb2.ReadTextRequest(process=_SHOP, path="/srv/shop/web.log", start=inspect_pb2.TEXT_START_HEAD),
        inspect_pb2.ReadTextResponse(
            file=inspect_pb2.TextFile(path=VisibleText(text="/srv/shop/web.log")),
            lines=[inspect_pb2.TextLine(text=VisibleText(text=line)) for line in lines],
            redaction=REDACTION_PROFILE_BALANCED,
            end=inspect_pb2.TEXT_END_END_OF_FILE,
        ),
        after_seconds=75,
        rules=("logs",),
        rows=2,
    )
    tape.call(
        inspect_pb2.ListEnvironmentRequest(process=ProcessRef(pid=1)),
        refusal=Reason.PROCESS_NOT_FOUND,
        after_seconds=80,
    )
    tape.save(folder / "incident.rec")
    session = f'"session_id":"{opened.session_id}"'
    calls = (
        f'{{"kind":"OUTCOME",{session},"call_id":"{call}","recording":"{one}","seq":{seq}}}\n'
        for seq, (call, one) in enumerate(tape.digests().items(), start=2)
    )
    began = f'{{"kind":"SESSION_OPENED",{session},"seq":1}}\n'
    ended = f'{{"kind":"SESSION_ENDED",{session},"seq":{2 + tape.calls}}}\n'
    (folder / "audit.jsonl").write_text("".join((began, *calls, ended)), encoding="utf-8")


def _process(pid: int, name: str, parent: int) -> inspect_pb2.Process:
    row = inspect_pb2.Process(
        ref=ProcessRef(pid=pid, start_ticks=pid * 100),
        parent_pid=parent,
        name=VisibleText(text=name),
        state=inspect_pb2.PROCESS_STATE_SLEEPING,
        owner_uid=1000,
        owner_gid=1000,
        threads=4,
        resident_memory_bytes=(pid + 5) * _MEBIBYTE,
        executable_unavailable=UNAVAILABLE_REASON_NOT_PERMITTED,
        arguments=[VisibleText(text=f"/srv/shop/{name}"), VisibleText(text="--port=8080")],
    )
    row.start_time.seconds = NOON - 7200
    return row
