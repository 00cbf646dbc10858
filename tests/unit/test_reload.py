"""New content of files is put in force as a whole, and what cannot be used leaves the old in force and is said once."""

from __future__ import annotations

import base64
import json
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadglass_agent.access.deny_list import DenyList
from leadglass_agent.clock import Instant
from leadglass_agent.config import parse_config
from leadglass_agent.mounted_files import FilesUnread, read_set
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.processes.live import (
    Change,
    DenyListReloaded,
    KeysReloaded,
    Live,
    Part,
    PolicyReloaded,
    ReloadFailed,
    TlsReloaded,
    read_live,
)
from leadglass_agent.processes.reload import Reloader
from leadglass_agent.start import StartRefused
from leadglass_client.authority import issue_server
from mounts import Mount
from running_agent import OPEN_POLICY, SERVER_NAME, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from leadglass_agent.config import Config

_OTHER_POLICY = OPEN_POLICY.replace("name: test-open", "name: other")
_EVIDENCE = """\
spec:
  evidence: {{issuer: "https://issuer.example", jwks: {jwks}, audience: leadglass, algorithms: [ES256]}}
"""


def _key_set() -> bytes:
    """Makes a set of one key, as an issuer publishes it (RFC 7517)."""
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    x, y = (base64.urlsafe_b64encode(at.to_bytes(32)).rstrip(b"=").decode() for at in (numbers.x, numbers.y))
    return json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "x": x, "y": y}]}).encode()


_KEYS, _OTHER_KEYS = _key_set(), _key_set()
_DENY_LIST = b"apiVersion: leadglass.dev/v1\nkind: DenyList\nmetadata: {name: test}\nspec: {serials: ['1f']}\n"
_TLS = ("tls.crt", "tls.key", "ca.crt")


@dataclass(frozen=True, slots=True)
class _Watched:
    """A folder with all files of an agent, and who watches them; time is what the test says."""

    folder: Path
    config: Config
    live: Live
    reloader: Reloader

    def poll(self, seconds: float) -> tuple[Change, ...]:
        """Polls at a moment, and puts in force what came."""
        changes = self.reloader.poll(Instant(boot_ns=int(seconds * 1e9), unix_ns=0))
        for change in changes:
            self.live.take(change)
        return changes

    def settled(self, seconds: float) -> tuple[Change, ...]:
        """Polls twice, so far apart that what stays the same counts."""
        assert self.poll(seconds) == ()
        return self.poll(seconds + 0.5)

    def write(self, name: str, content: bytes | str) -> None:
        """Writes a file in place."""
        (self.folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def _watched(folder: Path, extend: Callable[[str], str] = str, policy: str = OPEN_POLICY) -> _Watched:
    prepare(folder, policy)
    (folder / "deny.yaml").write_bytes(_DENY_LIST)
    (folder / "keys.json").write_bytes(_KEYS)
    text = extend((folder / "agent.yaml").read_text() + f"  denyList: {folder}/deny.yaml\n")
    config = parse_config(text.encode(), "agent.yaml")
    live = read_live(config, parse_policy((folder / "policy.yaml").read_bytes(), "policy.yaml"))
    return _Watched(folder, config, live, Reloader(config, live))


@pytest.fixture
def watched(tmp_path: Path) -> _Watched:
    return _watched(tmp_path)


def _with_keys(folder: Path, name: str = "keys.json", policy: str = OPEN_POLICY) -> str:
    return policy.replace("spec:\n", _EVIDENCE.format(jwks=folder / name))


def test_unchanged_files_change_nothing(watched: _Watched) -> None:
    before = (watched.live.credentials, watched.live.policy, watched.live.deny_list, watched.live.jwks)
    for name in ("policy.yaml", "deny.yaml", "server/tls.crt"):
        watched.write(name, (watched.folder / name).read_bytes())  # other times, the same content
    assert [watched.poll(at) for at in range(5)] == [()] * 5
    assert (watched.live.credentials, watched.live.policy, watched.live.deny_list, watched.live.jwks) == before


def test_a_policy_written_in_place_counts_once_it_stays_the_same(watched: _Watched) -> None:
    old = watched.live.policy
    watched.write("policy.yaml", _OTHER_POLICY)
    assert watched.poll(1.0) == watched.poll(1.39) == ()
    assert watched.live.policy is old
    (change,) = watched.poll(1.4)
    assert isinstance(change, PolicyReloaded)
    assert (change.old, change.new.name) == (old, "other")
    assert watched.live.policy is change.new
    assert watched.poll(1.9) == ()


def test_a_file_that_is_still_being_written_does_not_count(watched: _Watched) -> None:
    for at in range(1, 20):
        watched.write("policy.yaml", _OTHER_POLICY + "#" * at)
        assert watched.poll(at * 0.3) == ()
    assert watched.live.policy.name == "test-open"
    assert len(watched.poll(19 * 0.3 + 0.4)) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ends=st.lists(st.integers(0, len(OPEN_POLICY)), max_size=20, unique=True))
def test_no_half_of_a_policy_is_ever_in_force(watched: _Watched, ends: list[int]) -> None:
    """Half a policy may permit more than the whole: what is missing may be a forbid."""
    for at, end in enumerate(sorted(ends)):
        watched.write("policy.yaml", OPEN_POLICY[:end])
        assert watched.poll(at * 0.39) == ()
    watched.write("policy.yaml", OPEN_POLICY)
    assert watched.poll(100) == ()
    assert watched.live.policy.name == "test-open"


def test_a_swapped_directory_counts_at_once(tmp_path: Path) -> None:
    mount = Mount(tmp_path / "mount", {"policy.yaml": OPEN_POLICY.encode()})
    watched = _watched(tmp_path, lambda text: text.replace(f"{tmp_path}/policy.yaml", f"{mount.folder}/policy.yaml"))
    mount.swap({"policy.yaml": _OTHER_POLICY.encode()})
    (change,) = watched.poll(1.0)
    assert isinstance(change, PolicyReloaded)
    mount.swap({"policy.yaml": b"nonsense"})
    (failed,) = watched.poll(1.1)
    assert isinstance(failed, ReloadFailed)
    assert watched.live.policy.name == "other"


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "nonsense",
        OPEN_POLICY[:-40],
        OPEN_POLICY.replace("kind: AccessPolicy", "kind: DenyList"),
        OPEN_POLICY.replace("maxOpen: 8", "maxOpen: 8000"),
        OPEN_POLICY + "  more: 1\n",
        OPEN_POLICY + "#" * 1024 * 1024,
    ],
)
def test_a_broken_policy_keeps_the_old_and_is_said_once(watched: _Watched, broken: str) -> None:
    old = watched.live.policy
    watched.write("policy.yaml", broken)
    (failed,) = watched.settled(1.0)
    assert isinstance(failed, ReloadFailed)
    assert failed.part is Part.POLICY
    assert f"{watched.folder}/policy.yaml" in failed.detail
    assert [watched.poll(at) for at in (2.0, 3.0, 4.0)] == [()] * 3
    assert watched.live.policy is old


def test_a_broken_file_is_said_again_after_it_was_mended(watched: _Watched) -> None:
    for round_ in range(3):
        watched.write("policy.yaml", "nonsense")
        assert len(watched.settled(round_ * 10 + 1.0)) == 1
        watched.write("policy.yaml", OPEN_POLICY)
        assert watched.poll(round_ * 10 + 5.0) == ()


def test_another_broken_content_is_said_too(watched: _Watched) -> None:
    for at, content in enumerate(("nonsense", "more nonsense", "")):
        watched.write("policy.yaml", content)
        assert len(watched.settled(at * 10 + 1.0)) == 1


def _removed(path: Path) -> None:
    path.unlink()


def _a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _a_link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


@pytest.mark.parametrize("harm", [_removed, _a_pipe, _a_directory, _a_link_to_nothing])
@pytest.mark.parametrize(
    ("name", "part"),
    [("policy.yaml", Part.POLICY), ("deny.yaml", Part.DENY_LIST), ("server/tls.key", Part.TLS)],
)
def test_a_file_that_is_gone_keeps_the_old_and_is_said_once(
    watched: _Watched, name: str, part: Part, harm: Callable[[Path], None]
) -> None:
    before = (watched.live.credentials, watched.live.policy, watched.live.deny_list)
    harm(watched.folder / name)
    (failed,) = watched.settled(1.0)
    assert isinstance(failed, ReloadFailed)
    assert failed.part is part
    assert name in failed.detail
    assert watched.poll(9.0) == ()
    assert (watched.live.credentials, watched.live.policy, watched.live.deny_list) == before


def test_a_deny_list_that_grows_is_in_force(watched: _Watched) -> None:
    assert watched.live.deny_list.denies("1f")
    watched.write("deny.yaml", _DENY_LIST.replace(b"'1f'", b"'1f', '2a'"))
    (change,) = watched.settled(1.0)
    assert isinstance(change, DenyListReloaded)
    assert not change.old.denies("2a")
    assert watched.live.deny_list.denies("2a")


def test_a_broken_deny_list_goes_on_denying(watched: _Watched) -> None:
    watched.write("deny.yaml", _DENY_LIST.replace(b"'1f'", b"'no serial'"))
    (failed,) = watched.settled(1.0)
    assert isinstance(failed, ReloadFailed)
    assert failed.part is Part.DENY_LIST
    assert watched.live.deny_list.denies("1f")


def test_an_agent_without_a_deny_list_watches_none(tmp_path: Path) -> None:
    watched = _watched(tmp_path, lambda text: text.replace(f"  denyList: {tmp_path}/deny.yaml\n", ""))
    (tmp_path / "deny.yaml").unlink()
    assert watched.live.deny_list == DenyList()
    assert watched.poll(1.0) == watched.poll(2.0) == ()


def _renew(folder: Path) -> dict[str, bytes]:
    issue_server(folder / "ca", SERVER_NAME, folder / "server", path="/agent/test", force=True)
    return {name: (folder / "server" / name).read_bytes() for name in _TLS}


def test_a_renewed_certificate_comes_with_its_key(watched: _Watched) -> None:
    old = watched.live.credentials
    _renew(watched.folder)
    (change,) = watched.settled(1.0)
    assert isinstance(change, TlsReloaded)
    assert change.old is old
    assert change.new.leaf != old.leaf
    assert watched.live.credentials is change.new
    assert watched.live.trust is change.new.trust


def test_a_certificate_without_its_key_keeps_the_old(watched: _Watched) -> None:
    old = watched.live.credentials
    before = (watched.folder / "server/tls.key").read_bytes()
    _renew(watched.folder)
    new = (watched.folder / "server/tls.key").read_bytes()
    watched.write("server/tls.key", before)
    (failed,) = watched.settled(1.0)
    assert isinstance(failed, ReloadFailed)
    assert "is not the key of" in failed.detail
    watched.write("server/tls.key", new)
    (change,) = watched.settled(2.0)
    assert isinstance(change, TlsReloaded)
    assert change.old is old


@pytest.mark.parametrize("name", _TLS)
@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 300_000])
def test_a_broken_tls_file_keeps_all_three_and_quotes_nothing(watched: _Watched, name: str, content: bytes) -> None:
    old = watched.live.credentials
    watched.write(f"server/{name}", content)
    (failed,) = watched.settled(1.0)
    assert isinstance(failed, ReloadFailed)
    assert failed.part is Part.TLS
    assert "nonsense" not in failed.detail
    assert watched.live.credentials is old


def test_authorities_that_are_none_keep_the_old(watched: _Watched) -> None:
    watched.write("server/ca.crt", (watched.folder / "server/tls.crt").read_bytes())
    (failed,) = watched.settled(1.0)
    assert isinstance(failed, ReloadFailed)
    assert "not one of an authority" in failed.detail


@contextmanager
def _swapping(mount: Mount, sets: list[dict[str, bytes]]) -> Iterator[list[int]]:
    """Swaps a mount as fast as it can until the end of the block; the list counts."""
    done, count = threading.Event(), [0]

    def swap() -> None:
        while not done.is_set():
            count[0] += 1
            mount.swap(sets[count[0] % len(sets)])

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield count
    finally:
        done.set()
        thread.join()


def test_certificate_and_key_are_never_of_two_generations(tmp_path: Path) -> None:
    prepare(tmp_path)
    sets = [_renew(tmp_path) for _ in range(4)]
    mount = Mount(tmp_path / "mount", sets[0])
    watched = _watched_again(tmp_path, mount.folder)
    with _swapping(mount, sets) as swaps:
        at, changes = 0, 0
        while swaps[0] < 500 or changes < 20:
            at += 1
            for change in watched.poll(float(at)):
                # An unreadable set is a race that lasted; a mixed one would be read, and not match.
                assert not isinstance(change, ReloadFailed) or "is not the key of" not in change.detail
                changes += isinstance(change, TlsReloaded)


def _watched_again(folder: Path, tls: Path) -> _Watched:
    text = (folder / "agent.yaml").read_text().replace(f"{folder}/server/", f"{tls}/")
    config = parse_config(text.encode(), "agent.yaml")
    live = read_live(config, parse_policy((folder / "policy.yaml").read_bytes(), "policy.yaml"))
    return _Watched(folder, config, live, Reloader(config, live))


def test_keys_of_id_tokens_are_replaced(tmp_path: Path) -> None:
    watched = _watched(tmp_path, policy=_with_keys(tmp_path))
    assert watched.live.jwks.content == _KEYS
    watched.write("keys.json", _OTHER_KEYS)
    (change,) = watched.settled(1.0)
    assert isinstance(change, KeysReloaded)
    assert watched.live.jwks.content == _OTHER_KEYS
    for at, broken in enumerate((b"", b"{}", b'{"keys": []}', b'{"keys": [1]}', b"[" * 100_000, b'{"keys": 1}'), 1):
        watched.write("keys.json", broken)
        (failed,) = watched.settled(at * 10.0)
        assert isinstance(failed, ReloadFailed)
        assert failed.part is Part.JWKS
    assert watched.live.jwks.content == _OTHER_KEYS


def test_a_policy_comes_with_the_keys_that_it_names_or_not_at_all(watched: _Watched) -> None:
    watched.write("policy.yaml", _with_keys(watched.folder, "missing.json"))
    (failed,) = watched.settled(1.0)
    assert isinstance(failed, ReloadFailed)
    assert failed.part is Part.POLICY
    assert "missing.json" in failed.detail
    assert watched.poll(2.0) == ()
    watched.write("missing.json", _KEYS)
    (change,) = watched.poll(3.0)
    assert isinstance(change, PolicyReloaded)
    assert (watched.live.policy.evidence is not None, watched.live.jwks.content) == (True, _KEYS)


def test_keys_go_with_the_policy_that_named_them(tmp_path: Path) -> None:
    watched = _watched(tmp_path, policy=_with_keys(tmp_path))
    watched.write("policy.yaml", OPEN_POLICY)
    assert len(watched.settled(1.0)) == 1
    assert watched.live.jwks.content == b""
    (tmp_path / "keys.json").unlink()
    assert watched.poll(9.0) == watched.poll(10.0) == ()


def test_a_policy_that_names_other_keys_is_not_given_those_of_the_one_before(tmp_path: Path) -> None:
    watched = _watched(tmp_path, policy=_with_keys(tmp_path))
    watched.write("other.json", _OTHER_KEYS)
    watched.write("policy.yaml", _with_keys(tmp_path, "other.json"))
    watched.write("keys.json", _key_set())
    assert [type(change) for change in watched.settled(1.0)] == [PolicyReloaded]
    assert watched.live.jwks.content == _OTHER_KEYS
    assert watched.poll(9.0) == ()


@pytest.mark.parametrize("name", ["server/tls.crt", "server/tls.key", "server/ca.crt", "deny.yaml", "keys.json"])
@pytest.mark.parametrize("harm", [_removed, lambda path: path.write_bytes(b"nonsense: [")], ids=["gone", "nonsense"])
def test_a_start_has_nothing_old_to_keep(tmp_path: Path, name: str, harm: Callable[[Path], None]) -> None:
    watched = _watched(tmp_path, policy=_with_keys(tmp_path))
    harm(tmp_path / name)
    with pytest.raises(StartRefused, match=name):
        read_live(watched.config, watched.live.policy)


def test_nothing_shows_a_key(watched: _Watched) -> None:
    key = (watched.folder / "server/tls.key").read_bytes()
    shown = repr(watched.live) + repr(read_set((f"{watched.folder}/server/tls.key",), 10_000))
    assert key.splitlines()[1].decode() not in shown


def test_a_file_may_be_as_large_as_allowed_and_no_larger(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    assert read_set((f"{tmp_path}/file",), 100).contents == (b"x" * 100,)
    with pytest.raises(FilesUnread, match="larger than 99 bytes"):
        read_set((f"{tmp_path}/file",), 99)
