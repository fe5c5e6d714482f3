"""Where a TrafficRoute sends what goes out of one outbound.

Source: docs/wire/older-policies.md#routes
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from kong_mesh_cp.core.resources.kinds.legacy.traffic_route import (
    HttpRoute,
    Match,
    Modify,
    Split,
    TrafficRoute,
)
from kong_mesh_cp.core.resources.tags import SERVICE, Tags
from kong_mesh_cp.core.xds.world import TagPairs, pairs

ANY: Final = "*"
WHOLE: Final = 1  # the weight of a destination that is alone


class Share(NamedTuple):
    """A share of the traffic, for the instances of a service that carry `tags`."""

    tags: TagPairs
    weight: int

    @property
    def service(self) -> str:
        return dict(self.tags)[SERVICE]


class OlderRoute(NamedTuple):
    """Requests that match, what is changed in them, and where they go."""

    shares: tuple[Share, ...]
    match: Match | None = None  # None: all
    modify: Modify | None = None


def older_routes(route: TrafficRoute | None, own: TagPairs) -> tuple[OlderRoute, ...]:
    """In the order in which they are tried. `own` are the tags of the outbound.

    Of tcp, which has no requests, all shares of all routes count together. Empty: nowhere.
    """
    if route is None or route.conf is None:
        return ()
    conf, tags = route.conf, dict(own)
    found = [*_http(conf.http, tags), OlderRoute(_shares(conf.destination, conf.split, tags))]
    return tuple(each for each in found if each.shares)


def default_services(route: TrafficRoute | None, own: TagPairs) -> tuple[str, ...]:
    """The services that the policies on the way to a destination are looked for: of the default
    destinations, without those of single requests.
    """
    service = dict(own).get(SERVICE, "")
    if route is None:
        return (service,)
    conf = route.conf
    if conf is None:
        return ()
    every = conf.split if not conf.destination else (Split(destination=conf.destination),)
    found = (_resolved(each.destination, dict(own)) for each in every)
    return tuple(dict.fromkeys(each[SERVICE] for each in found if SERVICE in each))


def _http(routes: Sequence[HttpRoute], own: Tags) -> Iterator[OlderRoute]:
    for each in routes:
        yield OlderRoute(_shares(each.destination, each.split, own), each.match, each.modify)


def _shares(
    destination: Mapping[str, str] | None, splits: Sequence[Split], own: Tags
) -> tuple[Share, ...]:
    if destination:
        return (Share(pairs(_resolved(destination, own)), WHOLE),)
    # A share without weight gets nothing, and Envoy takes none of weight 0.
    return tuple(
        Share(pairs(_resolved(each.destination, own)), each.weight)
        for each in splits
        if each.weight
    )


def _resolved(destination: Tags, own: Tags) -> dict[str, str]:
    """Tags of which any value will do are those of the outbound, as are those that are not said."""
    return {**own, **{tag: value for tag, value in destination.items() if value != ANY}}
