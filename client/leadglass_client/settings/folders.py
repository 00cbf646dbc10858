"""Finds the folders of the XDG base directory specification that the client writes to."""

from __future__ import annotations

import os
from pathlib import Path


def config_folder() -> Path:
    """Returns the folder of contexts, under XDG_CONFIG_HOME or ~/.config."""
    return _folder("XDG_CONFIG_HOME", ".config")


def state_folder() -> Path:
    """Returns the folder of the current sessions, under XDG_STATE_HOME or ~/.local/state."""
    return _folder("XDG_STATE_HOME", ".local/state")


def receipts_folder() -> Path:
    """Returns the folder of what agents proved of their audit logs."""
    return state_folder() / "receipts"


def _folder(variable: str, default: str) -> Path:
    given = os.environ.get(variable, "")
    # The specification says: a relative path in such a variable is invalid, ignore it.
    base = Path(given) if Path(given).is_absolute() else Path.home() / default
    return base / "leadglass"
