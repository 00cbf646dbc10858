"""What the manifests mount is what the agent takes, where its configuration looks for it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from leadglass_agent.access.deny_list import parse_deny_list
from leadglass_agent.config import Config, parse_config
from leadglass_agent.policy.model import Tier
from leadglass_agent.policy.parse import parse_policy
from renderings import CHART, OVERLAYS, ROOT, chart, container, everything, only, overlay, pods
from yaml_nodes import Mapping, at, mapping, rows, text

if TYPE_CHECKING:
    from collections.abc import Iterator

_POLICIES = {"non-prod": "open", "prod": "production", "regulated": "regulated", "spire": "production"}


def _data(objects: tuple[Mapping, ...], name: str) -> dict[str, str]:
    found = mapping(only(objects, "ConfigMap", f"leadglass-shop-{name}")["data"])
    return {key: text(value) for key, value in found.items()}


def _config(objects: tuple[Mapping, ...]) -> Config:
    return parse_config(_data(objects, "agent")["agent.yaml"].encode(), "agent.yaml")


def _with_pods() -> Iterator[tuple[str, tuple[Mapping, ...]]]:
    for name, objects in everything():
        if "cluster" not in name:
            yield name, objects


def test_the_agent_takes_every_configuration_policy_and_deny_list() -> None:
    for name, objects in _with_pods():
        config = _config(objects)
        files = _data(objects, "policy")
        policy = parse_policy(files["policy.yaml"].encode(), "policy.yaml")
        denied = parse_deny_list(files["deny.yaml"].encode(), "deny.yaml")
        assert config.tier is (Tier.NON_PROD if name.endswith("non-prod") else Tier.PROD), name
        assert policy.name == _POLICIES[name.split()[1]], name
        assert not denied.callers, name
        assert not config.unsafe_run_as_root, name


def _files(spec: Mapping, objects: tuple[Mapping, ...]) -> set[str]:
    """Every file that the kubelet would lay out for the agent."""
    volumes = {text(volume["name"]): volume for volume in rows(spec["volumes"])}
    found: set[str] = set()
    for mount in rows(container(spec, "leadglass")["volumeMounts"]):
        for source in rows(at(volumes[text(mount["name"])], "projected", "sources")):
            for name in _source_files(source, objects):
                found.add(f"{mount['mountPath']}/{name}")
    return found


def _source_files(source: Mapping, objects: tuple[Mapping, ...]) -> list[str]:
    ((kind, content),) = source.items()
    listed = rows(at(content, "items"))
    if listed:
        return [text(item["path"]) for item in listed]
    assert kind == "configMap"
    name = text(at(content, "name"))
    return list(mapping(only(objects, "ConfigMap", name)["data"]))


def test_every_file_that_the_configuration_names_is_mounted() -> None:
    for name, objects in _with_pods():
        config = _config(objects)
        ((_, spec),) = pods(objects)
        wanted = [config.policy, config.deny_list, config.pod.uid_file]
        if "spire" not in name:
            wanted += [config.tls.certificate, config.tls.key, config.tls.caller_authorities]
        if config.recordings is not None:
            wanted.append(config.recordings.auditor_key)
        policy = parse_policy(_data(objects, "policy")["policy.yaml"].encode(), "policy.yaml")
        if policy.evidence is not None:
            wanted.append(policy.evidence.jwks)
        assert set(wanted) <= _files(spec, objects), name


def test_spire_s_helper_writes_the_files_that_the_agent_reads() -> None:
    objects = overlay("spire")
    config, helper = _config(objects), _data(objects, "agent")["svid.conf"]
    settings = dict(line.strip().split(" = ") for line in helper.splitlines() if " = " in line)
    folder = settings["cert_dir"].strip('"')

    assert config.tls.certificate == f"{folder}/{settings['svid_file_name'].strip(chr(34))}"
    assert config.tls.key == f"{folder}/{settings['svid_key_file_name'].strip(chr(34))}"
    assert config.tls.caller_authorities == f"{folder}/{settings['svid_bundle_file_name'].strip(chr(34))}"
    # The agent reads the key by its group; nobody else does.
    assert settings["key_file_mode"] == "0440"
    ((_, spec),) = pods(objects)
    assert at(container(spec, "leadglass-svid"), "startupProbe", "httpGet", "port") == int(settings["bind_port"])
    assert f'"{at(container(spec, "leadglass-svid"), "volumeMounts", 2, "mountPath")}/' in settings["agent_address"]


def test_only_the_helper_s_container_gets_the_identity() -> None:
    selectors = at(only(overlay("spire"), "ClusterSPIFFEID"), "spec", "workloadSelectorTemplates")

    assert selectors == ["k8s:container-name:leadglass-svid"]


def test_the_log_and_the_recordings_lie_on_the_writable_volume() -> None:
    for name, objects in _with_pods():
        config = _config(objects)
        paths = [config.audit.path, *([config.recordings.path] if config.recordings else [])]
        assert all(PurePosixPath("/var/lib/leadglass") in PurePosixPath(path).parents for path in paths), name


def test_ports_are_those_of_the_pod() -> None:
    for name, objects in _with_pods():
        config = _config(objects)
        ((_, spec),) = pods(objects)
        ports = {text(port["name"]): port["containerPort"] for port in rows(container(spec, "leadglass")["ports"])}
        assert config.listen.endswith(f":{ports['leadglass']}"), name
        # The kubelet probes the pod's address.
        assert config.health_listen == f"0.0.0.0:{ports['leadglass-up']}", name


@pytest.mark.parametrize("name", ["non-prod", "prod", "regulated", "spire"])
def test_certificates_name_the_agent_as_the_configuration_does(name: str) -> None:
    objects = overlay(name)
    config = _config(objects)
    if name == "spire":
        spec = mapping(only(objects, "ClusterSPIFFEID")["spec"])
        names, identity = spec["dnsNameTemplates"], text(spec["spiffeIDTemplate"])
        identity = identity.replace("{{ .TrustDomain }}", config.trust_domain)
    else:
        spec = mapping(only(objects, "Certificate")["spec"])
        names, identity = spec["dnsNames"], text(at(spec, "uris", 0))
        assert at(spec, "privateKey") == {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"}
    assert names == ["shop.shop.leadglass.internal"]
    assert identity == f"spiffe://{config.trust_domain}/ns/shop/agent/shop"
    assert (config.pod.namespace, config.pod.workload) == ("shop", "shop")


def test_the_copies_of_the_shipped_policies_are_current() -> None:
    for policy in (ROOT / "policies").glob("*.yaml"):
        assert (CHART / "policies" / policy.name).read_text() == policy.read_text(), f"cp {policy} {CHART}/policies/"
    for name, policy_name in _POLICIES.items():
        shipped = ROOT / "policies" / f"{policy_name}.yaml"
        assert (OVERLAYS / name / "policy.yaml").read_text() == shipped.read_text(), f"cp {shipped} {OVERLAYS / name}/"


def test_a_changed_policy_rolls_no_pod_and_a_changed_configuration_does() -> None:
    ((before, _),) = pods(chart("prod"))
    ((policy, _),) = pods(chart("prod", "policy.shipped=open"))
    ((configuration, _),) = pods(chart("prod", "audit.retentionDays=7"))

    assert before == policy
    assert before != configuration
    name = text(at(only(overlay("prod"), "ConfigMap", "leadglass-shop-policy"), "metadata", "name"))
    assert name == "leadglass-shop-policy"
    assert text(at(only(overlay("prod"), "ConfigMap", "leadglass-shop-agent"), "metadata", "name")) != (
        "leadglass-shop-agent"
    )


def test_a_trust_domain_is_the_policy_s_and_the_certificate_s_too() -> None:
    objects = chart("prod", "trustDomain=prod.acme.example")

    policy = _data(objects, "policy")["policy.yaml"]
    assert "spiffe://example.org/" not in policy
    assert "spiffe://prod.acme.example/team/oncall/*" in policy
    assert text(at(only(objects, "Certificate"), "spec", "uris", 0)).startswith("spiffe://prod.acme.example/")


@pytest.mark.parametrize("level", ["full", "seccomp", "none"])
def test_the_sandbox_that_is_asked_for_is_written_down(level: str) -> None:
    objects = chart("non-prod", f"sandbox.require={level}", "sandbox.oneWayGlass=true")

    assert f"requireSandbox: {level}\n" in _data(objects, "agent")["agent.yaml"]
    assert "requireOneWayGlass: true\n" in _data(objects, "agent")["agent.yaml"]
    _config(objects)


def test_without_a_word_the_tier_decides_about_the_sandbox() -> None:
    for name, objects in _with_pods():
        assert "requireSandbox" not in _data(objects, "agent")["agent.yaml"], name


def test_other_authorities_for_callers_come_from_their_own_map() -> None:
    objects = chart("prod", "certificate.callersConfigMap=people")
    ((_, spec),) = pods(objects)
    (volume,) = [volume for volume in rows(spec["volumes"]) if volume["name"] == "leadglass-tls"]

    secret, people = rows(at(volume, "projected", "sources"))
    assert [item["path"] for item in rows(at(secret, "secret", "items"))] == ["tls.crt", "tls.key"]
    assert at(people, "configMap") == {"name": "people", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
