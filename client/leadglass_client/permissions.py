"""Names the permissions that a grant can give; the others need none, or are never given by one."""

from __future__ import annotations

GRANTABLE = (
    "processes.list",
    "processes.executable",
    "processes.argv",
    "env.presence",
    "env.names",
    "files.metadata",
    "files.list",
    "files.access",
    "text.redacted",
)
REVEAL = "env.reveal"
OTHERS = (
    "session.open",
    "agent.self",
    "grants.approve",
    "sessions.list",
    "sessions.end",
    "reviews.list",
    "reviews.close",
    "audit.checkpoint",
    "audit.read",
    "recordings.list",
    "recordings.read",
    "recordings.hold",
    "recordings.shred",
)
