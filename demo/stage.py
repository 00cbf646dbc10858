"""Sets the stage of the demo below one temporary folder, and clears it again."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).resolve().parent
_ROLES = ("shop-init", "shop-web", "shop-worker")
_CHILDREN = ("shop-cron", "shop-web", "shop-worker", "shop-worker")
# What applications write when somebody debugs them in a hurry.
_LOG = """\
14:09:58 INFO  shop-web listening on 127.0.0.1:8080
14:10:02 DEBUG shop-worker connect postgresql://shop:{database}@db.internal:5432/shop
14:10:03 WARN  shop-worker smtp login failed user=shop password={smtp}
14:10:04 DEBUG shop-web {{"event": "settings", "session_secret": "{session}", "workers": 2, "currency": "EUR"}}
14:10:05 ERROR shop-worker cache timed out after 2000 ms: redis://:{cache}@cache.internal:6379/0
14:10:06 INFO  shop-web GET /checkout 502 2013 ms trace=7b0c4f2e9a6d4e11
"""
_START_SECONDS = 20.0
_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Stage:
    """What the tour plays on: the folder, the planted secrets by name, and the environment of every command."""

    folder: Path
    planted: dict[str, str]
    environment: dict[str, str]


@contextmanager
def stage() -> Iterator[Stage]:
    """Makes the folder with planted secrets and configuration; removes all of it in the end."""
    folder = Path(tempfile.mkdtemp(prefix="leadglass-demo-"))
    try:
        planted = {
            "database": secrets.token_hex(12),
            "session": secrets.token_urlsafe(24),
            "cloud": secrets.token_urlsafe(30),
            "backup": secrets.token_hex(10),
            "smtp": secrets.token_hex(9),
            "cache": secrets.token_hex(11),
            "file": secrets.token_hex(16),
        }
        _lay_out(folder, planted)
        yield Stage(folder, planted, _environment(folder))
    finally:
        shutil.rmtree(folder)


@contextmanager
def running_shop(on: Stage) -> Iterator[int]:
    """Runs the sample application in a session of its own; gives the number of its first process."""
    program = on.folder / "bin" / "shop-init"
    shop = subprocess.Popen(
        ["shop-init", "-IS", "shop.py", "shop-init", "../planted"],
        executable=program,
        env={"LANG": "C.UTF-8", "PATH": str(program.parent)},
        cwd=on.folder / "shop",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for_children(shop.pid)
        yield shop.pid
    finally:
        # The session is the shop's own, so its group holds nothing that somebody else started.
        os.killpg(shop.pid, signal.SIGKILL)
        shop.wait()


@contextmanager
def running_agent(on: Stage, config: Path) -> Iterator[str]:
    """Runs the agent beside the shop; gives the address where it listens."""
    out, err = on.folder / "agent.out", on.folder / "agent.err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        agent = subprocess.Popen(
            [str(Path(sys.executable).parent / "leadglass-agent"), "--config", str(config)],
            env=on.environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
    try:
        yield _address(agent, out, err)
    finally:
        agent.send_signal(signal.SIGTERM)
        try:
            agent.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            agent.kill()
            agent.wait()


def _lay_out(folder: Path, planted: dict[str, str]) -> None:
    (folder / "planted").write_text("".join(f"{key}={value}\n" for key, value in planted.items()), encoding="utf-8")
    (folder / "bin").mkdir()
    for role in _ROLES:
        # A link gives the process its name; the interpreter behind it is found through the link.
        (folder / "bin" / role).symlink_to(Path(sys.executable).resolve())
    (folder / "bin" / "shop-cron").symlink_to("/bin/sh")
    shop = folder / "shop"
    (shop / "config").mkdir(parents=True)
    (shop / "secrets").mkdir(mode=0o700)
    shutil.copy(_HERE / "shop.py", shop)
    (shop / "config" / "shop.yaml").write_text("currency: EUR\nworkers: 2\n", encoding="utf-8")
    (shop / "config" / "current").symlink_to("shop.yaml")
    (shop / "log").mkdir()
    (shop / "log" / "shop.log").write_text(_LOG.format(**planted), encoding="utf-8")
    key = shop / "secrets" / "payment.key"
    key.write_text(planted["file"], encoding="utf-8")
    key.chmod(0o600)
    (folder / "audit").mkdir(mode=0o700)
    (folder / "recordings").mkdir(mode=0o700)
    recording_key = folder / "recording.key"
    recording_key.write_bytes(secrets.token_bytes(32))
    recording_key.chmod(0o600)


def _environment(folder: Path) -> dict[str, str]:
    """Gives the environment of every command: the caller's own settings are neither used nor touched."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_STATE_HOME": str(folder / "state"),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "TERM": os.environ.get("TERM", "dumb"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _wait_for_children(pid: int) -> None:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        names = sorted(_name(child) for child in children.read_text(encoding="ascii").split())
        if names == list(_CHILDREN):
            return
        time.sleep(0.05)
    message = "the sample application did not start"
    raise RuntimeError(message)


def _name(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _address(agent: subprocess.Popen[bytes], out: Path, err: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and agent.poll() is None:
        for line in out.read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            if event.get("event") == "listening":
                return str(event["address"])
        time.sleep(0.05)
    message = f"the agent did not start: {err.read_text(encoding='utf-8')}"
    raise RuntimeError(message)
