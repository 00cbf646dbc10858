"""Decides how many rows a list may have, and says when there were more."""

from __future__ import annotations

from leadglass_client.errors import ExitCode, Failure
from leadglass_client.limits import DEFAULT_LIMIT, MAX_LIMIT
from leadglass_client.output.screen import note


def limit_of(asked: int | None) -> int:
    """Gives the limit asked for, or the default."""
    return min(asked or DEFAULT_LIMIT, MAX_LIMIT)


def limit_reached(asked: int | None, *, more: bool) -> None:
    """Notes a cut that was asked for; a cut that was not is a partial answer."""
    if more and asked:
        note(f"there are more than {limit_of(asked)} rows; a larger --limit shows them")
    elif more:
        what = f"the list was cut after {DEFAULT_LIMIT} rows"
        raise Failure(ExitCode.PARTIAL, what, f"ask for more: --limit {MAX_LIMIT}; or for less")
