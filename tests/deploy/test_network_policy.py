"""The network policy opens the agent's API to callers alone, closes its health port, and leaves the app as it was."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from renderings import chart, everything, only, overlay, pods
from yaml_nodes import Mapping, at, items, mapping, number, rows

_CALLERS: Mapping = {"leadglass.dev/callers": "true"}
_CALLER: Mapping = {"leadglass.dev/caller": "true"}


@dataclass(frozen=True, slots=True)
class _Peer:
    """Who connects: the labels of its namespace and its own."""

    namespace: tuple[str, ...] = ()
    pod: tuple[str, ...] = ()

    def fits(self, peer: Mapping) -> bool:
        """Whether a rule's peer selects it; of two selectors in one peer both must."""
        assert peer.keys() == {"namespaceSelector", "podSelector"}
        return _fits(peer["namespaceSelector"], self.namespace) and _fits(peer["podSelector"], self.pod)


def _fits(selector: object, labels: tuple[str, ...]) -> bool:
    assert isinstance(selector, dict)
    assert selector.keys() == {"matchLabels"}
    wanted = selector["matchLabels"]
    assert isinstance(wanted, dict)
    assert wanted
    return {f"{key}={value}" for key, value in wanted.items()} <= set(labels)


_FRIEND = _Peer(("leadglass.dev/callers=true",), ("leadglass.dev/caller=true",))
_STRANGERS = (
    _Peer(),
    _Peer(("leadglass.dev/callers=true",), ()),
    _Peer((), ("leadglass.dev/caller=true",)),
    _Peer(("leadglass.dev/callers=false",), ("leadglass.dev/caller=true",)),
)


def _lets_in(policy: Mapping, peer: _Peer, port: int, protocol: str = "TCP") -> bool:
    """Whether the policy lets a connection in, as the API's reference says: one rule that fits is enough."""
    for rule in rows(at(policy, "spec", "ingress")):
        peers = rows(rule.get("from"))
        if "from" in rule and not any(peer.fits(one) for one in peers):
            continue
        for one in rows(rule["ports"]):
            first = number(one["port"])
            last = number(one.get("endPort", first))
            if one["protocol"] == protocol and first <= port <= last:
                return True
    return False


@pytest.mark.parametrize("name", ["non-prod", "prod", "regulated", "spire"])
def test_callers_alone_reach_the_api_and_nobody_reaches_health(name: str) -> None:
    policy = only(overlay(name), "NetworkPolicy")

    assert _lets_in(policy, _FRIEND, 7443)
    for stranger in _STRANGERS:
        assert not _lets_in(policy, stranger, 7443)
    for peer in (_FRIEND, *_STRANGERS):
        assert not _lets_in(policy, peer, 7444)


@pytest.mark.parametrize("name", ["non-prod", "prod", "spire"])
def test_the_app_s_own_ports_stay_as_they_were(name: str) -> None:
    policy = only(overlay(name), "NetworkPolicy")
    ours = {7443, 7444, 7445} if name == "spire" else {7443, 7444}

    shut = {port for port in range(1, 65536) if not _lets_in(policy, _Peer(), port)}

    assert shut == ours
    for protocol in ("UDP", "SCTP"):
        assert all(_lets_in(policy, _Peer(), port, protocol) for port in (1, 53, 7443, 65535))


def test_regulated_pods_are_closed_but_for_the_window() -> None:
    policy = only(overlay("regulated"), "NetworkPolicy")

    assert [port for port in range(1, 65536) if _lets_in(policy, _FRIEND, port)] == [7443]
    assert not any(_lets_in(policy, _Peer(), port) for port in range(1, 65536))
    assert items(at(policy, "spec", "policyTypes")) == ["Ingress", "Egress"]
    assert items(at(policy, "spec", "egress")) == []


def test_egress_of_other_pods_is_the_app_s_business() -> None:
    assert items(at(only(overlay("prod"), "NetworkPolicy"), "spec", "policyTypes")) == ["Ingress"]


def test_a_policy_selects_the_pods_that_have_a_window() -> None:
    for name, objects in everything():
        for metadata, _ in pods(objects):
            wanted = mapping(at(only(objects, "NetworkPolicy"), "spec", "podSelector", "matchLabels"))
            assert wanted, name
            assert wanted.items() <= mapping(metadata["labels"]).items(), name


def test_ports_that_were_moved_are_the_ones_that_are_shut() -> None:
    objects = chart("prod", "listen.port=9001", "listen.healthPort=9000")
    policy = only(objects, "NetworkPolicy")

    assert _lets_in(policy, _FRIEND, 9001)
    assert {port for port in range(1, 65536) if not _lets_in(policy, _Peer(), port)} == {9000, 9001}


def test_callers_labels_are_the_tenant_s_words() -> None:
    objects = chart("prod", "networkPolicy.callers.podLabels.team=oncall")

    assert not _lets_in(only(objects, "NetworkPolicy"), _FRIEND, 7443)
    both = _Peer(_FRIEND.namespace, (*_FRIEND.pod, "team=oncall"))
    assert _lets_in(only(objects, "NetworkPolicy"), both, 7443)


def test_the_rules_need_both_labels() -> None:
    (rule, *_) = rows(at(only(overlay("prod"), "NetworkPolicy"), "spec", "ingress"))
    (peer,) = rows(rule["from"])

    assert at(peer, "namespaceSelector", "matchLabels") == _CALLERS
    assert at(peer, "podSelector", "matchLabels") == _CALLER


def test_callers_of_a_role_can_forward_ports_and_nothing_else() -> None:
    objects = chart("prod", "callers.groups={oncall}")
    role = only(objects, "Role")

    allowed = {
        (str(resource), str(verb))
        for rule in rows(role["rules"])
        for resource in items(rule["resources"])
        for verb in items(rule["verbs"])
    }
    assert allowed == {("pods", "get"), ("pods", "list"), ("pods/portforward", "create")}
    assert at(only(objects, "RoleBinding"), "subjects", 0, "name") == "oncall"
