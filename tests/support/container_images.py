"""Makes the images of the container tests: a small Debian with Python, one with a compiler, and the sidecar's."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from containers import alone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from containers import Engine

ROOT = Path(__file__).resolve().parents[2]
# A server program that is not ours, with a password on its command line as many charts give it.
_PACKAGES = "python3.11,python3-venv,redis-server"
# What compiles and strips the sidecar's; nothing of it but Python and a few libraries gets into the image.
_BUILD_PACKAGES = "python3.11,python3-venv,python3.11-dev,gcc,libc6-dev,binutils"
_BASE = "localhost/leadglass-base:"
_BUILDER = "localhost/leadglass-builder:"
_AGENT = "localhost/leadglass-agent:"
# Nothing in a container reads these; without them the image is half as large.
_PRUNED = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
)
SEALED = "/usr/local/bin/redis-sealed"
# What goes into the sidecar's image.
_INPUTS = (
    "agent",
    "client",
    "protos/gen",
    "deploy",
    "hatch_build.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "requirements/image.txt",
    "requirements/build.txt",
    "Dockerfile.agent",
)
_BUILT = frozenset({"compiled.json", "catalogue.bin"})


def base_image(engine: Engine) -> str:
    """Gives the name of the base, which is made if no earlier session made it by the same recipe."""
    return _made_once(engine, _BASE, _PACKAGES)


def builder_image(engine: Engine) -> str:
    """Gives the name of the image that builds the sidecar's, made once like the base."""
    return _made_once(engine, _BUILDER, _BUILD_PACKAGES)


def agent_image(engine: Engine, builder: str) -> str:
    """Gives the name of the sidecar's image, built as `make image` builds it unless nothing has changed since."""
    tag = _AGENT + _digest(builder)
    with alone():
        if not engine.has_image(tag):
            build_agent_image(engine, tag, f"--builder={builder}")
        engine.keep_only(_AGENT, tag)
    return tag


def build_agent_image(engine: Engine, tag: str, *options: str) -> None:
    """Builds the sidecar's image anew, without any layer of an earlier build."""
    command = [sys.executable, str(ROOT / "deploy" / "image.py"), f"--engine={' '.join(engine.command)}"]
    # Layers of earlier steps would stay in the storage; the digest above already says what is new.
    environment = {**os.environ, "BUILDAH_LAYERS": "false"}
    _run([*command, f"--tag={tag}", *options], seconds=900, environment=environment)


def _made_once(engine: Engine, prefix: str, packages: str) -> str:
    tag = prefix + hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    with alone():
        if not engine.has_image(tag):
            with tempfile.TemporaryDirectory(prefix="leadglass-base-", dir="/var/tmp") as folder:
                _make_base(engine, Path(folder) / "root", tag, packages)
        engine.keep_only(prefix, tag)
    return tag


def _make_base(engine: Engine, root: Path, tag: str, packages: str) -> None:
    _run(["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root)], seconds=600)
    for folder in _PRUNED:
        shutil.rmtree(root / folder)
        (root / folder).mkdir(parents=True)
    server = root / "usr/bin/redis-server"
    if server.exists():
        # Execute-only, as a vendor's hardened image may have it: the kernel makes its processes non-dumpable at exec.
        sealed = root / SEALED.lstrip("/")
        shutil.copyfile(server.resolve(), sealed)
        sealed.chmod(0o711)
    archive = root.with_suffix(".tar")
    _run(["tar", "--create", "--numeric-owner", f"--file={archive}", f"--directory={root}", "."], seconds=120)
    engine.call("import", str(archive), tag, seconds=240)


def _digest(builder: str) -> str:
    digest = hashlib.sha256(builder.encode())
    for path in _input_files():
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def _input_files() -> Iterator[Path]:
    for name in _INPUTS:
        path = ROOT / name
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in inside if file.is_file() and _is_input(file))


def _is_input(file: Path) -> bool:
    # What was compiled here is not copied.
    return "__pycache__" not in file.parts and file.suffix != ".so" and file.name not in _BUILT


def _run(command: list[str], *, seconds: float, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, check=False, timeout=seconds, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        message = f"{command[0]} exited {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        raise RuntimeError(message)
