"""Verifies a log by docs/audit.md, with nothing of Leadglass: gives the line of the first fault, None if all fits."""

import base64
import hashlib
import json
import re
from collections import defaultdict

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

_TEXTS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [A-Z_]{1,32} [0-9a-f]{64} [0-9]+ [1-9][0-9]* 1"
_EARLY = {"TAIL_REPAIRED", "AUDIT_HALT", "AUDIT_RECOVERED", "SEGMENT_STARTED"}
_Said = tuple[str, bytes, str, str]  # "leaf" or "root", its hash, the key, the note if the key did not come with it


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


def _is_named(said: _Said, keys: dict[str, str]) -> bool:
    try:
        if said[3]:
            _check_note(said[3], keys[base64.b64decode(said[3].split()[-1])[:4].hex()])
    except Exception:  # noqa: BLE001 - whatever is wrong, it proves nothing
        return False
    return bool(said[3]) or said[2] in keys.values()


def _read(witnesses: list[str]) -> tuple[dict[str, dict[int, set[_Said]]], int]:
    seen, bad = defaultdict[str, dict[int, set[_Said]]](dict), 0
    for kept in map(json.loads, witnesses):
        note, mine = kept.get("checkpoint") or kept["note"], kept.get("key", "")
        name, size, said = note.split("\n")[:3]
        try:
            if mine:
                _check_note(note, mine)
                leaf, path = bytes.fromhex(kept["leaf"]), [bytes.fromhex(one) for one in kept["hashes"]]
                assert _led_to(leaf, kept["seq"] - 1, int(size), path) == base64.b64decode(said)
                seen[name].setdefault(kept["seq"], set()).add(("leaf", leaf, mine, ""))
            seen[name].setdefault(int(size), set()).add(("root", base64.b64decode(said), mine, "" if mine else note))
        except Exception:  # noqa: BLE001 - whatever is wrong, it proves nothing
            bad += 1
    return seen, bad


def verify(log: bytes, witnesses: list[str], authority: x509.Certificate | None) -> int | None:
    seq, prev, border, origin, key, uncovered, started, vouched = 0, "0" * 64, list[bytes](), "", "", 0, 10**9, 0
    (seen, bad), keys, hashed, gone = _read(witnesses), dict[str, str](), {0: "0" * 64}, {0: 0}
    number, first, announced = 0, 1, set[str]()
    try:
        for number, line in enumerate(re.findall(rb"[^\n]*\n|[^\n]+", log), 1):
            r = json.loads(line)
            body = json.dumps({k: v for k, v in r.items() if k != "hash"}, sort_keys=True, separators=(",", ":"))
            assert _sha(b"leadglass.dev/audit/record/v1\n", body.encode()).hex() == r["hash"]
            assert line[:24_576] == json.dumps(r, sort_keys=True, separators=(",", ":")).encode() + b"\n"
            assert re.fullmatch(_TEXTS, f"{r['time']} {r['kind']} {r['prev']} {r['boot_ns']} {r['seq']} {r['v']}")
            if number == 1 < r["seq"] and "frontier" in r:
                seq, prev, border = r["seq"] - 1, r["prev"], [bytes.fromhex(one) for one in r["frontier"]]
                first, hashed = seq + 1, {seq: prev}
            assert (r["seq"], r["prev"], len(border)) == (seq + 1, prev, seq.bit_count())
            root, uncovered, kind, facts = _root(border), uncovered + 1, r["kind"], r.get("facts", {})
            if kind in {"SEGMENT_STARTED", "CHECKPOINT"}:
                state = (seq, root.hex(), origin or r["origin"], [h.hex() for h in border if kind != "CHECKPOINT"])
                assert (r["tree_size"], r["root_hash"], r["origin"], r.get("frontier", [])) == state
                origin = r["origin"]
            if kind == "AGENT_STARTED" or (not key and "verifier_key" in r):
                key = _check_key(r, origin, authority) if "verifier_key" in r or keys else ""
                assert key not in announced
                started, announced = (number, announced | {key} - {""}) if kind[0] == "A" else (started, announced)
                origin, keys = key.split("+")[0] or origin, keys | ({key.split("+")[1]: key} if key else {})
            if kind == "CHECKPOINT" and key:
                _check_note(
                    f"{origin}\n{seq}\n{base64.b64encode(root).decode()}\n\n\u2014 {origin} {r['signature']}\n", key
                )
                uncovered, started, vouched = 0, 10**9, max(vouched, seq)
            gone[facts["last_seq"] if kind == "SEGMENT_DELETED" else -1] = seq + 1
            assert kind != "AUDIT_RECOVERED" or hashed[facts.get("expected_seq", seq)] == facts.get(
                "expected_hash", prev
            )
            before = {one[1] for one in seen[origin].get(first - 1, ()) if one[0] == "root" and _is_named(one, keys)}
            assert number > 1 or before <= {root}
            leaf, size, seq, prev = _sha(b"\x00", line[:-1]), seq, seq + 1, r["hash"]
            border, hashed[seq], every = [*border, leaf], prev, seen[origin].get(seq, set())
            while size & 1:
                size, border = size >> 1, [*border[:-2], _sha(b"\x01", *border[-2:])]
            here = {one[:2] for one in every if _is_named(one, keys)}
            bad, vouched = bad + any(not _is_named(one, keys) for one in every), seq if here else vouched
            assert here <= {("root", _root(border)), ("leaf", leaf)}
            is_early = number <= 16 and kind in _EARLY
            assert (uncovered <= 256 and number - started <= 16) if key else (is_early or not authority)
    except Exception:  # noqa: BLE001 - whatever is wrong, it is wrong here
        return number
    fits = (
        number
        and not bad
        and max(seen[origin], default=any(seen.values()) * (seq + 1)) <= seq
        and (keys or not authority)
    )
    return None if fits and (first == 1 or first <= vouched >= gone.get(first - 1, seq + 1)) else number + 1
