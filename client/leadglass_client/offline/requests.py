"""Makes a request for a grant: what one asks for, made out to one's own identity and key, for others to sign."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from leadglass_agent.access.dsse import Envelope
from leadglass_agent.access.grant import GRANT_PAYLOAD, Grant, GrantBudget, PodSelector, ProcessBound
from leadglass_agent.access.grant_json import GrantError, write_grant
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.offline.grant_check import CheckedGrant, GrantState
from leadglass_client.offline.grant_files import create_grant_file
from leadglass_client.offline.own_identity import own_identity
from leadglass_client.output.screen import show
from leadglass_client.permissions import REVEAL
from leadglass_client.views.grants import grant_sheet

if TYPE_CHECKING:
    from leadglass_client.forms import OutputForm
    from leadglass_client.settings.global_options import GlobalOptions


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; empty leaves a dimension to the policy, None leaves an amount unbounded."""

    permissions: tuple[str, ...]
    reveal: bool
    processes: tuple[str, ...]
    executables: tuple[str, ...]
    uids: tuple[int, ...]
    names: tuple[str, ...]
    paths: tuple[str, ...]
    namespace: str
    workload: str
    pod_uids: tuple[str, ...]
    agent_ids: tuple[str, ...]
    tier: str
    minutes: int
    not_before_unix: int | None
    reason: str
    ticket: str
    budget: GrantBudget
    policy_digest: str
    needs_evidence: bool


def make_request(options: GlobalOptions, wanted: Wanted, out: Path | None, form: OutputForm) -> None:
    """Writes the request to a new file, by default one named after its id, and shows it in words."""
    now = datetime.now(UTC)
    signer = own_identity(options, now).signer
    start = int(now.timestamp()) if wanted.not_before_unix is None else wanted.not_before_unix
    bound = ProcessBound(wanted.processes, wanted.executables, wanted.uids)
    grant = Grant(
        grant_id=uuid.uuid4().hex,
        requester=signer.spiffe_id,
        requester_key=signer.key_digest,
        permissions=(*wanted.permissions, REVEAL) if wanted.reveal else wanted.permissions,
        pods=_pods(wanted),
        tier=wanted.tier,
        not_before_unix=start,
        not_after_unix=start + wanted.minutes * 60,
        reason=wanted.reason,
        processes=() if bound == ProcessBound() else (bound,),
        names=wanted.names,
        paths=wanted.paths,
        budget=wanted.budget,
        ticket=wanted.ticket,
        policy_digest=wanted.policy_digest,
        needs_evidence=wanted.needs_evidence,
        reveals=wanted.reveal,
    )
    try:
        payload = write_grant(grant)
    except GrantError as error:
        what = f"no agent would take this request: {error}"
        raise Failure(ExitCode.USAGE, what, "correct it; see: leadglass request --help") from error
    path = out or Path(f"request-{grant.grant_id[:8]}.json")
    create_grant_file(path, Envelope(GRANT_PAYLOAD, payload))
    checked = CheckedGrant(grant, (), GrantState.REQUESTED)
    show(grant_sheet(path, checked, int(now.timestamp())), form, no_color=options.no_color)


def _pods(wanted: Wanted) -> tuple[PodSelector, ...]:
    """Makes a selector for each pod and agent that is named, within the namespace and workload."""
    return tuple(
        PodSelector(agent_id, wanted.namespace, wanted.workload, uid)
        for uid in wanted.pod_uids or ("",)
        for agent_id in wanted.agent_ids or ("",)
    )
