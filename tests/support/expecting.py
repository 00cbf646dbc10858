"""What a test expects of an agent: a refusal with its reason, or a condition that comes true."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import grpc
import pytest

from running_agent import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable

_WAIT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05


def refusal(call: Callable[[], object]) -> str:
    """Gives the reason for which a call is refused; fails if it is answered."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return reason_of(caught.value)


def reason(call: Callable[[], object]) -> str:
    """Gives the reason for which a call is refused, or nothing if it is answered.

    A disk that is too busy for the audit log refuses everything for a moment: that is asked again.
    """
    end = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            call()
        except grpc.RpcError as error:
            refused = reason_of(error) or error.code().name
        else:
            return ""
        if refused != "AUDIT_UNAVAILABLE" or time.monotonic() > end:
            return refused
        time.sleep(_LOOK_SECONDS)


def until(holds: Callable[[], bool]) -> None:
    """Waits until something holds."""
    end = time.monotonic() + _WAIT_SECONDS
    while not holds():
        assert time.monotonic() < end, "it never held"
        time.sleep(_LOOK_SECONDS)
