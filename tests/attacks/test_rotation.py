"""Authorities, the agent's certificate and the caller's are replaced before each end, and no call fails."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import grpc
import pytest

from leadglass.v1 import access_pb2, common_pb2, inspect_pb2
from running_agent import OPEN_POLICY, SERVER_NAME, Caller, RunningAgent, reason_of, running_agent
from short_lived import Identity, ShortLived

if TYPE_CHECKING:
    from pathlib import Path

_A_CALL = 0.05  # seconds from one call to the next: twenty a second


class _Renewing:
    """A caller that asks for a new certificate at half of the old one's life, and moves its session over."""

    def __init__(self, agent: RunningAgent, source: ShortLived) -> None:
        self._agent = agent
        self._source = source
        self._identity: Identity | None = None
        self._caller: Caller | None = None
        self.authorities: set[int] = set()
        self.calls = 0

    def call(self) -> None:
        """Makes one call, with a certificate that is at most half through its life."""
        if self._identity is None or time.time() >= self._identity.renew_at:
            self._renew()
        assert self._caller is not None
        request = inspect_pb2.StatFilesRequest(process=common_pb2.ProcessRef(pid=os.getpid()), paths=["/"])
        self._caller.call(self._caller.inspect.StatFiles, request)
        self.calls += 1

    def close(self) -> None:
        """Closes session and connection."""
        if self._caller is not None:
            self._caller.access.CloseSession(
                access_pb2.CloseSessionRequest(session_id=self._caller.session_id), timeout=10
            )
            self._caller.channel.close()

    def _renew(self) -> None:
        identity = self._source.alice()
        credentials = grpc.ssl_channel_credentials(identity.bundle, identity.leaf.key, identity.leaf.pem)
        options = (("grpc.ssl_target_name_override", SERVER_NAME), ("grpc.use_local_subchannel_pool", 1))
        caller = Caller(grpc.secure_channel(self._agent.address, credentials, options))
        caller.open()
        self.close()
        self._identity, self._caller = identity, caller
        self.authorities.add(identity.authority)


# The second is SPIRE's shortest: authorities of a minute, leaves of ten seconds.
@pytest.mark.parametrize(
    ("authority_seconds", "leaf_seconds", "seconds"),
    [(20, 8, 15), pytest.param(60, 10, 60, marks=pytest.mark.slow)],
)
def test_no_call_fails_while_everything_is_replaced(
    tmp_path: Path, authority_seconds: float, leaf_seconds: float, seconds: float
) -> None:
    with ExitStack() as stack:
        mount = tmp_path / "mount"
        source = stack.enter_context(
            ShortLived(mount, SERVER_NAME, authority_seconds=authority_seconds, leaf_seconds=leaf_seconds)
        )
        agent = stack.enter_context(
            running_agent(tmp_path, OPEN_POLICY, rewrite=lambda text: text.replace(f"{tmp_path}/server/", f"{mount}/"))
        )
        caller = _Renewing(agent, source)
        stack.callback(caller.close)
        failures = []
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(caller.authorities) < 2:
            try:
                caller.call()
            except grpc.RpcError as error:
                # A disk that is too busy for the audit log refuses everything; it has nothing to do with certificates.
                if reason_of(error) != "AUDIT_UNAVAILABLE":
                    failures.append((error.code().name, reason_of(error), error.details()))
            assert len(failures) < 10, failures
            time.sleep(_A_CALL)
        records = agent.records()
    assert failures == []
    reloads = [record["kind"] for record in records if record["kind"].startswith("RELOAD")]
    assert len(reloads) >= 2
    assert set(reloads) == {"RELOADED"}
    assert len(caller.authorities) >= 2  # it called with certificates of two authorities, and more
    assert caller.calls >= len(reloads)
