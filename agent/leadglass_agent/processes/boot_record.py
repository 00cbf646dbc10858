"""Makes the record of a start: what runs, under which policy, what the kernel grants it, who vouches for its log."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from leadglass_agent.audit.log_key import LogKeyError, certify
from leadglass_agent.audit.record import Event, EventKind, body
from leadglass_agent.start import StartRefused

if TYPE_CHECKING:
    from leadglass_agent.access.approvals import PodFacts
    from leadglass_agent.api.question import AgentFacts
    from leadglass_agent.audit.record import Fact
    from leadglass_agent.credentials import Credentials
    from leadglass_agent.policy.model import Policy
    from leadglass_agent.sandbox.posture import Posture

_UNNAMED: Final = "leadglass.dev/unnamed"
_SCHEME: Final = "spiffe://"
# What of the record ties the log to the agent; cut, it would prove nothing.
_VOUCHING: Final = {
    "certificate": "the agent's certificate (tls.certificate) is too long for",
    "key_signature": "the agent's key (tls.key) makes signatures that are too long for",
}


def origin_base(agent_id: str) -> str:
    """Gives what begins the name of an agent's log: its SPIFFE id without the scheme."""
    return agent_id.removeprefix(_SCHEME) or _UNNAMED


def boot_record(
    policy: Policy,
    facts: AgentFacts,
    pod: PodFacts,
    postures: tuple[Posture, ...],
    further: tuple[Fact, ...],
    credentials: Credentials,
    verifier_key: str,
) -> Event:
    """Gives the record; `verifier_key` is the log's key of this run, which the key of the agent's certificate signs.

    Raises StartRefused if that key is of a kind that cannot, or if the record has no room for what it vouches with.
    """
    described: list[Fact] = [
        ("version", facts.version),
        ("agent_id", facts.agent_id),
        ("policy_name", policy.name),
        ("tier", pod.tier.value),
        *further,
    ]
    for posture in postures:
        role = posture.role.value.lower()
        described += [
            (f"{role}.pid", posture.pid),
            (f"{role}.uid", posture.uid),
            (f"{role}.gid", posture.gid),
            (f"{role}.effective_capabilities", f"{posture.effective_capabilities:x}"),
            (f"{role}.no_new_privs", posture.no_new_privs),
            (f"{role}.dumpable", posture.dumpable),
            (f"{role}.one_way_glass", posture.one_way_glass),
            (f"{role}.sandbox_level", posture.sandbox_level.value),
            (f"{role}.landlock_abi", posture.landlock_abi),
            (f"{role}.threads", posture.threads),
            (f"{role}.threads_filtered", posture.threads_filtered),
        ]
    try:
        signature = certify(verifier_key, load_pem_private_key(credentials.key, password=None))
    except LogKeyError as error:
        raise StartRefused(str(error)) from None
    record = Event(
        kind=EventKind.AGENT_STARTED,
        policy_digest=policy.digest,
        verifier_key=verifier_key,
        certificate=base64.b64encode(credentials.leaf).decode("ascii"),
        key_signature=signature,
        facts=tuple(described),
    )
    lost = body(record).get("cut", ())
    for field, what in _VOUCHING.items():
        if isinstance(lost, list) and field in lost:
            message = f"{what} the audit log: nobody could prove from it whose log it is"
            raise StartRefused(message)
    return record
