"""Writes what a sidecar mounts, its configuration, policy and certificates, and the client's settings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_client.authority import create_authority, issue_client, issue_server

if TYPE_CHECKING:
    from pathlib import Path

TRUST_DOMAIN = "demo.leadglass"
SERVER_NAME = "pod.leadglass.internal"
AGENT_CONFIG = "/etc/leadglass/agent.yaml"
AUDIT_LOG = "/var/lib/leadglass/audit.jsonl"
SHOP = "/srv/shop"

POLICY = f"""\
apiVersion: leadglass.dev/v1
kind: AccessPolicy
metadata:
  name: container-tests
spec:
  session:
    callsPerMinute: 6000
  # The tests ask for more in a minute than a person does.
  guard: {{denials: 100000, missingPids: 100000, missingPaths: 100000, calls: 100000}}
  bindings:
    - role: sre
      callers: ["spiffe://{TRUST_DOMAIN}/user/alice"]
    - role: visitor
      callers: ["spiffe://{TRUST_DOMAIN}/user/bob"]
  roles:
    - name: sre
      rules:
        - id: look-around
          effect: permit
          permissions: [session.open, agent.self, processes.list, processes.executable, processes.argv]
        - id: administer
          effect: permit
          permissions: [sessions.list, sessions.end, reviews.list, reviews.close]
        - id: environment
          effect: permit
          permissions: [env.presence, env.names]
          names: ["*"]
        - id: shop-files
          effect: permit
          permissions: [files.access, files.metadata, files.list]
          paths: ["{SHOP}", "{SHOP}/**"]
        - id: shop-texts
          effect: permit
          permissions: [text.redacted]
          paths: ["{SHOP}/**"]
        - id: no-keys
          effect: forbid
          permissions: [files.metadata, files.list, text.redacted]
          paths: ["{SHOP}/keys", "{SHOP}/keys/**"]
    - name: visitor
      rules:
        - id: only-sessions
          effect: permit
          permissions: [session.open]
"""


@dataclass(frozen=True, slots=True)
class Person:
    """A caller's certificate and settings, as the client finds them."""

    certificates: Path
    home: Path

    def environment(self) -> dict[str, str]:
        """The environment that the client runs in."""
        folders = {"XDG_CONFIG_HOME": self.home / "config", "XDG_STATE_HOME": self.home / "state", "HOME": self.home}
        kept = {key: value for key, value in os.environ.items() if key in {"PATH", "PYTHONPATH", "LANG"}}
        return kept | {key: str(value) for key, value in folders.items()}


def agent_config(port: int) -> str:
    """Writes an AgentConfig that listens on the pod's loopback, health on the port after the given one."""
    return f"""\
apiVersion: leadglass.dev/v1
kind: AgentConfig
metadata:
  name: container-tests
spec:
  listen: 127.0.0.1:{port}
  healthListen: 127.0.0.1:{port + 1}
  trustDomain: {TRUST_DOMAIN}
  tls:
    certificate: /etc/leadglass/tls/tls.crt
    key: /etc/leadglass/tls/tls.key
    callerAuthorities: /etc/leadglass/tls/ca.crt
  policy: /etc/leadglass/policy.yaml
  audit:
    path: {AUDIT_LOG}
"""


def write_agent_folder(folder: Path, authority: Path, port: int, owner: int) -> None:
    """Fills the folder that is mounted at /etc/leadglass; the key can be read by its owner alone."""
    folder.mkdir()
    (folder / "agent.yaml").write_text(agent_config(port), encoding="ascii")
    (folder / "policy.yaml").write_text(POLICY, encoding="ascii")
    issue_server(authority, SERVER_NAME, folder / "tls", path="/agent/pod")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner, owner)


def write_authority(folder: Path) -> Path:
    """Makes a throw-away authority for callers and agents."""
    create_authority(folder, TRUST_DOMAIN)
    return folder


def write_person(folder: Path, authority: Path, name: str) -> Person:
    """Issues a caller's certificate."""
    issue_client(authority, f"/user/{name}", folder / name / "tls")
    return Person(certificates=folder / name / "tls", home=folder / name)
