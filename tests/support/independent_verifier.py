"""Verifies a log by docs/audit.md, with nothing of Leadglass: gives the line of the first fault, None if all fits."""

import base64
import hashlib
import json
import re

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

_TEXTS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [A-Z_]{1,32} [0-9a-f]{64} [0-9]+ [1-9][0-9]* 1"


def _sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _root(border: list[bytes]) -> bytes:
    return _sha(b"\x01", border[0], _root(border[1:])) if border[1:] else border[0] if border else _sha()


def _led_to(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:  # RFC 6962, section 2.1.1
    if size == 1 or not path:
        return leaf if (path, index, size) == ([], 0, 1) else b""
    if index < (split := 1 << ((size - 1).bit_length() - 1)):
        return _sha(b"\x01", _led_to(leaf, index, split, path[:-1]), path[-1])
    return _sha(b"\x01", path[-1], _led_to(leaf, index - split, size - split, path[:-1]))


def _check_note(note: str, key: str) -> None:
    (body, line), (name, key_id, encoded) = note.split("\n\n"), key.split("+", 2)
    public, signature = base64.b64decode(encoded), base64.b64decode(line.removeprefix(f"\u2014 {name} "))
    assert _sha(f"{name}\n".encode(), public)[:4] == signature[:4] == bytes.fromhex(key_id)
    ed25519.Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature[4:], f"{body}\n".encode())


def _check_key(r: dict[str, str], origin: str, authority: x509.Certificate | None) -> str:
    certificate = x509.load_der_x509_certificate(base64.b64decode(r["certificate"]))
    key, covered = certificate.public_key(), b"leadglass.dev/audit/log-key/v1\n" + r["verifier_key"].encode()
    assert isinstance(key, ec.EllipticCurvePublicKey)  # the only kind that these tests use
    key.verify(base64.b64decode(r["key_signature"]), covered, ec.ECDSA(hashes.SHA256()))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert r["verifier_key"].startswith(f"{names.get_values_for_type(x509.UniformResourceIdentifier)[0][9:]}/log/")
    assert r["verifier_key"].startswith(f"{origin}+" if origin else "")
    if authority is not None:
        certificate.verify_directly_issued_by(authority)
    return r["verifier_key"]


def verify(log: bytes, witnesses: list[str], authority: x509.Certificate | None) -> int | None:  # noqa: C901 - one page
    seq, prev, border, origin, key, keys, uncovered, is_vouched = 0, "0" * 64, list[bytes](), "", "", 0, 0, True
    seen, number, bad = dict[str, dict[int, set[tuple[str, bytes]]]](), 0, 0
    known = dict[int, set[tuple[str, bytes]]]()
    for kept in map(json.loads, witnesses):
        name, size, said = (kept.get("checkpoint") or kept["note"]).split("\n")[:3]
        try:
            if "key" in kept:
                _check_note(kept["checkpoint"], kept["key"])
                leaf, path = bytes.fromhex(kept["leaf"]), [bytes.fromhex(one) for one in kept["hashes"]]
                assert _led_to(leaf, kept["seq"] - 1, int(size), path) == base64.b64decode(said)
                seen.setdefault(name, {}).setdefault(kept["seq"], set()).add(("leaf", leaf))
            seen.setdefault(name, {}).setdefault(int(size), set()).add(("root", base64.b64decode(said)))
        except Exception:  # noqa: BLE001 - whatever is wrong, it proves nothing
            bad += 1
    try:
        for number, line in enumerate(re.findall(rb"[^\n]*\n|[^\n]+", log), 1):
            r = json.loads(line)
            body = json.dumps({k: v for k, v in r.items() if k != "hash"}, sort_keys=True, separators=(",", ":"))
            assert _sha(b"leadglass.dev/audit/record/v1\n", body.encode()).hex() == r["hash"]
            assert line[:20_480] == json.dumps(r, sort_keys=True, separators=(",", ":")).encode() + b"\n"
            assert re.fullmatch(_TEXTS, f"{r['time']} {r['kind']} {r['prev']} {r['boot_ns']} {r['seq']} {r['v']}")
            if is_later := number == 1 < r["seq"] and "frontier" in r:
                seq, prev, border = r["seq"] - 1, r["prev"], [bytes.fromhex(one) for one in r["frontier"]]
            assert (r["seq"], r["prev"], len(border)) == (seq + 1, prev, seq.bit_count())
            root, uncovered, key = _root(border), uncovered + 1, "" if r["kind"] == "AGENT_STARTED" else key
            if r["kind"] in {"SEGMENT_STARTED", "CHECKPOINT"}:
                state = (seq, root.hex(), origin or r["origin"], [h.hex() for h in border if r["kind"] != "CHECKPOINT"])
                assert (r["tree_size"], r["root_hash"], r["origin"], r.get("frontier", [])) == state
                origin = r["origin"]
            if not key and ("verifier_key" in r or (r["kind"] == "AGENT_STARTED" and keys)):
                key, keys, uncovered = _check_key(r, origin, authority), keys + 1, 0
                origin = key.split("+")[0]
            if r["kind"] == "CHECKPOINT" and key:
                note = f"{origin}\n{seq}\n{base64.b64encode(root).decode()}\n\n\u2014 {origin} {r['signature']}\n"
                _check_note(note, key)
                uncovered, is_vouched = 0, True
            known = seen.get(origin or next(iter(seen), ""), {})
            before = {one for one in known.get(seq, ()) if is_later and one[0] == "root"}
            leaf, size = _sha(b"\x00", line[:-1]), seq
            seq, prev, border = seq + 1, r["hash"], [*border, leaf]
            while size & 1:
                size, border = size >> 1, [*border[:-2], _sha(b"\x01", *border[-2:])]
            is_vouched = (is_vouched and not is_later) or bool(known.get(seq) or before)
            assert not before - {("root", root)} | known.get(seq, set()) - {("root", _root(border)), ("leaf", leaf)}
            assert uncovered <= 256 if key else not authority
    except Exception:  # noqa: BLE001 - whatever is wrong, it is wrong here
        return number
    fits = number and is_vouched and not bad and max(known, default=bool(seen) * (seq + 1)) <= seq
    return None if fits else number + 1
