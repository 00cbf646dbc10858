"""The agent's configuration file, parsed once into frozen values."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from leadglass_agent.policy.model import Tier
from leadglass_agent.sandbox.posture import SandboxLevel
from leadglass_agent.strict_yaml import Document, load_document
from leadglass_agent.telemetry.endpoint import EndpointError, parse_endpoint

_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]{2,45}\]|[0-9]{1,3}(?:\.[0-9]{1,3}){3}|localhost):(?P<port>[0-9]{1,5})")
_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_MOUNT = re.compile(r"(?:/[^/\0]{1,255}){1,16}")
_MAX_MOUNTS = 32
# Names of Kubernetes objects and uids are made of these; an empty one is unknown, and no grant that names one holds.
_POD_FACT = re.compile(r"[A-Za-z0-9._-]{0,253}")
_MAX_PORT = 65_535
_MAX_RETENTION_DAYS = 36_500
_MAX_SEGMENT = 65_536
_MAX_SPOOL = 65_536


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Where the agent's certificate chain, its key and the callers' authorities lie (PEM files)."""

    certificate: str
    key: str
    caller_authorities: str


class Sink(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Where copies of the audit records go: an OTLP/HTTP endpoint, and what happens while it takes nothing.

    `refuse` answers no call that the sink does not have within 10 s; `spool` lets so many mebibytes wait in the log.
    """

    endpoint: str
    authorities: str = ""
    headers_file: str = ""
    when_down: Literal["refuse", "spool"] = "spool"
    spool_mebibytes: int = 64


class Audit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Where the audit log lies, how large a file of it grows, how long it is kept (0: for good), where copies go."""

    path: str
    segment_mebibytes: int = 64
    retention_days: int = 0
    sink: Sink | None = None


class Recordings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Where sessions are recorded, under which key, and for how long.

    `key` is a file of 32 random bytes that the agent holds; `auditor_key` one with the auditor's X25519 public key
    (PEM), and then the agent itself cannot read a recording. One of them is given. 0 days keep for good.
    """

    path: str
    key: str = ""
    auditor_key: str = ""
    retention_days: int = 30


class Telemetry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Where metrics and traces go; nowhere unless asked for.

    `prometheus_listen` is the address of an HTTPS page of metrics, for clients with a certificate of the callers'
    authorities.
    """

    exporter: Literal["none", "stdout", "otlp"] = "none"
    endpoint: str = ""
    authorities: str = ""
    headers_file: str = ""
    prometheus_listen: str = ""


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
    recordings: Recordings | None = None
    # An agent that is not told otherwise is held to what production asks for.
    tier: Tier = Tier.PROD
    pod: Pod = Pod()
    # Certificates, keys, callers and grants that are refused although everything else about them is right.
    deny_list: str = ""
    # Directories below each target's root whose files are secrets, beside the usual ones and the kubelet's own.
    secret_mounts: tuple[str, ...] = ()
    # How far the kernel must confine every process of the agent; not given, the tier says it (`sandbox_floor`).
    require_sandbox: Literal["full", "seccomp", "none"] | None = None
    # Whether the app must never have been able to look into the agent; not given, the tier says it (`glass_required`).
    require_one_way_glass: bool | None = None
    unsafe_run_as_root: bool = False

    @property
    def sandbox_floor(self) -> SandboxLevel:
        """The level below which the agent does not start: all of it in production, none elsewhere."""
        if self.require_sandbox is None:
            return SandboxLevel.FULL if self.tier is Tier.PROD else SandboxLevel.NONE
        return SandboxLevel(self.require_sandbox.upper())

    @property
    def glass_required(self) -> bool:
        """Whether the agent starts only where its interpreter is execute-only: in production, if nothing is said."""
        return self.tier is Tier.PROD if self.require_one_way_glass is None else self.require_one_way_glass


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
    _check_audit(document, config.audit)
    _check_exports(document, config)
    _check_recordings(document, config.recordings)
    return config


def _check_audit(document: Document[_Document], audit: Audit) -> None:
    """Raises DocumentError for files of the log that are too small or large, or a number of days that is none."""
    place = ("spec", "audit")
    if not 1 <= audit.segment_mebibytes <= _MAX_SEGMENT:
        raise document.error(place, f"segmentMebibytes must be 1 to {_MAX_SEGMENT}")
    if not 0 <= audit.retention_days <= _MAX_RETENTION_DAYS:
        raise document.error(place, f"retentionDays must be 0 (for good) to {_MAX_RETENTION_DAYS}")


def _check_exports(document: Document[_Document], config: Config) -> None:
    """Raises DocumentError for an address that telemetry or copies of records cannot be sent to."""
    telemetry, sink = config.telemetry, config.audit.sink
    places = [(("spec", "telemetry", "endpoint"), telemetry.endpoint)] if telemetry.exporter == "otlp" else []
    if telemetry.exporter != "otlp" and (telemetry.endpoint or telemetry.authorities or telemetry.headers_file):
        raise document.error(("spec", "telemetry"), "names an endpoint, and no exporter that sends there")
    if sink is not None:
        places.append((("spec", "audit", "sink"), sink.endpoint))
        if not 1 <= sink.spool_mebibytes <= _MAX_SPOOL:
            raise document.error(("spec", "audit", "sink"), f"spoolMebibytes must be 1 to {_MAX_SPOOL}")
    for place, address in places:
        try:
            parse_endpoint(address)
        except EndpointError as error:
            raise document.error(place, f"the endpoint {error}") from None
    page = _ADDRESS.fullmatch(telemetry.prometheus_listen)
    if telemetry.prometheus_listen and (page is None or int(page["port"]) > _MAX_PORT):
        raise document.error(("spec", "telemetry", "prometheusListen"), "must be an IP address and a port")


def _check_recordings(document: Document[_Document], recordings: Recordings | None) -> None:
    """Raises DocumentError unless recordings have a folder, one key and a number of days."""
    if recordings is None:
        return
    place = ("spec", "recordings")
    if not recordings.path:
        raise document.error(place, "names no folder: 'path' is empty")
    if bool(recordings.key) is bool(recordings.auditor_key):
        raise document.error(place, "needs either 'key' or 'auditorKey', and not both")
    if not 0 <= recordings.retention_days <= _MAX_RETENTION_DAYS:
        raise document.error(place, f"retentionDays must be 0 (for good) to {_MAX_RETENTION_DAYS}")
