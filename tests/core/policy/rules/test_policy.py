"""What matching reads of a policy, and what the types of policies consist of.

Source: docs/wire/policies.md#types
"""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.policy.rules.policy import TRAITS, Meta
from kong_mesh_cp.core.resources.registry import TYPES


def _types(trait: str) -> set[str]:
    return {name for name, traits in TRAITS.items() if getattr(traits, trait)}


def test_every_target_ref_policy_of_kuma_takes_part() -> None:
    known = {each.name for each in TYPES.values() if each.is_target_ref_policy}

    assert set(TRAITS) == {name for name in known if not TYPES[name].kong_only}
    assert len(TRAITS) == 16


def test_types_consist_of_what_the_contract_says() -> None:
    assert _types("from_as_rules") == {
        "MeshAccessLog",
        "MeshCircuitBreaker",
        "MeshRateLimit",
        "MeshTLS",
        "MeshTimeout",
    }
    assert _types("proxy_wide") == {"MeshMetric", "MeshPassthrough", "MeshProxyPatch", "MeshTrace"}
    assert _types("has_from") - _types("from_as_rules") == {
        "MeshFaultInjection",
        "MeshTrafficPermission",
    }
    assert _types("keyed_rules") == {"MeshHTTPRoute"}


def test_routes_come_first_and_patches_last() -> None:
    order = list(TRAITS)

    assert order[:2] == ["MeshHTTPRoute", "MeshTCPRoute"]
    assert order[-1] == "MeshProxyPatch"


@pytest.mark.parametrize(
    ("labels", "display_name", "origin", "zone", "role"),
    [
        ({}, "m", "", None, "system"),
        ({"kuma.io/display-name": "shown"}, "shown", "", None, "system"),
        ({"kuma.io/display-name": ""}, "m", "", None, "system"),
        ({"kuma.io/origin": "zone", "kuma.io/zone": "east"}, "m", "zone", "east", "system"),
        ({"kuma.io/policy-role": "producer"}, "m", "", None, "producer"),
    ],
)
def test_labels_say_where_a_policy_comes_from(
    labels: dict[str, str], display_name: str, origin: str, zone: str | None, role: str
) -> None:
    meta = Meta("MeshTimeout", "default", "m", labels)

    assert (meta.display_name, meta.origin, meta.zone, meta.role) == (
        display_name,
        origin,
        zone,
        role,
    )


def test_only_the_effect_shadow_makes_a_shadow() -> None:
    assert Meta("MeshTimeout", "default", "m", {"kuma.io/effect": "shadow"}).is_shadow
    assert not Meta("MeshTimeout", "default", "m", {"kuma.io/effect": ""}).is_shadow
    assert not Meta("MeshTimeout", "default", "m").is_shadow
