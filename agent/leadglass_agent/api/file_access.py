"""The question of ExplainAccess: its bounds, what is asked of the reader, and the verdict as a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass.v1 import inspect_pb2
from leadglass_agent.api import messages
from leadglass_agent.api.question import Call, Ports, Question, Reply, ask, parse, unexpected
from leadglass_agent.api.request_bounds import arguments_of, path_of, ref_of
from leadglass_agent.errors import InvalidRequest
from leadglass_agent.policy.model import Permission
from leadglass_agent.processes.messages import AccessAnswer, AccessRequest
from leadglass_agent.views.access.model import Operation, Rule

if TYPE_CHECKING:
    from leadglass_agent.views.access.answer import AccessRow, Component, Identity

_OPERATIONS = {
    inspect_pb2.AccessOperation.Value(f"ACCESS_OPERATION_{operation.value}"): operation for operation in Operation
}
_MISSING = frozenset({Rule.NO_SUCH_FILE, Rule.NOT_A_DIRECTORY})


def explain_access(wire: bytes) -> Question:
    """Reads an ExplainAccessRequest."""
    request = parse(inspect_pb2.ExplainAccessRequest, wire)
    target = ref_of(request.process)
    path = path_of(request.path)
    operation = _OPERATIONS.get(request.operation)
    if operation is None:
        detail = "operation is none that this version knows"
        raise InvalidRequest(detail)

    async def answer(ports: Ports, call: Call) -> Reply:
        result = await ask(
            ports,
            call,
            lambda number, deadline_ns: AccessRequest(
                id=number,
                deadline_ns=deadline_ns,
                process=target,
                scope=call.scope,
                scope_metadata=call.widened[Permission.FILES_METADATA],
                path=path,
                operation=operation,
            ),
        )
        if not isinstance(result, AccessAnswer):
            raise unexpected(result)
        return Reply(
            _response(result.row),
            rows=1,
            redaction=messages.NAMES,
            paths=frozenset({path}),
            answers=1,
            missing_paths=(path,) if result.row.rule in _MISSING else (),
        )

    return Question(
        arguments=arguments_of(("operation", operation.value), ("path", path)), answer=answer, target=target
    )


def _response(row: AccessRow) -> inspect_pb2.ExplainAccessResponse:
    return inspect_pb2.ExplainAccessResponse(
        verdict=inspect_pb2.AccessVerdict.Value(f"ACCESS_VERDICT_{row.answer.value}"),
        rule=inspect_pb2.ACCESS_RULE_UNSPECIFIED
        if row.rule is None
        else inspect_pb2.AccessRule.Value(f"ACCESS_RULE_{row.rule.value}"),
        needed_rights=row.needed,
        has_rights=row.has,
        component=None if row.component is None else _component(row.component),
        identity=None if row.identity is None else _identity(row.identity),
        caveats=[inspect_pb2.AccessCaveat.Value(f"ACCESS_CAVEAT_{caveat.value}") for caveat in row.caveats],
        unavailable=messages.unavailable(row.unavailable),
        redaction=messages.profile(messages.NAMES),
    )


def _component(component: Component) -> inspect_pb2.AccessComponent:
    kind = inspect_pb2.FILE_TYPE_UNSPECIFIED
    if component.type is not None:
        kind = inspect_pb2.FileType.Value(f"FILE_TYPE_{component.type.value}")
    return inspect_pb2.AccessComponent(
        path=messages.visible_text(component.path),
        type=kind,
        mode=component.mode,
        owner_uid=component.owner_uid,
        owner_gid=component.owner_gid,
        link_target=None if component.link_target is None else messages.visible_text(component.link_target),
    )


def _identity(identity: Identity) -> inspect_pb2.AccessIdentity:
    return inspect_pb2.AccessIdentity(
        fsuid=identity.fsuid,
        fsgid=identity.fsgid,
        groups=identity.groups,
        capabilities=identity.capabilities,
    )
