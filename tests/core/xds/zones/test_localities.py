"""Which endpoints come first (docs/wire/envoy-policies.md#localities)."""

from __future__ import annotations

from kong_mesh_cp.core.xds.world import Endpoint, pairs
from kong_mesh_cp.core.xds.zones.localities import (
    Affinity,
    Failover,
    Locality,
    RuledLocality,
    placed_by,
)

HERE = "here"


def endpoint(zone: str | None, last: int = 1, **tags: str) -> Endpoint:
    of_zone = {} if zone is None else {"kuma.io/zone": zone}
    return Endpoint(f"10.0.0.{last}", 80, pairs({**of_zone, **tags}), zone=zone)


def ruled(
    *failovers: Failover, affinities: tuple[Affinity, ...] = (), egress: str = ""
) -> RuledLocality:
    return RuledLocality(
        zone=HERE,
        failovers=failovers,
        affinities=affinities,
        egress=egress,
        overprovisioning=200,
    )


def zones(locality: Locality, *endpoints: Endpoint) -> dict[str | None, int]:
    return {each.zone: each.priority for each in placed_by(locality, endpoints)}


def test_other_zones_come_after_the_own_one() -> None:
    everywhere = [endpoint(HERE), endpoint("west"), endpoint(None)]
    assert zones(Locality(zone=HERE), *everywhere) == {HERE: 0, "west": 1, None: 0}
    assert zones(Locality(zone=HERE, remote=0), *everywhere) == {HERE: 0, "west": 0, None: 0}


def test_with_rules_traffic_stays_in_its_zone_unless_one_lets_it_leave() -> None:
    assert zones(ruled(), endpoint(HERE), endpoint("west"), endpoint(None)) == {HERE: 0}


def test_the_first_rule_that_leads_to_a_zone_counts_for_it() -> None:
    locality = ruled(
        Failover(priority=2, zones=frozenset({"west"})),
        Failover(priority=3, but=frozenset({"east"})),
        Failover(priority=4),
    )
    found = zones(locality, *map(endpoint, (HERE, "east", "west", "north")))
    assert found == {HERE: 0, "west": 2, "north": 3, "east": 4}


def test_instances_like_the_client_have_a_share_of_the_first_tag_they_have() -> None:
    rack, region = (
        Affinity(key="rack", value="r1", share=90),
        Affinity(key="region", value="eu", share=9),
    )
    found = placed_by(
        ruled(affinities=(rack, region)),
        [
            endpoint(HERE, 1, rack="r1", region="eu"),
            endpoint(HERE, 2, rack="r2", region="eu"),
            endpoint(HERE, 3, rack="r2", region="us"),
        ],
    )
    assert [(each.sub_zone, each.share) for each in found] == [
        ("rack=r1", 90),
        ("region=eu", 9),
        ("", 1),
    ]


def test_likeness_does_not_count_across_zones() -> None:
    rack = Affinity(key="rack", value="r1", share=90)
    locality = ruled(Failover(priority=1), affinities=(rack,))
    (found,) = placed_by(locality, [endpoint("west", rack="r1")])
    assert (found.sub_zone, found.share, found.priority) == ("", 0, 1)


def test_what_is_behind_the_egress_is_one_locality_after_the_own_zone() -> None:
    locality = ruled(Failover(priority=1, zones=frozenset({"west"})), egress="egress_1")
    found = placed_by(locality, [endpoint(HERE), endpoint("west", 2), endpoint("east", 3)])
    assert [(each.zone, each.priority) for each in found] == [
        (HERE, 0),
        ("egress_1", 1),
        ("egress_1", 1),
    ]
