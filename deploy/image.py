"""Builds the sidecar's image: wheels and sources into a folder first, then podman or docker without a network."""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_DOCKERFILE = _ROOT / "Dockerfile.agent"
_REQUIREMENTS = (_ROOT / "requirements" / "image.txt", _ROOT / "requirements" / "build.txt")
# What our wheel is built from.
_SOURCES = ("agent", "client", "protos/gen", "deploy", "hatch_build.py", "pyproject.toml", "README.md", "LICENSE")
# What was compiled here is for this Python and this processor.
_NO_SOURCES = ("__pycache__", "*.so", "*.partial", "compiled.json", "catalogue.bin")
_PYTHON = "3.11"  # of the default builder; --python says another
_BILL = "/usr/share/sbom/leadglass-agent.cdx.json"
_ENGINES = ("podman", "docker")
# The same sources give the same image, whenever it is built: no file of it and no field of it has a time of its own.
_TIMELESS = {"podman": ("--timestamp=0",), "docker": ("--build-arg=SOURCE_DATE_EPOCH=0",)}


def main() -> int:
    """Builds as the command line says; returns 0, or the exit code of the step that failed."""
    arguments = _arguments()
    engine = shlex.split(arguments.engine) if arguments.engine else _found_engine()
    if not engine:
        sys.stderr.write(f"deploy/image.py: none of {', '.join(_ENGINES)} is installed\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="leadglass-image-") as folder:
        context = Path(folder)
        try:
            _fill_wheelhouse(context / "wheelhouse", arguments.python)
            _copy_inputs(context)
            _build(engine, context, arguments)
            if arguments.sbom:
                _take_bill(engine, arguments.tag, arguments.sbom)
        except subprocess.CalledProcessError as error:
            sys.stderr.write(f"deploy/image.py: failed: {shlex.join(error.cmd)}\n")
            return error.returncode or 1
    return 0


class _Arguments(argparse.Namespace):
    base: str
    builder: str
    tag: str
    engine: str
    python: str
    sbom: Path | None


def _arguments() -> _Arguments:
    parser = argparse.ArgumentParser(description="Builds the image of leadglass-agent.")
    parser.add_argument(
        "--base",
        default="",
        help="with --builder: image below the agent's files, nothing (scratch) if not given; alone: the builder, and "
        "the result lies on nothing",
    )
    parser.add_argument(
        "--builder",
        default="",
        help="glibc image with Python and venv, whose interpreter and libraries are taken; with a C compiler and "
        "Python's headers it compiles the engine; the one that Dockerfile.agent names if not given",
    )
    parser.add_argument("--tag", default="leadglass-agent:latest", help="name of the image (default: %(default)s)")
    parser.add_argument(
        "--engine", default="", help="podman or docker, with its own options; the one installed if not given"
    )
    parser.add_argument("--python", default=_PYTHON, help="Python version of the builder (default: %(default)s)")
    parser.add_argument("--sbom", type=Path, help="file for a copy of the image's bill of materials (CycloneDX JSON)")
    return parser.parse_args(namespace=_Arguments())


def _found_engine() -> list[str]:
    return next(([name] for name in _ENGINES if shutil.which(name)), [])


def _fill_wheelhouse(wheelhouse: Path, python: str) -> None:
    """Downloads what the requirement files pin, each file checked by hash."""
    wheelhouse.mkdir()
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    pinned = ["--require-hashes", "--only-binary=:all:", f"--python-version={python}"]
    files = [f"--requirement={file}" for file in _REQUIREMENTS]
    _run([*pip, "download", *pinned, *files, f"--dest={wheelhouse}"])


def _copy_inputs(context: Path) -> None:
    (context / "requirements").mkdir()
    for file in _REQUIREMENTS:
        shutil.copyfile(file, context / "requirements" / file.name)
    shutil.copyfile(_DOCKERFILE, context / _DOCKERFILE.name)
    for name in _SOURCES:
        target = context / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (_ROOT / name).is_dir():
            shutil.copytree(_ROOT / name, target, ignore=shutil.ignore_patterns(*_NO_SOURCES))
        else:
            shutil.copyfile(_ROOT / name, target)


def _build(engine: list[str], context: Path, arguments: _Arguments) -> None:
    # One image alone is one that Python comes from: the agent brings all that it needs, and lies on nothing.
    builder, base = (arguments.builder, arguments.base) if arguments.builder else (arguments.base, "")
    chosen = [f"--build-arg={key}={image}" for key, image in (("BASE", base), ("BUILDER", builder)) if image]
    _run(
        [
            *engine,
            "build",
            "--network=none",
            *_TIMELESS.get(Path(engine[0]).name, ()),
            *chosen,
            f"--tag={arguments.tag}",
            f"--file={context / _DOCKERFILE.name}",
            str(context),
        ]
    )


def _take_bill(engine: list[str], image: str, target: Path) -> None:
    """Copies the bill of materials out of an image, which never runs for it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    made = subprocess.run([*engine, "create", image], check=True, capture_output=True, text=True)
    container = made.stdout.strip()
    try:
        _run([*engine, "cp", f"{container}:{_BILL}", str(target)])
    finally:
        _run([*engine, "rm", container])


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
