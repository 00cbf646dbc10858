"""Shows whether a process may use a path, with the part of the path and the rule that decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass.v1.inspect_pb2 import (
    ACCESS_RULE_NO_SUCH_FILE,
    ACCESS_VERDICT_ALLOWED,
    ACCESS_VERDICT_DENIED,
    FILE_TYPE_UNSPECIFIED,
    AccessCaveat,
    AccessOperation,
    AccessRule,
    AccessVerdict,
    ExplainAccessResponse,
)
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.output.records import field_names, record, short_name
from leadglass_client.output.sheet import Cell, Look, Sheet
from leadglass_client.output.visible import printable
from leadglass_client.views.access_words import caveat_words, rule_words
from leadglass_client.views.file_mode import file_mode
from leadglass_client.views.unavailable import explain, reason_name

if TYPE_CHECKING:
    from leadglass.v1.inspect_pb2 import AccessComponent, AccessIdentity, ExplainAccessRequest

_RIGHTS = ((4, "r"), (2, "w"), (1, "x"))
_CAPABILITIES = ((1, "CAP_DAC_OVERRIDE"), (2, "CAP_DAC_READ_SEARCH"), (3, "CAP_FOWNER"))
_WORDS = {"ALLOWED": ("yes", "may", Look.GOOD), "DENIED": ("no", "may not", Look.BAD)}


def access_sheet(request: ExplainAccessRequest, answer: ExplainAccessResponse) -> Sheet:
    """Makes the sheet of a verdict; its identifier is the verdict in one word."""
    verdict = short_name(AccessVerdict.DESCRIPTOR, answer.verdict)
    whole = record(answer)
    return Sheet(
        document=whole,
        records=(whole,),
        fields=field_names(ExplainAccessResponse.DESCRIPTOR),
        identifiers=(verdict,),
        heading=tuple(_heading(request, answer, verdict)),
    )


def exit_code(answer: ExplainAccessResponse) -> ExitCode:
    """Gives the exit code of a verdict, as test(1) has it: 0 for yes, 1 for no."""
    return ExitCode.OK if answer.verdict == ACCESS_VERDICT_ALLOWED else ExitCode.ERROR


def unanswered(path: str, answer: ExplainAccessResponse) -> Failure | None:
    """Makes the failure where there is no such file, or where nobody can tell; None for a yes or a no."""
    shown = printable(path)
    if answer.verdict == ACCESS_VERDICT_DENIED and answer.rule == ACCESS_RULE_NO_SUCH_FILE:
        words = rule_words(short_name(AccessRule.DESCRIPTOR, answer.rule))
        return Failure(ExitCode.NOT_FOUND, f"{shown}: {words.text}", words.next_step)
    if answer.verdict in {ACCESS_VERDICT_ALLOWED, ACCESS_VERDICT_DENIED}:
        return None
    reason = explain(answer.unavailable)
    what = f"{shown}: not to be known: {reason.words} ({reason_name(answer.unavailable)})"
    return Failure(ExitCode.PARTIAL, what, reason.next_step)


def _heading(request: ExplainAccessRequest, answer: ExplainAccessResponse, verdict: str) -> list[tuple[str, Cell]]:
    operation = short_name(AccessOperation.DESCRIPTOR, request.operation).lower()
    word, may, look = _WORDS.get(verdict, ("unknown", "may or may not", Look.ODD))
    question = f"process {request.process.pid} {may} {operation} {printable(request.path)}"
    lines = [("answer", Cell(f"{word}: {question}", look))]
    if verdict not in _WORDS and answer.rule:
        lines.append(("because", Cell("the agent itself may not look further", Look.ODD)))
    if answer.HasField("component"):
        lines.append(("at", Cell(_place(answer.component))))
    if answer.rule:
        name = short_name(AccessRule.DESCRIPTOR, answer.rule)
        lines.append(("rule", Cell(f"{rule_words(name).text} ({name})")))
    if answer.needed_rights:
        lines.append(("rights", Cell(f"needs {_rights(answer.needed_rights)}, has {_rights(answer.has_rights)}")))
    if answer.HasField("identity"):
        lines.append(("process", Cell(_identity(answer.identity))))
    for caveat in answer.caveats:
        name = short_name(AccessCaveat.DESCRIPTOR, caveat)
        lines.append(("unless", Cell(f"{caveat_words(name)} ({name})", Look.ODD)))
    # Of a file that is not there, standard error says what to do (`unanswered`).
    if verdict == "DENIED" and answer.rule != ACCESS_RULE_NO_SUCH_FILE:
        lines.append(("next", Cell(rule_words(short_name(AccessRule.DESCRIPTOR, answer.rule)).next_step)))
    return lines


def _place(component: AccessComponent) -> str:
    path = printable(component.path.text) + ("…" if component.path.truncated else "")
    if component.HasField("link_target"):
        path += f" -> {printable(component.link_target.text)}"
    if component.type == FILE_TYPE_UNSPECIFIED:
        return f"{path}  (the agent itself cannot see it)"
    return f"{path}  {file_mode(component)} uid {component.owner_uid} gid {component.owner_gid}"


def _rights(bits: int) -> str:
    return "".join(letter if bits & bit else "-" for bit, letter in _RIGHTS)


def _identity(identity: AccessIdentity) -> str:
    groups = ", ".join(str(group) for group in identity.groups if group != identity.fsgid) or "none"
    held = ", ".join(name for bit, name in _CAPABILITIES if identity.capabilities >> bit & 1)
    return (
        f"uid {identity.fsuid} gid {identity.fsgid}, other groups: {groups}, overriding capabilities: {held or 'none'}"
    )
