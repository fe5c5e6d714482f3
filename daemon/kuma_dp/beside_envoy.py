"""What this process serves for Envoy and the programs of the machine: records, metrics, names.

Source: docs/wire/beside-envoy.md#names
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import trio

from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.xds.bootstrap.socket_paths import access_log_socket
from kuma_dp.access_logs import serving as access_logs
from kuma_dp.bootstrapping.answer import Bootstrap
from kuma_dp.given.dataplane_file import Proxy
from kuma_dp.given.settings import Settings
from kuma_dp.metrics import serving as metrics

if TYPE_CHECKING:
    from kuma_dp.dns import serving as dns
    from kuma_dp.probes import serving as probes
else:  # few proxies need them
    dns = lazy_import("kuma_dp.dns.serving")
    probes = lazy_import("kuma_dp.probes.serving")


async def start(
    nursery: trio.Nursery, settings: Settings, proxy: Proxy, bootstrap: Bootstrap, work_dir: str
) -> None:
    """Start what this proxy needs in `nursery`; all of it listens when this returns.

    Raises: ListenError (`port-taken`, `pipe-unusable`, `socket-taken` and their kin).
    """
    pipe = Path(access_log_socket(work_dir, proxy.name, proxy.mesh))
    await nursery.start(access_logs.serve, access_logs.AccessLogSettings(pipe=pipe))
    gathered = metrics.MetricsSettings(
        workdir=work_dir,
        mesh=proxy.mesh,
        name=proxy.name,
        service=bootstrap.service,
        address=bootstrap.address,
        envoy_port=bootstrap.admin_port,
        envoy_host=bootstrap.admin_host,
        applications=bootstrap.applications,
        redirected=bootstrap.uses_transparent_proxy,
        refresh_seconds=settings.refresh_seconds,
    )
    await nursery.start(metrics.serve, gathered)
    if settings.probe_port:
        probed = probes.ProbeSettings(
            port=settings.probe_port,
            address=bootstrap.address,
            redirected=bootstrap.uses_transparent_proxy,
        )
        await nursery.start(probes.serve, probed)
    # Without a transparent proxy nobody's questions come here, and several proxies may be about.
    if settings.dns_enabled and bootstrap.uses_transparent_proxy and not settings.is_zone_proxy:
        answered = dns.DnsSettings(
            port=settings.dns_port,
            envoy_port=settings.dns_envoy_port,
            log_queries=settings.dns_log_queries,
        )
        await nursery.start(dns.serve, answered)
