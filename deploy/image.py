"""Builds the sidecar's image: wheels into a folder first, then podman or docker, which need no network."""  # noqa: INP001

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
_REQUIREMENTS = _ROOT / "requirements" / "agent.txt"
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
            _build(engine, context, arguments.base, arguments.tag)
        except subprocess.CalledProcessError as error:
            sys.stderr.write(f"deploy/image.py: failed: {shlex.join(error.cmd)}\n")
            return error.returncode or 1
    return 0


class _Arguments(argparse.Namespace):
    base: str
    tag: str
    engine: str
    python: str


def _arguments() -> _Arguments:
    parser = argparse.ArgumentParser(description="Builds the image of leadglass-agent.")
    parser.add_argument("--base", default="", help="base image; the one named in Dockerfile.agent if not given")
    parser.add_argument("--tag", default="leadglass-agent:latest", help="name of the image (default: %(default)s)")
    parser.add_argument(
        "--engine", default="", help="podman or docker, with its own options; the one installed if not given"
    )
    parser.add_argument("--python", default=_PYTHON, help="Python version of the base (default: %(default)s)")
    return parser.parse_args(namespace=_Arguments())


def _found_engine() -> list[str]:
    return next(([name] for name in _ENGINES if shutil.which(name)), [])


def _fill_wheelhouse(wheelhouse: Path, python: str) -> None:
    """Downloads what requirements/agent.txt pins, each file checked by hash, and builds our own wheel beside it."""
    wheelhouse.mkdir()
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    pinned = ["--require-hashes", "--only-binary=:all:", f"--python-version={python}", f"--requirement={_REQUIREMENTS}"]
    _run([*pip, "download", *pinned, f"--dest={wheelhouse}"])
    # hatchling comes from this environment, whose own requirements are pinned by hash too.
    _run([*pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation", f"--wheel-dir={wheelhouse}", str(_ROOT)])


def _copy_inputs(context: Path) -> None:
    (context / "requirements").mkdir()
    shutil.copyfile(_REQUIREMENTS, context / "requirements" / _REQUIREMENTS.name)
    shutil.copyfile(_DOCKERFILE, context / _DOCKERFILE.name)


def _build(engine: list[str], context: Path, base: str, tag: str) -> None:
    chosen = [f"--build-arg=BASE={base}"] if base else []
    _run(
        [
            *engine,
            "build",
            "--network=none",
            *chosen,
            f"--tag={tag}",
            f"--file={context / _DOCKERFILE.name}",
            str(context),
        ]
    )


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
