"""Plants secrets where real programs have them: arguments, a script, files and their names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pod_files import SHOP

if TYPE_CHECKING:
    from pathlib import Path

    from planted_secrets import Planted

PLACES = (
    "environment",
    "environment address",
    "redis argument",
    "long option",
    "user and password",
    "java property",
    "shell command",
    "file content",
    "hidden file name",
)
# The real one overwrites the password on its own command line, which others do not.
_CURL = "#!/usr/bin/python3\nimport time\ntime.sleep(86400)\n"


def command_with_secrets(planted: Planted) -> tuple[str, ...]:
    """A shell that carries secrets in its script and gives them on to a program called curl."""
    words = (
        f"PGPASSWORD={planted['shell command']}",
        f"{SHOP}/bin/curl",
        f"-u admin:{planted['user and password']}",
        f"--password={planted['long option']}",
        f"-Dspring.datasource.password={planted['java property']}",
    )
    return ("sh", "-c", f"{' '.join(words)}; exit")


def write_shop(shop: Path, planted: Planted, owner: int) -> None:
    """Writes the folder that the apps share: settings, keys that policy hides, a link out of the root."""
    (shop / "keys").mkdir(parents=True)
    (shop / "bin").mkdir()
    (shop / "bin/curl").write_text(_CURL, encoding="ascii")
    (shop / "bin/curl").chmod(0o755)
    (shop / "settings.env").write_text(f"STRIPE_KEY={planted['file content']}\n", encoding="ascii")
    (shop / "keys" / f"{planted['hidden file name']}.pem").write_text(planted["file content"], encoding="ascii")
    (shop / "current").symlink_to("settings.env")
    (shop / "escape").symlink_to("/proc/1/environ")
    for path in (shop, *shop.rglob("*")):
        os.chown(path, owner, owner, follow_symlinks=False)
