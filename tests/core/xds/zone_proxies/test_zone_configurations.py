"""What zone proxies are told beside what is recorded of the original."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kong_mesh_cp.core.discovery.type_order import CLUSTERS, LISTENERS
from kong_mesh_cp.core.xds.envoy.as_json import json_of
from kong_mesh_cp.core.xds.envoy.envoy_messages import unpacked
from kong_mesh_cp.core.xds.generate import Generated
from support.suites.recorded_proxies import generated_for

EGRESS = {
    "type": "ZoneEgress",
    "name": "egress-1",
    "networking": {"address": "10.6.0.1", "port": 10002},
}
INGRESS = {
    "type": "ZoneIngress",
    "name": "ingress-1",
    "networking": {"address": "10.4.0.1", "port": 10001},
}
MTLS = {"enabledBackend": "ca-1", "backends": [{"name": "ca-1", "type": "builtin"}]}
MESH = {"type": "Mesh", "name": "shop", "skipCreatingInitialPolicies": ["*"], "mtls": MTLS}


@dataclass
class Case:
    """As the recordings have one."""

    resources: list[Any]
    env: dict[str, str] = field(default_factory=dict)
    companions: tuple[Any, ...] = ()
    proxies: tuple[Any, ...] = ()


@dataclass
class ZoneProxy:
    name: str
    type: str


def told(proxy: ZoneProxy, *resources: Any) -> Generated:
    return generated_for(Case(list(resources)), proxy)


def egress(*resources: Any) -> Generated:
    return told(ZoneProxy("egress-1", "egress"), EGRESS, *resources)


def messages(made: Generated, url: str) -> dict[str, Any]:
    resources = made.snapshot.of_type(url).resources
    return {name: json_of(unpacked(each.packed)) for name, each in resources.items()}


def server_names(made: Generated) -> list[str]:
    chains = [
        chain
        for name, each in messages(made, LISTENERS).items()
        if name.startswith("inbound:")
        for chain in each["filterChains"]
    ]
    return [name for chain in chains for name in chain["filterChainMatch"]["serverNames"]]


def outside(name: str, **spec: Any) -> Any:
    found = {
        "match": {"type": "HostnameGenerator", "port": 443, "protocol": "http"},
        "endpoints": [{"address": f"{name}.example", "port": 443}],
        **spec,
    }
    return {"type": "MeshExternalService", "mesh": "shop", "name": name, "spec": found}


def test_an_ingress_with_nothing_to_offer_says_that_it_is_there() -> None:
    made = told(ZoneProxy("ingress-1", "ingress"), INGRESS, MESH)
    (chain,) = messages(made, LISTENERS)["inbound:10.4.0.1:10001"]["filterChains"]

    assert [each["name"] for each in chain["filters"]] == ["envoy.filters.network.direct_response"]


def test_an_egress_without_meshes_has_its_admin_alone() -> None:
    assert [*messages(egress(), LISTENERS)] == ["kuma:envoy:admin"]


def test_a_mesh_without_mtls_has_no_way_out_by_the_egress() -> None:
    plain = {**MESH, "mtls": None}

    assert server_names(egress({k: v for k, v in plain.items() if v}, outside("a"))) == []


def test_a_service_without_endpoints_keeps_no_other_one_out() -> None:
    made = egress(MESH, outside("a", endpoints=[]), outside("b"))

    assert [name.split(".")[1] for name in server_names(made)] == ["b"]


def test_a_service_of_another_zone_is_left_to_the_egress_there() -> None:
    elsewhere = {**outside("a"), "labels": {"kuma.io/zone": "west", "kuma.io/origin": "global"}}

    assert server_names(egress(MESH, elsewhere)) == []


def test_a_secret_that_is_not_there_is_told_and_keeps_no_other_one_out() -> None:
    tls = {"enabled": True, "verification": {"caCert": {"secret": "gone"}}}
    made = egress(MESH, outside("a", tls=tls), outside("b"))

    assert [name.split(".")[1] for name in server_names(made)] == ["b"]
    (complaint,) = made.complaints
    assert 'caCert names the Secret "gone"' in complaint.reason


def test_whoever_calls_a_resource_has_its_circuit_breaker_once() -> None:
    breaker = {
        "type": "MeshCircuitBreaker",
        "mesh": "shop",
        "name": "limits",
        "spec": {
            "to": [
                {
                    "targetRef": {"kind": "MeshExternalService", "name": "a"},
                    "default": {"connectionLimits": {"maxConnections": 7}},
                }
            ]
        },
    }
    clusters = messages(egress(MESH, outside("a"), outside("b"), breaker), CLUSTERS)
    found = {name: each.get("circuitBreakers") for name, each in clusters.items()}

    limits = {"thresholds": [{"maxConnections": 7, "trackRemaining": True}]}
    assert found["shop_a__default_extsvc_443"] == limits
    assert found["shop_b__default_extsvc_443"] is None
