"""Holds events to the published schema of OCSF, in the version that exports are written for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from leadglass_agent.audit.export_ocsf import VERSION

if TYPE_CHECKING:
    from leadglass_agent.audit.canonical import Json


def schema_faults(event: dict[str, Json]) -> list[str]:
    """Names what in an event is not of the schema of its class."""
    class_uid = event["class_uid"]
    assert isinstance(class_uid, int)
    return [f"{list(error.path)}: {error.message}" for error in _validator(class_uid).iter_errors(event)]


@cache
def _schemas() -> OcsfJsonSchemaEmbedded:
    return OcsfJsonSchemaEmbedded(get_ocsf_schema(VERSION))


@cache
def _validator(class_uid: int) -> Draft202012Validator:
    schema = _schemas().get_class_schema(_schemas().lookup_class_name_from_uid(class_uid))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
