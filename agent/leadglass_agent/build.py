"""What this build of the agent is called; a test holds it to the installed package."""

from __future__ import annotations

from typing import Final

# Written here, since reading the package's own metadata loads parsers of e-mail and archives: 3 MB in every process.
VERSION: Final = "0.1.0"
