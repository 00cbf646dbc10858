"""Tells hatchling what the build makes beside the sources: the compiled engine, the catalogue's database."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib import util
from pathlib import Path
from typing import Any, Final

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_ROOT: Final = Path(__file__).resolve().parent
_AGENT: Final = _ROOT / "agent"
_CATALOGUE: Final = Path("leadglass_agent/redaction/catalogue")
# What reading the catalogue takes; without them the agent compiles its database at each start.
_READERS: Final = ("hyperscan", "msgspec", "yaml")


class EngineBuildHook(BuildHookInterface[BuilderConfig]):
    """Adds the engine as machine code and the catalogue's database to a wheel, or leaves both beside the sources."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Runs before hatchling gathers files; an editable install gets both in place."""
        if self.target_name != "wheel":
            return
        if version == "editable":
            _compile(_AGENT)
            _build_catalogue(_AGENT)
            return
        # hatchling copies them when this has returned, and finalize() removes the folder.
        self._folder = tempfile.TemporaryDirectory(prefix="leadglass-engine-")
        folder = Path(self._folder.name)
        _compile(folder)
        has_machine_code = any(folder.glob("*.so"))
        _build_catalogue(folder)
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                build_data["force_include"][str(file)] = file.relative_to(folder).as_posix()
        if has_machine_code:
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Removes what was copied into the wheel."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()


def _compile(folder: Path) -> None:
    # A process of its own: setuptools, which mypyc needs, replaces parts of the standard library where it is imported.
    subprocess.run([sys.executable, str(_ROOT / "deploy/compile_engine.py"), f"--into={folder}"], check=True)  # noqa: S603


def _build_catalogue(folder: Path) -> None:
    missing = [name for name in _READERS if util.find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"no {', no '.join(missing)}: the agent compiles its catalogue at each start, which takes a second\n"
        )
        return
    target = folder / _CATALOGUE
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(  # noqa: S603
        [sys.executable, "-B", "-m", "leadglass_agent.redaction.catalogue.build", f"--into={target}"],
        check=True,
        env={**os.environ, "PYTHONPATH": str(_AGENT)},
    )
