"""What the methods of a session are decided by: the table by which a recorded call is known to be whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.model import Permission
from leadglass_agent.recordings.format import RecordingError

if TYPE_CHECKING:
    from leadglass_client.replay.recording import RecordedCall

# Each permission, and the field groups that are decided beside it, as an agent's own table has them.
NEEDS: Final[dict[str, tuple[Permission, tuple[Permission, ...]]]] = {
    "/leadglass.v1.InspectService/ListProcesses": (
        Permission.PROCESSES_LIST,
        (Permission.PROCESSES_EXECUTABLE, Permission.PROCESSES_ARGV),
    ),
    "/leadglass.v1.InspectService/ListEnvironment": (Permission.ENV_PRESENCE, (Permission.ENV_NAMES,)),
    "/leadglass.v1.InspectService/StatFiles": (Permission.FILES_METADATA, ()),
    "/leadglass.v1.InspectService/ListDirectory": (Permission.FILES_LIST, (Permission.FILES_METADATA,)),
    "/leadglass.v1.InspectService/ReadText": (Permission.TEXT_REDACTED, ()),
    "/leadglass.v1.InspectService/ExplainAccess": (Permission.FILES_ACCESS, (Permission.FILES_METADATA,)),
    "/leadglass.v1.AccessService/Reveal": (Permission.ENV_REVEAL, ()),
}


def require_its_needs(call: RecordedCall) -> None:
    """Raises RecordingError if a call was decided by other permissions than its method is."""
    called = call.called
    needs = NEEDS.get(called.method)
    if needs is not None and needs != (called.permission, called.widens):
        message = f"call {call.number} was decided by other permissions than this version decides it by"
        raise RecordingError(message)
