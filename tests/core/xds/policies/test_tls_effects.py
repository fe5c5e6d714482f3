"""Which TLS a mesh speaks, and where it takes plain traffic.

Source: docs/wire/mtls.md#versions-and-modes
"""

from __future__ import annotations

from typing import Any

import pytest

from support.specs.edges import (
    ToldEdge,
    by_path,
    edge,
    gateway,
    http_route,
    to_tag,
)
from support.specs.sidecars import Told, inbound, instance, outbound, policy, to_mesh, told, web
from support.specs.transparent_proxies import mesh, proxy

INBOUND = "inbound:10.0.0.1:8080"
CIPHERS = ["ECDHE-ECDSA-AES256-GCM-SHA384"]
BOTH_ENDS: dict[str, Any] = {"tlsVersion": {"min": "TLS12", "max": "TLS13"}}


def secured(mode: str = "STRICT") -> Any:
    backend = {"name": "ca", "type": "builtin", "mode": mode}
    return mesh(mtls={"enabledBackend": "ca", "backends": [backend]})


def rules(name: str = "p", target: object = None, **conf: Any) -> Any:
    named = {} if target is None else {"targetRef": target}
    return policy("MeshTLS", name, rules=[{"default": conf}], **named)


def parameters(transport: Any) -> Any:
    return transport["transportSocket"]["typedConfig"]["commonTlsContext"].get("tlsParams")


def both_sides(**conf: Any) -> tuple[Any, Any]:
    """What TLS is spoken at an inbound, and at a cluster."""
    caller = web(to=(outbound(10001, "pay"),))
    found = told(secured(), caller, instance("pay", "http"), rules(**conf))
    return parameters(found.chain(INBOUND)), parameters(found.clusters["pay"])


def matches(found: Told, listener: str = INBOUND) -> list[Any]:
    return [each.get("filterChainMatch", {}) for each in found.listeners[listener]["filterChains"]]


def test_versions_hold_for_both_sides() -> None:
    wanted = {"tlsMinimumProtocolVersion": "TLSv1_2", "tlsMaximumProtocolVersion": "TLSv1_3"}
    assert both_sides(**BOTH_ENDS) == (wanted, wanted)


def test_an_open_end_is_left_to_envoy() -> None:
    wanted = {"tlsMaximumProtocolVersion": "TLSv1_2"}
    assert both_sides(tlsVersion={"max": "TLS12"}) == (wanted, wanted)


def test_ciphers_stand_beside_a_version_only() -> None:
    inbound_side, cluster_side = both_sides(**BOTH_ENDS, tlsCiphers=CIPHERS)
    assert inbound_side == cluster_side
    assert inbound_side["cipherSuites"] == CIPHERS
    assert both_sides(tlsCiphers=CIPHERS) == (None, None)


def test_one_inbound_can_be_less_strict_than_its_mesh() -> None:
    own = web(inbound("web", 8080, "http"), inbound("api", 8081, "http", name="api"))
    target = {"kind": "Dataplane", "name": "web-1", "sectionName": "api"}
    found = told(secured(), own, rules(target=target, mode="Permissive"))
    assert matches(found) == [{}]
    api = found.listeners["inbound:10.0.0.1:8081"]
    assert matches(found, "inbound:10.0.0.1:8081") == [
        {"transportProtocol": "raw_buffer"},
        {"transportProtocol": "tls"},
        {"transportProtocol": "tls", "applicationProtocols": ["kuma"]},
    ]
    assert [each["name"] for each in api["listenerFilters"]] == [
        "envoy.filters.listener.tls_inspector"
    ]


def test_a_mesh_can_be_less_strict_than_its_inbounds() -> None:
    found = told(secured("PERMISSIVE"), web(), rules(mode="Strict"))
    assert matches(found) == [{}]
    assert "transportSocket" in found.chain(INBOUND)
    assert "listenerFilters" not in found.listeners[INBOUND]


def test_without_mtls_nothing_is_done() -> None:
    hard = rules(mode="Permissive", **BOTH_ENDS)
    assert told(web(), hard).listeners == told(web()).listeners


def test_a_proxy_without_inbounds_keeps_the_versions_of_envoy() -> None:
    gateway = {"type": "DELEGATED", "tags": {"kuma.io/service": "web"}}
    edge = proxy("web-1", "10.0.0.1", gateway=gateway, outbound=[outbound(10001, "pay")])
    edge["networking"].pop("inbound")
    found = told(secured(), edge, instance("pay", "http"), rules(**BOTH_ENDS))
    assert parameters(found.clusters["pay"]) is None


@pytest.mark.parametrize("protocol", ["http", "tcp"])
def test_chains_that_are_plain_ask_for_no_permission(protocol: str) -> None:
    own = web(inbound("web", 8080, protocol))
    found = told(secured(), own, rules(mode="Permissive"))
    judged = ["rbac" in str(each) for each in found.listeners[INBOUND]["filterChains"]]
    assert judged == [False, False, True]


def test_a_gateway_speaks_the_versions_of_its_policy_to_services() -> None:
    backend = {"name": "ca-1", "type": "builtin"}
    limits = {"tlsVersion": {"min": "TLS13", "max": "TLS13"}}
    found = ToldEdge(
        mesh(mtls={"enabledBackend": "ca-1", "backends": [backend]}),
        edge(),
        gateway(),
        instance("pay", "http"),
        http_route(by_path("/x", to_tag("pay"))),
        policy("MeshTLS", targetRef={"kind": "Mesh"}, from_=to_mesh(**limits)),
    )
    common = found.cluster("pay")["transportSocket"]["typedConfig"]["commonTlsContext"]
    assert common["tlsParams"] == {
        "tlsMinimumProtocolVersion": "TLSv1_3",
        "tlsMaximumProtocolVersion": "TLSv1_3",
    }
