"""Asks a running agent for files of one process, and takes no answer that comes later than is promised."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc

from leadglass.v1 import common_pb2, inspect_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from running_agent import Caller

PROMISED_SECONDS: Final = 3.0
_TRIES: Final = 3  # a machine with more to do than it can is late, and asked again; a hung agent is late each time

_Answer = TypeVar("_Answer")


def reason(number: int) -> str:
    """Names a reason as the agent's own code does."""
    return common_pb2.UnavailableReason.Name(number).removeprefix("UNAVAILABLE_REASON_")  # type: ignore[arg-type] # of the wire


def promptly(ask: Callable[[], _Answer]) -> _Answer:
    """Gives the first answer that came within its deadline; fails if none did."""
    for left in reversed(range(_TRIES)):
        try:
            return ask()
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED or not left:
                raise
    raise AssertionError


@dataclass(frozen=True, slots=True)
class Looker:
    """One caller who looks at the files of one process."""

    caller: Caller
    pid: int

    @property
    def process(self) -> common_pb2.ProcessRef:
        """The process."""
        return common_pb2.ProcessRef(pid=self.pid)

    @property
    def call(self) -> dict[str, Any]:
        """What every call carries: its deadline and its session."""
        return {"timeout": PROMISED_SECONDS, "metadata": (("leadglass-session", self.caller.session_id),)}

    def stat(self, *paths: str, follow: bool = False) -> list[inspect_pb2.FileMetadata]:
        """Asks for metadata."""
        request = inspect_pb2.StatFilesRequest(process=self.process, paths=paths, follow_symlinks=follow)
        return list(promptly(lambda: self.caller.inspect.StatFiles(request, **self.call)).files)

    def page(self, path: str, *, size: int = 0, token: str = "") -> inspect_pb2.ListDirectoryResponse:
        """Asks for a page of a directory."""
        request = inspect_pb2.ListDirectoryRequest(process=self.process, path=path, page_size=size, page_token=token)
        return promptly(lambda: self.caller.inspect.ListDirectory(request, **self.call))

    def read(self, path: str, **window: Any) -> list[inspect_pb2.ReadTextResponse]:  # noqa: ANN401 - fields of the request
        """Asks for a window of a text, to its end."""
        request = inspect_pb2.ReadTextRequest(process=self.process, path=path, **window)
        return promptly(lambda: list(self.caller.inspect.ReadText(request, **self.call)))

    def first(self, path: str, **window: Any) -> inspect_pb2.ReadTextResponse:  # noqa: ANN401 - as above
        """Asks for a window of a text, and goes away after the first message."""
        request = inspect_pb2.ReadTextRequest(process=self.process, path=path, **window)

        def ask() -> inspect_pb2.ReadTextResponse:
            stream = self.caller.inspect.ReadText(request, **self.call)
            message: inspect_pb2.ReadTextResponse = next(stream)
            stream.cancel()
            return message

        return promptly(ask)

    def processes(self) -> list[int]:
        """Asks for the process' own row in the process tree."""
        request = inspect_pb2.ListProcessesRequest(pids=[self.pid])
        return [
            row.ref.pid for row in promptly(lambda: self.caller.inspect.ListProcesses(request, **self.call)).processes
        ]

    def variables(self) -> list[str]:
        """Asks for the names in its environment."""
        request = inspect_pb2.ListEnvironmentRequest(process=self.process)
        answer = promptly(lambda: self.caller.inspect.ListEnvironment(request, **self.call))
        return [row.name.text for row in answer.variables]


def lines(messages: list[inspect_pb2.ReadTextResponse]) -> list[str]:
    """Gives the lines of a window."""
    return [line.text.text for message in messages for line in message.lines]


@dataclass(frozen=True, slots=True)
class Held:
    """What the processes of an agent hold: how many there are, their descriptors and their memory."""

    processes: int
    descriptors: int
    resident_bytes: int


def held(first_pid: int) -> Held:
    """Counts what a process and all that descend from it hold."""
    pids = [first_pid, *_descendants(first_pid)]
    resident = sum(_resident(pid) for pid in pids)
    return Held(len(pids), sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids), resident)


def _descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text(encoding="ascii").split()):
            yield child
            yield from _descendants(child)


def _resident(pid: int) -> int:
    """Reads the memory that is the process' own: pages of files are shared, and come and go."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    return sum(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon:"))
