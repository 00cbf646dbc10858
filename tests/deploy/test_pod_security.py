"""Every pod that deploy/ makes fits the Pod Security Standard `restricted`, and what it can reach is no more."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest

from pod_security import violations
from renderings import container, everything, overlay, pods
from yaml_nodes import Mapping, Node, at, items, mapping, number, rows, text

if TYPE_CHECKING:
    from collections.abc import Iterator

_OURS = ("leadglass", "leadglass-svid")
_TOKENS = "/var/run/secrets/kubernetes.io/serviceaccount"


def _every_pod() -> Iterator[tuple[str, Mapping]]:
    for name, objects in everything():
        for _, spec in pods(objects):
            yield name, spec


def _sidecars() -> Iterator[tuple[str, Mapping, Mapping]]:
    for name, spec in _every_pod():
        for one in rows(spec["initContainers"]):
            if one["name"] in _OURS:
                yield f"{name}: {one['name']}", one, spec


def _prod() -> Mapping:
    ((_, spec),) = pods(overlay("prod"))
    return copy.deepcopy(spec)


def _set(spec: Mapping, value: Node, *path: str | int) -> None:
    holder: Node = spec
    for step in path[:-1]:
        holder = mapping(holder).setdefault(step, {}) if isinstance(step, str) else items(holder)[step]
    mapping(holder)[str(path[-1])] = value


def test_every_pod_is_restricted() -> None:
    found = list(_every_pod())

    assert len(found) == 8
    for name, spec in found:
        assert violations(spec) == (), name


_ANY = ("initContainers", 0)
_CONTEXT = (*_ANY, "securityContext")


@pytest.mark.parametrize(
    ("rule", "value", "path"),
    [
        ("hostNetwork", True, ("hostNetwork",)),
        ("hostPID", True, ("hostPID",)),
        ("hostIPC", True, ("hostIPC",)),
        ("volume leadglass-audit: hostPath", {"path": "/"}, ("volumes", 0, "hostPath")),
        ("volume leadglass-audit: nfs", {"server": "x", "path": "/"}, ("volumes", 0, "nfs")),
        ("sysctl kernel.core_pattern", [{"name": "kernel.core_pattern"}], ("securityContext", "sysctls")),
        ("runAsUser", 0, ("securityContext", "runAsUser")),
        ("runAsNonRoot", False, ("securityContext", "runAsNonRoot")),
        ("seccompProfile", "Unconfined", ("securityContext", "seccompProfile", "type")),
        ("hostProcess", True, ("securityContext", "windowsOptions", "hostProcess")),
        ("appArmorProfile", "Unconfined", ("securityContext", "appArmorProfile", "type")),
        ("seLinuxOptions", "spc_t", ("securityContext", "seLinuxOptions", "type")),
        ("privileged", True, (*_CONTEXT, "privileged")),
        ("procMount", "Unmasked", (*_CONTEXT, "procMount")),
        ("allowPrivilegeEscalation", True, (*_CONTEXT, "allowPrivilegeEscalation")),
        ("allowPrivilegeEscalation", None, (*_CONTEXT, "allowPrivilegeEscalation")),
        ("capabilities.drop", ["NET_RAW"], (*_CONTEXT, "capabilities", "drop")),
        ("capabilities.add", ["SYS_PTRACE"], (*_CONTEXT, "capabilities", "add")),
        ("runAsNonRoot", False, (*_CONTEXT, "runAsNonRoot")),
        ("runAsUser", 0, (*_CONTEXT, "runAsUser")),
        ("seccompProfile", "Unconfined", (*_CONTEXT, "seccompProfile", "type")),
        ("hostPort", [{"containerPort": 7443, "hostPort": 7443}], (*_ANY, "ports")),
        ("host of a probe or hook", {"port": 1, "host": "10.0.0.1"}, (*_ANY, "livenessProbe", "httpGet")),
        ("host of a probe or hook", {"port": 1, "host": "10.0.0.1"}, (*_ANY, "lifecycle", "preStop", "httpGet")),
    ],
)
def test_the_check_sees_each_rule_that_is_broken(rule: str, value: Node, path: tuple[str | int, ...]) -> None:
    spec = _prod()
    volume = rows(spec["volumes"])[0]
    if path[0] == "volumes":
        volume.clear()
        volume["name"] = "leadglass-audit"
    _set(spec, value, *path)

    assert any(rule in violation for violation in violations(spec)), violations(spec)


def test_the_check_sees_what_neither_the_pod_nor_the_container_says() -> None:
    for key in ("runAsNonRoot", "seccompProfile"):
        spec = _prod()
        mapping(spec["securityContext"]).pop(key)
        mapping(rows(spec["initContainers"])[0]["securityContext"]).pop(key)
        assert any(key in violation for violation in violations(spec)), key


def test_the_agent_runs_as_the_app_and_another_sidecar_never_does() -> None:
    for name, spec in _every_pod():
        app = mapping(container(spec, "shop")["securityContext"])
        for one in rows(spec["initContainers"]):
            context = mapping(one["securityContext"])
            assert context["runAsGroup"] == app["runAsGroup"], name
            # Of one uid, the app could read its memory: only the agent's image prevents that.
            assert (context["runAsUser"] == app["runAsUser"]) is (one["name"] == "leadglass"), name


def test_our_containers_write_nowhere_but_where_they_must() -> None:
    for name, one, _ in _sidecars():
        assert mapping(one["securityContext"])["readOnlyRootFilesystem"] is True, name
        writable = {text(mount["mountPath"]) for mount in rows(one["volumeMounts"]) if not mount.get("readOnly")}
        assert writable == {"/var/lib/leadglass" if one["name"] == "leadglass" else "/etc/leadglass-tls"}, name


def test_the_app_mounts_nothing_of_ours() -> None:
    for name, spec in _every_pod():
        assert rows(container(spec, "shop").get("volumeMounts")) == [], name


def test_our_containers_have_no_service_account_token_whatever_the_pod_has() -> None:
    for name, one, spec in _sidecars():
        # The kubelet's own mount stays away from a path that is taken.
        (mount,) = [mount for mount in rows(one["volumeMounts"]) if mount["mountPath"] == _TOKENS]
        (volume,) = [volume for volume in rows(spec["volumes"]) if volume["name"] == mount["name"]]
        assert mapping(volume["emptyDir"]), name
        users = [
            other["name"]
            for key in ("initContainers", "containers")
            for other in rows(spec[key])
            for used in rows(other.get("volumeMounts"))
            if used["name"] == volume["name"] and not used.get("readOnly")
        ]
        assert users == [], name


def test_our_containers_are_bounded_and_bound_nothing_of_the_app_s() -> None:
    for name, one, _ in _sidecars():
        limits, requests = mapping(at(one, "resources", "limits")), mapping(at(one, "resources", "requests"))
        assert limits.keys() == requests.keys() == {"cpu", "memory"}, name
        # The only limit of a pod on ephemeral storage is the whole pod's: the app's logs would count against it.
        assert "ephemeral-storage" not in limits, name
    for name, spec in _every_pod():
        assert at(container(spec, "leadglass"), "resources", "limits", "memory") == "128Mi", name


def test_an_agent_in_trouble_leaves_the_app_in_its_service() -> None:
    for name, one, _ in _sidecars():
        assert one["restartPolicy"] == "Always", name
        assert "readinessProbe" not in one, name
        assert "postStart" not in mapping(one.get("lifecycle")), name


def test_only_regulated_pods_hold_the_app_up() -> None:
    for name, spec in _every_pod():
        assert ("startupProbe" in container(spec, "leadglass")) is name.endswith("regulated"), name


def test_probes_ask_the_plain_port_by_grpc() -> None:
    for name, spec in _every_pod():
        agent = container(spec, "leadglass")
        assert at(agent, "livenessProbe", "grpc", "port") == 7444, name
        ports = {text(port["name"]): number(port["containerPort"]) for port in rows(agent["ports"])}
        assert ports == {"leadglass": 7443, "leadglass-up": 7444}, name


def test_the_pod_gives_the_agent_time_after_the_app() -> None:
    for name, spec in _every_pod():
        assert number(spec["terminationGracePeriodSeconds"]) >= 30 + 10, name


def test_process_numbers_are_shared_and_the_node_s_never() -> None:
    for name, spec in _every_pod():
        assert spec["shareProcessNamespace"] is True, name
        assert not {"hostPID", "hostNetwork", "hostIPC"} & spec.keys(), name


def test_a_volume_that_is_mounted_anew_keeps_the_log_closed_to_the_group() -> None:
    for name, spec in _every_pod():
        (volume,) = [volume for volume in rows(spec["volumes"]) if volume["name"] == "leadglass-audit"]
        context = mapping(spec["securityContext"])
        if "emptyDir" in volume:
            assert "fsGroup" not in context, name
            assert at(volume, "emptyDir", "sizeLimit"), name
        else:
            group = mapping(container(spec, "leadglass")["securityContext"])["runAsGroup"]
            assert context["fsGroup"] == group, name
            assert context["fsGroupChangePolicy"] == "OnRootMismatch", name


def test_prod_images_go_by_digest() -> None:
    for name, spec in _every_pod():
        image = text(container(spec, "leadglass")["image"])
        assert ("@sha256:" in image) is not name.endswith("non-prod"), name
        assert container(spec, "leadglass")["imagePullPolicy"] == "IfNotPresent", name
