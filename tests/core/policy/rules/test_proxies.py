"""Which MeshGateway a proxy serves (docs/wire/policies.md#built-in-gateways)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kong_mesh_cp.core.policy.rules.policy import Meta
from kong_mesh_cp.core.policy.rules.proxies import (
    GatewayRole,
    HostListener,
    Listener,
    MeshGateway,
    served_gateway,
)
from support.specs.policies import inbound, proxy

EDGE = GatewayRole(builtin=True, tags={"kuma.io/service": "edge", "v": "1"})


def _gateway(
    name: str, *selectors: dict[str, str], labels: dict[str, str] | None = None, year: int = 2026
) -> MeshGateway:
    meta = Meta("MeshGateway", "default", name, labels or {})
    return MeshGateway(meta, selectors, created_at=datetime(year, 1, 1, tzinfo=UTC))


def _served(*gateways: MeshGateway, labels: dict[str, str] | None = None) -> str | None:
    found = served_gateway(proxy(gateway=EDGE, labels=labels), gateways)
    return found.meta.name if found else None


def test_a_gateway_is_served_by_the_proxies_it_selects() -> None:
    assert _served(_gateway("g", {"kuma.io/service": "edge"})) == "g"
    assert _served(_gateway("g", {"kuma.io/service": "other"})) is None


def test_the_closest_selector_wins() -> None:
    wide = _gateway("a", {"kuma.io/service": "edge"}, year=2027)
    any_version = _gateway("b", {"kuma.io/service": "edge", "v": "*"}, year=2027)
    narrow = _gateway("c", {"kuma.io/service": "none"}, {"kuma.io/service": "edge", "v": "1"})

    assert _served(wide, any_version, narrow) == "c"
    assert _served(any_version, wide) == "b"


def test_of_equals_the_newest_wins_then_the_first_name() -> None:
    old = _gateway("a", {"kuma.io/service": "edge"}, year=2025)
    new = _gateway("b", {"kuma.io/service": "edge"}, year=2026)
    same = _gateway("c", {"kuma.io/service": "edge"}, year=2026)

    assert _served(old, same, new) == "b"


@pytest.mark.parametrize(
    ("gateway_labels", "served"),
    [
        ({}, True),
        ({"kuma.io/origin": "global"}, True),
        ({"kuma.io/origin": "zone", "kuma.io/zone": "east"}, True),
        ({"kuma.io/origin": "zone"}, True),
        ({"kuma.io/origin": "zone", "kuma.io/zone": "west"}, False),
    ],
)
def test_a_gateway_of_another_zone_is_not_served(
    gateway_labels: dict[str, str], *, served: bool
) -> None:
    gateway = _gateway("g", {"kuma.io/service": "edge"}, labels=gateway_labels)

    assert (_served(gateway, labels={"kuma.io/zone": "east"}) == "g") == served
    assert _served(gateway) == "g"  # where the zone of the proxy is not known


def test_only_builtin_gateways_serve_one() -> None:
    gateway = _gateway("g", {"kuma.io/service": "edge"})
    delegated = GatewayRole(builtin=False, tags=EDGE.tags)

    assert served_gateway(proxy(inbound(80, EDGE.tags)), [gateway]) is None
    assert served_gateway(proxy(gateway=delegated), [gateway]) is None


def test_listeners_print_as_logs_and_answers_show_them() -> None:
    assert str(Listener("10.0.0.1", 80)) == "10.0.0.1:80"
    assert str(HostListener("10.0.0.1", 80)) == "10.0.0.1:80:*"
