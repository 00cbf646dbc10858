"""Picks what goes into the image, by the lists of image_contents, out of what is installed where it is built."""

from __future__ import annotations

import fnmatch
import sysconfig
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING

import image_contents
from reached import module_of, reached_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Picked:
    """A file, its name below the folder that it goes to, and the package that it is of, if it is one of Python's."""

    file: Path
    name: str
    package: Distribution | None = None

    @property
    def is_machine_code(self) -> bool:
        """Whether it is a library; names such as libc.so.6 count."""
        return ".so" in Path(self.name).suffixes


def standard_library() -> Iterator[Picked]:
    """Gives the listed modules, sources and machine code."""
    folder = Path(sysconfig.get_path("stdlib"))
    for file in sorted(folder.rglob("*.py")):
        name = file.relative_to(folder)
        top = name.parts[0].removesuffix(".py")
        unused_codec = top == "encodings" and name.stem not in image_contents.ENCODINGS
        left_out = unused_codec or _fits(str(name), image_contents.STANDARD_LIBRARY_WITHOUT)
        if top in image_contents.STANDARD_LIBRARY and not left_out:
            yield Picked(file, str(name))
    for file in sorted(Path(str(sysconfig.get_config_var("DESTSHARED"))).glob("*.so")):
        if file.name.partition(".")[0] in image_contents.STANDARD_LIBRARY:
            yield Picked(file, f"lib-dynload/{file.name}")


def packages(folder: Path) -> Iterator[Picked]:
    """Gives the listed files of the listed packages; raises KeyError if one is not installed there."""
    installed = {one.name.lower().replace("_", "-"): one for one in distributions(path=[str(folder)])}
    reached = reached_from(image_contents.PROGRAM, folder)
    ours = image_contents.PROGRAM.partition(".")[0]
    for title, patterns in image_contents.DISTRIBUTIONS.items():
        names = sorted(str(file) for file in installed[title].files or () if "__pycache__" not in file.parts)
        # Machine code of a module is there instead of its source, and never beside it.
        compiled = {name.partition(".")[0] for name in names if name.endswith(".so")}
        for name in names:
            is_compiled = name.endswith(".py") and name.removesuffix(".py") in compiled
            is_unreached = name.startswith(f"{ours}/") and name.endswith(".py") and module_of(name) not in reached
            if _is_kept(name, patterns) and not is_compiled and not is_unreached:
                yield Picked(folder / name, name, installed[title])


def _is_kept(name: str, patterns: tuple[str, ...]) -> bool:
    top, _, rest = name.partition("/")
    if top.endswith(".dist-info"):
        return rest not in image_contents.DIST_INFO_WITHOUT
    return _fits(name, patterns) and not _fits(name, image_contents.NEVER)


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
