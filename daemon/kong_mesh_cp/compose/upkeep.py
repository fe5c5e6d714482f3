"""Wires what looks after the resources of an open store: insights, names, services, and
proxies that stay away.

Imported when everything serves already, so that no start waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_network

import trio

from kong_mesh_cp.core.formats.prometheus_text import MetricFamily
from kong_mesh_cp.core.resources.labels import Mode
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.shell.host.authority_files import read_authority_file
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.resources.provided_authorities import ProvidedAuthorities
from kong_mesh_cp.usecases.upkeep.authority_ends import AuthorityEnds
from kong_mesh_cp.usecases.upkeep.authority_watch import AuthorityWatch
from kong_mesh_cp.usecases.upkeep.insight_upkeep import InsightUpkeep, ResyncIntervals
from kong_mesh_cp.usecases.upkeep.liveness_upkeep import (
    AbsenceCollector,
    CleanupAges,
    ConnectionCloser,
    IdleTimeouts,
)
from kong_mesh_cp.usecases.upkeep.mesh_services import GenerationRules
from kong_mesh_cp.usecases.upkeep.service_upkeep import ServiceRules, ServiceUpkeep
from kong_mesh_cp.usecases.upkeep.virtual_address_upkeep import (
    VirtualAddressRules,
    VirtualAddressUpkeep,
)


async def look_after(
    settings: Settings,
    replica: Replica,
    ends: AuthorityEnds,
    show: Callable[[Callable[[], Sequence[MetricFamily]]], None],
) -> None:
    """Until cancelled. `ends` is kept up to date. `show` takes what there is for /metrics.

    Proxies connect to the control planes of zones, and zones to the global one: each looks after
    its own, for only its own clients move on there.
    """
    metrics, universal = settings.metrics, settings.runtime.universal
    is_global = settings.mode == Mode.GLOBAL
    store = replica.store
    insights = InsightUpkeep(
        replica,
        ResyncIntervals(
            minimum=metrics.mesh.min_resync_interval.total_seconds(),
            full=metrics.mesh.full_resync_interval.total_seconds(),
        ),
        clocks.wall_clock,
    )
    closer = ConnectionCloser(
        store,
        IdleTimeouts(
            dataplane=None if is_global else metrics.dataplane.idle_timeout.total_seconds(),
            zone=metrics.zone.idle_timeout.total_seconds() if is_global else None,
        ),
        clocks.wall_clock,
    )
    collector = AbsenceCollector(
        store,
        CleanupAges(
            dataplane=universal.dataplane_cleanup_age.total_seconds(),
            zone_resource=universal.zone_resource_cleanup_age.total_seconds(),
        ),
        clocks.wall_clock,
    )
    names = VirtualAddressUpkeep(replica, _virtual_addresses(settings), clocks.wall_clock)
    services = ServiceUpkeep(replica, _services(settings), clocks.wall_clock)
    authorities = ProvidedAuthorities(store, read_authority_file)
    watch = AuthorityWatch(replica, authorities, ends, clocks.wall_clock)
    async with trio.open_nursery() as nursery:
        if not settings.is_federated:
            nursery.start_soon(insights.run)  # otherwise the global control plane tells them
        nursery.start_soon(watch.run)
        nursery.start_soon(closer.run)
        if not is_global:
            nursery.start_soon(collector.run)
            nursery.start_soon(names.run)
            show(services.metrics)
            nursery.start_soon(services.run)


def _virtual_addresses(settings: Settings) -> VirtualAddressRules:
    dns = settings.dns_server
    return VirtualAddressRules(
        network=ip_network(dns.CIDR),
        domain=dns.domain,
        service_names=dns.service_vip_enabled,
        zone=settings.multizone.zone.name,
        interval=settings.runtime.universal.vip_refresh_interval.total_seconds(),
    )


def _services(settings: Settings) -> ServiceRules:
    ipam = settings.ipam
    return ServiceRules(
        generation=GenerationRules(
            zone=settings.multizone.zone.name,
            grace_period=settings.mesh_service.deletion_grace_period,
        ),
        networks={
            "MeshService": ip_network(ipam.mesh_service.cidr),
            "MeshExternalService": ip_network(ipam.mesh_external_service.cidr),
            "MeshMultiZoneService": ip_network(ipam.mesh_multi_zone_service.cidr),
        },
        counts_interval=settings.core_resources.status.mesh_service_interval.total_seconds(),
    )
