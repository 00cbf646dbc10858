"""A simulated agent with an audit log alone: it proves what a test wants it to, truly or not, over real mutual TLS."""

from __future__ import annotations

import secrets
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from leadglass.v1 import audit_pb2, audit_pb2_grpc
from leadglass_agent.audit.checkpoint import Checkpoint, LogSigner
from leadglass_agent.audit.tree import leaf_hash
from reference_tree import ReferenceTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from leadglass_client.authority import Issued

ORIGIN = "demo.leadglass/agent/demo/log/0123456789abcdef"


@dataclass
class ProvingAgent:
    """The records of a log, the key that signs its states, and what becomes of each message before it is sent."""

    entries: list[bytes] = field(default_factory=lambda: [b'{"seq":%d}' % number for number in range(1, 8)])
    signer: LogSigner = field(default_factory=lambda: LogSigner(ORIGIN, Ed25519PrivateKey.generate()))
    gives_receipts: bool = True
    checkpoint: Callable[[audit_pb2.GetCheckpointResponse], object] = lambda _: None
    proof: Callable[[audit_pb2.GetConsistencyProofResponse], object] = lambda _: None
    pages: Callable[[audit_pb2.ReadLogRequest], list[audit_pb2.ReadLogResponse]] | None = None
    asked: list[str] = field(default_factory=list)

    @property
    def tree(self) -> ReferenceTree:
        """The tree over the records as they are now."""
        return ReferenceTree(tuple(self.entries))

    def note(self) -> str:
        """Signs the state of the log as it is now."""
        size = len(self.entries)
        return self.signer.sign(Checkpoint(self.signer.origin, size, self.tree.root(size)))

    def record(self, name: str) -> bytes:
        """Records a call; gives its receipt."""
        self.entries.append(b'{"seq":%d,"method":"%s"}' % (len(self.entries) + 1, name.encode()))
        size = len(self.entries)
        return audit_pb2.Receipt(
            checkpoint=self.note(),
            verifier_key=self.signer.verifier_key,
            seq=size,
            leaf_hash=leaf_hash(self.entries[-1]),
            hashes=self.tree.path(size - 1, size),
        ).SerializeToString()


class _Audit(audit_pb2_grpc.AuditServiceServicer):
    def __init__(self, agent: ProvingAgent) -> None:
        self._agent = agent

    def GetCheckpoint(
        self, request: audit_pb2.GetCheckpointRequest, context: grpc.ServicerContext
    ) -> audit_pb2.GetCheckpointResponse:
        agent = self._agent
        agent.asked.append(type(request).__name__)
        reply = audit_pb2.GetCheckpointResponse(checkpoint=agent.note(), verifier_key=agent.signer.verifier_key)
        agent.checkpoint(reply)
        self._end("GetCheckpoint", context)
        return reply

    def GetConsistencyProof(
        self, request: audit_pb2.GetConsistencyProofRequest, context: grpc.ServicerContext
    ) -> audit_pb2.GetConsistencyProofResponse:
        agent = self._agent
        agent.asked.append(f"{request.old_size} to {request.new_size}")
        hashes = agent.tree.proof(request.old_size, request.new_size)
        reply = audit_pb2.GetConsistencyProofResponse(hashes=[one.hex() for one in hashes], new_size=request.new_size)
        agent.proof(reply)
        self._end("GetConsistencyProof", context)
        return reply

    def ReadLog(
        self, request: audit_pb2.ReadLogRequest, context: grpc.ServicerContext
    ) -> Iterator[audit_pb2.ReadLogResponse]:
        agent = self._agent
        agent.asked.append(f"{request.first_seq} {request.max_records} {request.session_id}")
        assert agent.pages is not None
        self._end("ReadLog", context)
        yield from agent.pages(request)

    def _end(self, name: str, context: grpc.ServicerContext) -> None:
        if self._agent.gives_receipts:
            context.set_trailing_metadata((("leadglass-receipt-bin", self._agent.record(name)),))


@contextmanager
def proving(agent: ProvingAgent, server: Issued) -> Iterator[str]:
    """Serves the agent on a free port of the loopback and gives the address."""
    credentials = grpc.ssl_server_credentials(
        [(server.key.read_bytes(), server.certificate.read_bytes())],
        server.authority.read_bytes(),
        require_client_auth=True,
    )
    grpc_server = grpc.server(futures.ThreadPoolExecutor(2))
    servicer = _Audit(agent)  # type: ignore[abstract] # nobody asks it for recordings
    audit_pb2_grpc.add_AuditServiceServicer_to_server(servicer, grpc_server)
    port = grpc_server.add_secure_port("127.0.0.1:0", credentials)
    grpc_server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        grpc_server.stop(grace=None).wait()


def other_log() -> list[bytes]:
    """Gives records that no honest agent has."""
    return [b'{"seq":%d,"x":"%s"}' % (number, secrets.token_hex(4).encode()) for number in range(1, 8)]
