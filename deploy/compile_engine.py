"""Compiles the redaction engine with mypyc: the same source, as machine code."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Final

import engine_sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setuptools import Extension

_PLAIN: Final = "LEADGLASS_PLAIN"


def main() -> int:
    """Compiles into a folder unless it holds that already; exit 1 when the compiler refuses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--into", type=Path, default=engine_sources.AGENT, help="folder of packages (default: in place)"
    )
    options = parser.parse_args()
    reason = why_plain()
    if reason:
        engine_sources.remove(options.into)
        sys.stderr.write(f"{reason}: the engine runs as plain Python, four to seven times slower\n")
        return 0
    if engine_sources.is_current(options.into):
        return 0
    if options.into != engine_sources.AGENT and engine_sources.is_current(engine_sources.AGENT):
        _copy(engine_sources.AGENT, options.into)
        return 0
    try:
        compile_into(options.into)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"{error.stderr}\n{shlex.join(error.cmd)}\n{_PLAIN}=1 builds without a compiler\n")
        return 1
    return 0


def why_plain() -> str:
    """Says why nothing can be compiled here, or nothing."""
    if os.environ.get(_PLAIN, "") not in {"", "0"}:
        return f"{_PLAIN} is set"
    if sys.platform != "linux":
        return "not on Linux, where agents run"
    if not _compiler():
        return "no C compiler"
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        return "no headers of Python"
    missing = [name for name in ("mypyc", "setuptools") if util.find_spec(name) is None]
    return f"no {' and no '.join(missing)}" if missing else ""


def compile_into(folder: Path) -> None:
    """Compiles every module and leaves the libraries in `folder`; raises CalledProcessError."""
    work = engine_sources.ROOT / "build" / f"engine{engine_sources.SUFFIX.removesuffix('.so')}"
    work.mkdir(parents=True, exist_ok=True)
    before = engine_sources.sources_digest()
    extensions = _generated(work)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        objects = dict(_compile_all(extensions, work, pool))
        fresh = work / "linked"
        shutil.rmtree(fresh, ignore_errors=True)
        list(pool.map(lambda one: _link(one, [objects[source] for source in one.sources], fresh), extensions))
    kept = set(objects.values())
    for old in (work / "objects").iterdir():
        if old not in kept:
            old.unlink()
    engine_sources.write_manifest(fresh, before)
    _copy(fresh, folder)
    shutil.rmtree(fresh)


def _copy(origin: Path, folder: Path) -> None:
    """Copies what was compiled, the manifest last; a file is replaced at once, as programs that run have it mapped."""
    (folder / engine_sources.MANIFEST).unlink(missing_ok=True)
    for name in engine_sources.outputs():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        shutil.copyfile(origin / name, partial)
        partial.replace(target)
    wanted = {folder / name for name in engine_sources.outputs()}
    for file in engine_sources.compiled_files(folder):
        if file not in wanted:
            file.unlink()


def _generated(work: Path) -> list[Extension]:
    """Lets mypyc write C, in this process: it ends it with its own message when a module does not compile."""
    from mypyc.build import mypycify  # noqa: PLC0415 - a second to import, and not there in plain builds

    settings = work / "mypy.ini"  # and not the settings of the static gate, which reads more than these modules
    settings.write_text("[mypy]\n", encoding="ascii")
    options = [
        f"--config-file={settings}",
        "--ignore-missing-imports",
        "--follow-imports=silent",
        "--no-incremental",
        f"--cache-dir={os.devnull}",
    ]
    os.chdir(engine_sources.AGENT)  # mypyc finds the packages from the working directory
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):  # notes on speed, unless it fails
            return mypycify(
                [*engine_sources.modules(), *options],
                opt_level=engine_sources.LEVEL,
                debug_level="0",
                multi_file=True,  # one C file a module: all cores compile, and an edited one alone is compiled again
                group_name=engine_sources.GROUP,
                target_dir=str(work),
            )
    except SystemExit:
        sys.stderr.write(said.getvalue())
        raise


def _compile_all(extensions: Sequence[Extension], work: Path, pool: ThreadPoolExecutor) -> list[tuple[str, Path]]:
    (work / "objects").mkdir(exist_ok=True)
    headers = hashlib.sha256()
    for header in sorted(work.glob("*.h")):
        headers.update(header.read_bytes())
    # The longest first, so that no core waits for it in the end.
    sources = sorted(
        ((source, one) for one in extensions for source in one.sources), key=lambda pair: -Path(pair[0]).stat().st_size
    )
    return list(pool.map(lambda pair: (pair[0], _object(pair[0], pair[1], work, headers.digest())), sources))


def _object(source: str, extension: Extension, work: Path, headers: bytes) -> Path:
    """Compiles one C file, unless the same file was compiled with the same headers before."""
    flags = [flag for flag in extension.extra_compile_args if flag != "-Werror"]
    includes = [f"-I{folder}" for folder in (sysconfig.get_path("include"), *extension.include_dirs)]
    command = [*_compiler(), *_flags("CFLAGS"), "-fPIC", *flags, "-w", *includes]
    digest = hashlib.sha256(b"\0".join((headers, *map(os.fsencode, command), Path(source).read_bytes())))
    target = work / "objects" / f"{digest.hexdigest()}.o"
    if not target.exists():
        partial = target.with_suffix(".partial")
        _run([*command, "-c", source, "-o", str(partial)])
        partial.replace(target)
    return target


def _link(extension: Extension, objects: Sequence[Path], folder: Path) -> None:
    target = folder / (extension.name.replace(".", "/") + engine_sources.SUFFIX)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Many of these are small: without a page of its own for code alone, each is half as large on disk and in the maps.
    merged = "-Wl,-z,noseparate-code"
    _run([*_compiler(), "-shared", "-s", merged, *_flags("LDFLAGS"), *map(str, objects), "-o", str(target)])


def _compiler() -> list[str]:
    """Gives the command of the C compiler: CC if it is set, that of this Python, or what the machine has."""
    chosen = os.environ.get("CC") or str(sysconfig.get_config_var("CC") or "")
    for command in (shlex.split(chosen), ["cc"], ["gcc"], ["clang"]):
        if command and shutil.which(command[0]):
            return command
    return []


def _flags(variable: str) -> list[str]:
    return shlex.split(str(sysconfig.get_config_var(variable) or ""))


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)


if __name__ == "__main__":
    sys.exit(main())
