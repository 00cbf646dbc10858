"""An agent that cannot run as it is told does not run: exit 2, one line that says what to mend, no secret in it."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from certificates import Recipe, issue, load_authority
from running_agent import OPEN_POLICY, prepare, running_agent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SECONDS = 30.0


def _start(config: Path, *, before: Callable[[], None] | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "leadglass_agent", "--config", str(config)]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False, preexec_fn=before
    )


def _refused(config: Path, *, before: Callable[[], None] | None = None) -> str:
    """Starts an agent that must refuse and gives the one line that it says."""
    ended = _start(config, before=before)
    lines = ended.stderr.decode().splitlines()
    assert (ended.returncode, len(lines), ended.stdout) == (2, 1, b""), ended.stderr.decode()
    assert lines[0].startswith("leadglass-agent: ")
    assert "PRIVATE KEY" not in lines[0]
    return lines[0]


def _replace(config: Path, old: str, new: str) -> Path:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))
    return config


@pytest.mark.parametrize("key", ["listen", "healthListen"])
def test_a_port_that_is_in_use_stops_the_start(tmp_path: Path, key: str) -> None:
    config = prepare(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        line = _refused(_replace(config, f"{key}: 127.0.0.1:0", f"{key}: {address}"))
    assert "cannot listen on" in line
    assert f"{address}: another program listens there" in line
    assert "GRPC" not in line


def test_an_address_that_is_not_this_machine_s_stops_the_start(tmp_path: Path) -> None:
    line = _refused(_replace(prepare(tmp_path), "  listen: 127.0.0.1:0", "  listen: 192.0.2.1:7443"))
    assert "cannot listen on 192.0.2.1:7443" in line


@pytest.mark.parametrize("name", ["server/tls.crt", "server/tls.key", "server/ca.crt", "policy.yaml"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    config = prepare(tmp_path)
    (tmp_path / name).unlink()
    line = _refused(config)
    assert f"cannot read {tmp_path / name}" in line
    assert "No such file" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_key_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    config = prepare(tmp_path)
    (tmp_path / "server" / "tls.key").chmod(0)
    assert "Permission denied" in _refused(config)


def test_a_key_that_is_a_folder_is_named(tmp_path: Path) -> None:
    config = prepare(tmp_path)
    (tmp_path / "server" / "tls.key").unlink()
    (tmp_path / "server" / "tls.key").mkdir()
    assert f"cannot read {tmp_path / 'server' / 'tls.key'}" in _refused(config)


def test_a_key_of_another_certificate_stops_the_start(tmp_path: Path) -> None:
    config = prepare(tmp_path)
    other = issue(load_authority(tmp_path / "ca"), Recipe())
    (tmp_path / "server" / "tls.key").write_bytes(other.key)
    assert f"tls.key is not the key of {tmp_path}/server/tls.crt" in _refused(config)


def test_a_key_with_a_password_stops_the_start(tmp_path: Path) -> None:
    config = prepare(tmp_path)
    path = tmp_path / "server" / "tls.key"
    key = load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    assert "unencrypted" in _refused(config)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tls.crt", b"\xff" * 100),
        ("tls.key", b"-----BEGIN PRIVATE KEY-----\nhunter2hunter2hunter2\n-----END PRIVATE KEY-----\n"),
        ("ca.crt", b""),
        ("ca.crt", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ],
    ids=["noise", "a broken key", "an empty file", "a broken certificate"],
)
def test_a_file_that_is_no_pem_stops_the_start(tmp_path: Path, name: str, content: bytes) -> None:
    config = prepare(tmp_path)
    (tmp_path / "server" / name).write_bytes(content)
    line = _refused(config)
    assert "PEM" in line
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  listen:", "  lisen:"),
        ("  policy:", "  insecure: true\n  policy:"),
        ("exporter: none", "exporter: everywhere"),
        ("kind: AgentConfig", "kind: AgentConfig\nkind: AgentConfig"),
    ],
)
def test_a_wrong_configuration_is_named_with_line_and_column(tmp_path: Path, old: str, new: str) -> None:
    config = _replace(prepare(tmp_path), old, new)
    assert f"{config}:" in _refused(config)


def test_a_wrong_policy_is_named_with_line_and_column(tmp_path: Path) -> None:
    config = prepare(tmp_path, OPEN_POLICY.replace("callsPerMinute", "callsPerHour"))
    assert f"{tmp_path / 'policy.yaml'}:" in _refused(config)


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    assert "cannot read" in _refused(tmp_path / "none.yaml")


def test_an_audit_log_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    config = prepare(tmp_path)
    (tmp_path / "audit").rmdir()
    assert "audit log" in _refused(config)


def test_an_audit_log_that_takes_no_record_stops_the_start(tmp_path: Path) -> None:
    line = _refused(prepare(tmp_path), before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
    assert "audit log" in line


def test_an_audit_log_that_another_agent_writes_stops_the_start(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        assert "audit log" in _refused(tmp_path / "agent.yaml")
        assert agent.process.poll() is None


def test_an_audit_log_that_is_somebody_else_s_file_stops_the_start(tmp_path: Path) -> None:
    config = prepare(tmp_path)
    (tmp_path / "audit" / "audit.jsonl").write_text("shopping list\n" * 3)
    assert "audit log" in _refused(config)
    assert (tmp_path / "audit" / "audit.jsonl").read_text() == "shopping list\n" * 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try to run it as root")
def test_it_does_not_run_as_root_unless_told_by_an_unsafe_name(tmp_path: Path) -> None:
    config = _replace(prepare(tmp_path), "unsafeRunAsRoot: true", "unsafeRunAsRoot: false")
    assert "refuses to run as root" in _refused(config)


def test_check_reads_configuration_and_policy_and_starts_nothing(tmp_path: Path) -> None:
    config = prepare(tmp_path)
    command = [sys.executable, "-m", "leadglass_agent", "check", "--config", str(config)]
    good = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False)
    assert (good.returncode, good.stderr) == (0, b"")
    assert good.stdout.startswith(b"ok: policy test-open sha256:")
    assert not (tmp_path / "audit" / "audit.jsonl").exists()
    (tmp_path / "policy.yaml").write_text("kind: [")
    bad = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False)
    assert (bad.returncode, bad.stdout) == (2, b"")
    assert f"{tmp_path / 'policy.yaml'}:2:1: ".encode() in bad.stderr
