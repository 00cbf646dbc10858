"""The question of AgentService: the agent's build, policy and posture."""

from __future__ import annotations

from functools import partial

from leadglass.v1 import agent_pb2
from leadglass_agent.api import messages
from leadglass_agent.api.question import Call, Ports, Question, Reply, ask, parse, unexpected
from leadglass_agent.processes.messages import AgentAnswer, AgentRequest

_SECOND = 1_000_000_000


def get_self(wire: bytes) -> Question:
    """Reads a GetSelfRequest."""
    attempt = parse(agent_pb2.GetSelfRequest, wire).attempt_forbidden
    arguments = (("attempt_forbidden", "true"),) if attempt else ()
    return Question(arguments=arguments, answer=partial(_answer, attempt=attempt))


async def _answer(ports: Ports, call: Call, *, attempt: bool) -> Reply:
    result = await ask(ports, call, partial(AgentRequest, attempt=attempt))
    if not isinstance(result, AgentAnswer):
        raise unexpected(result)
    own = ports.own_posture.tried() if attempt else ports.own_posture.read()
    postures = (own, *result.postures, ports.supervisor)
    message = agent_pb2.GetSelfResponse(
        version=ports.facts.version,
        agent_id=ports.live.credentials.agent_id,
        policy_digest=call.policy.digest,
        policy_name=call.policy.name,
        start_time=messages.timestamp(ports.facts.start_unix_ns),
        redaction_rules=result.redaction_rules,
        audit_writable=ports.audit_writable(),
        processes=[messages.agent_process(posture, attempts=attempt) for posture in postures],
        certificate_expire_time=messages.timestamp(ports.live.credentials.not_after_unix * _SECOND),
        open_sessions=ports.sessions.open_count,
    )
    return Reply(message, rows=len(postures))
