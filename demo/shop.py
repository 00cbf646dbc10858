"""The sample application of the demo: a small shop of several processes, run as `shop.py ROLE ARGUMENT…`."""

from __future__ import annotations

import ctypes
import http.server
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_LIFETIME_SECONDS = 600  # the shop ends by itself, whatever happens to the tour
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Plays one role."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    role = Path(sys.argv[1]).name
    match role:
        case "shop-init":
            _init(Path(sys.argv[2]))
        case "shop-web":
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
            server.timeout = _LIFETIME_SECONDS
            server.handle_request()
        case _:
            time.sleep(_LIFETIME_SECONDS)


def _init(secrets: Path) -> None:
    """Starts the other roles the way that real deployments do it: secrets in the environment and in arguments."""
    planted = dict(line.split("=", 1) for line in secrets.read_text(encoding="utf-8").splitlines())
    database = f"postgresql://shop:{planted['database']}@db.internal:5432/shop"
    common = {"LANG": "C.UTF-8", "TZ": "UTC", "LOG_LEVEL": "info", "FEATURE_FLAGS": ""}
    web = common | {"DATABASE_URL": database, "SESSION_SECRET": planted["session"], "PORT": "8080"}
    worker = common | {"QUEUE": "orders", "AWS_SECRET_ACCESS_KEY": planted["cloud"]}
    worker["BACKUP_PASSPHRASE"] = planted["backup"]
    cleaning = f"sleep {_LIFETIME_SECONDS}; redis-cli -h cache.internal -a {planted['cache']} flushall"
    children = [
        _start("shop-web", web, "--listen", "127.0.0.1:8080", "--session-secret", planted["session"]),
        _start("shop-worker", worker, "--queue=orders", f"--database={database}"),
        _start("shop-worker", worker, "--queue=mail", "--smtp-password", planted["smtp"]),
        subprocess.Popen(["sh", "-c", cleaning], executable=_program("shop-cron"), env=common),
    ]
    for child in children:
        child.wait()


def _start(name: str, environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    # The interpreter finds its library through PATH and the link, as its first argument is a bare name.
    path = {"PATH": str(Path(_program(name)).parent)}
    command = [name, "-IS", "shop.py", name, *arguments]
    return subprocess.Popen(command, executable=_program(name), env=environment | path)


def _program(name: str) -> str:
    return str(Path(os.environ["PATH"]) / name)


if __name__ == "__main__":
    main()
