"""Declares the options that several commands share, and gathers what they say."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from leadglass_client.forms import OutputForm
from leadglass_client.limits import DEFAULT_LIMIT, MAX_LIMIT
from leadglass_client.settings.global_options import DEFAULT_TIMEOUT_SECONDS, GlobalOptions

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

_META = "leadglass.global"
_PROCESS = re.compile(r"(?P<pid>[0-9]{1,7})(?:@(?P<ticks>[0-9]{1,20}))?")
_MAX_PID = 4_194_304  # PID_MAX_LIMIT of the kernel's include/linux/threads.h, 64 bit
_MAX_TICKS = 2**64 - 1


@dataclass(frozen=True, slots=True)
class ProcessName:
    """A process number, and its start in clock ticks to tell it from a later one; 0 for whichever has the number."""

    pid: int
    start_ticks: int


def process_name(text: str) -> ProcessName:
    """Reads PID or PID@STARTTICKS."""
    match = _PROCESS.fullmatch(text)
    if match is not None:
        parsed = ProcessName(int(match["pid"]), int(match["ticks"] or 0))
        if 0 < parsed.pid <= _MAX_PID and parsed.start_ticks <= _MAX_TICKS:
            return parsed
    what = f"{text!r} is no process: write PID or PID@STARTTICKS, as `leadglass ps -o name` does"
    raise click.BadParameter(what)


def plain_text(text: str) -> str:
    """Reads an argument that goes to the agent, which takes UTF-8 alone."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        what = "not valid UTF-8, which is all that can be asked for"
        raise click.BadParameter(what)
    return text


def _remember(ctx: click.Context, param: click.Parameter, value: object) -> None:
    # The group is read before the command, so what stands after the command wins.
    given = ctx.find_root().meta.setdefault(_META, {})
    if value is not None and value is not False:
        given[param.name] = value


def complete_context(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Completes names of contexts."""
    from leadglass_client.errors import Failure
    from leadglass_client.settings.contexts import read_contexts

    try:
        return [context.name for context in read_contexts().known if context.name.startswith(incomplete)]
    except Failure:
        return []


def with_global_options(*, hidden: bool) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Adds the global options; a command accepts them too, without listing them in its help."""
    path = click.Path(dir_okay=False)
    seconds = click.FloatRange(min=0.1, max=3600)
    options = (
        click.option(
            "--context",
            metavar="NAME",
            envvar=None if hidden else "LEADGLASS_CONTEXT",
            help="Context to use instead of the current one. [env: LEADGLASS_CONTEXT]",
            shell_complete=complete_context,
            expose_value=False,
            callback=_remember,
            hidden=hidden,
        ),
        _plain("--address", "HOST:PORT", "Address of the agent, or of a port-forward to it.", hidden=hidden),
        _plain("--server-name", "NAME", "Workload name that the agent's certificate must carry.", hidden=hidden),
        _plain("--ca", "FILE", "Authorities to check the agent with.", hidden=hidden, kind=path),
        _plain("--cert", "FILE", "Your certificate.", hidden=hidden, kind=path),
        _plain("--key", "FILE", "Its key; nobody else may read the file.", hidden=hidden, kind=path),
        click.option(
            "--session",
            metavar="ID",
            envvar=None if hidden else "LEADGLASS_SESSION",
            help="Session to use instead of the one opened last. [env: LEADGLASS_SESSION]",
            expose_value=False,
            callback=_remember,
            hidden=hidden,
        ),
        _plain("--timeout", "SECONDS", "Time for the whole command.  [default: 10]", hidden=hidden, kind=seconds),
        click.option(
            "--no-color",
            is_flag=True,
            help="Plain text also on a terminal. [env: NO_COLOR]",
            expose_value=False,
            callback=_remember,
            hidden=hidden,
        ),
    )

    def add(function: Callable[P, R]) -> Callable[P, R]:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def with_output(function: Callable[P, R]) -> Callable[P, R]:
    """Adds -o."""
    return click.option(
        "-o",
        "--output",
        "form",
        type=click.Choice([form.value for form in OutputForm]),
        default=OutputForm.TABLE.value,
        help="Form of the answer.",
        show_default=True,
    )(function)


def with_limit(function: Callable[P, R]) -> Callable[P, R]:
    """Adds --limit."""
    return click.option("--limit", type=click.IntRange(1, MAX_LIMIT), help=f"Most rows.  [default: {DEFAULT_LIMIT}]")(
        function
    )


def global_options() -> GlobalOptions:
    """Gathers what the global options of the running command say."""
    given: dict[str, object] = click.get_current_context().find_root().meta.get(_META, {})
    timeout = given.get("timeout")
    if isinstance(timeout, float) and math.isnan(timeout):  # within every range, as no comparison with it holds
        message = "--timeout is not a number"
        raise click.UsageError(message)
    return GlobalOptions(
        context=_text(given, "context"),
        address=_text(given, "address"),
        server_name=_text(given, "server_name"),
        authority=_text(given, "ca"),
        certificate=_text(given, "cert"),
        key=_text(given, "key"),
        session=_text(given, "session"),
        timeout_seconds=timeout if isinstance(timeout, float) else DEFAULT_TIMEOUT_SECONDS,
        no_color=given.get("no_color") is True,
    )


def _plain(
    name: str, metavar: str, text: str, *, hidden: bool, kind: click.Path | click.FloatRange | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    return click.option(
        name, metavar=metavar, help=text, type=kind, expose_value=False, callback=_remember, hidden=hidden
    )


def _text(given: dict[str, object], name: str) -> str:
    value = given.get(name)
    return value if isinstance(value, str) else ""
