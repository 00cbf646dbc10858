"""Asks for one value in an emergency, and shows it once or keeps it in a private file."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from leadglass.v1.access_pb2 import RevealRequest, RevealResponse
from leadglass.v1.access_pb2_grpc import AccessServiceStub
from leadglass.v1.common_pb2 import ProcessRef
from leadglass_client import private_files
from leadglass_client.connection.agent import Agent
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.output.screen import show
from leadglass_client.output.shown_once import require_terminal, show_once
from leadglass_client.settings.target import resolve_target
from leadglass_client.unsealing import RevealKey, UnsealingError, new_key, open_sealed
from leadglass_client.views.reveal import reveal_sheet

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_client.forms import OutputForm
    from leadglass_client.options import ProcessName
    from leadglass_client.settings.global_options import GlobalOptions


def reveal_value(
    options: GlobalOptions, process: ProcessName, name: str, to_file: Path | None, form: OutputForm
) -> None:
    """Reveals one variable; where its value can go is settled before it is asked for, as it is given only once."""
    target = resolve_target(options)
    if to_file is None:
        require_terminal()
    else:
        private_files.require_absent(to_file)
        private_files.create(to_file, b"")
    try:
        key = new_key()
        request = RevealRequest(
            process=ProcessRef(pid=process.pid, start_ticks=process.start_ticks),
            name=name,
            recipient_key=key.recipient_key,
        )
        with Agent(target) as agent:
            answer = agent.ask(AccessServiceStub(agent.channel).Reveal, request)
        if answer.is_set:
            _hand_over(_opened(answer, key, process, name), process, name, to_file)
    except BaseException:
        _remove(to_file)
        raise
    if not answer.is_set:
        _remove(to_file)
    show(reveal_sheet(answer, process, name, to_file), form, no_color=options.no_color)
    if not answer.is_set:
        what = f"{name} is not set in process {process.pid}; nothing was revealed"
        raise Failure(ExitCode.NOT_FOUND, what, f"see which there are: leadglass env {process.pid}")


def _opened(answer: RevealResponse, key: RevealKey, process: ProcessName, name: str) -> bytes:
    try:
        return open_sealed(answer.sealed_value, key, pid=process.pid, name=name)
    except UnsealingError as error:
        next_step = "the grant may be used up: see `leadglass review list`, and tell whoever runs the agent"
        raise Failure(ExitCode.ERROR, str(error), next_step) from error


def _hand_over(value: bytes, process: ProcessName, name: str, to_file: Path | None) -> None:
    if to_file is None:
        show_once(f"{name} of process {process.pid}", value)
    else:
        private_files.replace(to_file, value)


def _remove(to_file: Path | None) -> None:
    if to_file is not None:
        with contextlib.suppress(OSError):
            to_file.unlink()
