"""Checks fields that several requests have against the bounds that the contract states beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_agent.errors import InvalidRequest
from leadglass_agent.policy.glob import plain
from leadglass_agent.views.rows import ProcessRef

if TYPE_CHECKING:
    from leadglass.v1 import common_pb2

_MAX_PATH_BYTES = 4_096
_MAX_PID = 4_194_304  # PID_MAX_LIMIT, linux/threads.h
_MAX_TICKS = 2**63 - 1


def arguments_of(*values: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Gives the arguments that are set; the audit record caps and escapes them."""
    return tuple((name, value) for name, value in values if value)


def ref_of(ref: common_pb2.ProcessRef) -> ProcessRef:
    """Reads the name of a process; raises InvalidRequest."""
    if ref.start_ticks > _MAX_TICKS:
        detail = "start_ticks is out of bounds"
        raise InvalidRequest(detail)
    return ProcessRef(pid=pid_of(ref.pid), start_ticks=ref.start_ticks)


def pid_of(pid: int) -> int:
    """Reads the number of a process; raises InvalidRequest."""
    if not 0 < pid <= _MAX_PID:
        detail = "a pid is out of bounds"
        raise InvalidRequest(detail)
    return pid


def path_of(path: str) -> str:
    """Reads a path; raises InvalidRequest.

    Gives the one spelling that the view opens, so that guard, budgets and log cannot take it for another path.
    """
    if not path.startswith("/") or "\0" in path or len(path.encode()) > _MAX_PATH_BYTES:
        detail = "a path is not absolute, holds a NUL or is longer than 4,096 bytes"
        raise InvalidRequest(detail)
    return plain(path)
