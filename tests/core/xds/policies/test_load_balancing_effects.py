"""Which endpoint gets a request (docs/wire/envoy-policies.md#load-balancing)."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.policy.kinds.mesh_load_balancing_strategy import TABLE_ENTRIES_MAX
from support.specs.edges import (
    ToldEdge,
    about_edge,
    by_path,
    edge,
    gateway,
    http_route,
    to_tag,
)
from support.specs.sidecars import (
    Told,
    instance,
    outbound,
    policy,
    tags,
    to_mesh,
    to_service,
    told,
    web,
)
from support.specs.transparent_proxies import Json, mesh_of_zones

LISTENER = "outbound:127.0.0.1:10001"
CALLER = web(
    {"port": 8080, "tags": tags("web", "http", rack="r1", region="eu")},
    to=(outbound(10001, "pay"),),
)
NEAR = instance("pay", "http", 2, rack="r1", region="eu")
CLOSE = instance("pay", "http", 3, rack="r2", region="eu")
FAR = instance("pay", "http", 4, rack="r3", region="us")


def balanced(*documents: Json, **conf: object) -> Told:
    strategy = policy("MeshLoadBalancingStrategy", to=to_service("pay", **conf))
    return told(CALLER, NEAR, CLOSE, FAR, strategy, *documents)


def cluster(kind: str, member: str = "", **conf: object) -> Any:
    balancer = {"type": kind, **({member: conf} if member else {})}
    found = balanced(loadBalancer=balancer).clusters["pay"]
    return {name: value for name, value in found.items() if "lb" in name.lower()}


def localities(**awareness: object) -> list[tuple[str, int, int]]:
    """Sub-zone, share and the number of endpoints of each."""
    found = balanced(localityAwareness=awareness).endpoints["pay"]
    return [
        (
            each["locality"].get("subZone", ""),
            each.get("loadBalancingWeight", 0),
            len(each["lbEndpoints"]),
        )
        for each in found["endpoints"]
    ]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("RoundRobin", {}),  # Envoy's own
        ("LeastRequest", {"lbPolicy": "LEAST_REQUEST"}),
        ("RingHash", {"lbPolicy": "RING_HASH"}),
        ("Random", {"lbPolicy": "RANDOM"}),
        ("Maglev", {"lbPolicy": "MAGLEV"}),
    ],
)
def test_a_balancer_is_chosen(kind: str, shown: Json) -> None:
    assert cluster(kind) == shown


def test_least_request_says_how_many_are_compared_and_how_much_load_counts() -> None:
    found = cluster("LeastRequest", "leastRequest", choiceCount=4, activeRequestBias="1.5")
    config = found["leastRequestLbConfig"]
    assert config["choiceCount"] == 4
    # Envoy refuses one without a key.
    assert config["activeRequestBias"]["defaultValue"] == 1.5
    assert config["activeRequestBias"]["runtimeKey"]


def test_a_ring_has_its_function_and_its_sizes() -> None:
    found = cluster(
        "RingHash", "ringHash", hashFunction="MurmurHash2", minRingSize=10, maxRingSize=2000
    )
    assert found["ringHashLbConfig"] == {
        "hashFunction": "MURMUR_HASH_2",
        "minimumRingSize": "10",
        "maximumRingSize": "2000",
    }
    assert cluster("RingHash", "ringHash", hashFunction="XXHash")["ringHashLbConfig"] == {}


@pytest.mark.parametrize("least", [{}, {"minRingSize": 500}])
def test_a_ring_is_never_larger_than_its_most(least: dict[str, int]) -> None:
    found = cluster("RingHash", "ringHash", maxRingSize=100, **least)
    assert found["ringHashLbConfig"] == {"minimumRingSize": "100", "maximumRingSize": "100"}


@pytest.mark.parametrize(
    ("wanted", "made"),
    [(251, 251), (250, 251), (1, 2), (65536, 65537), (TABLE_ENTRIES_MAX, TABLE_ENTRIES_MAX)],
)
def test_the_table_of_maglev_has_a_prime_size(wanted: int, made: int) -> None:
    found = cluster("Maglev", "maglev", tableSize=wanted)
    assert found["maglevLbConfig"] == {"tableSize": str(made)}


HASHES: tuple[tuple[Json, Json], ...] = (
    (
        {"type": "Header", "header": {"name": "x-user"}, "terminal": True},
        {"header": {"headerName": "x-user"}, "terminal": True},
    ),
    (
        {"type": "Cookie", "cookie": {"name": "c", "ttl": "90s", "path": "/x"}},
        {"cookie": {"name": "c", "ttl": "90s", "path": "/x"}},
    ),
    ({"type": "Cookie", "cookie": {"name": "c"}}, {"cookie": {"name": "c"}}),
    (
        {"type": "Connection", "connection": {"sourceIP": True}},
        {"connectionProperties": {"sourceIp": True}},
    ),
    (
        {"type": "SourceIP", "connection": {"sourceIP": True}},
        {"connectionProperties": {"sourceIp": True}},
    ),
    (
        {"type": "QueryParameter", "queryParameter": {"name": "q"}},
        {"queryParameter": {"name": "q"}},
    ),
    ({"type": "FilterState", "filterState": {"key": "k"}}, {"filterState": {"key": "k"}}),
)


@pytest.mark.parametrize(("kind", "member"), [("RingHash", "ringHash"), ("Maglev", "maglev")])
def test_what_is_hashed_is_said_by_every_route(kind: str, member: str) -> None:
    hashed = {"hashPolicies": [said for said, _ in HASHES]}
    split = {
        "matches": [{"path": {"type": "Exact", "value": "/a"}}],
        "default": {"backendRefs": [{"kind": "MeshService", "name": "pay"}]},
    }
    redirect = {
        "matches": [{"path": {"type": "Exact", "value": "/b"}}],
        "default": {"filters": [{"type": "RequestRedirect", "requestRedirect": {"port": 81}}]},
    }
    entry = {"targetRef": {"kind": "MeshService", "name": "pay"}, "rules": [split, redirect]}
    found = balanced(
        policy("MeshHTTPRoute", to=[entry]), loadBalancer={"type": kind, member: hashed}
    )
    routes = found.routes(LISTENER)
    assert [each["route"]["hashPolicy"] for each in routes if "route" in each] == [
        [made for _, made in HASHES]
    ] * 2
    assert len(routes) == 3


@pytest.mark.parametrize(
    "balancer",
    [{"type": "RingHash"}, {"type": "Maglev", "maglev": {}}, {"type": "Random"}],
)
def test_what_hashes_nothing_says_nothing(balancer: Json) -> None:
    found = balanced(loadBalancer=balancer)
    assert [each for each in found.routes(LISTENER) if "hashPolicy" in each["route"]] == []


def test_affinity_gives_nine_tenths_to_the_first_tag_and_so_on() -> None:
    affinity = {"affinityTags": [{"key": "rack"}, {"key": "region"}]}
    assert localities(localZone=affinity) == [("", 1, 1), ("rack=r1", 90, 1), ("region=eu", 9, 1)]


def test_a_tag_that_the_client_does_not_have_keeps_its_place() -> None:
    affinity = {"affinityTags": [{"key": "rack"}, {"key": "floor"}, {"key": "region"}]}
    assert localities(localZone=affinity) == [("", 1, 1), ("rack=r1", 900, 1), ("region=eu", 9, 1)]


def test_affinity_has_the_weights_that_are_said() -> None:
    affinity = {"affinityTags": [{"key": "rack", "weight": 70}, {"key": "region", "weight": 5}]}
    assert localities(localZone=affinity) == [("", 1, 1), ("rack=r1", 70, 1), ("region=eu", 5, 1)]


@pytest.mark.parametrize(
    "tags_of_policy",
    [
        [{"key": "rack", "weight": 2**32 - 1}, {"key": "region", "weight": 2**32 - 1}],
        [{"key": "rack"}, *({"key": f"t{each}"} for each in range(20)), {"key": "region"}],
    ],
)
def test_shares_add_up_to_what_envoy_can_count(tags_of_policy: list[Json]) -> None:
    found = localities(localZone={"affinityTags": tags_of_policy})
    assert [sub_zone for sub_zone, *_ in found] == ["", "rack=r1", "region=eu"]
    assert sum(share for _, share, _ in found) < 2**32
    assert all(share >= 1 for _, share, _ in found)


def test_with_affinity_localities_are_weighed_in_the_cluster() -> None:
    affinity = {"affinityTags": [{"key": "rack"}]}
    found = balanced(localityAwareness={"localZone": affinity})
    assert found.clusters["pay"]["commonLbConfig"] == {"localityWeightedLbConfig": {}}
    assert "commonLbConfig" not in balanced(localityAwareness={"localZone": {}}).clusters["pay"]


@pytest.mark.parametrize(
    ("threshold", "factor"),
    [(None, 200), (50, 200), (70, 100), ("12.5", 800), (100, 100)],
)
def test_the_threshold_is_how_many_instances_are_too_many(threshold: object, factor: int) -> None:
    cross_zone = {} if threshold is None else {"failoverThreshold": {"percentage": threshold}}
    found = balanced(localityAwareness={"crossZone": cross_zone}).endpoints["pay"]
    assert found["policy"] == {"overprovisioningFactor": factor}


def ingress(zone: str) -> Json:
    services = {"kuma.io/service": "pay", "kuma.io/protocol": "http", "kuma.io/zone": zone}
    return {
        "type": "ZoneIngress",
        "name": zone,
        "zone": zone,
        "networking": {
            "address": "10.9.0.1",
            "port": 10001,
            "advertisedAddress": f"{zone}.example",
            "advertisedPort": 10001,
        },
        "availableServices": [{"mesh": "m", "instances": 1, "tags": services}],
    }


ZONES = tuple(map(ingress, ("north", "south", "west")))


def priorities(*others: Json, routing: Json | None = None, **conf: object) -> dict[str, int]:
    """By zone."""
    found = balanced(mesh_of_zones(**(routing or {})), *ZONES, *others, **conf).endpoints["pay"]
    return {each["locality"]["zone"]: each.get("priority", 0) for each in found["endpoints"]}


def failing_over(*rules: Json) -> dict[str, int]:
    return priorities(localityAwareness={"crossZone": {"failover": list(rules)}})


def test_with_a_policy_other_zones_come_after_the_own_one() -> None:
    confs: tuple[Json, ...] = ({"loadBalancer": {"type": "Random"}}, {"localityAwareness": {}})
    for conf in confs:
        assert priorities(**conf) == {"default": 0, "north": 1, "south": 1, "west": 1}


def test_where_localities_do_not_count_all_zones_are_alike() -> None:
    for routing in ({}, {"localityAwareLoadBalancing": True}):
        found = priorities(routing=routing, localityAwareness={"disabled": True})
        assert set(found.values()) == {0}


def test_where_some_is_said_about_zones_the_others_get_nothing() -> None:
    only = {"to": {"type": "Only", "zones": ["west"]}}
    assert failing_over(only) == {"default": 0, "west": 1}
    assert failing_over({"to": {"type": "None"}}) == {"default": 0}
    assert priorities(localityAwareness={"localZone": {}}) == {"default": 0}


def test_rules_count_in_their_order_and_for_the_zones_of_their_clients() -> None:
    assert failing_over(
        {"from": {"zones": ["elsewhere"]}, "to": {"type": "Any"}},
        {"from": {"zones": ["default"]}, "to": {"type": "Only", "zones": ["west"]}},
        {"to": {"type": "AnyExcept", "zones": ["north"]}},
        {"to": {"type": "Any"}},
    ) == {"default": 0, "west": 2, "south": 3, "north": 4}


def test_behind_the_egress_zones_are_one_locality_that_other_rules_rename() -> None:
    egress = {
        "type": "ZoneEgress",
        "name": "out",
        "zone": "default",
        "networking": {"address": "10.8.0.1", "port": 10003},
    }

    def behind(*rules: Json) -> str:
        found = priorities(
            egress,
            routing={"zoneEgress": True},
            localityAwareness={"crossZone": {"failover": list(rules)}},
        )
        assert found.pop("default") == 0
        [(zone, priority)] = found.items()
        assert priority == 1
        return zone

    anywhere, somewhere = behind({"to": {"type": "Any"}}), behind()
    assert anywhere.startswith("egress_")
    assert anywhere != somewhere


def test_a_service_that_no_outbound_is_for_is_not_balanced_by_policies() -> None:
    entry = {
        "targetRef": {"kind": "MeshService", "name": "pay"},
        "rules": [
            {
                "matches": [{"path": {"type": "Exact", "value": "/a"}}],
                "default": {"backendRefs": [{"kind": "MeshService", "name": "copy"}]},
            }
        ],
    }
    strategy = {"localityAwareness": {"localZone": {}}, "loadBalancer": {"type": "Random"}}
    to_all = [{"targetRef": {"kind": "Mesh"}, "default": strategy}]
    found = told(
        CALLER,
        NEAR,
        instance("copy", "http", 5),
        policy("MeshHTTPRoute", to=[entry]),
        policy("MeshLoadBalancingStrategy", to=to_all),
    )
    assert "policy" in found.endpoints["pay"]
    assert "policy" not in found.endpoints["copy"]
    assert found.clusters["pay"]["lbPolicy"] == "RANDOM"
    assert "lbPolicy" not in found.clusters["copy"]


def ring(header: str) -> dict[str, Any]:
    hashing = {"hashPolicies": [{"type": "Header", "header": {"name": header}}]}
    return {"loadBalancer": {"type": "RingHash", "ringHash": hashing}}


def test_all_routes_of_a_gateway_hash_once_for_each_service_that_is_balanced_so() -> None:
    found = ToldEdge(
        edge(),
        gateway(),
        instance("pay", "http"),
        instance("audit", "http", last=3),
        http_route(
            by_path("/a", to_tag("pay"), match="Exact"),
            by_path("/b", to_tag("audit"), match="Exact"),
        ),
        about_edge("MeshLoadBalancingStrategy", to=to_mesh(**ring("x-user"))),
    )
    policies = [each["route"]["hashPolicy"] for each in found.table()]
    assert policies == [[{"header": {"headerName": "x-user"}}] * 2] * 2
    assert {each["lbPolicy"] for each in found.clusters.values()} == {"RING_HASH"}


def test_a_gateways_redirects_and_empty_hosts_do_not_hash() -> None:
    redirect = {"type": "RequestRedirect", "requestRedirect": {"hostname": "a.example"}}
    found = ToldEdge(
        edge(),
        gateway(),
        instance("pay", "http"),
        http_route(
            by_path("/a", filters=[redirect], match="Exact"),
            by_path("/b", to_tag("pay"), match="Exact"),
        ),
        about_edge("MeshLoadBalancingStrategy", to=to_mesh(**ring("x-user"))),
    )
    redirected, sent = found.table()
    assert "hashPolicy" not in redirected["redirect"]
    assert sent["route"]["hashPolicy"] == [{"header": {"headerName": "x-user"}}]
