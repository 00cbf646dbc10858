"""A small shop of processes and files beside an agent that records, and the commands that look at it and replay it."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_cli import Home, Outcome, flags
from running_agent import SERVER_NAME, RunningAgent, running_agent
from sample_processes import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REASON: Final = "looking for why the checkout is slow"
NAMES: Final = ("shop-web", "shop-vault", "other")
_RENAME: Final = "open('/proc/self/comm', 'w').write('{}')"
_ENVIRONMENT: Final = {"APP_MODE": "x", "APP_EMPTY": "", "APP_KEY": "x", "HOME": "x", "LANG": "C"}
POLICY: Final = """\
apiVersion: leadglass.dev/v1
kind: AccessPolicy
metadata: {name: NAME}
spec:
  session: {callsPerMinute: 6000, maxOpen: 20}
  guard: {denials: 100000, missingPids: 100000, missingPaths: 100000, distinctPaths: 100000, calls: 100000}
  roles:
    - name: sre
ROLE      rules:
        - {id: session, effect: permit, permissions: [session.open]}
RULES
    - name: auditor
      rules:
        - {id: recordings, effect: permit, permissions: [recordings.list, recordings.read]}
        - {id: keeping, effect: permit, permissions: [recordings.hold, recordings.shred]}
        - {id: auditing, effect: permit, permissions: [session.open, audit.read]}
  bindings:
    - {role: sre, callers: ["spiffe://test.leadglass/user/alice"]}
    - {role: auditor, callers: ["spiffe://test.leadglass/user/carol"]}
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """The processes by name, and the folder with the files."""

    folder: Path
    pids: dict[str, int]

    def policy(self, name: str, *rules: str, role: str = "") -> str:
        """Writes a policy in which alice's role has these rules, each in one line of YAML, and one more member."""
        lines = "\n".join(f"        - {{{rule}}}" for rule in rules)
        text = POLICY.replace("NAME", name).replace("RULES", lines).replace("@", str(self.folder))
        return text.replace("ROLE", f"      {role}\n" if role else "")


@dataclass(frozen=True, slots=True)
class Recorded:
    """An agent that records, and people with a command line."""

    agent: RunningAgent
    home: Home

    def run(self, user: str, *arguments: str) -> Outcome:
        """Runs a command as a user."""
        return self.home.run_here(*flags(self.agent.address, self.agent.client(user), SERVER_NAME), *arguments)

    def open(self) -> str:
        """Opens a session for alice, which her commands then use."""
        opened = self.run("alice", "session", "open", "--reason", REASON, "--ticket", "T-1", "-o", "name")
        assert opened.code == 0, opened.err
        return opened.out.strip()

    def fetch(self, session_id: str, to: Path, *arguments: str) -> Outcome:
        """Has carol, the auditor, save a recording."""
        return self.run("carol", "recording", "fetch", session_id, "-O", str(to), *arguments)


@contextmanager
def shop(folder: Path) -> Iterator[Shop]:
    """Lays out the files and runs the processes, for the time of a with-block."""
    folder.mkdir(exist_ok=True)
    texts = {"app/web.log": "started\nanswered 502\n", "app/conf.yaml": "mode: fast\n", "secrets/a": "", "names/b": ""}
    for name, text in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "app" / "to-names").symlink_to("../names")
    with ExitStack() as stack:
        scripts = ((name, _RENAME.format(name)) for name in NAMES)
        pids = {name: stack.enter_context(running(script=one, environment=_ENVIRONMENT)) for name, one in scripts}
        yield Shop(folder.resolve(), pids)


@contextmanager
def recording_agent(
    folder: Path, policy: str, *, auditor_key: Path | None = None, rewrite: Callable[[str], str] = str
) -> Iterator[Recorded]:
    """Runs an agent that records under a mounted key, or under the auditor's, for the time of a with-block."""
    folder.mkdir(exist_ok=True)
    store = folder / "recordings"
    store.mkdir(mode=0o700)
    key = folder / "recordings.key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    how = f"auditorKey: {auditor_key}" if auditor_key is not None else f"key: {key}"

    def with_recordings(config: str) -> str:
        return rewrite(f"{config}  recordings: {{path: {store}, {how}}}\n")

    with running_agent(folder, policy, rewrite=with_recordings) as agent:
        yield Recorded(agent, Home(folder / "home"))
