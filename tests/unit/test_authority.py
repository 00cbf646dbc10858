"""The laptop authority issues what the agent and the client accept, and nothing else."""

from __future__ import annotations

import os
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store
from hypothesis import given
from hypothesis import strategies as st

from leadglass_client.authority import create_authority, issue_client, issue_server
from leadglass_client.errors import Failure
from leadglass_client.names import check_trust_domain, check_workload_name, spiffe_id

if TYPE_CHECKING:
    from pathlib import Path

DOMAIN = "demo.leadglass"
NAME = "demo.leadglass.internal"


def _load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def test_an_independent_verifier_accepts_the_client_certificate_for_client_use(tmp_path: Path) -> None:
    create_authority(tmp_path / "ca", DOMAIN)
    issued = issue_client(tmp_path / "ca", "/user/alice", tmp_path / "alice")
    verifier = PolicyBuilder().store(Store([_load(issued.authority)])).build_client_verifier()
    verified = verifier.verify(_load(issued.certificate), [])
    assert verified.subjects == [x509.UniformResourceIdentifier("spiffe://demo.leadglass/user/alice")]


def test_an_independent_verifier_accepts_the_server_certificate_for_its_name_alone(tmp_path: Path) -> None:
    create_authority(tmp_path / "ca", DOMAIN)
    issued = issue_server(tmp_path / "ca", NAME, tmp_path / "server", path="/agent/demo")
    certificate = _load(issued.certificate)
    builder = PolicyBuilder().store(Store([_load(issued.authority)]))
    builder.build_server_verifier(x509.DNSName(NAME)).verify(certificate, [])
    with pytest.raises(x509.verification.VerificationError):
        builder.build_server_verifier(x509.DNSName("other.leadglass.internal")).verify(certificate, [])
    assert _names(certificate).get_values_for_type(x509.UniformResourceIdentifier) == [
        "spiffe://demo.leadglass/agent/demo"
    ]


def test_openssl_accepts_both_for_their_own_use_only(tmp_path: Path) -> None:
    authority = create_authority(tmp_path / "ca", DOMAIN)
    client = issue_client(tmp_path / "ca", "/user/alice", tmp_path / "alice")
    server = issue_server(tmp_path / "ca", NAME, tmp_path / "server")

    def accepts(certificate: Path, purpose: str) -> bool:
        command = ["openssl", "verify", "-x509_strict", "-CAfile", str(authority.certificate), "-purpose", purpose]
        return subprocess.run([*command, str(certificate)], check=False, capture_output=True).returncode == 0

    assert accepts(client.certificate, "sslclient")
    assert accepts(server.certificate, "sslserver")
    assert not accepts(client.certificate, "sslserver")
    assert not accepts(server.certificate, "sslclient")


def test_a_client_certificate_has_one_name_one_use_and_cannot_sign(tmp_path: Path) -> None:
    create_authority(tmp_path / "ca", DOMAIN)
    certificate = _load(issue_client(tmp_path / "ca", "/user/alice", tmp_path / "alice").certificate)
    extensions = certificate.extensions
    assert len(list(_names(certificate))) == 1
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert (usage.critical, usage.value.digital_signature, usage.value.key_cert_sign) == (True, True, False)
    basic = extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca) == (True, False)
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"


def test_the_chain_is_linked_by_key_identifiers_and_the_authority_signs_leaves_alone(tmp_path: Path) -> None:
    create_authority(tmp_path / "ca", DOMAIN)
    issued = issue_client(tmp_path / "ca", "/user/alice", tmp_path / "alice")
    root, leaf = _load(issued.authority).extensions, _load(issued.certificate).extensions
    linked = leaf.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert linked == root.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    basic = root.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)


def test_lifetimes_are_bounded_and_a_leaf_never_outlives_its_authority(tmp_path: Path) -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    create_authority(tmp_path / "ca", DOMAIN, timedelta(hours=2), now=now)
    certificate = _load(issue_client(tmp_path / "ca", "/user/a", tmp_path / "a", now=now).certificate)
    assert certificate.not_valid_before_utc == now - timedelta(seconds=60)
    assert certificate.not_valid_after_utc == now + timedelta(hours=2)
    with pytest.raises(Failure, match="at most 24 hours"):
        issue_client(tmp_path / "ca", "/user/a", tmp_path / "b", timedelta(hours=25), now=now)
    with pytest.raises(Failure, match="at most 720 hours"):
        create_authority(tmp_path / "other", DOMAIN, timedelta(days=31))
    with pytest.raises(Failure, match="more than nothing"):
        issue_client(tmp_path / "ca", "/user/a", tmp_path / "b", timedelta(0), now=now)
    with pytest.raises(Failure, match="cannot issue now"):
        issue_client(tmp_path / "ca", "/user/a", tmp_path / "b", now=now + timedelta(hours=3))


def test_keys_are_private_even_under_a_generous_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        authority = create_authority(tmp_path / "ca", DOMAIN)
        issued = issue_client(tmp_path / "ca", "/user/alice", tmp_path / "alice")
    finally:
        os.umask(before)
    for key in (authority.key, issued.key):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    create_authority(tmp_path / "ca", DOMAIN)
    issued = issue_client(tmp_path / "ca", "/user/alice", tmp_path / "alice")
    key = issued.key.read_bytes()
    with pytest.raises(Failure, match="not overwritten"):
        issue_client(tmp_path / "ca", "/user/alice", tmp_path / "alice")
    with pytest.raises(Failure, match="not overwritten"):
        create_authority(tmp_path / "ca", DOMAIN)
    assert issued.key.read_bytes() == key
    issue_client(tmp_path / "ca", "/user/alice", tmp_path / "alice", force=True)
    assert issued.key.read_bytes() != key
    assert stat.S_IMODE(issued.key.stat().st_mode) == 0o600
    assert sorted(path.name for path in issued.key.parent.iterdir()) == ["ca.crt", "tls.crt", "tls.key"]


def test_a_link_laid_in_the_way_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "ca").mkdir()
    (tmp_path / "ca" / "ca.key").symlink_to(elsewhere)
    with pytest.raises(Failure, match="not overwritten"):
        create_authority(tmp_path / "ca", DOMAIN)
    assert not elsewhere.exists()


def test_a_folder_without_an_authority_or_with_a_foreign_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="no authority in"):
        issue_client(tmp_path, "/user/alice", tmp_path / "alice")
    create_authority(tmp_path / "one", DOMAIN)
    other = create_authority(tmp_path / "two", DOMAIN)
    (tmp_path / "one" / "ca.key").write_bytes(other.key.read_bytes())
    with pytest.raises(Failure, match="no authority that leadglass made"):
        issue_client(tmp_path / "one", "/user/alice", tmp_path / "alice")
    (tmp_path / "two" / "ca.crt").write_bytes(b"not a certificate")
    with pytest.raises(Failure, match="no authority that leadglass made"):
        issue_client(tmp_path / "two", "/user/alice", tmp_path / "alice")


@pytest.mark.parametrize(
    "path",
    ["", "/", "user", "/user/", "//user", "/user/./a", "/user/../a", "/a?b", "/a#b", "/ü", "/a b", "/a%20b", "/a\n"],
)
def test_a_path_that_is_no_spiffe_path_is_refused(path: str) -> None:
    with pytest.raises(Failure, match="no SPIFFE path"):
        spiffe_id(DOMAIN, path)


@pytest.mark.parametrize("name", ["", "Demo", "demo/leadglass", "demo:1", "a" * 256, "dömo", "demo\n", "user@demo"])
def test_a_name_that_is_no_trust_domain_is_refused(name: str) -> None:
    with pytest.raises(Failure, match="no trust domain"):
        check_trust_domain(name)


@pytest.mark.parametrize(
    "name", ["", "*.internal", "127.0.0.1", "a..b", "-a.b", "a-.b", "A.b", "a" * 64, "a.b\n", "::1"]
)
def test_a_name_that_names_no_workload_is_refused(name: str) -> None:
    with pytest.raises(Failure, match="no workload name"):
        check_workload_name(name)


@given(st.text(max_size=40))
def test_whatever_is_accepted_as_a_path_has_the_characters_of_a_spiffe_id(path: str) -> None:
    try:
        identity = spiffe_id(DOMAIN, path)
    except Failure:
        return
    assert identity.isascii()
    assert not set(identity) & set(" ?#%@\\\n")
    assert "/../" not in f"{identity}/"
    assert "//" not in identity.removeprefix("spiffe://")
