"""Which endpoints of a cluster come first: by how near they are, in tags and zones.

Source: docs/wire/envoy-policies.md#localities
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.tags import SERVICE, ZONE
from kong_mesh_cp.core.xds.services.instances import Endpoint

FIRST: Final = 0
REMOTE: Final = 1
LAST: Final = 128  # Envoy's bound
OWN_ZONE: Final = 1  # the share of the instances of a zone that are like the client in no tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Affinity:
    """Instances of the own zone that have a tag of the client, and their share of the traffic."""

    key: str
    value: str
    share: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover:
    """Zones that traffic goes to when those before them have too few healthy instances."""

    priority: int
    zones: frozenset[str] | None = None  # None: all
    but: frozenset[str] = frozenset()

    def leads_to(self, zone: str) -> bool:
        return zone not in self.but and (self.zones is None or zone in self.zones)


@dataclass(frozen=True, slots=True, kw_only=True)
class Locality:
    """How the endpoints of a cluster are ranked for the clients of a zone. It is a key."""

    zone: str  # of the clients
    remote: int = REMOTE  # the priority of all other zones, where nothing else is said


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledLocality(Locality):
    """As a policy says it. Other zones get traffic only where it lets them."""

    affinities: tuple[Affinity, ...] = ()  # the first that an instance has counts
    failovers: tuple[Failover, ...] = ()  # likewise, for a zone
    # What is behind the zone's egress is one locality of this name: that one knows the zones.
    egress: str = ""
    overprovisioning: int  # in per cent: traffic leaves where healthy instances times it are < 100


def placed_by(locality: Locality, endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """`endpoints` with their priorities; without those that get no traffic."""
    if isinstance(locality, RuledLocality):
        return tuple(_ruled(locality, endpoints))
    return tuple(
        each
        if each.zone is None
        else each._replace(priority=FIRST if each.zone == locality.zone else locality.remote)
        for each in endpoints
    )


def _ruled(locality: RuledLocality, endpoints: Iterable[Endpoint]) -> Iterator[Endpoint]:
    for each in endpoints:
        tags = dict(each.tags)
        zone = tags.get(ZONE, "")
        if zone == locality.zone:
            yield _near(locality, each, tags)
        elif locality.egress:
            yield each._replace(zone=locality.egress, priority=REMOTE)
        else:
            found = (rule.priority for rule in locality.failovers if rule.leads_to(zone))
            priority = next(found, None)
            if priority is not None:
                yield each._replace(zone=zone, priority=priority)


def _near(locality: RuledLocality, endpoint: Endpoint, tags: dict[str, str]) -> Endpoint:
    for each in locality.affinities:
        # The service's own tag is not among what an endpoint is known by.
        if each.key != SERVICE and tags.get(each.key) == each.value:
            sub_zone = f"{each.key}={each.value}"
            return endpoint._replace(
                zone=locality.zone, priority=FIRST, sub_zone=sub_zone, share=each.share
            )
    return endpoint._replace(zone=locality.zone, priority=FIRST, share=OWN_ZONE)
