"""Expands the placeholders of the corpora into values that look real yet are the same on every run."""

from __future__ import annotations

import base64
import calendar
import datetime as dt
import gzip
import json
import random
import re
import string
import urllib.parse
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

_PLACE: Final = re.compile(r"\{([A-Za-z0-9_]+)(?::([^\s{}«»][^{}«»]*))?\}")
_DEPTH: Final = 4
_EPOCH: Final = calendar.timegm((2026, 1, 5, 0, 0, 0))
_SPAN: Final = 300 * 86_400

_VOCABULARY: Final = yaml.safe_load(
    (Path(__file__).parents[1] / "corpora" / "vocabulary.yaml").read_text(encoding="utf-8")
)
_WORDS: Final[list[str]] = _VOCABULARY["words"].split()
_NAMES: Final[list[str]] = _VOCABULARY["names"].split()
_UNICODE: Final[list[str]] = _VOCABULARY["unicode"].split()
_SYMBOLS: Final = "!@#$%^&*-_=+?.~"
_ALNUM: Final = string.ascii_letters + string.digits


def expand(template: str, seed: str) -> str:
    """Replaces every known placeholder, innermost first; what is no placeholder of ours stays as it is."""
    chance = random.Random(seed)  # noqa: S311 - the same text on every run is the point

    def replace(match: re.Match[str]) -> str:
        filler = _FILLERS.get(match[1])
        return match[0] if filler is None else filler(chance, match[2] or "")

    for _ in range(_DEPTH):
        expanded = _PLACE.sub(replace, template)
        if expanded == template:
            break
        template = expanded
    return template


def _run(alphabet: str) -> Callable[[random.Random, str], str]:
    return lambda chance, size: "".join(chance.choice(alphabet) for _ in range(int(size)))


def _mixed(alphabet: str) -> Callable[[random.Random, str], str]:
    """A run that holds a digit, a small letter and a capital, as a generated token of some length does."""

    def filler(chance: random.Random, size: str) -> str:
        while True:
            value = "".join(chance.choice(alphabet) for _ in range(int(size)))
            kinds = (str.isdigit, str.islower, str.isupper)
            if int(size) < len(kinds) or all(any(kind(letter) for letter in value) for kind in kinds):
                return value

    return filler


def _human(chance: random.Random, style: str) -> str:
    """A password as people make them: `short`, `tricky`, `unicode`, `end`, `plain`, or any of the usual habits."""
    word, name = chance.choice(_WORDS), chance.choice(_NAMES)
    year, number = str(chance.randint(1975, 2026)), str(chance.randint(1, 999))
    symbol = chance.choice("!#$@*.?")
    leet = word.translate(str.maketrans("aeios", "@3105"))
    match style:
        case "short":
            return chance.choice(
                (word[:4] + number[:2], name[:5] + symbol + number[:1], word[:6] + "1", "x" + number + word[:3])
            )
        case "tricky":
            before, between, after = chance.choice(
                (
                    ("", "&", ""),
                    ("p@", ":", ""),
                    ("", "#", "%"),
                    ("", ";", ""),
                    ("<", ">", ""),
                    ("", "/", "="),
                    ("$", "", ""),
                )
            )
            return before + word + between + number + after
        case "unicode":
            return chance.choice(_UNICODE) + number + symbol
        case "end":
            return word.capitalize() + number + chance.choice(".,;:!?)")
        case "plain":
            return word + chance.choice(_WORDS)
        case _:
            return chance.choice(
                (
                    word.capitalize() + year + symbol,
                    name.capitalize() + number + symbol,
                    leet.capitalize() + number,
                    word + symbol + chance.choice(_WORDS) + number,
                    f"{word}_{year}",
                    word.capitalize() + chance.choice(_WORDS).capitalize() + number,
                    "".join(chance.choice(_ALNUM + _SYMBOLS) for _ in range(14)),
                    "".join(chance.choice(_ALNUM) for _ in range(chance.randint(10, 20))),
                )
            )


def _words(chance: random.Random, shape: str) -> str:
    count, _, separator = shape.partition(",")
    return (separator or " ").join(chance.sample(_WORDS, int(count or 4)))


def _encoded(chance: random.Random, size: str, coder: Callable[[bytes], bytes]) -> str:
    return coder(chance.randbytes(int(size))).decode()


def _token(chance: random.Random, shape: str) -> str:
    """A signed token of three parts; `shape` is the size of its signature in bytes."""
    head = {"alg": "HS256", "typ": "JWT"}
    moment = _EPOCH + chance.randint(0, _SPAN)
    body = {"sub": str(chance.randint(10**8, 10**9)), "name": chance.choice(_NAMES), "iat": moment}
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in (head, body)]
    parts.append(chance.randbytes(int(shape or 32)))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _armour(chance: random.Random, shape: str) -> str:
    """Lines of base64 as inside a key file: `lines` or `lines,separator` (`n` for a written backslash-n)."""
    count, _, separator = shape.partition(",")
    lines = [base64.b64encode(chance.randbytes(48)).decode() for _ in range(int(count or 6))]
    lines.append(base64.b64encode(chance.randbytes(31)).decode())
    return {"": "\n", "n": "\\n", "nn": "\\\\n"}.get(separator, separator).join(lines)


def _pairs(content: str) -> bytes:
    return json.dumps(dict(pair.partition("=")[::2] for pair in content.split("|"))).encode()


def _time(chance: random.Random, pattern: str) -> str:
    moment = dt.datetime.fromtimestamp(_EPOCH + chance.random() * _SPAN, dt.UTC)
    pattern = pattern or "%Y-%m-%d %H:%M:%S"
    return moment.strftime(pattern.replace("%3", f"{chance.randint(0, 999):03d}"))


def _between(chance: random.Random, bounds: str) -> str:
    low, _, high = bounds.removeprefix("-").partition("-")
    if bounds.startswith("-"):
        low = "-" + low
    return str(chance.randint(int(low), int(high)))


def _address(chance: random.Random, _: str) -> str:
    return ".".join(str(chance.randint(1, 254)) for _ in range(4))


def _host(chance: random.Random, _: str) -> str:
    kind = chance.choice(("web", "db", "cache", "worker", "node", "api", "edge"))
    return f"{kind}-{chance.randint(1, 40):02d}.{chance.choice(('prod', 'eu-west', 'dc2', 'corp'))}.example.net"


_FILLERS: Final[dict[str, Callable[[random.Random, str], str]]] = {
    "alnum": _mixed(_ALNUM),
    "lower": _run(string.ascii_lowercase),
    "upper": _run(string.ascii_uppercase),
    "upnum": _run(string.ascii_uppercase + string.digits),
    "lownum": _run(string.ascii_lowercase + string.digits),
    "digits": lambda chance, size: chance.choice("123456789") + _run(string.digits)(chance, str(int(size) - 1)),
    "hex": _run("0123456789abcdef"),
    "HEX": _run("0123456789ABCDEF"),
    "base32": _run(string.ascii_uppercase + "234567"),
    "base58": _mixed("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"),
    "bech": _run("023456789acdefghjklmnpqrstuvwxyz"),
    "slug": _mixed(_ALNUM + "-_"),
    "strong": _mixed(_ALNUM + _SYMBOLS),
    "b64": lambda chance, size: _encoded(chance, size, base64.b64encode),
    "b64url": lambda chance, size: _encoded(chance, size, base64.urlsafe_b64encode).rstrip("="),
    "human": _human,
    "words": _words,
    "word": lambda chance, _: chance.choice(_WORDS),
    "name": lambda chance, _: chance.choice(_NAMES),
    "uuid": lambda chance, _: str(uuid.UUID(int=chance.getrandbits(128), version=4)),
    "jwt": _token,
    "armour": _armour,
    "pick": lambda chance, choices: chance.choice(choices.split("|")),
    "int": _between,
    "ip": _address,
    "ip6": lambda chance, _: "2001:db8:" + ":".join(f"{chance.getrandbits(16):x}" for _ in range(6)),
    "mac": lambda chance, _: ":".join(f"{chance.getrandbits(8):02x}" for _ in range(6)),
    "host": _host,
    "time": _time,
    "float": lambda chance, places: f"{chance.random() * 100:.{int(places or 2)}f}",
    "b64of": lambda _, content: base64.b64encode(content.encode()).decode(),
    "b64json": lambda _, content: base64.b64encode(_pairs(content)).decode(),
    "gzip64": lambda _, content: base64.b64encode(gzip.compress(content.encode(), mtime=0)).decode(),
    "hexof": lambda _, content: content.encode().hex(),
    "urlof": lambda _, content: urllib.parse.quote(content, safe=""),
    "jsonof": lambda _, content: json.dumps(content)[1:-1],
    "jsonascii": lambda _, content: "".join(f"\\u{ord(letter):04x}" for letter in content),
    "tab": lambda _, __: "\t",
    "nl": lambda _, __: "\n",
    "cr": lambda _, __: "\r",
    "esc": lambda _, __: "\x1b",
    "nul": lambda _, __: "\x00",
    "nbsp": lambda _, __: "\u00a0",
}
