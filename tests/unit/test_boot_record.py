"""The record of a start holds all that ties the log to its agent, or there is no start."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import Recipe, issue, load_authority
from running_agent import SERVER_NAME, START_SECONDS, TRUST_DOMAIN, prepare, running_again, start

if TYPE_CHECKING:
    from pathlib import Path

_AGENT = f"spiffe://{TRUST_DOMAIN}/agent/test"


def _prepare(folder: Path, *, names: int = 0, uri: str = _AGENT) -> bytes:
    """Gives the agent a certificate with so many more names; returns that as DER."""
    prepare(folder)
    more = tuple(f"{number:03}.{'a' * 40}.test.leadglass" for number in range(names))
    recipe = Recipe(uris=(uri,), dns=(SERVER_NAME, *more), usages=(ExtendedKeyUsageOID.SERVER_AUTH,))
    issued = issue(load_authority(folder / "ca"), recipe)
    (folder / "server/tls.crt").write_bytes(issued.pem)
    (folder / "server/tls.key").write_bytes(issued.key)
    return x509.load_pem_x509_certificate(issued.pem).public_bytes(Encoding.DER)


def test_a_certificate_with_many_names_is_whole_in_the_record(tmp_path: Path) -> None:
    der = _prepare(tmp_path, names=45)
    assert len(der) > 2_800
    with running_again(tmp_path) as agent:
        (boot, *_) = agent.records()
    assert base64.b64decode(boot["certificate"]) == der
    assert "cut" not in boot


@pytest.mark.parametrize(
    ("names", "uri", "what"),
    [
        (80, _AGENT, "the agent's certificate (tls.certificate) is too long for the audit log"),
        (0, f"{_AGENT}/{'a' * 600}", "cannot be named after the agent's SPIFFE id"),
    ],
)
def test_what_would_be_cut_in_the_record_stops_the_start_with_one_line(
    tmp_path: Path, names: int, uri: str, what: str
) -> None:
    _prepare(tmp_path, names=names, uri=uri)
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        agent = start(tmp_path / "agent.yaml", out, err)
        try:
            assert agent.wait(2 * START_SECONDS) != 0
        finally:
            agent.kill()
            agent.wait()
    (line,) = (tmp_path / "err").read_text().splitlines()
    assert what in line
