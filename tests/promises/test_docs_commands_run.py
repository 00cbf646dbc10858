r"""Promise: the commands of the documentation run as it says.

Every ```console block of README.md and docs/*.md is typed into one shell, page by page, beside a small shop; blocks of
any other kind are text. A page speaks of process 17, of /srv/shop and of 127.0.0.1:7443; the real ones are put in their
place. The runbook is held to its outputs, too: there, a word with a digit fits any other, and `…` the rest of a line.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from leadglass_client.authority import create_authority, issue_client, issue_server
from planted_secrets import Planted, plant
from running_agent import start, wait_until_listening, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT: Final = Path(__file__).resolve().parents[2]
# Their examples are on files of their own, and tests of their own run them.
_ELSEWHERE: Final = frozenset({"audit.md", "audit-export.md", "policies.md", "replay.md"})
_PAGES: Final = tuple(
    page for page in (_ROOT / "README.md", *sorted((_ROOT / "docs").glob("*.md"))) if page.name not in _ELSEWHERE
)
_RUNBOOK: Final = _ROOT / "docs" / "runbook.md"
_BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_ON_A_LAPTOP: Final = frozenset({"kubectl", "podman", "docker", "helm", "make", "git", "pip", "apt-get"})
_POLICY: Final = """\
apiVersion: leadglass.dev/v1
kind: AccessPolicy
metadata: {name: shop}
spec:
  session: {ticketPattern: "INC-[0-9]{1,6}"}
  roles:
    - name: sre
      rules:
        - {id: session, effect: permit, permissions: [session.open, agent.self]}
        - {id: tree, effect: permit, permissions: [processes.list, processes.argv], processes: [{names: ["shop-*"]}]}
        - {id: env, effect: permit, names: ["*"], permissions: [env.presence, env.names],
           processes: [{names: ["shop-*"]}]}
        - {id: files, effect: permit, permissions: [files.access, files.metadata, files.list], paths: ["SHOP/**"]}
        - {id: texts, effect: permit, permissions: [text.redacted], paths: ["SHOP/*.yaml", "SHOP/*.log"]}
        - {id: keys, effect: forbid, permissions: [files.metadata, files.list], paths: ["SHOP/keys/**"]}
  bindings:
    - {role: sre, callers: ["spiffe://demo.leadglass/user/alice"]}
"""


@dataclass(frozen=True, slots=True)
class _Example:
    command: str
    output: str
    status: int


@dataclass(slots=True)
class _Laptop:
    """One reader's folder and shell; the agent starts when its certificates are there."""

    folder: Path
    planted: Planted
    pid: int
    stack: ExitStack
    address: str = ""

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Types one line; every line finds the variables of the lines before."""
        if not self.address and (self.folder / "server").exists() and "context set" in command:
            self.address = _start_agent(self)
        real = self._real(command)
        script = f"set -a; . ./variables; {real}\nstatus=$?; set | grep \"^[A-Z]*='[0-9@]*'$\" >variables; exit $status"
        return subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=self.folder,
            env={
                "PATH": f"{self.folder}/commands:{os.environ.get('PATH', os.defpath)}",
                "HOME": str(self.folder),
                "LANG": "C.UTF-8",
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=30,
            check=False,
        )

    def _real(self, text: str) -> str:
        text = text.replace("/srv/shop", f"{self.folder}/shop").replace("/etc/shop", f"{self.folder}/shop")
        text = re.sub(r"(?<![\w.-])17(?![\w.-])", str(self.pid), text)
        return text.replace("127.0.0.1:7443", self.address)

    def told(self, text: str) -> str:
        """Writes what was printed as the page would."""
        # Root has capabilities, the reader of a page has none.
        return re.sub(r"\b0x[0-9a-f]+", "none", text.replace(f"{self.folder}/shop", "/srv/shop"))


def _examples(page: Path) -> tuple[_Example, ...]:
    examples = []
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = example.partition("\n")
            status = re.search(r"^\(exit code (\d+)\)\n", output, re.MULTILINE)
            shown = output[: status.start()] if status else output
            examples.append(_Example(command, shown, int(status[1]) if status else 0))
    return tuple(examples)


def _pattern(output: str) -> re.Pattern[str]:
    """Makes what fits the output: spaces are one, words with a digit alike, `…` the rest of a line or whole lines."""
    lines = []
    for line in output.splitlines():
        if line.strip() == "…":
            lines.append(r"(?:.*\n)*?")
            continue
        words = (
            r".*" if word == "…" else r"\S*\d\S*" if re.search(r"\d", word) else re.escape(word)
            for word in line.split()
        )
        lines.append(r"\s*" + r"\s+".join(words) + r"[ ]*\n")
    return re.compile("".join(lines))


@contextmanager
def _shop(folder: Path, planted: Planted) -> Iterator[int]:
    """Runs two processes of a shop over its folder; gives the number of the first."""
    shop = folder / "shop"
    for name in ("bin", "shop/config", "shop/keys", "commands"):
        (folder / name).mkdir(parents=True)
    (shop / "serve.sh").write_text("read line\n", encoding="utf-8")
    (shop / "app.yaml").write_text(f"password: {planted['file']}\n", encoding="utf-8")
    database = f"postgresql://shop:{planted['database']}@db.internal:5432/shop"
    (shop / "shop.log").write_text(
        "12:00:01 checkout started\n"
        f"12:00:02 payment connect {database} failed: timeout\n"
        "12:00:03 payment retry 1 of 3\n",
        encoding="utf-8",
    )
    (shop / "config" / "shop.yaml").write_text("currency: EUR\n", encoding="utf-8")
    (shop / "config" / "shop.yaml").chmod(0o640)
    (shop / "current").symlink_to("config/shop.yaml")
    (shop / "keys" / "payment.key").write_text(planted["file"], encoding="utf-8")
    environment = {"LANG": "", "PORT": "8080", "DATABASE_URL": database, "SESSION_SECRET": planted["session"]}
    commands = (
        ("shop-web", "serve.sh", "--listen", "127.0.0.1:8080", "--session-secret", planted["session"]),
        ("shop-worker", "serve.sh", "--queue=orders", f"--database={database}"),
    )
    with ExitStack() as stack:
        pids = []
        for words in commands:
            program = folder / "bin" / words[0]
            program.symlink_to("/bin/sh")
            process = subprocess.Popen(words, executable=program, env=environment, cwd=shop, stdin=subprocess.PIPE)
            stack.callback(process.communicate)
            stack.callback(process.kill)
            pids.append(process.pid)
        yield pids[0]


def _start_agent(laptop: _Laptop) -> str:
    """Starts the agent from the certificates that lie in the folder; gives its address."""
    folder = laptop.folder
    (folder / "audit").mkdir()
    config = write_config(folder, _POLICY.replace("SHOP", f"{folder}/shop"), audit=folder / "audit")
    config.write_text(config.read_text("utf-8").replace("test.leadglass", "demo.leadglass"), encoding="utf-8")
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        agent = start(config, out, err)
    laptop.stack.callback(agent.wait)
    laptop.stack.callback(agent.terminate)
    return wait_until_listening(agent, folder / "out", folder / "err")["address"]


@contextmanager
def _laptop(folder: Path) -> Iterator[_Laptop]:
    planted = plant("database", "session", "file")
    with ExitStack() as stack:
        laptop = _Laptop(folder, planted, stack.enter_context(_shop(folder, planted)), stack)
        (folder / "variables").touch()
        for name, module in (("leadglass", "leadglass_client.main"), ("leadglass-agent", "leadglass_agent.__main__")):
            program = f"import sys; from {module} import main; sys.exit(main())"
            command = folder / "commands" / name
            command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{program}" "$@"\n', encoding="utf-8")
            command.chmod(0o700)
        yield laptop


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_run(page: Path, tmp_path: Path) -> None:
    examples = _examples(page)
    if not examples:
        pytest.skip("the page has no console block")
    with _laptop(tmp_path) as laptop:
        if not any("ca issue" in example.command for example in examples):
            create_authority(tmp_path / "ca", "demo.leadglass")
            issue_server(tmp_path / "ca", "shop.leadglass.internal", tmp_path / "server")
            issue_client(tmp_path / "ca", "/user/alice", tmp_path / "alice")
        for example in examples:
            program = shlex.split(example.command, comments=True)[0]
            if program in _NOT_ON_A_LAPTOP:
                continue
            done = laptop.run(example.command)
            printed = laptop.told(done.stdout)
            assert done.returncode == example.status, f"{example.command}\n{printed}"
            assert laptop.planted.leaks(done.stdout.encode()) == ()
            if page == _RUNBOOK:
                assert _pattern(example.output).fullmatch(printed), f"$ {example.command}\n{printed}"


def test_the_runbook_replaces_the_common_commands() -> None:
    text = _RUNBOOK.read_text(encoding="utf-8")

    for command in (
        "env",
        "ps aux",
        "ls -l",
        "stat",
        "cat /proc/1/environ",
        "cat /proc/17/cmdline",
        "readlink",
        "test -f",
        "cat /srv/shop/app.yaml",
        "tail -n",
        "grep -n",
    ):
        assert re.search(rf"kubectl exec [^`]*-- [^`]*{re.escape(command)}", text), command
    assert text.count("It never shows") >= len(_examples(_RUNBOOK)) // 2


def test_an_output_fits_its_page_and_another_does_not() -> None:
    page = "PID  NAME\n  17  shop-web …\n…\nend\n"

    assert _pattern(page).fullmatch("PID    NAME\n4242  shop-web  --listen x\nmore\neven more\nend\n")
    assert not _pattern(page).fullmatch("PID    NAME\n4242  other\nend\n")
