"""Which values of environments and files are worth a fingerprint, and which would withhold harmless replies."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.barrier.names import Standing, standing_of
from leadglass_agent.barrier.values import environment_values, file_values

_TOKEN = "q8Zt" + "3kLm90" * 4
_PASSWORD = "Blue-Tractor" + "77!"
_KEY_LINE = base64.b64encode(bytes(range(48))).decode()
_PEM = "-----BEGIN {0}-----\n" + _KEY_LINE + "\n-----END {0}-----\n"


def _kept(name: str, value: str, *programs: str) -> set[str]:
    names = {program.encode() for program in programs}
    return {found.decode() for found in environment_values(name, value.encode(), names)}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DB_PASSWORD", _PASSWORD, {_PASSWORD}),
        ("ANYTHING", _TOKEN, {_TOKEN}),
        ("ANYTHING", _PASSWORD, {_PASSWORD}),
        ("STRIPE_KEY_2", _TOKEN, {_TOKEN}),
        ("authToken", f'"{_TOKEN}"', {_TOKEN}),
        ("DATABASE_URL", f"postgres://app:{_PASSWORD}@db:5432/shop", {_PASSWORD}),
        ("DATABASE_URL", "postgres://app:a%40bcdefg1@db/shop", {"a%40bcdefg1", "a@bcdefg1"}),
        ("DSN", f"app:{_PASSWORD}@tcp(db:3306)/shop", {_PASSWORD}),
        ("JDBC_URL", f"jdbc:sqlserver://db;user=app;password={_PASSWORD};encrypt=true", {_PASSWORD}),
        ("JAVA_OPTS", f"-Xmx512m -Dtrust.password={_PASSWORD}", {_PASSWORD}),
        (
            "CREDENTIALS",
            json.dumps({"type": "service_account", "password": _PASSWORD, "a": [_TOKEN]}),
            {_PASSWORD, _TOKEN},
        ),
        ("TLS_KEY", _PEM.format("PRIVATE KEY"), {_KEY_LINE}),
        ("TLS_CERT", _PEM.format("CERTIFICATE"), set()),
        ("PUBLIC_KEY", _PEM.format("PUBLIC KEY"), set()),
        ("PASSPHRASE", "correct horse battery staple", {"correct horse battery staple"}),
    ],
)
def test_secrets_are_kept_by_name_and_by_look(name: str, value: str, expected: set[str]) -> None:
    assert _kept(name, value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/bin"),
        ("HOSTNAME", "checkout-7d9f8b6c5d-x2x4z"),
        ("GIT_COMMIT", "9a3df6d1122334455667788990011223344aabbc"),
        ("IMAGE_DIGEST", "sha256:" + "0a1b2c3d" * 8),
        ("POD_UID", "0b5c2a57-0c5a-4f0e-8f6e-2f7d1f6f3e5a"),
        ("REQUEST_ID", "0b5c2a57-0c5a-4f0e-8f6e-2f7d1f6f3e5a"),
        ("ANYTHING", "0b5c2a57-0c5a-4f0e-8f6e-2f7d1f6f3e5a"),
        ("SPRING_PROFILES_ACTIVE", "production"),
        ("DJANGO_SETTINGS_MODULE", "shop.settings.production"),
        ("AWS_REGION", "eu-central-1"),
        ("JAVA_OPTS", "-Xmx512m -XX:+UseG1GC -XX:MaxRAMPercentage=75.0"),
        ("PASSWORD_FILE", "/run/secrets/db-password"),
        ("DB_PASSWORD_PATH", "/run/secrets/db-password"),
        ("TOKEN_URL", "https://id.example.org/oauth2/token"),
        ("POSTGRES_PASSWORD", "postgres"),
        ("SECRET_KEY", "changeme"),
        ("API_KEY", "${API_KEY_FROM_VAULT}"),
        ("TOKEN_COUNT", "40960000"),
        ("LS_COLORS", "rs=0:di=01;34:ln=01;36:mh=00"),
        ("START_TIME", "2026-11-22T05:30:00Z"),
        ("USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64)"),
        ("DB_PASSWORD", "aaaaaaaaaaaaaaaa"),
        ("DB_PASSWORD", "short7"),
        ("SSH_PUBLIC_KEY", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx0 shop@example"),
        ("DEPLOY_KEY", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx0 shop@example"),
    ],
)
def test_plain_values_are_not_kept(name: str, value: str) -> None:
    assert _kept(name, value) == set()


def test_a_value_that_is_a_programs_name_is_not_kept() -> None:
    assert _kept("DB_PASSWORD", "checkout-server") == {"checkout-server"}
    assert _kept("DB_PASSWORD", "checkout-server", "checkout+server") == set()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("password", f"{_PASSWORD}\n", {_PASSWORD}),
        ("database", "shop_production\n", set()),
        ("license", "correct horse battery", {"correct horse battery"}),
        ("app.properties", f"server.port=8080\ndb.user=shop_reader\ndb.password={_PASSWORD}\n", {_PASSWORD}),
        ("values.yaml", f"mail:\n  host: smtp.example.org\n  password: '{_PASSWORD}'\n", {_PASSWORD}),
        (".dockerconfigjson", json.dumps({"auths": {"registry.example": {"auth": _TOKEN}}}), {_TOKEN}),
        ("tls.key", _PEM.format("EC PRIVATE KEY"), {_KEY_LINE}),
        ("ca.crt", _PEM.format("CERTIFICATE"), set()),
        ("namespace", "production-shop", set()),
    ],
)
def test_files_of_secret_mounts_are_taken_apart(name: str, content: str, expected: set[str]) -> None:
    assert {found.decode() for found in file_values(name, content.encode(), set())} == expected


@pytest.mark.parametrize(
    ("name", "standing"),
    [
        ("DB_PASSWORD", Standing.SECRET),
        ("githubToken", Standing.SECRET),
        ("DBPASSWORD", Standing.SECRET),
        ("SSH_PRIVATE_KEY", Standing.SECRET),
        ("PASSWORD_HASH_SALT", Standing.SECRET),
        ("TOKEN_URL", Standing.PLAIN),
        ("SECRET_NAME", Standing.PLAIN),
        ("PUBLIC_KEY", Standing.PLAIN),
        ("KUBERNETES_PORT_443_TCP_ADDR", Standing.PLAIN),
        ("FEATURES", Standing.UNKNOWN),
        ("x" * 500, Standing.UNKNOWN),
    ],
)
def test_a_name_tells_what_its_value_is(name: str, standing: Standing) -> None:
    assert standing_of(name) is standing


@given(name=st.text(max_size=40), value=st.binary(max_size=400))
def test_any_variable_and_any_file_can_be_taken_apart(name: str, value: bytes) -> None:
    for found in (*environment_values(name, value, set()), *file_values(name, value, set())):
        assert len(found) >= 8
