"""Which checks a proxy makes of its machine, and what their results make of its Dataplane.

Source: docs/wire/discovery.md#health
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kinds.dataplane import (
    Dataplane,
    Inbound,
    InboundState,
    Networking,
    ServiceProbe,
)
from kong_mesh_cp.core.xds.names import ADMIN, local_cluster
from kong_mesh_cp.core.xds.proxy_view import (
    LOCALHOST,
    is_redirected,
    place_of,
    source_past_redirection,
)

READY_PATH: Final = "/ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthTerms:
    """How proxies check where their Dataplane does not say it."""

    report_interval: timedelta
    timeout: timedelta
    interval: timedelta
    no_traffic_interval: timedelta
    healthy_threshold: int
    unhealthy_threshold: int
    admin_port: int  # where a Dataplane names none


class HealthCheck(NamedTuple):
    """One thing that Envoy tries again and again."""

    cluster: str  # the name that its result has in reports
    address: str
    port: int
    timeout: timedelta
    interval: timedelta
    no_traffic_interval: timedelta
    healthy_threshold: int
    unhealthy_threshold: int
    path: str = ""  # of an HTTP check; "": a TCP connection is enough
    source: str = ""  # address to connect from; "": any


class HealthSpecifier(NamedTuple):
    """All that a proxy checks, and how often it reports."""

    interval: timedelta
    checks: tuple[HealthCheck, ...]


Report = Mapping[str, bool]  # healthy, by cluster


def specifier_of(dataplane: Dataplane, terms: HealthTerms) -> HealthSpecifier:
    """The proxy itself, so that one that drains is told to be off, and each probed inbound."""
    networking = dataplane.networking or Networking()
    admin = networking.admin.port if networking.admin is not None else 0
    own = _check(ADMIN, LOCALHOST, admin or terms.admin_port, terms)._replace(path=READY_PATH)
    probed = (
        _probe(inbound, inbound.service_probe, networking, terms)
        for inbound in networking.inbound
        if inbound.service_probe is not None
    )
    return HealthSpecifier(terms.report_interval, (own, *probed))


def _probe(
    inbound: Inbound, probe: ServiceProbe, networking: Networking, terms: HealthTerms
) -> HealthCheck:
    place = place_of(inbound, networking)
    address, port = place.workload_address, place.workload_port
    made = _check(local_cluster(port), address, port, terms)
    return made._replace(
        timeout=_duration(probe.timeout, made.timeout),
        interval=_duration(probe.interval, made.interval),
        healthy_threshold=_threshold(probe.healthy_threshold, made.healthy_threshold),
        unhealthy_threshold=_threshold(probe.unhealthy_threshold, made.unhealthy_threshold),
        # What comes from elsewhere would be redirected to the proxy, and check that.
        source=source_past_redirection(address) if is_redirected(networking) else "",
    )


def _check(cluster: str, address: str, port: int, terms: HealthTerms) -> HealthCheck:
    return HealthCheck(
        cluster,
        address,
        port,
        terms.timeout,
        terms.interval,
        terms.no_traffic_interval,
        terms.healthy_threshold,
        terms.unhealthy_threshold,
    )


def _duration(nanoseconds: int | None, default: timedelta) -> timedelta:
    return default if nanoseconds is None else timedelta(microseconds=nanoseconds / 1000)


def _threshold(given: int | None, default: int) -> int:
    return default if given is None else given


def health_changes(dataplane: Dataplane, report: Report) -> Mapping[int, bool]:
    """Whether they are ready now, by the place of the inbounds of which that has changed.

    An inbound is ready when its application is, unless it is not probed, and its proxy is. Ignored
    ones stay so.
    """
    networking = dataplane.networking or Networking()
    proxy = report.get(ADMIN, True)
    found = {}
    for place, inbound in enumerate(networking.inbound):
        port = place_of(inbound, networking).workload_port
        healthy = proxy and report.get(local_cluster(port), True)
        if inbound.state is not InboundState.Ignored and inbound.is_ready != healthy:
            found[place] = healthy
    return found


def apply_health(document: Mapping[str, Any], changes: Mapping[int, bool]) -> Mapping[str, Any]:
    """The spec of a Dataplane with what has changed, in both words that there are for it."""
    networking = document["networking"]
    inbounds = list(networking["inbound"])
    for place, ready in changes.items():
        inbound = {**inbounds[place], "health": {"ready": True} if ready else {}}
        inbound.pop("state", None)
        inbounds[place] = inbound if ready else {**inbound, "state": InboundState.NotReady.name}
    return {**document, "networking": {**networking, "inbound": inbounds}}
