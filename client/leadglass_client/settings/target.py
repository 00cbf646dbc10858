"""Decides which agent a command asks and with what, from flags, environment and contexts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from leadglass_client.errors import ExitCode, Failure
from leadglass_client.names import check_workload_name, is_session_id
from leadglass_client.settings.own_files import chosen_context, needed, resolve_own_files
from leadglass_client.settings.session_store import read_session

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_client.settings.global_options import GlobalOptions

_MAX_NAME = 100
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Target:
    """An agent, the name it must prove, the files to prove oneself with, the session, the time for all calls."""

    address: str
    server_name: str
    authority: Path
    certificate: Path
    key: Path
    session_id: str
    timeout_seconds: float

    @property
    def agent(self) -> str:
        """The agent and who asks it, as the key of the current session there."""
        return f"{self.server_name}@{self.address} as {self.certificate.absolute()}"


def resolve_target(options: GlobalOptions) -> Target:
    """Puts flags before the context's values and fails with what to do if something is missing."""
    context = chosen_context(options)
    address = needed(options.address or context.address, "no agent is given", "--address HOST:PORT")
    check_address(address)
    server_name = needed(
        options.server_name or context.server_name,
        "the workload name that the agent must prove is not given",
        "--server-name NAME",
    )
    check_workload_name(server_name)
    own = resolve_own_files(options)
    target = Target(
        address,
        server_name,
        own.authority,
        own.certificate,
        own.key,
        session_id="",
        timeout_seconds=options.timeout_seconds,
    )
    session_id = options.session or read_session(target.agent)
    if session_id and not is_session_id(session_id):
        what = "the id of the session is none: it has letters, digits, - and _ alone"
        raise Failure(ExitCode.USAGE, what, "take it from: leadglass session open ... -o name")
    return replace(target, session_id=session_id)


def check_address(address: str) -> None:
    """Fails if this is no HOST:PORT or [IPV6]:PORT."""
    host, colon, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    good_port = port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _MAX_PORT
    good_host = bare and not set(bare) & set("/@ \t") and (host.startswith("[") or ":" not in bare)
    if not (colon and good_port and good_host and bare.isprintable()):
        raise Failure(
            ExitCode.USAGE, f"{address!r} is no address", "write HOST:PORT or [IPV6]:PORT, such as 127.0.0.1:7443"
        )


def check_context_name(name: str) -> None:
    """Fails if a context could not be written in a file or on a command line under this name."""
    if not name or name.startswith("-") or len(name) > _MAX_NAME or not name.isprintable():
        raise Failure(ExitCode.USAGE, f"{name!r} is no name for a context", "choose a short word: demo")
