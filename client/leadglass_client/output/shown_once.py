"""Shows a secret on a terminal until a key is pressed or its time is over, and leaves nothing of it on the screen.

It is written to the terminal's second screen, which has no scrollback. What a terminal, a multiplexer or a recorder
keeps by itself is beyond reach: docs/access.md says so.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
from typing import TYPE_CHECKING, Final, NoReturn

from rich.cells import cell_len, chop_cells

from leadglass_client.errors import ExitCode, Failure
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

_SECONDS: Final = 30.0
_HEADING_LINES: Final = 3
_ENTER: Final = "\x1b[?1049h\x1b[2J\x1b[H"
_CLEAR: Final = "\x1b[2J\x1b[H"
_LEAVE: Final = "\x1b[2J\x1b[H\x1b[?1049l"
_ENDING: Final = tuple(number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None)


def require_terminal() -> None:
    """Fails where a secret cannot be shown and cleared again; to be asked before there is a secret."""
    is_terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    if os.name != "posix" or not is_terminal or os.environ.get("TERM", "dumb") == "dumb":
        what = "a value is shown on a terminal alone, and never goes to a pipe or a file by itself"
        raise Failure(ExitCode.USAGE, what, "run it on a terminal, or name a file: --to-file FILE")


def show_once(title: str, value: bytes) -> None:
    """Shows the value page by page; every page goes with a key, or after 30 seconds with all that follow."""
    columns, rows = shutil.get_terminal_size()
    pages = tuple(_pages(value.decode("utf-8", "surrogateescape"), columns, max(1, rows - _HEADING_LINES)))
    with _keys_unseen() as descriptor, _signals_clear():
        try:
            for number, page in enumerate(pages, start=1):
                _write((_ENTER if number == 1 else _CLEAR) + _page(title, page, number, len(pages)))
                if not _is_pressed(descriptor):
                    return
        finally:
            _write(_LEAVE)


def _pages(text: str, columns: int, rows: int) -> Iterator[tuple[str, ...]]:
    lines = [piece for line in text.split("\n") for piece in _pieces(printable(line), columns)]
    for start in range(0, len(lines), rows):
        yield tuple(lines[start : start + rows])


def _pieces(line: str, columns: int) -> list[str]:
    return [line] if cell_len(line) <= columns else chop_cells(line, columns)


def _page(title: str, page: Sequence[str], number: int, count: int) -> str:
    place = f" ({number} of {count})" if count > 1 else ""
    return f"{printable(title)}{place}: press any key; gone after {_SECONDS:g} s\n\n" + "\n".join(page)


@contextlib.contextmanager
def _keys_unseen() -> Iterator[int]:
    """Makes keys arrive one by one and unseen; those that interrupt or suspend, too, which would leave it standing."""
    import termios

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    during = termios.tcgetattr(descriptor)
    during[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG)
    try:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, during)
        yield descriptor
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


@contextlib.contextmanager
def _signals_clear() -> Iterator[None]:
    """Makes the signals that end a process clear the screen first."""
    before = [(number, signal.signal(number, _end)) for number in _ENDING]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _is_pressed(descriptor: int) -> bool:
    ready, _, _ = select.select([descriptor], [], [], _SECONDS)
    return bool(ready) and os.read(descriptor, 1024) != b""


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
