"""Which files the front needs while it runs: what the configuration names, and the folders that it writes in."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from leadglass_agent.sandbox.confine import FrontPaths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.config import Config
    from leadglass_agent.policy.model import Policy


def front_paths(config: Config, policy: Policy) -> FrontPaths:
    """Gives the folders: whoever replaces a mounted file does so beside it, often through a link (`..data`).

    A folder of recordings that is not there yet is made: beside it nothing can be made later.
    """
    written = [Path(config.audit.path).absolute().parent]
    if config.recordings is not None:
        folder = Path(config.recordings.path).absolute()
        with suppress(OSError):  # the recorder refuses what it cannot use, and says why
            folder.mkdir(mode=0o700)
        written.append(folder)
    read = {parent for path in _files(config, policy) for parent in (path.absolute().parent, path.resolve().parent)}
    return FrontPaths(read=tuple(sorted(map(str, read))), write=tuple(map(str, written)))


def _files(config: Config, policy: Policy) -> Iterator[Path]:
    named = [config.tls.certificate, config.tls.key, config.tls.caller_authorities, config.policy, config.deny_list]
    named += [config.pod.uid_file, config.telemetry.authorities, config.telemetry.headers_file]
    if config.audit.sink is not None:
        named += [config.audit.sink.authorities, config.audit.sink.headers_file]
    if config.recordings is not None:
        named += [config.recordings.key, config.recordings.auditor_key]
    if policy.evidence is not None:
        named.append(policy.evidence.jwks)
    return (Path(name) for name in named if name)
