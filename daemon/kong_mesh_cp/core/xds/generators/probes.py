"""Health endpoints of the application that a proxy offers in plain text.

Source: docs/wire/envoy-names.md#probes
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message
from kong_mesh_cp.core.xds.envoy.http import LOOPBACK, HttpTerms, http_manager
from kong_mesh_cp.core.xds.envoy.listeners import HTTP_MANAGER, ChainDraft, ListenerDraft
from kong_mesh_cp.core.xds.names import LISTENER, local_cluster
from kong_mesh_cp.core.xds.proxy_view import ProxyView, place_of

PROBES: Final = "probe:listener"
_ROUTES: Final = "probe:route_configuration"
_GET_ONLY: Final = {"name": ":method", "string_match": {"exact": "GET"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Probe:
    path: str  # at the proxy
    application_path: str
    port: int
    is_inbound: bool  # else nobody but the asker can reach the port


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    address: str
    port: int
    probes: tuple[_Probe, ...]
    ipv6: bool
    redirected: bool


def probes(view: ProxyView, draft: Draft) -> None:
    found = view.dataplane.spec.probes
    # kuma-dp answers them itself where it can.
    if found is None or view.metadata.app_probe_proxy:
        return
    inbound = {place_of(each, view.networking).workload_port for each in view.networking.inbound}
    plan = _Plan(
        address=view.networking.address,
        port=found.port,
        probes=tuple(
            _Probe(
                path=urlsplit(each.path).path,
                application_path=urlsplit(each.inbound_path).path,
                port=each.inbound_port,
                is_inbound=each.inbound_port in inbound,
            )
            for each in found.endpoints
        ),
        ipv6=view.metadata.ipv6,
        redirected=view.is_redirected,
    )
    draft.add(LISTENER, PROBES, _listener, plan)


def _listener(name: str, plan: _Plan) -> Message:
    draft = ListenerDraft(name, plan.address, plan.port, inbound=True)
    if plan.redirected:
        draft.take_redirected()
    chain = ChainDraft()
    manager = http_manager(name, HttpTerms(internal=LOOPBACK, ipv6=plan.ipv6))
    manager.route_config.name = _ROUTES
    host = manager.route_config.virtual_hosts.add(name="probe", domains=["*"])
    for probe in plan.probes:
        host.routes.add(
            match={"path": probe.path, "headers": [_GET_ONLY]},
            **(_to_application(probe) if probe.is_inbound else _elsewhere(probe)),
        )
    chain.filters.append((HTTP_MANAGER, manager))
    draft.chains.append(chain)
    return draft.whole()


def _to_application(probe: _Probe) -> dict[str, object]:
    rewrite = {"pattern": {"regex": ".*"}, "substitution": probe.application_path}
    return {"route": {"cluster": local_cluster(probe.port), "regex_rewrite": rewrite}}


def _elsewhere(probe: _Probe) -> dict[str, object]:
    redirect = {"port_redirect": probe.port, "path_redirect": probe.application_path}
    return {"redirect": redirect}
