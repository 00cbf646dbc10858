"""api/lean_protobuf.py: the agent's messages work without protobuf's own implementation in Python."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys
from leadglass_agent.api.lean_protobuf import leave_out_python_messages
leave_out_python_messages()
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo
from leadglass.v1 import access_pb2, agent_pb2, audit_pb2, inspect_pb2
from leadglass_agent.api.methods import method_table

packed, found = Any(), ErrorInfo()
packed.Pack(ErrorInfo(reason="DENIED", metadata={"a": "b"}))
assert packed.Unpack(found) and found.reason == "DENIED" and found.metadata["a"] == "b"
at = Timestamp()
at.FromNanoseconds(1_700_000_000_123_456_789)
assert Timestamp.FromString(at.SerializeToString()).ToNanoseconds() == 1_700_000_000_123_456_789
assert Duration(seconds=3).ToSeconds() == 3
asked = inspect_pb2.StatFilesRequest(paths=["/a", "/b"])
assert list(inspect_pb2.StatFilesRequest.FromString(asked.SerializeToString()).paths) == ["/a", "/b"]
assert "paths" in str(asked) and asked != inspect_pb2.StatFilesRequest()
assert method_table()
print([name for name in ("google.protobuf.text_format", "google.protobuf.internal.decoder") if name in sys.modules])
"""


def test_messages_work_and_the_python_half_is_not_loaded() -> None:
    run = subprocess.run([sys.executable, "-c", _PROGRAM], check=True, capture_output=True, timeout=60, text=True)
    assert run.stdout.strip() == "[]"
