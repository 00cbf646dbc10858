"""Leaves out the half of protobuf that is never used: its messages in Python, beside those in C."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Final

from google.protobuf.internal import api_implementation

_UNUSED: Final = "google.protobuf.internal.python_message"


def leave_out_python_messages() -> None:
    """Puts an empty module in its place, before the first message is loaded: 1 MB, with the text format behind it.

    protobuf imports it always and calls into it where there is no implementation in C; there it is left alone.
    """
    if api_implementation.Type() == "upb":
        sys.modules.setdefault(_UNUSED, ModuleType(_UNUSED))
