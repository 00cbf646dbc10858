"""Measures the sidecar's image: its size by what it is made of, its start, and its memory while nobody asks.

bench/image_costs.py [--image NAME] [--enforce] [--out DIR]; as root with podman. Without a name it is the image that
the container tests use.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

# What runs containers in the tests runs them here.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

import grpc

from container_images import agent_image, builder_image
from containers import engine, why_not
from image_trees import READ_ONLY, files_of, mounted
from leadglass.v1 import agent_pb2, agent_pb2_grpc
from pod_files import SERVER_NAME, write_agent_folder, write_authority, write_person
from printed_rows import line, machine
from result_file import Result, Unit, write_results

if TYPE_CHECKING:
    from collections.abc import Iterator

    from containers import Engine
    from pod_files import Person

_RESULTS: Final = Path(__file__).resolve().parent / "results"
_SIZE, _START_SECONDS, _IDLE = 65.0, 1.5, 50.0  # MB, s, MiB
_SETTLE_SECONDS: Final = 15.0
_CALL_SECONDS: Final = 60.0
_USER: Final = 1000
_MEGA: Final = 1e6
_KIBI_PER_MEBI: Final = 1024
_PSS: Final = re.compile(rb"^Pss:\s+(\d+) kB$", re.MULTILINE)
_AUDIT: Final = "/var/lib/leadglass"
# Which part of the image a path belongs to: the first that fits.
_PARTS: Final = (
    ("grpc", "/opt/leadglass/app/grpc"),
    ("cryptography", "/opt/leadglass/app/cryptography"),
    ("redaction engine", "/opt/leadglass/app/leadglass_engine"),
    ("catalogue", "/opt/leadglass/app/leadglass_agent/redaction/catalogue"),
    ("agent", "/opt/leadglass/app/leadglass_agent"),
    ("hyperscan", "/opt/leadglass/app/hyperscan"),
    ("other packages", "/opt/leadglass/app"),
    ("interpreter", "/opt/leadglass/bin"),
    ("OpenSSL of Python", "/opt/leadglass/lib/python3.11/native/libcrypto"),
    ("OpenSSL of Python", "/opt/leadglass/lib/python3.11/native/libssl"),
    ("system libraries", "/opt/leadglass/lib/python3.11/native"),
    ("system libraries", "/opt/leadglass/lib/ld.so"),
    ("standard library and pure packages", "/opt/leadglass/lib/python"),
    ("bill of materials", "/"),
)


def main() -> int:
    """Measures, prints, and writes JSON; with --enforce, exit 1 if a limit is not held."""
    parser = argparse.ArgumentParser(description="Measures the sidecar's image.")
    parser.add_argument("--image", help="name of the image in the tests' storage")
    parser.add_argument("--enforce", action="store_true", help="exit 1 if a limit is not held")
    parser.add_argument("--out", type=Path, default=_RESULTS, metavar="DIR", help="folder of the JSON")
    options = parser.parse_args()
    if reason := why_not():
        print(f"image: {reason}; nothing was measured", file=sys.stderr)
        return 0
    with engine() as podman:
        image = options.image or agent_image(podman, builder_image(podman))
        results = [_size(podman, image), *_running(podman, image)]
    for result in results:
        print(line(result))
    write_results(results, options.out / "image.json")
    broken = [result.name for result in results if result.holds is False]
    print(f"\n{machine()}\n" + (f"limits not held: {', '.join(broken)}" if broken else "every limit is held"))
    return 1 if broken and options.enforce else 0


def _size(podman: Engine, image: str) -> Result:
    parts: dict[str, float] = {}
    with mounted(podman, image) as root:
        for name, path in files_of(root).items():
            part = next(part for part, begin in _PARTS if name.startswith(begin))
            parts[part] = parts.get(part, 0.0) + path.lstat().st_size / _MEGA
    ordered = dict(sorted(parts.items(), key=lambda pair: -pair[1]))
    return Result("image/size unpacked", sum(parts.values()), Unit.MEGABYTES, _SIZE, ordered)


def _running(podman: Engine, image: str) -> Iterator[Result]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        authority = write_authority(folder / "authority")
        alice = write_person(folder, authority, "alice")
        write_agent_folder(folder / "etc", authority, port, _USER)
        (folder / "audit").mkdir(mode=0o700)
        os.chown(folder / "audit", _USER, _USER)
        mounts = (f"--volume={folder / 'etc'}:/etc/leadglass:ro", f"--volume={folder / 'audit'}:{_AUDIT}")
        confined = ("--cap-drop=all", "--security-opt=no-new-privileges", f"--user={_USER}:{_USER}")
        name = podman.start("bench", image, options=("--network=host", *READ_ONLY, *confined, *mounts))
        pid = podman.host_pid(name)
        _wait_for_answer(port, alice)
        begun = int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19])
        seconds = time.clock_gettime(time.CLOCK_BOOTTIME) - begun / os.sysconf("SC_CLK_TCK")
        yield Result("image/start to first answer", seconds, Unit.SECONDS, _START_SECONDS)
        time.sleep(_SETTLE_SECONDS)
        shares = {f"{role} {one}": share for one, (role, share) in enumerate(_memory(pid))}
        yield Result("image/memory/idle", sum(shares.values()), Unit.MEBIBYTES, _IDLE, shares)


def _wait_for_answer(port: int, person: Person) -> None:
    files = person.certificates
    credentials = grpc.ssl_channel_credentials(
        (files / "ca.crt").read_bytes(), (files / "tls.key").read_bytes(), (files / "tls.crt").read_bytes()
    )
    options = (("grpc.ssl_target_name_override", SERVER_NAME), ("grpc.max_reconnect_backoff_ms", 50))
    # Any answer will do; without a session, it is that one is needed.
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options=options) as channel, suppress(grpc.RpcError):
        stub = agent_pb2_grpc.AgentServiceStub(channel)
        stub.GetSelf(agent_pb2.GetSelfRequest(), timeout=_CALL_SECONDS, wait_for_ready=True)


def _memory(pid: int) -> Iterator[tuple[str, float]]:
    """Gives the proportional set size of a process and its descendants, in MiB."""
    with suppress(ProcessLookupError, FileNotFoundError):  # a worker may end meanwhile
        found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_bytes())
        name = Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip()
        yield name, int(found[1]) / _KIBI_PER_MEBI if found else 0.0
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                yield from _memory(int(child))


if __name__ == "__main__":
    sys.exit(main())
