"""Looks into an image's file system, and runs its interpreter, without anything but the image itself."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from containers import Engine

INTERPRETER = "/opt/leadglass/bin/python3"
LOADER = "/opt/leadglass/lib/ld.so"
APP = "/opt/leadglass/app"
BILL = "/usr/share/sbom/leadglass-agent.cdx.json"
_ALONE = ("--rm", "--network=none", "--cap-drop=all", "--security-opt=no-new-privileges")
READ_ONLY = ("--read-only", "--read-only-tmpfs=false")
# As the image's own entry point starts it, but for the program: the folder of packages is on the path by hand.
_PATH = f"import sys; sys.path.insert(0, {APP!r})\n"


@contextmanager
def mounted(engine: Engine, image: str) -> Iterator[Path]:
    """Gives the folder that holds the image's root."""
    folder = Path(engine.call("image", "mount", image).strip())
    try:
        yield folder
    finally:
        engine.call("image", "unmount", image)


def files_of(root: Path) -> dict[str, Path]:
    """Lists whatever is not a directory, by its path in the image."""
    return {f"/{path.relative_to(root)}": path for path in sorted(root.rglob("*")) if not path.is_dir()}


def modules_of(root: Path) -> frozenset[str]:
    """Lists what could be imported: the names of files, and of entries of archives, below the folders of code."""
    names: set[str] = set()
    for name, path in files_of(root).items():
        if path.suffix == ".zip":
            with ZipFile(path) as archive:
                names.update(archive.namelist())
        else:
            names.add(name.removeprefix(f"{APP}/").removeprefix("/opt/leadglass/lib/python3.11/"))
    return frozenset(names)


def run_agent(engine: Engine, image: str, *arguments: str, options: tuple[str, ...] = READ_ONLY) -> str:
    """Runs the image as it is and gives what it printed."""
    return engine.call("run", *engine.options(), *_ALONE, *options, image, *arguments)


def run_python(engine: Engine, image: str, program: str, *, options: tuple[str, ...] = READ_ONLY) -> str:
    """Runs a few lines of Python in the image and gives what they printed."""
    entry = (f"--entrypoint={INTERPRETER}", image, "-I", "-S", "-OO", "-B", "-c", _PATH + program)
    return engine.call("run", *engine.options(), *_ALONE, *options, *entry, seconds=240)
