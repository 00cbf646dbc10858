"""Runs the gate over a real reader whose redactor masks nothing, within the test's own process."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from certificates import Recipe, auth_context, issue, new_authority
from children_process import children_process
from gates import built_gate
from leadglass.v1 import access_pb2
from leadglass_agent.api.methods import method_table
from leadglass_agent.api.peer import Peer
from leadglass_agent.errors import Reason, Refusal
from leadglass_agent.processes.reader import Reader
from leadglass_agent.processes.reader_client import ReaderClient
from leadglass_agent.sandbox.posture import Role, Standing
from leadglass_agent.views.procfs import open_proc
from no_redaction import no_redactors
from running_agent import OPEN_POLICY, REASON, TICKET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from pathlib import Path

    from google.protobuf.message import Message

    from leadglass_agent.api.gate import Gate

_SERVICE = "/leadglass.v1."


@dataclass
class Asked:
    """What a call gave: the bytes that left, and the reason if it was refused."""

    sent: list[bytes] = field(default_factory=list)
    refused: Reason | None = None


class UnmaskedGate:
    """Calls the gate as alice; nothing but the barrier stands between her and what the reader reads."""

    def __init__(self, gate: Gate, log: Path, auth: Mapping[str, Iterable[bytes]]) -> None:
        self.log = log
        self.withheld = 0
        self._gate = gate
        self._table = method_table()
        self._auth = auth
        self._sessions: tuple[str, ...] = ()

    async def open(self, reason: str = REASON) -> Asked:
        """Opens a session and uses it from now on."""
        asked = await self.ask("AccessService/OpenSession", access_pb2.OpenSessionRequest(reason=reason, ticket=TICKET))
        if asked.sent:
            self._sessions = (access_pb2.OpenSessionResponse.FromString(asked.sent[0]).session.session_id,)
        return asked

    @property
    def session_id(self) -> str:
        """The session that is used."""
        return self._sessions[0]

    async def ask(self, name: str, request: Message) -> Asked:
        """Makes a call and gives what left."""
        name = _SERVICE + name
        method = self._table[name]
        asked = Asked()

        async def receive() -> bytes:
            return request.SerializeToString()

        async def send(message: bytes) -> None:
            asked.sent.append(message)

        peer = Peer(self._auth, "ipv4:127.0.0.1:1", self._sessions if method.in_session else (), None)
        try:
            if method.stream_seconds:
                await self._gate.relay(name, method, receive, send, peer)
            else:
                asked.sent.append(await self._gate.answer(name, method, receive, peer))
        except Refusal as refusal:
            asked.refused = refusal.reason
        return asked


@asynccontextmanager
async def unmasked_gate(folder: Path, secret_mounts: tuple[str, ...] = ()) -> AsyncIterator[UnmaskedGate]:
    """Starts the reader in a thread and gives the gate with an open session."""
    ours, theirs = socket.socketpair()
    proc = open_proc()
    standing = Standing(Role.READER, one_way_glass=False)
    authority = new_authority()

    def count_withheld() -> None:
        unmasked.withheld += 1

    policy = OPEN_POLICY.replace("files.list]", "files.list, text.redacted]")
    with children_process(redacted=False) as started:
        loop = Reader(theirs, started.spawner, proc, no_redactors(), standing, secret_mounts)
        reader = threading.Thread(target=loop.run)
        reader.start()
        client = await ReaderClient.connect(ours)
        listening = asyncio.create_task(client.run())
        try:
            with built_gate(folder, client, authority, policy, count_withheld) as built:
                unmasked = UnmaskedGate(built.gate, built.log, auth_context(issue(authority, Recipe()).pem))
                await unmasked.open()
                yield unmasked
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            reader.join(timeout=20)
            theirs.close()
            proc.close()
