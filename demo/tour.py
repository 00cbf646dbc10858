"""The demo: a shop with planted secrets, an agent beside it, and a tour with the client over mutual TLS.

Every command is printed before it runs. With --keep the stage stays up until Enter, so that a reader can type them.
"""

from __future__ import annotations

import argparse
import base64
import os
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from stage import Stage, running_agent, running_shop, stage

_COMMAND_SECONDS = 30
# Exit codes of the client: no (`why`), denied by policy, not found or hidden, no session, a grant is needed, no proof.
_NO = 1
_DENIED = 3
_NOT_FOUND = 4
_NO_SESSION = 5
_APPROVAL_NEEDED = 9
_DOES_NOT_VERIFY = 10
_CUT = 10
_PURPOSE = '--reason "checkout is slow since the last deployment" --ticket SHOP-42'
_CONFIG = """\
apiVersion: leadglass.dev/v1
kind: AgentConfig
metadata: {{name: demo}}
spec:
  listen: 127.0.0.1:0
  healthListen: 127.0.0.1:0
  trustDomain: demo.leadglass
  tls:
    certificate: {folder}/agent/tls.crt
    key: {folder}/agent/tls.key
    callerAuthorities: {folder}/agent/ca.crt
  policy: {folder}/policy.yaml
  audit: {{path: {folder}/audit/audit.jsonl}}
  recordings: {{path: {folder}/recordings, key: {folder}/recording.key}}
  pod: {{namespace: shop, workload: checkout}}
  # A laptop: whatever its kernel grants, and an interpreter that everybody can read.
  requireSandbox: none
  requireOneWayGlass: false
  unsafeRunAsRoot: {root}
"""


class Tour:
    """Runs commands in front of the reader, and keeps all that they print."""

    def __init__(self, on: Stage) -> None:
        self._stage = on
        self.printed: list[bytes] = []

    def say(self, text: str) -> None:
        """Prints a heading."""
        print(f"\n{_BOLD}# {text}{_PLAIN}", flush=True)

    def run(self, command: str, *, expect: int = 0, into: str = "") -> str:
        """Prints a command, runs it, prints what it says or puts it `into` a file; gives it.

        Raises RuntimeError if it ends otherwise than expected.
        """
        print(f"{_GREEN}$ {command}{f' > {into}' if into else ''}{_PLAIN}", flush=True)
        done = subprocess.run(
            shlex.split(command),
            env=self._stage.environment,
            cwd=self._stage.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        self.printed.append(done.stdout)
        if into:
            (self._stage.folder / into).write_bytes(done.stdout)
        else:
            print(done.stdout.decode("utf-8", "backslashreplace").rstrip(), flush=True)
        if expect:
            print(f"(exit code {done.returncode})", flush=True)
        if done.returncode != expect:
            message = f"expected exit code {expect}, got {done.returncode}"
            raise RuntimeError(message)
        return done.stdout.decode("utf-8", "backslashreplace")


_COLOR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
_BOLD, _GREEN, _PLAIN = ("\x1b[1m", "\x1b[32m", "\x1b[0m") if _COLOR else ("", "", "")


def main() -> int:
    """Plays the tour; exit 0 if everything went as told and no planted secret was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the stage up until Enter is pressed")
    keep = bool(parser.parse_args().keep)
    with stage() as on:
        tour = Tour(on)
        config = _prepare(tour, on)
        tour.say("The agent starts beside a shop of five processes with secrets in environments and arguments.")
        with running_shop(on) as shop, running_agent(on, config) as address:
            print(f"{_GREEN}$ leadglass-agent --config {config} &{_PLAIN}")
            web, worker = _child(shop, "shop-web"), _child(shop, "shop-worker")
            where = f"--address {address} --server-name shop.demo.leadglass"
            _visit(tour, on, where, web, worker)
            _ask_for_more(tour, on, where, web)
            _look_back(tour, on, where)
            if keep:
                _wait(on)
        return _search(tour, on)


def _prepare(tour: Tour, on: Stage) -> Path:
    policy = Path(__file__).with_name("policy.yaml").read_text(encoding="utf-8").replace("@SHOP@", f"{on.folder}/shop")
    (on.folder / "policy.yaml").write_text(policy, encoding="utf-8")
    config = on.folder / "agent.yaml"
    config.write_text(_CONFIG.format(folder=on.folder, root=str(os.geteuid() == 0).lower()), encoding="utf-8")
    tour.say(
        "A throw-away authority, and certificates for the agent, Alice (SRE), Carol (who approves) and a dashboard."
    )
    tour.run("leadglass ca init ca --trust-domain demo.leadglass")
    tour.run("leadglass ca issue ca server --name shop.demo.leadglass --path /agent/shop --out agent")
    tour.run("leadglass ca issue ca client --path /user/alice --out alice")
    tour.run("leadglass ca issue ca client --path /user/carol --out carol")
    tour.run("leadglass ca issue ca client --path /user/dora --out dora")
    tour.run("leadglass ca issue ca client --path /service/dashboard --out dashboard")
    tour.say("The agent's files are checked strictly before anything starts.")
    tour.run(f"leadglass-agent check --config {config}")
    return config


def _visit(tour: Tour, on: Stage, where: str, web: int, worker: int) -> None:
    tour.run(f"leadglass context set shop {where} --identity alice")
    tour.run(f"leadglass context set shop-dashboard {where} --identity dashboard")
    tour.say("Nothing is read without a session: a person, a reason, a ticket, an end.")
    tour.run("leadglass ps", expect=_NO_SESSION)
    tour.run(f"leadglass session open {_PURPOSE}")
    tour.say("The process tree, with secrets masked where they stand; other processes of this host are not listed.")
    tour.run("leadglass ps")
    tour.say("The environment: which variables are set, never a value. BACKUP_* is hidden by policy.")
    tour.run(f"leadglass env {worker}")
    tour.run(f"leadglass env {web} DATABASE_URL SESSION_SECRET FEATURE_FLAGS NO_SUCH_VARIABLE")
    tour.say("Files: metadata as the process sees it, never content.")
    tour.run(f"leadglass ls {web} {on.folder}/shop/config")
    tour.run(f"leadglass stat {web} {on.folder}/shop/secrets/payment.key")
    tour.say("Why can the shop not run that file? The part of the path, and the rule of the kernel. Nothing is tried.")
    tour.run(f"leadglass why execute {on.folder}/shop/config/shop.yaml --pid {web}", expect=_NO)
    tour.say("The dashboard's role may list processes, but not look at environments.")
    tour.run(
        'leadglass --context shop-dashboard session open --reason "the hourly overview of the shop" --ticket SHOP-1',
    )
    tour.run(f"leadglass --context shop-dashboard env {web}", expect=_DENIED)


def _ask_for_more(tour: Tour, on: Stage, where: str, web: int) -> None:
    log = f"{on.folder}/shop/log/shop.log"
    tour.say("Logs are nobody's standing right. Alice asks in a file: what, where, how much, how long, and why.")
    tour.run(f"leadglass tail {web} {log}", expect=_APPROVAL_NEEDED)
    scope = f"--permission text.redacted --path '{on.folder}/shop/log/*' --tier prod --pod-namespace shop"
    tour.run(f"leadglass request {scope} --rows 100 --minutes 15 {_PURPOSE} --out request.json")
    tour.say("Her own yes does not count. Carol reads what she signs, and signs: no server takes part.")
    tour.run("leadglass approve request.json --yes", expect=_DENIED)
    tour.run(f"leadglass context set carol {where} --identity carol")
    tour.run("leadglass --context carol approve request.json --yes -o name")
    tour.say("A log that its application filled with secrets: each is masked, and it is searched as it is shown.")
    tour.run("leadglass session close")
    tour.run(f"leadglass session open --grant request.json {_PURPOSE}")
    tour.run(f"leadglass tail {web} {log}")
    tour.run(f"leadglass grep {web} -i 'error|502' {log}")
    tour.run(f"leadglass cat {web} {on.folder}/shop/secrets/payment.key", expect=_NOT_FOUND)
    tour.say("What is spent of the grant, which counts over all sessions that carry it.")
    tour.run("leadglass session show")


def _look_back(tour: Tour, on: Stage, where: str) -> None:
    tour.say("What the agent says of itself.")
    tour.run("leadglass self")
    tour.run("leadglass session close")
    tour.say("Dora is the auditor. She takes a copy of the log, and asks who looked at a name.")
    tour.run(f"leadglass context set dora {where} --identity dora")
    log = tour.run("leadglass --context dora audit log", into="copy.jsonl").encode()
    tour.run("leadglass audit who DATABASE_URL copy.jsonl")
    tour.say("Each reply to Alice carried a receipt, which her client kept. The copy is what they say it must be.")
    verify = "--receipts state/leadglass/receipts --authority ca/ca.crt"
    tour.run(f"leadglass audit verify copy.jsonl {verify}")
    tour.say("Somebody cuts the last ten records off. The log alone would not show it; the receipts do.")
    (on.folder / "cut.jsonl").write_bytes(b"".join(log.splitlines(keepends=True)[:-_CUT]))
    tour.run(f"leadglass audit verify cut.jsonl {verify}", expect=_DOES_NOT_VERIFY)
    tour.say("A session as it was: what was asked, and the masked answers, from its encrypted recording.")
    session = tour.run("leadglass --context dora recording list -o name").split()[0]
    tour.run(f"leadglass --context dora replay {session} --timeline")


def _child(shop: int, name: str) -> int:
    """Finds a process of the shop, as a reader would in the tree above."""
    children = Path(f"/proc/{shop}/task/{shop}/children").read_text(encoding="ascii").split()
    return next(int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == name)


def _wait(on: Stage) -> None:
    shown = {key: value for key, value in on.environment.items() if key.startswith(("XDG", "PATH"))}
    settings = [f"export {key}={shlex.quote(value)}" for key, value in shown.items()]
    print("\nThe stage stays up. In another terminal:\n  " + "\n  ".join(settings), flush=True)
    input("Press Enter to take it down. ")


def _search(tour: Tour, on: Stage) -> int:
    """Searches everything that was printed and written for the planted secrets."""
    tour.say(
        "Every byte of the replies, the grant, the agent's output and its files is searched for the planted secrets."
    )
    folders = (on.folder / "audit", on.folder / "recordings", on.folder / "state" / "leadglass" / "receipts")
    kept = sorted(file for folder in folders for file in folder.iterdir())
    written = [on.folder / "agent.out", on.folder / "agent.err", on.folder / "request.json", *kept]
    seen = [*tour.printed, *(path.read_bytes() for path in written)]
    found = [name for name, value in on.planted.items() if any(form in text for form in _forms(value) for text in seen)]
    size = sum(map(len, seen))
    print(f"{len(on.planted)} secrets, raw, base64, hex and URL-encoded, in {size} bytes: {len(found)} found", *found)
    return 1 if found else 0


def _forms(value: str) -> set[bytes]:
    raw = value.encode()
    # Base64 at its three alignments, without the ends that depend on what stands beside the value.
    shifted = {base64.b64encode(b"x" * shift + raw)[4 if shift else 0 : -4] for shift in range(3)}
    return {raw, raw.hex().encode(), quote(value, safe="").encode(), *shifted}


if __name__ == "__main__":
    sys.exit(main())
