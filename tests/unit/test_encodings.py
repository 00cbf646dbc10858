"""Secrets in other encodings are found: base64, gzip, hex, escapes of URLs and JSON, UTF-16, Latin-1, broken UTF-8."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.redaction import database, engine
from leadglass_agent.redaction.encoded import decodes_to_secret
from leadglass_agent.redaction.encodings import base64_anchors
from leadglass_agent.redaction.redactor import Redactor
from leadglass_agent.redaction.wide import BIG, LITTLE, Island, islands, narrowed

if TYPE_CHECKING:
    from collections.abc import Callable

_REDACTOR = Redactor()
_SECRET = "kQ7xZ" + "vT9pLm2w"
_INNER = f'{{"db": {{"user": "bob", "password": "{_SECRET}"}}}}\n'.encode()
_MASK = b"[redacted:encoded-secret]"


def _shown(data: bytes) -> bytes:
    return _REDACTOR.redact(data).text.data


def _mime(text: bytes) -> bytes:
    return base64.encodebytes(text)


def _wrapped_at_64(text: bytes) -> bytes:
    flat = base64.b64encode(text)
    return b"\r\n".join(flat[at : at + 64] for at in range(0, len(flat), 64))


def _escaped_lines(text: bytes) -> bytes:
    return base64.encodebytes(text).replace(b"\n", b"\\n")


_ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "base64": base64.b64encode,
    "base64 for URLs without padding": lambda text: base64.urlsafe_b64encode(text).rstrip(b"="),
    "base64 in lines of MIME": _mime,
    "base64 in lines of 64": _wrapped_at_64,
    "base64 with its line ends escaped": _escaped_lines,
    "base64 twice": lambda text: base64.b64encode(base64.b64encode(text)),
    "gzip in base64": lambda text: base64.b64encode(gzip.compress(text)),
    "gzip in base64 twice": lambda text: base64.b64encode(base64.b64encode(gzip.compress(text))),
    "hex": lambda text: text.hex().encode(),
    "upper-case hex": lambda text: text.hex().upper().encode(),
    "UTF-16 in base64": lambda text: base64.b64encode(text.decode("latin-1").encode("utf-16-le")),
}


@pytest.mark.parametrize("encode", _ENCODINGS.values(), ids=_ENCODINGS.keys())
@pytest.mark.parametrize(
    "before", [b"", b"x", b"xy", b"a text of some length before it, which goes on for a while, " * 4]
)
def test_an_encoded_text_with_a_secret_is_masked_whole(encode: Callable[[bytes], bytes], before: bytes) -> None:
    encoded = encode(before + _INNER)
    shown = _shown(b"blob: '" + encoded + b"' end\n")
    assert shown.startswith(b"blob: '" + _MASK)
    assert shown.endswith(b"' end\n")
    assert len(shown) < 64


@pytest.mark.parametrize("encode", _ENCODINGS.values(), ids=_ENCODINGS.keys())
def test_an_encoded_text_without_a_secret_stays(encode: Callable[[bytes], bytes]) -> None:
    data = b"blob: '" + encode(b"this password field is required, the token was not found\n") + b"' end\n"
    assert _shown(data) == data


@settings(deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_bytes_around_an_encoded_secret_do_not_hide_it(before: bytes, after: bytes) -> None:
    encoded = base64.b64encode(before + b"\n" + _INNER + after)
    assert encoded not in _shown(b"blob " + encoded + b" end")


@settings(deadline=None)
@given(st.text("ABCDabcd0123+/=\n\\nH4sI", max_size=400), st.binary(max_size=100))
def test_what_is_no_encoding_is_read_without_an_error(text: str, tail: bytes) -> None:
    image = base64.b64encode(b"password")[:10]
    data = text.encode() + image + tail + b"H4sI" + text.encode() + b"70617373776f7264" + tail
    assert all(finding.end <= len(data) for finding in _REDACTOR.redact(data).findings)


def test_every_anchor_is_what_base64_makes_of_its_word() -> None:
    anchors = set(base64_anchors())
    for before in range(3):
        encoded = base64.b64encode(b"." * before + b"password" + b".")
        wanted = [anchor for anchor in anchors if bytes.fromhex(anchor[5:-1].decode().replace("\\x", "")) in encoded]
        assert wanted


def test_a_secret_encoded_three_times_is_behind_the_stated_depth() -> None:
    data = _INNER
    for _ in range(3):
        data = base64.b64encode(data)
    assert _shown(data) == data


def test_of_many_bombs_in_gzip_only_the_first_are_unpacked() -> None:
    texts = [b"%d is a text that is long, but packs well. " % number * 20_000 for number in range(40)]
    shown = _shown(b" ".join(base64.b64encode(gzip.compress(text, 9)) for text in texts))
    assert 30 <= shown.count(_MASK) < 40


def test_a_run_is_asked_about_by_itself() -> None:
    steps = database.load().steps
    assert decodes_to_secret(base64.b64encode(_INNER), engine.Look(steps))
    assert decodes_to_secret(_INNER.hex().encode(), engine.Look(steps))
    assert not decodes_to_secret(base64.b64encode(b"nothing is in here at all"), engine.Look(steps))
    assert not decodes_to_secret(base64.b64encode(bytes(range(128, 256))), engine.Look(steps))


_PAIR = f'{{"user":"bob","password":"{_SECRET}","role":"x"}}'
_ESCAPES = {
    "a URL's form": f"u=1&body=password%3D{_SECRET}%26b%3D2",
    "a URL's JSON": "q=" + quote(_PAIR),
    "a URL's JSON, encoded twice": "q=" + quote(quote(_PAIR)),
    "lower-case percent signs": "q=" + quote(_PAIR).replace("%3A", "%3a").replace("%2C", "%2c"),
    "JSON in JSON": json.dumps({"m": _PAIR}),
    "JSON in JSON in JSON": json.dumps({"m": json.dumps({"m": _PAIR})}),
    "JSON for browsers": json.dumps({"m": "x"}).replace("x", _PAIR.replace('"', "\\u0022")),
    "JSON for browsers in JSON": json.dumps({"m": "x"}).replace("x", _PAIR.replace('"', "\\\\u0022")),
}


@pytest.mark.parametrize("text", _ESCAPES.values(), ids=_ESCAPES.keys())
def test_an_escaped_pair_is_masked_and_what_follows_it_stays(text: str) -> None:
    shown = _shown(text.encode()).decode()
    assert _SECRET not in shown
    assert shown == text.replace(_SECRET, "[redacted:password]")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
def test_text_in_utf16_is_masked_in_utf16(encoding: str) -> None:
    text = f'first äöü line\r\n{{"password": "{_SECRET}"}}\r\nlast line\r\n'
    redaction = _REDACTOR.redact(text.encode(encoding))
    assert redaction.text.data.decode(encoding) == text.replace(_SECRET, "[redacted:password]")
    (finding,) = redaction.findings
    value = text.encode(encoding)[finding.start : finding.end]
    assert value == _SECRET.encode("utf-16-be" if encoding == "utf-16-be" else "utf-16-le")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("before", [b"", b"log: ", b"log \x01\x02: "])
def test_an_island_of_utf16_in_other_text_is_masked(encoding: str, before: bytes) -> None:
    island = f"password={_SECRET}\r\n".encode(encoding)
    shown = _shown(before + island + b"\nand token=" + _SECRET.encode() + b"\n")
    assert "[redacted:password]".encode(encoding) in shown
    assert b"and token=[redacted:token]\n" in shown


def test_a_long_text_in_utf16_is_masked_over_its_windows() -> None:
    lines = [f"line {number} ß password={_SECRET}{number}\r\n" for number in range(9000)]
    shown = _shown("".join(lines).encode("utf-16")).decode("utf-16")
    assert _SECRET not in shown
    assert shown.count("[redacted:password]") == len(lines)


@given(st.binary(max_size=200))
def test_islands_are_places_of_the_text_in_order(data: bytes) -> None:
    data = data + "password=abcdef and more".encode("utf-16-le") + data
    at = 0
    found = islands(data)
    for island in found:
        assert at <= island.start < island.end <= len(data)
        assert len(narrowed(data, island)) == (island.end - island.start) // 2
        at = island.end
    assert found


@given(st.text(max_size=50))
def test_narrowing_keeps_ascii_and_the_number_of_units(text: str) -> None:
    for order, encoding in ((LITTLE, "utf-16-le"), (BIG, "utf-16-be")):
        data = text.encode(encoding, "surrogatepass")
        narrow = narrowed(data, Island(0, len(data), order))
        assert len(narrow) * 2 == len(data)
        if text.isascii():
            assert narrow == text.encode()


@pytest.mark.parametrize("noise", [b"\xff", b"caf\xe9 ", b"\xc3(", b"\xed\xa0\x80", b"\xfe\x80", b"\xf0\x9f\x98"])
def test_a_secret_beside_bytes_that_are_no_utf8_is_masked(noise: bytes) -> None:
    secret = _SECRET.encode()
    shown = _shown(
        noise + b" password=" + secret + b" " + noise + b'\n"token": "' + secret + noise + secret + b'"\n' + noise
    )
    assert secret not in shown
    assert shown.startswith(noise)
    assert shown.endswith(noise)


def test_the_mark_of_utf8_hides_no_name() -> None:
    assert _shown(b"\xef\xbb\xbfpassword=" + _SECRET.encode()) == b"\xef\xbb\xbfpassword=[redacted:password]"


_PLAIN = base64.b64encode(b"hello")
_YAML = (
    b"apiVersion: v1\ndata:\n  a: " + _PLAIN + b'\n  b.txt: "' + _PLAIN + b'"\nkind: Secret\nmetadata:\n  name: shop\n'
)
_YAML_KIND_FIRST = (
    b"kind: Secret\napiVersion: v1\nmetadata:\n  name: shop\n"
    b"stringData:\n  a: |\n    x\n    hello\n  b: hello\ntype: Opaque\n"
)
_JSON = (
    b'{"apiVersion":"v1","data":{"a":"'
    + _PLAIN
    + b'", "b":"'
    + _PLAIN
    + b'"},"kind":"Secret","metadata":{"name":"shop"}}'
)
_LIST = (
    b"apiVersion: v1\nitems:\n- apiVersion: v1\n  data:\n    a: hello\n    b: hello\n"
    b"  kind: Secret\n  metadata:\n    name: shop\n"
)


@pytest.mark.parametrize(
    "manifest", [_YAML, _YAML_KIND_FIRST, _JSON, _LIST], ids=["yaml", "kind first", "json", "list"]
)
def test_every_value_of_a_secrets_manifest_is_masked(manifest: bytes) -> None:
    shown = _shown(manifest)
    assert _PLAIN not in shown
    assert b"hello" not in shown
    assert shown.count(b"[redacted:kubernetes-secret]") == 2
    assert b"shop" in shown


def test_a_config_map_beside_a_secrets_manifest_stays() -> None:
    config = b"apiVersion: v1\ndata:\n  a: hello\nkind: ConfigMap\nmetadata:\n  name: shop\n"
    shown = _shown(config + b"---\n" + _YAML + b"---\n" + config)
    assert shown.startswith(config)
    assert shown.endswith(config)
