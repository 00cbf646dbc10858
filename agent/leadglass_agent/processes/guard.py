"""Turns whatever goes wrong while a request is read into a refusal that quotes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from leadglass_agent.errors import Reason, Refusal
from leadglass_agent.processes.messages import RefusedAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")


def guarded(work: Callable[[], _Result]) -> _Result | RefusedAnswer:
    """Gives what the work gives; a process or a file that trips our parser must not take the agent down."""
    try:
        return work()
    except Refusal as refusal:
        return RefusedAnswer(refusal.reason, str(refusal))
    except Exception as error:  # noqa: BLE001 - the gate's counterpart on this side of the channel
        # The type alone: an exception's text may quote what was read.
        return RefusedAnswer(Reason.INTERNAL, type(error).__name__)
