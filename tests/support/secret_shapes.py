"""Shapes in which secrets stand in arguments, file names and links; a secret made at run time replaces `<KIND>`."""

from __future__ import annotations

import base64
import json
import re
import secrets
import string
from typing import TYPE_CHECKING, Final

from planted_secrets import Planted, plant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LETTERS_DIGITS: Final = string.ascii_letters + string.digits
_PLACE: Final = re.compile(r"<([a-z0-9-]+)>")


def _run(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _jwt() -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": _run(string.digits, 8), "iat": 1_700_000_000})
    head = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return f"{head}.{secrets.token_urlsafe(32)}"


# Kinds that vendors give a shape of their own, by their documentation.
_KINDS: Final[dict[str, Callable[[], str]]] = {
    "aws-id": lambda: "AKIA" + _run(string.ascii_uppercase + "234567", 16),
    "github": lambda: "ghp_" + _run(_LETTERS_DIGITS, 36),
    "gitlab": lambda: "glpat-" + _run(_LETTERS_DIGITS, 20),
    "stripe": lambda: "sk_live_" + _run(_LETTERS_DIGITS, 24),
    "slack": lambda: f"xoxb-{_run(string.digits, 12)}-{_run(string.digits, 12)}-{_run(_LETTERS_DIGITS, 24)}",
    "google": lambda: "AIza" + _run(_LETTERS_DIGITS + "-_", 34) + "x",
    "jwt": _jwt,
    "urlsafe": lambda: secrets.token_urlsafe(24) + "7x",
    "hex": lambda: secrets.token_hex(20) + "7f",
    "base64": lambda: base64.b64encode(secrets.token_bytes(31)).decode(),
    "phrase": lambda: f"tr0ub4dor+{secrets.token_hex(4)}!x",
}

# The first word is the name that the process goes by.
ARGUMENTS: Final[tuple[tuple[str, ...], ...]] = (
    ("app", "--password", "<a1>"),
    ("app", "--password=<a2>", "--verbose"),
    ("app", "--db-password", "<phrase>"),
    ("app", "--database-url=postgresql://shop:<a3>@db.internal:5432/shop"),
    ("app", "redis://:<a4>@cache:6379/0"),
    ("app", "mongodb+srv://shop:<a5>@cluster.example/shop?retryWrites=true"),
    ("app", "https://oauth2:<a6>@git.example/a.git"),
    ("docker", "run", "-e", "API_KEY=<a7>", "--env", "DB_PASSWORD=<a8>", "image"),
    ("docker", "login", "-u", "shop", "-p", "<a9>"),
    ("curl", "-u", "admin:<b1>", "https://api.example"),
    ("curl", "-uadmin:<b2>", "https://api.example"),
    ("curl", "-H", "Authorization: Bearer <urlsafe>"),
    ("curl", "-H", "Authorization: Basic <base64>"),
    ("curl", "--header=X-Api-Key: <hex>", "-d", "password=<b3>&user=shop"),
    ("curl", "https://api.example/items?api_key=<b4>&page=2"),
    ("app", '{"user":"shop","password":"<b5>","auth":{"token":"<b6>"}}'),
    ("app", '--config={"db":{"password":"<b7>"}}'),
    ("app", '{\\"client_secret\\":\\"<b8>\\"}'),
    ("java", "-Dspring.datasource.password=<b9>", "-jar", "shop.jar", "--db.password=<c1>"),
    ("helm", "upgrade", "--set", "auth.rootPassword=<c2>", "shop"),
    ("mysql", "-uroot", "-p<c3>", "shop"),
    ("redis-cli", "-h", "cache", "-a", "<c4>"),
    ("sshpass", "-p", "<c5>", "ssh", "host"),
    ("bash", "-c", "PGPASSWORD=<c6> psql -h db; curl -u shop:<c7> https://api.example"),
    ("psql", "host=db user=shop password=<c8>"),
    ("openssl", "enc", "-k", "<c9>"),
    ("keytool", "-storepass", "<d1>"),
    ("env", "API_TOKEN=<d2>", "app"),
    ("app", "--token", "<jwt>"),
    ("app", "<jwt>"),
    ("app", "--id", "<aws-id>", "--secret-access-key", "<d3>"),
    ("app", "<github>"),
    ("app", "--value=<gitlab>"),
    ("app", "x <stripe> y"),
    ("app", "<slack>"),
    ("app", "<google>"),
    ("app", "Server=db;User Id=sa;Password=<d4>;Encrypt=true"),
    ("app", "AccountName=shop;AccountKey=<base64>;EndpointSuffix=example"),
    ("redis-server", "--requirepass", "<d5>"),
)
FILE_NAMES: Final = ("backup-<github>.json", "password=<e1>", "<aws-id>.csv", "db.token=<jwt>")
LINKS: Final = ("https://shop:<f1>@git.example/a.git", "/run/token=<f2>", "../<stripe>", "postgres://u:<f3>@db/x")

# What stands in logs and in configuration, each a line of a file.
TEXTS: Final = (
    "12:00:01 INFO login user=shop password=<g1> ok",
    '12:00:02 DEBUG {"level":"debug","db":{"user":"shop","password":"<g2>"},"ms":12}',
    "12:00:03 DEBUG GET /items?api_key=<g3>&page=2 Authorization: Bearer <urlsafe>",
    "12:00:04 WARN connect postgresql://shop:<g4>@db.internal:5432/shop failed",
    "12:00:05 ERROR push to https://oauth2:<g5>@git.example/a.git: <github> was refused",
    "  client_secret: <g6>",
    "spring.datasource.password = <g7>",
    "export AWS_SECRET_ACCESS_KEY='<g8>'",
    "Server=db;User Id=sa;Password=<g9>;Encrypt=true",
    "12:00:06 INFO key <stripe> of <slack>, token <jwt>",
)


def plant_shapes(*places: str) -> Planted:
    """Makes a secret for each place, and one for each `<KIND>` of the shapes."""
    named = {
        kind for words in (*ARGUMENTS, FILE_NAMES, LINKS, TEXTS) for word in words for kind in _PLACE.findall(word)
    }
    planted = plant(*places, *sorted(named - _KINDS.keys()))
    return Planted(planted.by_place | {kind: make() for kind, make in _KINDS.items()})


def with_secrets(words: Sequence[str], planted: Planted) -> tuple[str, ...]:
    """Puts the planted secrets where they belong."""
    return tuple(_PLACE.sub(lambda place: planted[place[1]], word) for word in words)
