"""What is on its way out, and told so (docs/wire/policies.md#warnings)."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.policy.kinds.policy_catalogue import POLICY_KINDS
from support.specs.policy_specs import warned

FROM = "'from' field is deprecated, use 'rules' instead"
SUBSET = "MeshSubset value for 'targetRef.kind' is deprecated, use Dataplane with labels instead"
SERVICE = (
    "MeshService value for 'targetRef.kind' is deprecated, "
    "use MeshSubset with 'kuma.io/service' tag instead"
)
CLIENT = (
    "MeshService value for 'from[].targetRef.kind' is deprecated, "
    "use MeshSubset with 'kuma.io/service' instead"
)
PANIC = (
    "healthyPanicThreshold for 'to[].default' is deprecated. The setting has been moved to "
    "MeshCircuitBreaker policy, please use MeshCircuitBreaker policy instead."
)
CONFS = {
    "MeshAccessLog": "{backends: []}",
    "MeshCircuitBreaker": "{connectionLimits: {}}",
    "MeshRateLimit": "{local: {tcp: {disabled: true}}}",
    "MeshTLS": "{mode: Strict}",
    "MeshTimeout": "{idleTimeout: 1s}",
}
ALL = "targetRef: {kind: Mesh}"


@pytest.mark.parametrize("policy_type", CONFS)
def test_the_list_comes_before_the_reference(policy_type: str) -> None:
    kind, entries = POLICY_KINDS[policy_type], f"[{{{ALL}, default: {CONFS[policy_type]}}}]"
    spec = f"{{targetRef: {{kind: MeshSubset}}, from: {entries}}}"

    assert warned(kind, spec) == [FROM, SUBSET]
    assert warned(kind, "{targetRef: {kind: MeshSubset}, from: []}") == [SUBSET]


@pytest.mark.parametrize("policy_type", ["MeshTrafficPermission", "MeshFaultInjection"])
def test_each_client_that_is_named_by_service_is_told(policy_type: str) -> None:
    entries = ", ".join(
        f"{{targetRef: {target}, default: {{}}}}"
        for target in (
            "{kind: MeshService, name: a}",
            "{kind: MeshSubset, tags: {a: b}}",
            "{kind: MeshService, name: b}",
        )
    )
    spec = f"{{targetRef: {{kind: MeshService, name: s}}, from: [{entries}]}}"

    assert warned(POLICY_KINDS[policy_type], spec) == [SERVICE, CLIENT, CLIENT]


def test_the_panic_threshold_of_a_health_check_is_told_for_each_entry() -> None:
    entries = ", ".join(
        f"{{{ALL}, default: {conf}}}"
        for conf in ("{healthyPanicThreshold: 0}", "{}", "{healthyPanicThreshold: '5.5'}")
    )
    spec = f"{{targetRef: {{kind: MeshSubset}}, to: [{entries}]}}"

    assert warned(POLICY_KINDS["MeshHealthCheck"], spec) == [SUBSET, PANIC, PANIC]


@pytest.mark.parametrize(("balancer", "member"), [("RingHash", "ringHash"), ("Maglev", "maglev")])
def test_an_older_hash_policy_is_told_by_its_place(balancer: str, member: str) -> None:
    policies = "[{type: FilterState, filterState: {key: a}}, {type: SourceIP, connection: {}}]"
    conf = f"{{loadBalancer: {{type: {balancer}, {member}: {{hashPolicies: {policies}}}}}}}"
    spec = f"{{targetRef: {{kind: MeshSubset}}, to: [{{{ALL}, default: {conf}}}]}}"
    at = f"spec.to[0].default.loadBalancer.{member}.hashPolicies[1].type"
    told = f"SourceIP type for '{at}' is deprecated, use Connection instead"

    assert warned(POLICY_KINDS["MeshLoadBalancingStrategy"], spec) == [told, SUBSET]


def test_a_hash_policy_of_a_balancer_that_is_not_in_use_is_not_told() -> None:
    policies = "[{type: SourceIP, connection: {}}]"
    conf = f"{{loadBalancer: {{type: Random, ringHash: {{hashPolicies: {policies}}}}}}}"

    kind = POLICY_KINDS["MeshLoadBalancingStrategy"]
    assert warned(kind, f"{{to: [{{{ALL}, default: {conf}}}]}}") == []


def test_passing_through_may_be_about_subsets() -> None:
    spec = "{targetRef: {kind: MeshSubset, tags: {a: b}}, default: {}}"
    assert warned(POLICY_KINDS["MeshPassthrough"], spec) == []
