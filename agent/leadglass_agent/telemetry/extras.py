"""Says whether what an extra brings is installed."""

from __future__ import annotations

from importlib.util import find_spec

from leadglass_agent.start import StartRefused


def need_extra(module: str, extra: str, key: str) -> None:
    """Raises StartRefused if a module is not installed, with the extra that brings it."""
    try:
        found = find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        found = False
    if not found:
        message = f"{key} needs what is not installed: pip install 'leadglass[{extra}]'"
        raise StartRefused(message)
