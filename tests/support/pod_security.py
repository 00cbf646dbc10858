"""Checks pods against the Pod Security Standard `restricted`, rule by rule as the standard's page lists them.

Source: Kubernetes documentation, "Pod Security Standards", profiles Baseline and Restricted, for pods of Linux.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from yaml_nodes import Mapping, at, items, mapping, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
_VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)
_SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_PROFILES = frozenset({"RuntimeDefault", "Localhost"})


def violations(spec: Mapping) -> tuple[str, ...]:
    """Every rule of `restricted` that a pod's spec breaks, with the place."""
    return (*_of_the_pod(spec), *(f"{name}: {rule}" for name, one in _containers(spec) for rule in _of(one, spec)))


def _containers(spec: Mapping) -> Iterator[tuple[str, Mapping]]:
    for key in _CONTAINER_LISTS:
        for one in rows(spec.get(key)):
            yield f"{key}/{one['name']}", one


def _of_the_pod(spec: Mapping) -> Iterator[str]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield key
    for volume in rows(spec.get("volumes")):
        kinds = volume.keys() - {"name"}
        if not kinds <= _VOLUMES or len(kinds) != 1:
            yield f"volume {volume['name']}: {', '.join(sorted(kinds)) or 'of no type'}"
    context = mapping(spec.get("securityContext"))
    for sysctl in rows(context.get("sysctls")):
        if sysctl["name"] not in _SYSCTLS:
            yield f"sysctl {sysctl['name']}"
    yield from _of_both(context)


def _of_both(context: Mapping) -> Iterator[str]:
    """Rules for the pod's security context and each container's."""
    if at(context, "windowsOptions", "hostProcess"):
        yield "hostProcess"
    if at(context, "appArmorProfile", "type") not in {None, *_PROFILES}:
        yield "appArmorProfile"
    selinux = mapping(context.get("seLinuxOptions"))
    if selinux.get("type", "") not in _SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield "seLinuxOptions"
    if at(context, "seccompProfile", "type") not in {None, *_PROFILES}:
        yield "seccompProfile"
    if context.get("runAsNonRoot") not in {None, True}:
        yield "runAsNonRoot"
    if context.get("runAsUser") == 0:
        yield "runAsUser"


def _of(container: Mapping, spec: Mapping) -> Iterator[str]:
    """Rules for one container; what it leaves out is the pod's."""
    context, pod = mapping(container.get("securityContext")), mapping(spec.get("securityContext"))
    yield from _of_both(context)
    if context.get("privileged"):
        yield "privileged"
    if context.get("procMount") not in {None, "Default"}:
        yield "procMount"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if "ALL" not in items(at(context, "capabilities", "drop")):
        yield "capabilities.drop"
    if {*map(str, items(at(context, "capabilities", "add")))} - {"NET_BIND_SERVICE"}:
        yield "capabilities.add"
    if context.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot"
    if (at(context, "seccompProfile", "type") or at(pod, "seccompProfile", "type")) not in _PROFILES:
        yield "seccompProfile"
    if any(port.get("hostPort") for port in rows(container.get("ports"))):
        yield "hostPort"
    handlers = [mapping(container.get(key)) for key in ("livenessProbe", "readinessProbe", "startupProbe")]
    handlers += [mapping(at(container, "lifecycle", key)) for key in ("postStart", "preStop")]
    if any(at(handler, way, "host") for handler in handlers for way in ("httpGet", "tcpSocket")):
        yield "host of a probe or hook"
