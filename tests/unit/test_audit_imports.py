"""The audit log needs nothing but the standard library, so that a client without the agent's extra can verify one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import leadglass_agent


def test_verification_imports_with_the_standard_library_alone() -> None:
    root = Path(leadglass_agent.__file__).parent.parent
    program = (
        f"import sys; sys.path.append({str(root)!r}); import leadglass_agent.audit.verify, leadglass_agent.audit.log"
    )

    # -S: no site-packages; -I: neither the environment nor the current folder adds a path.
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True)
