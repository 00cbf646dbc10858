"""Makes the headers of every reply: who the agent takes the caller for, by which grants, and how soon that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.access.session import seconds_left

if TYPE_CHECKING:
    from leadglass_agent.api.question import Call

CALLER: Final = "leadglass-caller"
GRANTS: Final = "leadglass-grants"
SECONDS_LEFT: Final = "leadglass-session-seconds-left"


def headers_of(call: Call) -> tuple[tuple[str, str], ...]:
    """Gives the headers of a call that may go on; outside a session it says nothing of an end."""
    headers = [(CALLER, str(call.caller.spiffe_id))]
    if call.grants:
        headers.append((GRANTS, ",".join(call.grants)))
    if call.session is not None:
        headers.append((SECONDS_LEFT, str(seconds_left(call.session, call.now))))
    return tuple(headers)
