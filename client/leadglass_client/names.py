"""Checks the names that certificates carry: SPIFFE trust domains and paths, DNS names of workloads."""

from __future__ import annotations

import re

from leadglass_client.errors import ExitCode, Failure

# SPIFFE-ID 2.1 to 2.3: domain of [a-z0-9._-] up to 255 bytes, path segments of [A-Za-z0-9._-], id up to 2,048 bytes.
_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")
_MAX_ID_BYTES = 2048
# RFC 1035 2.3.4 and RFC 1123 2.1: labels of up to 63 letters, digits and inner hyphens, 253 characters in all.
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MAX_DNS_CHARACTERS = 253
# Goes into metadata and into the variables of shells: only what can do no harm there.
_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")


def check_trust_domain(name: str) -> str:
    """Returns the trust domain as it is, or fails with what is wrong."""
    if not _TRUST_DOMAIN.fullmatch(name):
        raise Failure(
            ExitCode.USAGE,
            f"{name!r} is no trust domain",
            "use small letters, digits, dots, hyphens, underscores: demo.leadglass",
        )
    return name


def spiffe_id(trust_domain: str, path: str) -> str:
    """Joins a trust domain and a path such as /user/alice into a SPIFFE id, or fails with what is wrong."""
    first, *segments = path.split("/")
    good = first == "" and segments and all(_SEGMENT.fullmatch(part) and part not in {".", ".."} for part in segments)
    if not good:
        raise Failure(ExitCode.USAGE, f"{path!r} is no SPIFFE path", "begin with a slash, end without one: /user/alice")
    identity = f"spiffe://{check_trust_domain(trust_domain)}{path}"
    if len(identity) > _MAX_ID_BYTES:
        raise Failure(ExitCode.USAGE, f"the SPIFFE id has more than {_MAX_ID_BYTES} bytes", "choose a shorter path")
    return identity


def check_workload_name(name: str) -> str:
    """Returns the DNS name as it is, or fails; no wildcard and no address, since it names one workload."""
    labels = name.split(".")
    good = len(name) <= _MAX_DNS_CHARACTERS and all(_LABEL.fullmatch(label) for label in labels)
    if not good or labels[-1].isdigit():
        raise Failure(
            ExitCode.USAGE, f"{name!r} is no workload name", "use a DNS name in small letters: demo.leadglass.internal"
        )
    return name


def is_session_id(text: str) -> bool:
    """Tells whether this can be the id of a session."""
    return _SESSION_ID.fullmatch(text) is not None
