"""A proxy, as parts name it that are for it alone."""

from __future__ import annotations

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.xds.envoy.collectors import Collector
from kong_mesh_cp.core.xds.proxy_view import ProxyView, reached_at


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyFacts:
    """The proxy itself, for effects that name it. No two proxies share what is made of these,
    unless nothing but the service is said.
    """

    service: str  # of several the first by name
    name: str = ""
    address: str = ""  # at which others reach it
    workdir: str = ""  # of kuma-dp
    collectors: tuple[Collector, ...] = ()  # of access logs; its cluster is named by its place


def proxy_facts(view: ProxyView, collectors: tuple[Collector, ...] = ()) -> ProxyFacts:
    return ProxyFacts(
        service=view.dataplane.spec.service,
        name=view.dataplane.name,
        address=reached_at(view.networking),
        workdir=view.metadata.workdir,
        collectors=collectors,
    )
