"""Promise: of harmless replies the barrier withholds less than one in a thousand.

Each log line is taken as a reply of its own, over a pod whose processes have the environments of common images.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from corpora import logs, lookalikes
from gathering import gather_here
from leadglass_agent.barrier.barrier import Barrier
from leadglass_agent.views.procfs import open_proc
from sample_processes import OnDisk, lay_out

if TYPE_CHECKING:
    from pathlib import Path

_FAR_NS = 600_000_000_000
_EVERYWHERE = """\
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root
LANG=C.UTF-8
KUBERNETES_SERVICE_HOST=10.96.0.1
KUBERNETES_PORT=tcp://10.96.0.1:443
SHOP_DB_PORT_5432_TCP_ADDR=10.96.114.7
POD_NAMESPACE=production
OTEL_SERVICE_NAME=checkout
OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.observability:4317
OTEL_RESOURCE_ATTRIBUTES=service.version=2.31.4,deployment.environment=production
LOG_LEVEL=INFO
TZ=Europe/Berlin
"""
_IMAGES = (
    (
        "PYTHON_VERSION=3.11.9\nGPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568\nDJANGO_SETTINGS_MODULE=shop.settings.production\n"
        "PYTHON_SHA256=9b1e896523fc510691126c864406d9360a3d1e986acbda59cda57b5abda45b87\nWEB_CONCURRENCY=4\nGUNICORN_CMD_ARGS=--bind=0.0.0.0:8000"
    ),
    "NODE_VERSION=20.18.0\nYARN_VERSION=1.22.22\nNODE_ENV=production\nNODE_OPTIONS=--max-old-space-size=4096\nnpm_config_cache=/tmp/npm",
    (
        "JAVA_HOME=/opt/java/openjdk\nJAVA_VERSION=jdk-21.0.4+7\nJAVA_TOOL_OPTIONS=-XX:+UseG1GC -Xmx512m\n"
        "SPRING_PROFILES_ACTIVE=production\nSPRING_DATASOURCE_USERNAME=shop_reader\nMANAGEMENT_ENDPOINTS_WEB_EXPOSURE_INCLUDE=health,info,prometheus"
    ),
    "PGDATA=/var/lib/postgresql/data\nPG_MAJOR=16\nPG_VERSION=16.4-1.pgdg120+1\nPOSTGRES_USER=postgres\nPOSTGRES_DB=shop\nPGPASSWORD=postgres",
    "REDIS_VERSION=7.4.0\nREDIS_DOWNLOAD_SHA=57b47c2c6682636d697dbf5d66d8d495b4e653afc9cd32b7adf9da3e433b8aaf\nREDIS_PASSWORD=changeme",
    "NGINX_VERSION=1.27.1\nNJS_RELEASE=1~bookworm\nHADOOP_HOME=/opt/hadoop\nSPARK_HOME=/opt/spark\nZOO_LOG_DIR=/logs",
)


def _pod(folder: Path) -> str:
    """Lays out a pod of such images, each with secrets as generators make them."""
    source = random.Random(7)  # noqa: S311 - the same pod each time
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    processes = []
    for number, image in enumerate(_IMAGES):
        generated = (f"{name}={''.join(source.choices(letters, k=size))}" for name, size in _GENERATED)
        secrets = (
            "\n".join(generated) + f"\nADMIN_PIN={number}{number}{number}{number}\nDB_PASSWORD=Blue-Tractor-{number}7!"
        )
        block = f"{_EVERYWHERE}{image}\n{secrets}\nHOSTNAME=checkout-7d9f8b6c5d-x2x4{number}".replace("\n", "\0") + "\0"
        processes.append(OnDisk(pid=10 + number, environment=block.encode()))
    return lay_out(folder, *processes)


_GENERATED = tuple((f"SERVICE_{number}_TOKEN", 12 + number) for number in range(40))


def test_fewer_than_one_harmless_reply_in_a_thousand_is_withheld(tmp_path: Path) -> None:
    proc = open_proc(_pod(tmp_path / "proc"))
    barrier = Barrier(proc, gather_here)
    deadline_ns = time.monotonic_ns() + _FAR_NS
    lines = [line for _, line in logs()] + [part for case in lookalikes() for part in case.parts]
    withheld = [line for line in lines if barrier.held(line, 0, deadline_ns)]
    assert len(lines) > 40_000
    assert len(withheld) * 1_000 < len(lines), withheld[:5]
    proc.close()
