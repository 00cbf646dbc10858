"""Every object that deploy/ renders is one that a cluster takes, and the chart and the overlays say the same."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

import jsonschema
import kubernetes_validate
import pytest
import yaml
from kubernetes_validate.utils import SchemaNotFoundError

import custom_resources
import kubernetes_tools
from renderings import CHART, NEWEST, OVERLAYS, PROFILES, alike, chart, everything, only, overlay
from yaml_nodes import Mapping, Node, at, every, mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSIONS = ("1.33", "1.34", "1.35", "1.36", "1.37")
# What a cluster of each version calls the policies that change pods.
_MUTATING = {"1.33": "v1alpha1", "1.34": "v1beta1", "1.35": "v1beta1", "1.36": "v1", "1.37": "v1"}


def _validate(one: Mapping, version: str) -> None:
    """Raises for an object that a cluster of the version would not take, and for a kind that nobody knows."""
    if custom_resources.is_ours_to_check(one):
        custom_resources.check(one)
        return
    # The library falls back to an older version's schema in silence.
    assert kubernetes_validate.validate(one, version, strict=True) == version


def _objects(version: str) -> Iterator[Mapping]:
    for name in PROFILES:
        yield from chart(name, version=version)
        if name != "cluster":  # its overlay is of the newest clusters; the chart goes by the cluster's version
            yield from overlay(name)


@pytest.mark.parametrize("version", _VERSIONS)
def test_every_object_is_valid_in(version: str) -> None:
    for one in _objects(version):
        _validate(one, version)


@pytest.mark.parametrize("version", ["1.36", "1.37"])
def test_the_injection_overlay_is_valid_where_its_api_is_stable(version: str) -> None:
    for one in overlay("cluster"):
        _validate(one, version)


@pytest.mark.parametrize("version", _VERSIONS)
def test_the_chart_speaks_the_version_of_the_api_that_the_cluster_has(version: str) -> None:
    policy = only(chart("cluster", version=version), "MutatingAdmissionPolicy")

    assert policy["apiVersion"] == f"admissionregistration.k8s.io/{_MUTATING[version]}"


def test_a_version_that_the_schemas_do_not_have_is_a_failure() -> None:
    with pytest.raises((AssertionError, kubernetes_validate.utils.VersionNotSupportedError)):
        _validate(only(overlay("prod"), "Deployment"), "1.99")


def test_an_unknown_kind_is_a_failure() -> None:
    with pytest.raises(SchemaNotFoundError):
        _validate({"apiVersion": "v1", "kind": "Podd", "metadata": {"name": "shop"}}, NEWEST)


def test_an_unknown_field_is_a_failure_in_every_object_there_is() -> None:
    for _, objects in everything():
        for one in objects:
            broken = copy.deepcopy(one)
            mapping(broken["data" if one["kind"] == "ConfigMap" else "metadata"])["unknownField"] = {"a": 1}
            with pytest.raises((kubernetes_validate.ValidationError, jsonschema.ValidationError)):
                _validate(broken, NEWEST)


@pytest.mark.parametrize("name", PROFILES)
def test_an_overlay_and_the_chart_make_the_same_objects(name: str) -> None:
    ours, theirs = alike(overlay(name)), alike(chart(name))

    assert ours.keys() == theirs.keys()
    for key in ours:
        assert ours[key] == theirs[key], key


def test_helm_finds_nothing_to_complain_about() -> None:
    tools = kubernetes_tools.tools()
    for name, profiles in PROFILES.items():
        values = [f"--values={CHART / 'profiles' / profile}.yaml" for profile in profiles]
        done = tools.run(tools.helm, "lint", "--strict", CHART, *values)
        assert done.returncode == 0, f"{name}: {done.stdout}"


def test_prod_without_a_digest_is_refused() -> None:
    tools = kubernetes_tools.tools()
    done = tools.run(tools.helm, "template", "shop", CHART, "--set=image.tag=latest,example.enabled=true")

    assert done.returncode != 0
    assert "image.digest is empty" in done.stderr


def test_helm_refuses_a_misspelt_key() -> None:
    tools = kubernetes_tools.tools()
    profile = f"--values={CHART / 'profiles' / 'prod.yaml'}"
    done = tools.run(tools.helm, "template", "shop", CHART, profile, "--set=networkPolicy.enable=false")

    assert done.returncode != 0
    assert "additional properties 'enable' not allowed" in done.stderr


def _values() -> Mapping:
    loaded: Node = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    return mapping(loaded)


def _schema() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads((CHART / "values.schema.json").read_text(encoding="utf-8")))


def test_the_schema_takes_the_chart_s_own_values() -> None:
    assert list(_schema().iter_errors(_values())) == []


def test_the_schema_refuses_every_key_with_a_letter_too_many() -> None:
    # Labels are the tenant's words.
    free = {("networkPolicy", "callers", "namespaceLabels"), ("networkPolicy", "callers", "podLabels")}
    tried = 0
    for path, _ in list(every(_values())):
        if not path or path[:-1] in free or isinstance(path[-1], int):
            continue
        values = _values()
        holder = mapping(at(values, *path[:-1]))
        holder[f"{path[-1]}x"] = holder.pop(str(path[-1]))
        assert not _schema().is_valid(values), path
        tried += 1
    assert tried > 60


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("tier",), "production"),
        (("runAs", "user"), 0),
        (("runAs", "group"), 0),
        (("runAs", "user"), "10001"),
        (("image", "digest"), "sha256:abc"),
        (("listen", "port"), 443),
        (("audit", "volume"), "hostPath"),
        (("resources", "limits"), {"cpu": "1"}),
        (("resources", "limits", "ephemeral-storage"), "1Gi"),
        (("networkPolicy", "callers", "podLabels"), {}),
        (("certificate", "spire", "user"), 0),
        (("workload",), "Shop"),
    ],
)
def test_the_schema_refuses_values_that_cannot_be_meant(path: tuple[str, ...], value: Node) -> None:
    values = _values()
    mapping(at(values, *path[:-1]))[path[-1]] = value

    assert not _schema().is_valid(values)


def test_no_name_of_a_workload_makes_a_name_too_long_for_kubernetes() -> None:
    longest = "a" * 40
    for name in ("prod", "spire"):
        for one in chart(name, f"workload={longest}"):
            if one["kind"] != "Deployment":
                assert len(text(at(one, "metadata", "name"))) <= 63


def test_every_overlay_is_tried_here() -> None:
    assert {folder.name for folder in OVERLAYS.iterdir()} == PROFILES.keys()


@pytest.mark.parametrize(
    ("settings", "without"),
    [
        (("audit.volume=claim", "audit.claim=log"), ""),
        (("audit.volume=ephemeral", "audit.storageClass=fast"), ""),
        (("certificate.from=secret",), "Certificate"),
        (("networkPolicy.enabled=false",), "NetworkPolicy"),
        (("example.enabled=false",), "Deployment"),
        (("callers.groups={oncall,dashboards}", "closeShells=true"), ""),
        (("certificate.issuer.kind=Issuer", "certificate.callersConfigMap=people"), ""),
    ],
)
def test_what_the_values_choose_is_valid_too(settings: tuple[str, ...], without: str) -> None:
    objects = chart("prod", *settings)

    for one in objects:
        _validate(one, NEWEST)
    assert without not in {text(one["kind"]) for one in objects}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("audit.volume=claim",), "audit.claim is needed"),
        (("listen.port=7443", "listen.healthPort=9000"), "must be neighbours"),
        (("policy.shipped=regulated",), "policy.jwks is needed"),
        (("recordings.enabled=true",), "recordings.auditorKey is needed"),
        (("injection.enabled=true", "certificate.from=spire", "audit.volume=emptyDir"), "injection takes certificates"),
        (("injection.enabled=true",), "audit.volume emptyDir"),
    ],
)
def test_values_that_do_not_go_together_are_refused_with_a_word(settings: tuple[str, ...], said: str) -> None:
    tools = kubernetes_tools.tools()
    done = tools.run(
        tools.helm,
        *("template", "shop", CHART, f"--values={CHART / 'profiles' / 'prod.yaml'}"),
        *(f"--set={setting}" for setting in settings),
    )

    assert done.returncode != 0
    assert said in done.stderr
