"""Watches the files that the agent was given, and puts new content in force without a restart.

Content is compared and not its times, so that nothing can hide a change. What cannot be used leaves the old in force,
and is said once: an error never widens what anybody may.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.access.deny_list import parse_deny_list
from leadglass_agent.access.jwks import MAX_JWKS
from leadglass_agent.api.tls import NotReplaced
from leadglass_agent.credentials import MAX_PEM, CredentialsError, credential_paths, parse_credentials
from leadglass_agent.mounted_files import FileSet, FilesUnread, digest_of, read_set
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.processes.live import (
    Change,
    DenyListReloaded,
    KeySetError,
    KeysReloaded,
    Part,
    PolicyReloaded,
    Reloaded,
    ReloadFailed,
    TlsReloaded,
    parse_key_set,
    read_key_set,
)
from leadglass_agent.strict_yaml import MAX_BYTES, DocumentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from leadglass_agent.api.tls import ServerTls
    from leadglass_agent.clock import Instant
    from leadglass_agent.config import Config
    from leadglass_agent.credentials import Credentials
    from leadglass_agent.processes.live import Live

_POLL_SECONDS: Final = 1.0  # some 0.3 ms of work each time
# A file that is written in place may be read half written, and half a policy may permit more than the whole. Content
# must stay the same for this long before it counts, unless it came by the swap of a whole directory.
_SETTLED_NS: Final = 400_000_000
_TLS_TRIES: Final = 2  # each takes a second and a half at most, so that it is said within seconds
_TLS_PAUSE: Final = 60  # polls between two tries after that


@dataclass(slots=True)
class _Watch:
    """One part that is watched: what was seen of it last that is not in force, since when, and what was told of it.

    `refused` is content that can never be used; other content that was told of may be, once another file is mended.
    """

    part: Part
    max_bytes: int
    paths: Callable[[], tuple[str, ...]]
    digest_in_force: Callable[[], str]
    load: Callable[[tuple[bytes, ...]], Reloaded]
    seen: str = ""
    since_boot_ns: int = 0
    told: str = ""
    refused: str = ""


class Reloader:
    """Looks at the files and gives what changed; it reads what is in force and never changes it."""

    def __init__(self, config: Config, live: Live) -> None:
        self._config = config
        self._live = live
        self._watches = (
            _Watch(Part.TLS, MAX_PEM, self._tls_paths, lambda: live.credentials.digest, self._load_tls),
            _Watch(Part.POLICY, MAX_BYTES, lambda: (config.policy,), lambda: live.policy.digest, self._load_policy),
            _Watch(Part.DENY_LIST, MAX_BYTES, self._list_paths, lambda: live.deny_list.digest, self._load_list),
            _Watch(Part.JWKS, MAX_JWKS, self._key_paths, lambda: live.jwks.digest, self._load_keys),
        )

    def poll(self, now: Instant) -> tuple[Change, ...]:
        """Reads all files and gives what is new and usable, or new and broken; each broken content once."""
        changes = tuple(change for watch in self._watches if (change := _look(watch, now)) is not None)
        if any(isinstance(change, PolicyReloaded) for change in changes):
            # It brings its own keys; those that were looked at belong to the policy before it.
            return tuple(change for change in changes if not isinstance(change, KeysReloaded))
        return changes

    def _tls_paths(self) -> tuple[str, ...]:
        return credential_paths(self._config.tls)

    def _list_paths(self) -> tuple[str, ...]:
        return (self._config.deny_list,) if self._config.deny_list else ()

    def _key_paths(self) -> tuple[str, ...]:
        evidence = self._live.policy.evidence
        return () if evidence is None else (evidence.jwks,)

    def _load_tls(self, contents: tuple[bytes, ...]) -> TlsReloaded:
        return TlsReloaded(self._live.credentials, parse_credentials(contents, self._config.tls))

    def _load_policy(self, contents: tuple[bytes, ...]) -> PolicyReloaded:
        new = parse_policy(contents[0], self._config.policy)
        return PolicyReloaded(self._live.policy, new, read_key_set(new))

    def _load_list(self, contents: tuple[bytes, ...]) -> DenyListReloaded:
        return DenyListReloaded(self._live.deny_list, parse_deny_list(contents[0], self._config.deny_list))

    def _load_keys(self, contents: tuple[bytes, ...]) -> KeysReloaded:
        return KeysReloaded(self._live.jwks, parse_key_set(contents[0], self._key_paths()[0]))


async def keep_current(
    live: Live,
    reloader: Reloader,
    tls: ServerTls,
    address: str,
    clock: Callable[[], Instant],
    tell: Callable[[Change], Awaitable[None]],
) -> None:
    """Puts each change in force, tells it, and gives the port at `address` its new certificate; never returns.

    The gate decides by what is in force from that moment on; the port follows within seconds.
    """
    port = _Port(tls, address)
    while True:
        changes = await asyncio.to_thread(reloader.poll, clock())
        # All of them before the first is told: a slow disk must not keep a deny list waiting.
        for change in changes:
            live.take(change)
        for change in changes:
            await tell(change)
        failure = await port.follow(live.credentials)
        if failure is not None:
            await tell(failure)
        await asyncio.sleep(_POLL_SECONDS)


class _Port:
    """Brings the port after what is in force, and counts how often that failed."""

    def __init__(self, tls: ServerTls, address: str) -> None:
        self._tls = tls
        self._address = address
        self._wanted = ""
        self._tries = 0

    async def follow(self, credentials: Credentials) -> ReloadFailed | None:
        """Gives a failure that lasts, once for each set of files."""
        if self._tls.shown_digest == credentials.digest:
            return None
        if self._wanted != credentials.digest:
            self._wanted, self._tries = credentials.digest, 0
        self._tries += 1
        if self._tries > _TLS_TRIES and self._tries % _TLS_PAUSE:
            return None
        try:
            await self._tls.replace(credentials, self._address)
        except NotReplaced as error:
            return ReloadFailed(Part.TLS, str(error)) if self._tries == _TLS_TRIES else None
        return None


def _look(watch: _Watch, now: Instant) -> Change | None:
    paths = watch.paths()
    if not paths:
        return None
    files: FileSet | None = None
    try:
        files = read_set(paths, watch.max_bytes)
        seen = digest_of(files.contents)
    except FilesUnread as error:
        seen = str(error)
    if seen == watch.digest_in_force():
        watch.seen = watch.told = watch.refused = ""
        return None
    if seen != watch.seen:
        watch.seen, watch.since_boot_ns = seen, now.boot_ns
    is_settled = now.boot_ns - watch.since_boot_ns >= _SETTLED_NS or (files is not None and files.is_swapped)
    if not is_settled or seen == watch.refused:
        return None
    try:
        return _load(watch, files, seen)
    except (CredentialsError, DocumentError) as error:
        watch.refused = seen
        fault = str(error)
    except (FilesUnread, KeySetError) as error:
        fault = str(error)
    is_told, watch.told = seen == watch.told, seen
    return None if is_told else ReloadFailed(watch.part, fault)


def _load(watch: _Watch, files: FileSet | None, fault: str) -> Reloaded:
    if files is None:
        raise FilesUnread(fault)
    return watch.load(files.contents)
