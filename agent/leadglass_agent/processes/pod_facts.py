"""Tells which pod this is, for grants that name one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_agent.access.approvals import PodFacts
from leadglass_agent.mounted_files import FilesUnread, read_set
from leadglass_agent.start import StartRefused

if TYPE_CHECKING:
    from leadglass_agent.config import Config

_MAX_POD_FACT = 256


def pod_facts(config: Config, agent_id: str) -> PodFacts:
    """Gives what grants may name this pod by; the file of a downward API volume tells its uid.

    Raises StartRefused.
    """
    uid = config.pod.uid
    if config.pod.uid_file:
        try:
            uid = read_set((config.pod.uid_file,), _MAX_POD_FACT).contents[0].decode("ascii").strip()
        except (FilesUnread, ValueError) as error:
            raise StartRefused(str(error)) from None
    return PodFacts(
        spiffe_id=agent_id,
        namespace=config.pod.namespace,
        workload=config.pod.workload,
        uid=uid,
        tier=config.tier,
    )
