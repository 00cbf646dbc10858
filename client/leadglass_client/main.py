"""The `leadglass` command: the group of all commands, and the one place where a failure becomes an exit code."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import click

from leadglass_client.commands.approve import approve
from leadglass_client.commands.audit import audit
from leadglass_client.commands.ca import ca
from leadglass_client.commands.completion import completion
from leadglass_client.commands.context import context
from leadglass_client.commands.env import env
from leadglass_client.commands.files import ls, stat
from leadglass_client.commands.grant import grant
from leadglass_client.commands.policy import policy
from leadglass_client.commands.ps import ps
from leadglass_client.commands.recording import recording
from leadglass_client.commands.redact import redact
from leadglass_client.commands.replay import replay
from leadglass_client.commands.request import request
from leadglass_client.commands.reveal import reveal
from leadglass_client.commands.review import review
from leadglass_client.commands.self_report import self_report
from leadglass_client.commands.session import session
from leadglass_client.commands.text import cat, grep, tail
from leadglass_client.commands.why import why
from leadglass_client.errors import ExitCode, Failure, OutputLostError, ReaderGoneError
from leadglass_client.options import with_global_options
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from collections.abc import Sequence


def _print_version(ctx: click.Context, _param: click.Parameter, value: object) -> None:
    if value:
        try:
            click.echo(f"leadglass {version('leadglass')}")
        except PackageNotFoundError:
            click.echo("leadglass, not installed")
        ctx.exit()


@click.group("leadglass", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@with_global_options(hidden=False)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Print the version."
)
def cli() -> None:
    """Looks into a running container through its Leadglass agent: read-only, masked, audited.

    Global options may stand before or after the command.
    """


_READING = (ps, env, ls, stat, why, cat, tail, grep, self_report)
_ACCESS = (session, request, approve, grant, reveal, review, recording)
_OFFLINE = (policy, audit, replay, redact, context, ca, completion)
for _command in (*_READING, *_ACCESS, *_OFFLINE):
    cli.add_command(_command)


def main() -> None:
    """Runs the command line of this process and exits with the code of what happened."""
    sys.exit(run())


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line, by default that of this process, and returns the exit code."""
    # gRPC reads this when it is imported; its own lines about handshakes would stand between ours.
    os.environ["GRPC_VERBOSITY"] = "NONE"
    try:
        result: object = cli.main(arguments, prog_name="leadglass", standalone_mode=False)
    except Failure as failure:
        _say(failure.what, failure.next_step)
        return failure.code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except (ReaderGoneError, BrokenPipeError):
        _drop_output()
        return ExitCode.INTERRUPTED
    except (OutputLostError, OSError) as error:
        # Commands name the files that they fail on; what is left is the output itself.
        why = error.strerror if isinstance(error, OSError) else str(error)
        _say(f"the output cannot be written: {why}", "give it a file or a terminal that takes it")
        _drop_output()
        return ExitCode.ERROR
    return result if isinstance(result, int) else ExitCode.OK


def _drop_output() -> None:
    """Keeps the interpreter from finding out again when it flushes at exit."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(what: str, next_step: str) -> None:
    sys.stderr.write(f"leadglass: {printable(what)}\n")
    if next_step:
        sys.stderr.write(f"      next: {printable(next_step)}\n")


if __name__ == "__main__":
    main()
