"""The API's own schema of a pod, as kubernetes-validate carries it for each version."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from yaml_nodes import Mapping, at, mapping, text


@dataclass(frozen=True, slots=True)
class PodSchema:
    """The definitions of one version."""

    definitions: Mapping

    def has(self, *path: str) -> bool:
        """Whether a pod has a field there; steps through lists go without an index."""
        node = mapping(self.definitions["io.k8s.api.core.v1.Pod"])
        for step in path:
            found = mapping(node.get("properties")).get(step)
            if found is None:
                return False
            node = self._resolved(mapping(found))
        return True

    def _resolved(self, node: Mapping) -> Mapping:
        while True:
            if "items" in node:
                node = mapping(node["items"])
            elif "$ref" in node:
                node = mapping(self.definitions[text(node["$ref"]).rpartition("/")[2]])
            else:
                return node


@cache
def pod_schema(version: str) -> PodSchema:
    """The schema of a version such as 1.36."""
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    whole: Mapping = json.loads((folder / "_definitions.json").read_text(encoding="utf-8"))
    return PodSchema(mapping(at(whole, "$defs")))
