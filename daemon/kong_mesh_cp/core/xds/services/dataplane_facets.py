"""By what a Dataplane is found: the keys of it in the indexes of a mesh."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from kong_mesh_cp.core.policy.rules.mesh_resources import proxy_of
from kong_mesh_cp.core.policy.rules.proxies import Proxy
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, Networking
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.services.instances import Endpoint, endpoints_by_service

Pair = tuple[str, str]


class DataplaneFacets(NamedTuple):
    """By what one Dataplane is found; nothing of one that is not there."""

    proxy: Proxy | None = None
    tags: frozenset[Pair] = frozenset()
    labels: frozenset[Pair] = frozenset()
    instances: Mapping[str, tuple[Endpoint, ...]] = MappingProxyType({})
    calls: frozenset[str] = frozenset()
    chooses: frozenset[str] = frozenset()
    watches: frozenset[str] = frozenset()
    is_gateway: bool = False
    is_redirected: bool = False


def facets_of(resource: Resource[object] | None) -> DataplaneFacets:
    if resource is None or not has_spec(resource, Dataplane):
        return DataplaneFacets()
    spec = resource.spec
    networking = spec.networking or Networking()
    transparent = networking.transparent_proxying
    return DataplaneFacets(
        proxy=proxy_of(resource),
        tags=frozenset(pair for tags in spec.tag_sets for pair in tags.items()),
        labels=frozenset(resource.labels.items()),
        instances=endpoints_by_service([resource]),
        calls=frozenset(_called(networking)),
        chooses=frozenset(
            each.backend_ref.kind
            for each in networking.outbound
            if each.backend_ref is not None and each.backend_ref.labels
        ),
        watches=frozenset(transparent.direct_access_services if transparent else ()),
        is_gateway=networking.gateway is not None,
        is_redirected=transparent is not None,
    )


def _called(networking: Networking) -> Iterator[str]:
    for outbound in networking.outbound:
        service = outbound.tags.get(SERVICE)
        if service is not None:
            yield service
