"""The agent's configuration file, parsed once into frozen values."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from leadglass_agent.policy.model import Tier
from leadglass_agent.strict_yaml import load_document

_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]{2,45}\]|[0-9]{1,3}(?:\.[0-9]{1,3}){3}|localhost):(?P<port>[0-9]{1,5})")
_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_MOUNT = re.compile(r"(?:/[^/\0]{1,255}){1,16}")
_MAX_MOUNTS = 32
# Names of Kubernetes objects and uids are made of these; an empty one is unknown, and no grant that names one holds.
_POD_FACT = re.compile(r"[A-Za-z0-9._-]{0,253}")
_MAX_PORT = 65_535


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Where the agent's certificate chain, its key and the callers' authorities lie (PEM files)."""

    certificate: str
    key: str
    caller_authorities: str


class Audit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Where the audit log lies."""

    path: str


class Telemetry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Where metrics and traces go; nowhere unless asked for."""

    exporter: Literal["none", "stdout"] = "none"


class Pod(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Which pod this is, for grants that name it; `uid_file` is one of a downward API volume."""

    namespace: str = ""
    workload: str = ""
    uid: str = ""
    uid_file: str = ""


class Metadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Name of the configuration."""

    name: str


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Everything that the agent is told at start; it takes nothing from its environment."""

    listen: str
    health_listen: str
    trust_domain: str
    tls: Tls
    policy: str
    audit: Audit
    telemetry: Telemetry = Telemetry()
    # An agent that is not told otherwise is held to what production asks for.
    tier: Tier = Tier.PROD
    pod: Pod = Pod()
    # Certificates, keys, callers and grants that are refused although everything else about them is right.
    deny_list: str = ""
    # Directories below each target's root whose files are secrets, beside the usual ones and the kubelet's own.
    secret_mounts: tuple[str, ...] = ()
    unsafe_run_as_root: bool = False


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    api_version: Literal["leadglass.dev/v1"]
    kind: Literal["AgentConfig"]
    metadata: Metadata
    spec: Config


def parse_config(text: bytes, source: str) -> Config:
    """Parses a configuration file; raises DocumentError with `source:line:column: message`."""
    document = load_document(text, source, _Document)
    config = document.value.spec
    for name, address in (("listen", config.listen), ("healthListen", config.health_listen)):
        match = _ADDRESS.fullmatch(address)
        if match is None or int(match["port"]) > _MAX_PORT:
            raise document.error(("spec", name), "must be an IP address and a port such as 127.0.0.1:7443")
    if not _TRUST_DOMAIN.fullmatch(config.trust_domain):
        raise document.error(("spec", "trustDomain"), "must be a SPIFFE trust domain such as prod.example.org")
    for name, fact in (("namespace", config.pod.namespace), ("workload", config.pod.workload), ("uid", config.pod.uid)):
        if not _POD_FACT.fullmatch(fact):
            raise document.error(("spec", "pod", name), "must be at most 253 letters, digits and '-._'")
    if config.pod.uid and config.pod.uid_file:
        raise document.error(("spec", "pod", "uidFile"), "is there beside 'uid'; one of them says it")
    for index, path in enumerate(config.secret_mounts):
        if len(config.secret_mounts) > _MAX_MOUNTS or not _MOUNT.fullmatch(path) or ".." in path.split("/"):
            raise document.error(("spec", "secretMounts", index), "must be one of at most 32 absolute paths")
    return config
