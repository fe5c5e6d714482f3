"""What a zone egress does for an ExternalService (docs/wire/policies.md#zone-egress)."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.policy.rules.egress import egress_rules
from kong_mesh_cp.core.policy.rules.subset_rules import rule_for
from kong_mesh_cp.core.policy.target_ref import TargetRef
from support.specs.policies import policy, subset, target

MESH = target("Mesh")
DATABASE = {"kuma.io/service": "db", "version": "v1"}


@pytest.mark.parametrize(
    ("about", "selected"),
    [
        (MESH, True),
        (subset(version="v1"), True),
        (subset(version="v2"), False),
        (target("MeshService", "db"), True),
        (target("MeshService", "web"), False),
        (target("MeshServiceSubset", "db", tags={"version": "v1"}), True),
        (target("MeshServiceSubset", "db", tags={"version": "v2"}), False),
        (target("Dataplane"), False),
        (target("MeshExternalService", "db"), False),
    ],
)
def test_policies_about_the_service_count(about: TargetRef, *, selected: bool) -> None:
    timeout = policy(about=about, sources=[(MESH, {"a": 1})])

    rules = egress_rules("MeshTimeout", DATABASE, [timeout])

    assert [rule.conf for rule in rules.clients] == ([{"a": 1}] if selected else [])
    assert bool(rules.inbound) == selected


def test_a_to_list_is_turned_round_into_rules_for_the_clients_of_the_policy() -> None:
    strategy = policy(
        "s",
        target("MeshService", "web"),
        of="MeshLoadBalancingStrategy",
        to=[(target("MeshService", "db"), {"a": 1}), (target("MeshService", "api"), {"b": 2})],
    )

    rules = egress_rules("MeshLoadBalancingStrategy", DATABASE, [strategy])

    web, api = (rule_for(rules.clients, {"kuma.io/service": name}) for name in ("web", "api"))
    assert web is not None
    assert web.conf == {"a": 1}
    assert api is None
    assert rules.inbound is None


def test_a_policy_with_two_entries_for_the_service_counts_once_each() -> None:
    strategy = policy(
        of="MeshLoadBalancingStrategy",
        to=[(MESH, {"a": 1}), (target("MeshService", "db"), {"a": 2})],
    )

    (rule,) = egress_rules("MeshLoadBalancingStrategy", DATABASE, [strategy]).clients

    assert rule.conf == {"a": 2}
    assert len(rule.origins) == 1


def test_without_a_policy_of_the_type_there_is_nothing() -> None:
    rules = egress_rules("MeshTimeout", DATABASE, [policy(of="MeshRetry", to=[(MESH, {})])])

    assert (rules.clients, rules.inbound) == ((), None)
