"""One pod for all container tests: five apps as the kernel's rules tell them apart, and the sidecar beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from container_images import SEALED, agent_image, base_image, builder_image
from containers import Engine, engine, why_not
from planted_shop import command_with_secrets
from pods import APP_ID, OTHER_ID, Pod, Street, start_pod

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAME = f"{APP_ID}:{APP_ID}"


@pytest.fixture(scope="session")
def podman() -> Iterator[Engine]:
    """Podman with a storage of its own; all that was started ends with the session."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    with engine() as one:
        yield one


@pytest.fixture(scope="session")
def image(podman: Engine) -> str:
    """The sidecar's image, on nothing."""
    return agent_image(podman, builder_image(podman))


@pytest.fixture(scope="session")
def pod_base(podman: Engine) -> str:
    """The image of the apps, with an ordinary Python in it."""
    return base_image(podman)


@pytest.fixture(scope="session")
def pod(podman: Engine, image: str, pod_base: str, tmp_path_factory: pytest.TempPathFactory) -> Pod:
    """A pod of one web server, ready for more containers."""
    return start_pod(podman, pod_base, image, tmp_path_factory.mktemp("pod"))


@pytest.fixture(scope="session")
def street(pod: Pod) -> Street:
    """The pod with an app of each kind and a sidecar of the uid and gid of most of them, and an open session."""
    containers = {
        "web": pod.main,
        "plain": pod.redis("plain", 6381, user=_SAME),
        "other uid": pod.redis("uid", 6382, user=f"{OTHER_ID}:{APP_ID}"),
        "other gid": pod.redis("gid", 6383, user=f"{APP_ID}:{OTHER_ID}"),
        "capability": pod.redis("capability", 6384, user=_SAME, options=("--cap-add=NET_BIND_SERVICE",)),
        "execute-only": pod.redis("sealed", 6385, user=_SAME, program=SEALED),
        "worker": pod.app("worker", *command_with_secrets(pod.planted), user=_SAME),
    }
    agent = pod.sidecar("agent", 7443)
    opened = pod.ask(
        agent, pod.alice, "session", "open", "--reason", "checking what the pod shows", "--ticket", "INC-7"
    )
    assert opened.code == 0, opened.err
    return Street(pod, agent, {kind: pod.pid(name) for kind, name in containers.items()}, containers)
