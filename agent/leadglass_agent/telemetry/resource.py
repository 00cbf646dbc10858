"""Names the agent to a backend, so that what two of them send is told apart; under OpenTelemetry's resource names."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadglass_agent.access.approvals import PodFacts


def resource_of(version: str, pod: PodFacts) -> dict[str, str]:
    """Gives the attributes; a new instance at each start, and of the pod what the configuration tells."""
    told = {"k8s.namespace.name": pod.namespace, "k8s.pod.uid": pod.uid}
    return {
        "service.name": "leadglass-agent",
        "service.version": version,
        "service.instance.id": str(uuid.uuid4()),
        **{name: value for name, value in told.items() if value},
    }
