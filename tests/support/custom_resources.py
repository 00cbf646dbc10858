"""Schemas of the two kinds that are no part of Kubernetes, as narrow as what deploy/ uses of them.

Written from the public reference pages: cert-manager's API reference (Certificate, cert-manager.io/v1) and SPIRE
controller manager's page of ClusterSPIFFEID (spire.spiffe.io/v1alpha1). A field that is not here is an error.
"""

from __future__ import annotations

from typing import Final

import jsonschema

from yaml_nodes import Mapping, Node, text

_STRING: Final[Mapping] = {"type": "string", "minLength": 1}
_STRINGS: Final[Mapping] = {"type": "array", "items": _STRING, "minItems": 1}
_DURATION: Final[Mapping] = {"type": "string", "pattern": "^([0-9]+(h|m|s))+$"}
_LABELS: Final[Mapping] = {"type": "object", "additionalProperties": _STRING, "minProperties": 1}


def _object(needed: tuple[str, ...], /, **properties: Node) -> Mapping:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": list(needed),
    }


_METADATA: Final = _object(("name",), name=_STRING, namespace=_STRING, labels=_LABELS)
_SELECTOR: Final = _object(("matchLabels",), matchLabels=_LABELS)
_CERTIFICATE: Final = _object(
    ("secretName", "issuerRef"),
    secretName=_STRING,
    duration=_DURATION,
    renewBefore=_DURATION,
    revisionHistoryLimit={"type": "integer", "minimum": 1},
    privateKey=_object(
        ("algorithm",),
        algorithm={"enum": ["RSA", "ECDSA", "Ed25519"]},
        size={"enum": [256, 384, 521, 2048, 4096, 8192]},
        rotationPolicy={"enum": ["Never", "Always"]},
    ),
    usages={"type": "array", "items": {"enum": ["digital signature", "server auth", "client auth"]}},
    uris={"type": "array", "items": {"type": "string", "pattern": "^spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)+$"}},
    dnsNames={"type": "array", "items": {"type": "string", "pattern": r"^[a-z0-9-]+(\.[a-z0-9-]+)+$"}},
    issuerRef=_object(("name",), name=_STRING, kind=_STRING, group=_STRING),
)
_SPIFFE_ID: Final = _object(
    ("spiffeIDTemplate",),
    className=_STRING,
    spiffeIDTemplate={"type": "string", "pattern": "^spiffe://"},
    dnsNameTemplates=_STRINGS,
    workloadSelectorTemplates=_STRINGS,
    ttl=_DURATION,
    namespaceSelector=_SELECTOR,
    podSelector=_SELECTOR,
)
_SCHEMAS: Final[dict[tuple[str, str], Mapping]] = {
    ("cert-manager.io/v1", "Certificate"): _CERTIFICATE,
    ("spire.spiffe.io/v1alpha1", "ClusterSPIFFEID"): _SPIFFE_ID,
}


def is_ours_to_check(one: Mapping) -> bool:
    """Whether the object's kind has its schema here."""
    return (text(one["apiVersion"]), text(one["kind"])) in _SCHEMAS


def check(one: Mapping) -> None:
    """Raises jsonschema.ValidationError for what the kind does not know."""
    spec = _SCHEMAS[text(one["apiVersion"]), text(one["kind"])]
    whole = _object(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion=_STRING,
        kind=_STRING,
        metadata=_METADATA,
        spec=spec,
    )
    jsonschema.Draft202012Validator(whole).validate(one)
