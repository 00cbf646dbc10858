"""Takes programs and libraries out of the machine that builds the image, so that they need nothing else of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FOUND: Final = re.compile(r"^\s*(\S+) => (.+) \(0x[0-9a-f]+\)$")
_MISSING: Final = re.compile(r"^\s*(\S+) => not found$")


class ElfError(Exception):
    """A library that a program names is nowhere, so that the image could not start."""


def loader_of(program: Path) -> str:
    """Reads which dynamic loader the kernel starts a program with."""
    return _output("patchelf", "--print-interpreter", str(program)).strip()


def libraries_of(files: Iterable[Path], loader: str) -> Iterator[tuple[str, Path]]:
    """Asks the loader which libraries it would map for these files: name and path, without itself."""
    for file in files:
        for row in _output(loader, "--list", str(file)).splitlines():
            if missing := _MISSING.match(row):
                message = f"{file} needs {missing[1]}, which is not here"
                raise ElfError(message)
            if (found := _FOUND.match(row)) and not found[1].startswith("/"):
                yield found[1], Path(found[2])


def bind(program: Path, *, loader: str, libraries: str) -> None:
    """Makes a program start with the image's loader and look for libraries in the image's folder first.

    DT_RPATH and not DT_RUNPATH: it holds for what libraries ask for as well, so that a base's own C library is never
    mixed in.
    """
    _output("patchelf", "--set-interpreter", loader, "--force-rpath", "--set-rpath", libraries, str(program))


def strip(file: Path) -> None:
    """Removes symbols that are only for debuggers, where the building machine has binutils."""
    if shutil.which("strip"):
        _output("strip", "--strip-unneeded", str(file))


def _output(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.stderr.write(done.stdout + done.stderr)
        done.check_returncode()
    return done.stdout
