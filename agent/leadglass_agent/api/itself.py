"""The question of AgentService: the agent's build, policy and posture."""

from __future__ import annotations

from leadglass.v1 import agent_pb2
from leadglass_agent.api import messages
from leadglass_agent.api.question import Call, Ports, Question, Reply, ask, parse, unexpected
from leadglass_agent.processes.messages import AgentAnswer, AgentRequest
from leadglass_agent.sandbox.posture import Role, read_posture

_SECOND = 1_000_000_000


def get_self(wire: bytes) -> Question:
    """Reads a GetSelfRequest."""
    parse(agent_pb2.GetSelfRequest, wire)
    return Question(arguments=(), answer=_answer)


async def _answer(ports: Ports, call: Call) -> Reply:
    result = await ask(ports, call, AgentRequest)
    if not isinstance(result, AgentAnswer):
        raise unexpected(result)
    postures = (read_posture(Role.FRONT), *result.postures)
    message = agent_pb2.GetSelfResponse(
        version=ports.facts.version,
        agent_id=ports.live.credentials.agent_id,
        policy_digest=call.policy.digest,
        policy_name=call.policy.name,
        start_time=messages.timestamp(ports.facts.start_unix_ns),
        redaction_rules=result.redaction_rules,
        audit_writable=ports.audit_writable(),
        processes=[messages.agent_process(posture) for posture in postures],
        certificate_expire_time=messages.timestamp(ports.live.credentials.not_after_unix * _SECOND),
        open_sessions=ports.sessions.open_count,
    )
    return Reply(message, rows=len(postures))
