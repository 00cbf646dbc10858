"""Recordings made of calls that nobody made, byte by byte as an agent writes them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from leadglass_agent.api.methods import METHODS
from leadglass_agent.recordings.format import FrameSealer, Header
from leadglass_agent.recordings.records import Called, Closed, Ended, Opened, Replied, encode
from leadglass_agent.recordings.standing_json import standing_fields
from leadglass_client.offline.recording_keys import KeptKey, key_file_of, write_key
from leadglass_client.replay.recording import Recording, read_recording
from policies import ALICE, NOON, STANDING

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

    from leadglass_agent.policy.standing import Standing
    from leadglass_agent.recordings.records import Record

SESSION: Final = "made-session-1"
KEY: Final = bytes(range(32))
THEN: Final = "sha256:" + "ab" * 32
_SECOND: Final = 1_000_000_000
_BY_REQUEST: Final = {method.name.rsplit("/", 1)[-1] + "Request": method for method in METHODS}

OPENED: Final = Opened(
    time_unix_ns=NOON * _SECOND,
    session_id=SESSION,
    caller=ALICE,
    key_digest="00" * 32,
    reason="checking why the sample application is slow",
    ticket="T-1",
    expires_unix_ns=(NOON + 3600) * _SECOND,
    grants=(),
    target=None,
    peer="ipv4:127.0.0.1:1",
    evidence_subject="",
    policy_digest=THEN,
    agent_id="spiffe://demo.leadglass/agent",
    version="0",
)


@dataclass(slots=True)
class Tape:
    """A recording in the making; calls come one second apart unless told otherwise."""

    opened: Opened = OPENED
    records: list[Record] = field(default_factory=list)
    calls: int = 0

    def call(  # noqa: PLR0913 - one for each fact of a call
        self,
        request: Message,
        *replies: Message,
        refusal: str = "",
        after_seconds: int | None = None,
        standing: Standing | None = STANDING,
        digest: str = "",
        grants: tuple[str, ...] = (),
        rules: tuple[str, ...] = ("then",),
        rows: int = 1,
        ended: bool = True,
        withheld: str = "",
    ) -> str:
        """Adds a call with its replies; gives its id."""
        self.calls += 1
        method = _BY_REQUEST[type(request).__name__]
        call_id = f"call{self.calls}"
        now = self.opened.time_unix_ns + (self.calls if after_seconds is None else after_seconds) * _SECOND
        fields = None if standing is None else standing_fields(replace(standing, unix_ns=now))
        self.records.append(
            Called(
                call_id=call_id,
                method=method.name,
                permission=method.needs.value,
                widens=tuple(group.value for group in method.widens),
                time_unix_ns=now,
                policy_digest=digest or self.opened.policy_digest,
                rules=() if refusal else rules,
                grants=grants,
                standing=fields,
                request=request.SerializeToString(),
            )
        )
        self.records += [
            Replied(call_id, number, now, withheld, b"" if withheld else reply.SerializeToString())
            for number, reply in enumerate(replies)
        ]
        if ended:
            shown = 0 if refusal else rows
            self.records.append(Ended(call_id, now, 1_500, refusal, refusal, len(replies), shown, 0))
        return call_id

    def frames(self, *, closed: bool = True) -> list[bytes]:
        """Gives the frames, sealed; the last one says so unless the session is still open."""
        records = [self.opened, *self.records]
        if closed:
            records.append(Closed(self.opened.time_unix_ns + 100 * _SECOND, "CLOSED", self.calls))
        sealer = FrameSealer(KEY, self.header.digest)
        last = len(records) - 1
        return [
            sealer.seal(encode(record), number, 0, is_last=closed and number == last)
            for number, record in enumerate(records)
        ]

    @property
    def header(self) -> Header:
        """What the file begins with."""
        return Header(self.opened.session_id, self.opened.time_unix_ns)

    def data(self, *, closed: bool = True) -> bytes:
        """Gives the whole file."""
        return self.header.encode() + b"".join(self.frames(closed=closed))

    def recording(self) -> Recording:
        """Reads it back."""
        data = memoryview(self.data())
        at = 0

        def read(size: int) -> bytes:
            nonlocal at
            piece = bytes(data[at : at + size])
            at += len(piece)
            return piece

        return read_recording(read, KEY)

    def save(self, path: Path, data: bytes | None = None) -> Path:
        """Writes the file, or these bytes in its place, and its key beside it."""
        path.write_bytes(self.data() if data is None else data)
        write_key(key_file_of(path), KeptKey(self.opened.session_id, KEY, is_sealed=False))
        return path

    def digests(self) -> dict[str, str]:
        """Gives the digest of each call's frames, as the audit log has them."""
        hashes: dict[str, hashlib._Hash] = {}
        for record, frame in zip(self.records, self.frames(closed=False)[1:], strict=True):
            call_id = getattr(record, "call_id", "")
            hashes.setdefault(call_id, hashlib.sha256()).update(frame)
        return {call_id: one.hexdigest() for call_id, one in hashes.items()}
