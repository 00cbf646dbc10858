"""The admission policy gives a pod the sidecar that the chart gives, once, and only where it was asked for."""

from __future__ import annotations

import copy

import pytest

from admission import CelFailed, evaluate, matches, mutated, objections, unknown_fields
from pod_schema import pod_schema
from pod_security import violations
from renderings import chart, container, only, overlay, pods
from yaml_nodes import Mapping, Node, at, items, mapping, rows, text

_OPTED_IN: Mapping = {"leadglass.dev/injection": "enabled"}
_VERSIONS = ("1.33", "1.34", "1.35", "1.36", "1.37")


def _policy() -> Mapping:
    return only(overlay("cluster"), "MutatingAdmissionPolicy", "leadglass-injection")


def _check() -> Mapping:
    return only(overlay("cluster"), "ValidatingAdmissionPolicy", "leadglass-injected")


def _pod(**spec: Node) -> Mapping:
    """A pod as the API server shows it to policies: defaults filled in, the sidecar not there."""
    app: Mapping = {
        "name": "shop",
        "image": "registry.k8s.io/pause:3.10",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "shop", "namespace": "shop", "labels": {"leadglass.dev/workload": "shop"}},
        "spec": {
            "containers": [app],
            "securityContext": {"runAsUser": 10001, "runAsGroup": 10001, "runAsNonRoot": True},
            "terminationGracePeriodSeconds": 30,
            **spec,
        },
    }


def _spec(pod: Mapping) -> Mapping:
    return mapping(pod["spec"])


def test_a_pod_that_asks_gets_the_sidecar_that_the_chart_would_give_it() -> None:
    pod = _pod()
    assert matches(_policy(), pod, _OPTED_IN)

    spec = _spec(mutated(_policy(), pod))

    ((_, shipped),) = pods(chart("prod", "audit.volume=emptyDir"))
    assert container(spec, "leadglass") == container(shipped, "leadglass")
    assert rows(spec["volumes"]) == rows(shipped["volumes"])
    assert spec["shareProcessNamespace"] is True
    assert spec["terminationGracePeriodSeconds"] == 40
    assert spec["containers"] == _spec(pod)["containers"]
    assert violations(spec) == ()


def test_what_the_pod_had_stays_and_the_sidecar_comes_first() -> None:
    volume: Mapping = {"name": "cache", "emptyDir": {}}
    before: Mapping = {"name": "migrate", "image": "x"}
    pod = _pod(volumes=[volume], initContainers=[before])

    spec = _spec(mutated(_policy(), pod))

    assert [one["name"] for one in rows(spec["initContainers"])] == ["leadglass", "migrate"]
    assert rows(spec["volumes"])[0] == volume
    assert len(rows(spec["volumes"])) == 5


def test_the_first_container_s_own_user_counts_before_the_pod_s() -> None:
    pod = _pod()
    mapping(at(pod, "spec", "containers", 0, "securityContext")).update({"runAsUser": 20002, "runAsGroup": 20003})

    context = mapping(container(_spec(mutated(_policy(), pod)), "leadglass")["securityContext"])

    assert (context["runAsUser"], context["runAsGroup"]) == (20002, 20003)


def test_names_go_by_the_pod_s_label() -> None:
    pod = _pod()
    mapping(at(pod, "metadata", "labels"))["leadglass.dev/workload"] = "checkout"

    volumes = str(_spec(mutated(_policy(), pod))["volumes"])

    for name in ("leadglass-checkout-agent", "leadglass-checkout-policy", "leadglass-checkout-tls"):
        assert name in volumes


def test_a_second_look_changes_nothing() -> None:
    once = mutated(_policy(), _pod())

    assert not matches(_policy(), once, _OPTED_IN)
    assert objections(_check(), once) == []


def _without(key: str) -> Mapping:
    pod = _pod()
    mapping(at(pod, "spec", "securityContext")).pop(key)
    return pod


def _of_root() -> Mapping:
    pod = _pod()
    mapping(at(pod, "spec", "securityContext"))["runAsUser"] = 0
    return pod


@pytest.mark.parametrize(
    "pod",
    [_without("runAsUser"), _without("runAsGroup"), _of_root(), _pod(hostPID=True), _pod(hostNetwork=True)],
    ids=["no user", "no group", "root", "the node's processes", "the node's network"],
)
def test_a_pod_that_cannot_have_one_is_left_as_it_is_and_refused_with_the_reason(pod: Mapping) -> None:
    assert not matches(_policy(), pod, _OPTED_IN)
    assert matches(_check(), pod, _OPTED_IN)
    (objection,) = objections(_check(), pod)
    assert "runAsUser" in objection


def test_without_a_security_context_the_pod_is_left_as_it_is() -> None:
    pod = _pod()
    _spec(pod).pop("securityContext")
    mapping(at(pod, "spec", "containers", 0)).pop("securityContext")

    assert not matches(_policy(), pod, _OPTED_IN)


def test_nobody_is_asked_who_did_not_opt_in() -> None:
    unlabelled = _pod()
    mapping(at(unlabelled, "metadata", "labels")).clear()

    assert not matches(_policy(), _pod(), {})
    assert not matches(_policy(), _pod(), {"leadglass.dev/injection": "disabled"})
    assert not matches(_policy(), unlabelled, _OPTED_IN)
    assert not matches(_check(), unlabelled, _OPTED_IN)


def test_a_sidecar_of_another_image_is_refused() -> None:
    pod = mutated(_policy(), _pod())
    mapping(at(pod, "spec", "initContainers", 0))["image"] = "registry.example.org/leadglass-agent:mine"

    assert any("not the one that was reviewed" in objection for objection in objections(_check(), pod))


@pytest.mark.parametrize("version", _VERSIONS)
def test_every_field_that_the_patch_names_is_one_of_a_pod(version: str) -> None:
    expression = text(at(_policy(), "spec", "mutations", 0, "jsonPatch", "expression"))

    assert unknown_fields(expression, pod_schema(version)) == []
    broken = expression.replace("readOnlyRootFilesystem:", "readOnlyRootFileSystem:").replace("op:", "opp:", 1)
    assert unknown_fields(broken, pod_schema(version)) == [
        "JSONPatch.opp",
        "Object.spec.initContainers.securityContext.readOnlyRootFileSystem",
    ]


def test_the_patch_is_no_apply_configuration() -> None:
    # The API server refuses those that set an atomic list, and args and capabilities.drop are such lists.
    assert [mutation["patchType"] for mutation in rows(at(_policy(), "spec", "mutations"))] == ["JSONPatch"]


def test_an_expression_that_is_none_is_a_failure() -> None:
    with pytest.raises(CelFailed):
        evaluate("object.spec..volumes", _pod(), {})
    with pytest.raises(CelFailed):
        evaluate("object.spec.nothing == 1", _pod(), {})


def test_the_patch_depends_on_no_default_of_the_api() -> None:
    """Defaults are filled in before policies change a pod, so what is added says its own."""
    agent = container(_spec(mutated(_policy(), _pod())), "leadglass")

    assert {"imagePullPolicy", "terminationMessagePath", "terminationMessagePolicy"} <= agent.keys()
    probe = mapping(agent["livenessProbe"])
    assert {"timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"} <= probe.keys()
    assert all("protocol" in port for port in rows(agent["ports"]))


def test_the_policies_fail_closed_and_bind_what_they_name() -> None:
    objects = overlay("cluster")
    for kind in ("MutatingAdmissionPolicy", "ValidatingAdmissionPolicy"):
        policies = {text(at(one, "metadata", "name")): one for one in objects if one["kind"] == kind}
        bound = {text(at(one, "spec", "policyName")) for one in objects if one["kind"] == f"{kind}Binding"}
        assert policies.keys() == bound
        assert all(at(one, "spec", "failurePolicy") == "Fail" for one in policies.values())
        # Without a selector a failing policy would stop the whole cluster's pods.
        assert all(at(one, "spec", "matchConstraints", "namespaceSelector") for one in policies.values())


def test_closed_shells_are_closed_for_every_way_in() -> None:
    policy = only(overlay("cluster"), "ValidatingAdmissionPolicy", "leadglass-no-shells")

    resources = {
        (operation, resource)
        for rule in rows(at(policy, "spec", "matchConstraints", "resourceRules"))
        for operation in map(str, items(rule["operations"]))
        for resource in map(str, items(rule["resources"]))
    }
    assert resources == {
        ("CONNECT", "pods/exec"),
        ("CONNECT", "pods/attach"),
        ("UPDATE", "pods/ephemeralcontainers"),
    }
    assert len(objections(policy, _pod())) == 1
    binding = only(overlay("cluster"), "ValidatingAdmissionPolicyBinding", "leadglass-no-shells")
    assert "Deny" in items(at(binding, "spec", "validationActions"))


def test_warnings_alone_are_a_choice() -> None:
    binding = only(
        chart("cluster", "injection.whenMissing=warn"), "ValidatingAdmissionPolicyBinding", "leadglass-injected"
    )

    assert items(at(binding, "spec", "validationActions")) == ["Warn", "Audit"]


def test_a_mutated_pod_shares_nothing_with_the_one_before() -> None:
    pod = _pod()
    before = copy.deepcopy(pod)

    mutated(_policy(), pod)

    assert pod == before
