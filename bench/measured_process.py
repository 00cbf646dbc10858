"""Runs functions in a process of their own, so that threads and memory of one contender are not charged to another."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, Final, ParamSpec, Self, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from types import TracebackType

P = ParamSpec("P")
R = TypeVar("R")

# The slowest answers within seconds; one that hangs is named, and the rest goes on.
_PATIENCE_SECONDS: Final = 120
_END_SECONDS: Final = 5


class NoAnswerError(Exception):
    """The process failed or took too long; the text says which."""


class MeasuredProcess:
    """A fresh interpreter that calls functions for us, one after the other; what they cache stays in it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        """Is running already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the process."""
        self.end()

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls a function of a module there and gives its result; raises NoAnswerError if there is none."""
        self.begin(function, *args, **kwargs)
        return cast("R", self.answer())

    def begin(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> None:
        """Begins a call and does not wait for it."""
        try:
            self._connection.send((function, args, kwargs))
        except OSError as error:
            message = "the process has ended"
            raise NoAnswerError(message) from error

    def answer(self) -> object:
        """Waits for the result of the call that was begun."""
        try:
            if not self._connection.poll(_PATIENCE_SECONDS):
                self.end()
                message = f"no answer within {_PATIENCE_SECONDS} s"
                raise NoAnswerError(message)
            failure, result = self._connection.recv()
        except (EOFError, ConnectionError) as error:
            message = "the process has ended"
            raise NoAnswerError(message) from error
        if failure is not None:
            raise NoAnswerError(failure)
        return cast("object", result)

    def end(self) -> None:
        """Ends the process, whatever it does."""
        self._connection.close()
        self._process.join(_END_SECONDS)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()


def _serve(connection: Connection) -> None:
    while True:
        try:
            function, args, kwargs = connection.recv()
        except EOFError:
            return
        answer: tuple[str | None, object]
        try:
            answer = (None, function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whatever a contender raises, the others are still measured
            answer = (f"{type(error).__name__}: {error}", None)
        connection.send(answer)
