"""The audit log needs nothing that a client without the agent's extra lacks, so that such a client can verify one."""

from __future__ import annotations

import subprocess
import sys

_ABSENT = ("grpc", "google", "msgspec", "yaml", "hyperscan", "joserfc", "opentelemetry", "leadglass_agent.api")


def test_verification_imports_cryptography_and_the_standard_library_alone() -> None:
    program = (
        "import sys\n"
        "import leadglass_agent.audit.verify, leadglass_agent.audit.witnesses, leadglass_agent.audit.log\n"
        f"print([name for name in {_ABSENT!r} if name in sys.modules])\n"
    )

    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment)

    assert done.stdout == "[]\n"
