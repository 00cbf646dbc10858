"""The log of the documentation's examples: one caller's first minute, what witnesses kept of it, and a forgery.

Every key is made from fixed bytes, so that the files are the same wherever they are made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from audit_logs import SteppingClock
from chains import Link
from leadglass_agent.audit.record import Event, EventKind, Ruling
from leadglass_agent.errors import Reason
from signed_logs import LogWriter

_POLICY: Final = "sha256:" + "5e" * 32
_ALICE: Final = Event(
    kind=EventKind.INTENT,
    caller="spiffe://shop.example/sre/alice",
    key_digest="sha256:" + "a1" * 32,
    certificate_serial="41c2",
    peer="ipv4:10.0.3.7:51514",
    tls_version="TLSv1.3",
    tls_group="x25519",
    policy_digest=_POLICY,
)
_OPEN: Final = replace(
    _ALICE,
    call_id="9b1f00c2d4a86e01",
    method="/leadglass.v1.AccessService/OpenSession",
    permission="session.open",
    rules=("sre-session",),
)
_IN_SESSION: Final = replace(_ALICE, session_id="s-6f1c", ticket="OPS-1207")
_READ: Final = replace(
    _IN_SESSION,
    call_id="9b1f00c2d4a86e02",
    method="/leadglass.v1.InspectService/ListEnvironment",
    permission="env.presence",
    rules=("sre-environment",),
    target_pid=17,
    target_start_ticks=812_345,
    arguments=(("names", "DB_PASSWORD"), ("names", "LANG")),
)
_STAT: Final = replace(
    _IN_SESSION,
    call_id="9b1f00c2d4a86e03",
    method="/leadglass.v1.InspectService/StatFiles",
    permission="files.metadata",
    target_pid=17,
    target_start_ticks=812_345,
    arguments=(("paths", "/app/\u202egpj.yek"),),
)


def _done(intent: Event, rows: int, masked: int, reply_bytes: int, duration_us: int) -> Event:
    return replace(
        intent,
        kind=EventKind.OUTCOME,
        decision=Ruling.ALLOW,
        rows=rows,
        masked=masked,
        reply_bytes=reply_bytes,
        duration_us=duration_us,
    )


_STARTED: Final = Event(
    kind=EventKind.AGENT_STARTED,
    policy_digest=_POLICY,
    facts=(("version", "0.1.0"), ("reader.uid", 1000), ("reader.no_new_privs", True)),
)
_STRANGER: Final = Event(
    kind=EventKind.REFUSED,
    call_id="9b1f00c2d4a86e00",
    peer="ipv4:10.0.9.9:40022",
    method="/leadglass.v1.InspectService/ListProcesses",
    decision=Ruling.DENY,
    refusal=Reason.IDENTITY_REFUSED,
    detail="the certificate holds 2 URIs",
    duration_us=41,
)
_OPENED: Final = replace(
    _IN_SESSION,
    kind=EventKind.SESSION_OPENED,
    call_id=_OPEN.call_id,
    reason_text="checkout answers 502 since 14:50",
    facts=(("state", "OPEN"), ("calls", 0)),
)
_DENIED: Final = replace(
    _STAT,
    kind=EventKind.REFUSED,
    decision=Ruling.DENY,
    refusal=Reason.POLICY_DENIED,
    detail="files.metadata: NO_RULE",
    duration_us=266,
)
_RECOVERED: Final = Event(
    kind=EventKind.AUDIT_RECOVERED,
    facts=(("cause", "ENOSPC"), ("records_refused", 3), ("broken_ms", 61_002)),
)
_ORIGIN: Final = "shop.example/agent/checkout/log/5f2c9a1be07d4433"
_FIRST_DAY, _LAST_DAY = datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ExampleFiles:
    """The files by their content."""

    log: bytes
    receipts: bytes
    authority: bytes
    forged: bytes


@cache
def example_files() -> ExampleFiles:
    """Makes the files: in the forgery somebody with the log's own key has left out what alice was refused."""
    authority = _authority()
    true, forged = (_written(_agent(authority), is_forged=is_forged) for is_forged in (False, True))
    receipts = "".join(f"{kept.text}\n" for kept in true.receipts)
    return ExampleFiles(true.whole, receipts.encode(), authority.pem, forged.whole)


def _written(agent: Link, *, is_forged: bool) -> LogWriter:
    writer = LogWriter(agent, _ORIGIN, SteppingClock())
    writer.begin(_key(1), event=_STARTED)
    writer.add(_STRANGER)
    writer.call(_OPEN, _OPENED, _done(_OPEN, 1, 0, 212, 1_904), method="OpenSession")
    writer.checkpoint()
    writer.call(_READ, _done(_READ, 2, 0, 64, 1_377), method="ListEnvironment")
    if not is_forged:
        writer.call(_DENIED, method="StatFiles")
    writer.add(_RECOVERED)
    writer.checkpoint()
    return writer


def _authority() -> Link:
    key = _key(2)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _certificate(name, name, key, serial=1)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return Link(builder.sign(key, None), key)


def _agent(authority: Link) -> Link:
    key, nobody = _key(3), x509.Name([])
    uri = x509.UniformResourceIdentifier("spiffe://shop.example/agent/checkout")
    builder = (
        _certificate(nobody, authority.certificate.subject, key, serial=2)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([uri]), critical=True)
    )
    return Link(builder.sign(_key(2), None), key)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: Ed25519PrivateKey, *, serial: int
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=serial,
        not_valid_before=_FIRST_DAY,
        not_valid_after=_LAST_DAY,
    )


def _key(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


if __name__ == "__main__":  # writes the files anew: PYTHONPATH=agent:client:protos/gen:tests/support python FILE FOLDER
    import sys
    from pathlib import Path

    for _name, _content in zip(
        ("audit.jsonl", "receipts.jsonl", "ca.crt", "audit-forged.jsonl"),
        (example_files().log, example_files().receipts, example_files().authority, example_files().forged),
        strict=True,
    ):
        (Path(sys.argv[1]) / _name).write_bytes(_content)
