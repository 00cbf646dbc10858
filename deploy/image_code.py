"""Turns sources into what Python runs, in files or in an archive; the same sources give the same bytes."""

from __future__ import annotations

import importlib.util
import py_compile
import zipfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_OPTIMIZE: Final = 2
_MOST: Final = 9
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)  # a zip file knows no earlier time


def compile_alone(source: Path, shown: str) -> Path:
    """Replaces a source by its code, without docstrings; tracebacks show it as `shown`."""
    target = source.with_suffix(".pyc")
    _compile(source, target, shown)
    source.unlink()
    return target


def compile_beside(source: Path, shown: str) -> Path:
    """Puts a source's code where Python started with -OO looks for it, and keeps the source."""
    target = source.parent / importlib.util.cache_from_source(source.name, optimization=_OPTIMIZE)
    target.parent.mkdir(exist_ok=True)
    _compile(source, target, shown)
    return target


def archive(modules: Mapping[str, Path], target: Path) -> None:
    """Moves code into an archive: less than half the size, and after a trim of the heap no more memory."""
    # A package without __init__ is found by an entry of its folder alone.
    folders = {f"{folder}/" for name in modules for folder in PurePosixPath(name).parents if folder.name}
    with zipfile.ZipFile(target, "w") as file:
        for folder in sorted(folders):
            file.writestr(zipfile.ZipInfo(folder, _EARLIEST), b"")
        for name, code in sorted(modules.items()):
            file.writestr(zipfile.ZipInfo(name, _EARLIEST), code.read_bytes(), zipfile.ZIP_DEFLATED, _MOST)
            code.unlink()


def _compile(source: Path, target: Path, shown: str) -> None:
    # Unchecked: there is no source beside it, or one that nobody can write.
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(source), str(target), dfile=shown, doraise=True, optimize=_OPTIMIZE, invalidation_mode=mode)
