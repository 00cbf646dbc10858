"""Renders deploy/ as its users do: the chart with helm, the overlays with kubectl kustomize."""

from __future__ import annotations

import copy
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from kubernetes_tools import tools
from yaml_nodes import Mapping, at, documents, every, mapping, rows, text

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "chart"
OVERLAYS = ROOT / "deploy" / "kubernetes" / "overlays"
NEWEST = "1.37"
# Each overlay, and the values that make the chart say the same.
PROFILES: dict[str, tuple[str, ...]] = {
    "non-prod": ("non-prod",),
    "prod": ("prod",),
    "regulated": ("regulated",),
    "spire": ("prod", "spire"),
    "cluster": ("cluster",),
}
NAMESPACE = "shop"
_KINDS_WITH_PODS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


@cache
def chart(name: str, *settings: str, version: str = NEWEST) -> tuple[Mapping, ...]:
    """The objects of the chart with a profile's values, and settings such as tier=prod."""
    values = [f"--values={CHART / 'profiles' / profile}.yaml" for profile in PROFILES[name]]
    extra = [f"--set={setting}" for setting in settings]
    done = tools().run(
        tools().helm,
        *("template", "shop", CHART, f"--namespace={NAMESPACE}", f"--kube-version={version}"),
        *values,
        *extra,
    )
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


@cache
def overlay(name: str) -> tuple[Mapping, ...]:
    """The objects of an overlay."""
    done = tools().run(tools().kubectl, "kustomize", OVERLAYS / name)
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def everything() -> Iterator[tuple[str, tuple[Mapping, ...]]]:
    """Every rendering that is meant for a cluster of the newest version, with a name."""
    for name in PROFILES:
        yield f"overlay {name}", overlay(name)
        yield f"chart {name}", chart(name)


def pods(objects: tuple[Mapping, ...]) -> Iterator[tuple[Mapping, Mapping]]:
    """The metadata and the spec of each pod that the objects would make."""
    for one in objects:
        if one["kind"] in _KINDS_WITH_PODS:
            template = mapping(at(one, "spec", "template"))
            yield mapping(template["metadata"]), mapping(template["spec"])


def only(objects: tuple[Mapping, ...], kind: str, name: str = "") -> Mapping:
    """The one object of a kind, and of a name if that is given."""
    (found,) = [one for one in objects if one["kind"] == kind and text(at(one, "metadata", "name")).startswith(name)]
    return found


def container(spec: Mapping, name: str) -> Mapping:
    """The container of a pod with that name, wherever it stands."""
    (found,) = [one for key in ("initContainers", "containers") for one in rows(spec.get(key)) if one["name"] == name]
    return found


def alike(objects: tuple[Mapping, ...]) -> dict[tuple[str, str], Mapping]:
    """The objects by kind and name, without what only the way of rendering decides.

    kustomize ends the name of the agent's ConfigMap with a hash of it, and the chart writes one into an annotation. The
    order of volumes means nothing.
    """
    found: dict[tuple[str, str], Mapping] = {}
    for one in copy.deepcopy(objects):
        for path, node in list(every(one)):
            if isinstance(node, str) and (match := re.fullmatch(r"(leadglass-[a-z]+-agent)-[a-z0-9]{10}", node)):
                _put(one, path, match[1])
        for metadata, spec in pods((one,)):
            metadata.pop("annotations", None)
            spec["volumes"] = [*sorted(rows(spec["volumes"]), key=lambda volume: text(volume["name"]))]
        found[text(one["kind"]), text(at(one, "metadata", "name"))] = one
    assert len(found) == len(objects)
    return found


def _put(document: Mapping, path: tuple[str | int, ...], value: str) -> None:
    *way, last = path
    mapping(at(document, *way))[text(last)] = value
