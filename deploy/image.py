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
_REQUIREMENTS = (_ROOT / "requirements" / "agent.txt", _ROOT / "requirements" / "build.txt")
# What our wheel is built from.
_SOURCES = ("agent", "client", "protos/gen", "deploy", "hatch_build.py", "pyproject.toml", "README.md", "LICENSE")
# What was compiled here is for this Python and this processor.
_NO_SOURCES = ("__pycache__", "*.so", "*.partial", "compiled.json", "catalogue.bin")
_PYTHON = "3.11"  # of the default base; --python says another
_ENGINES = ("podman", "docker")


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


def _arguments() -> _Arguments:
    parser = argparse.ArgumentParser(description="Builds the image of leadglass-agent.")
    parser.add_argument("--base", default="", help="base image; the one named in Dockerfile.agent if not given")
    parser.add_argument(
        "--builder",
        default="",
        help="image with the base's Python, a C compiler and Python's headers, which compiles the engine; without it "
        "the base, or for the base of Dockerfile.agent the image named there",
    )
    parser.add_argument("--tag", default="leadglass-agent:latest", help="name of the image (default: %(default)s)")
    parser.add_argument(
        "--engine", default="", help="podman or docker, with its own options; the one installed if not given"
    )
    parser.add_argument("--python", default=_PYTHON, help="Python version of the base (default: %(default)s)")
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
    builder = arguments.builder or arguments.base
    chosen = [f"--build-arg=BASE={arguments.base}"] if arguments.base else []
    chosen.extend([f"--build-arg=BUILDER={builder}"] if builder else [])
    _run(
        [
            *engine,
            "build",
            "--network=none",
            *chosen,
            f"--tag={arguments.tag}",
            f"--file={context / _DOCKERFILE.name}",
            str(context),
        ]
    )


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
