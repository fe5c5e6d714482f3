"""Envoy's admin API and the readiness of a proxy, for the control plane and for probes.

Source: docs/wire/envoy-names.md#admin
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import DownstreamTlsContext, Message
from kong_mesh_cp.core.xds.envoy.http import LOOPBACK, HttpTerms, http_manager
from kong_mesh_cp.core.xds.envoy.listeners import HTTP_MANAGER, ChainDraft, ListenerDraft
from kong_mesh_cp.core.xds.names import ADMIN, CLUSTER, LISTENER, READINESS
from kong_mesh_cp.core.xds.node_metadata import ADMIN_ADDRESSES, ProxyMetadata
from kong_mesh_cp.core.xds.proxy_view import AdminTls
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError
from kong_mesh_cp.core.xds.world import Endpoint

CONNECT: Final = 5 * SECOND
CLIENT_NAME: Final = "kuma-cp"  # in the certificate of the control plane

_NARROWED: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def admin(metadata: ProxyMetadata, proxy: str, tls: AdminTls | None, draft: Draft) -> None:
    """Of the proxy at the address `proxy`."""
    if not metadata.admin_port:
        return
    if metadata.admin_address not in ADMIN_ADDRESSES:
        known = ", ".join(f'"{each}"' for each in sorted(ADMIN_ADDRESSES))
        error = UnmakeableError(
            f"envoy admin cluster is not allowed to have addresses other than {known}"
        )
        draft.complain(ADMIN, error)
        return
    address = _NARROWED.get(metadata.admin_address, metadata.admin_address)
    draft.add(CLUSTER, ADMIN, _cluster, address, metadata.admin_port)
    if metadata.readiness_port:
        draft.add(CLUSTER, READINESS, _cluster, metadata.admin_address, metadata.readiness_port)
    # Where the admin API listens itself a second listener could not.
    if proxy != address:
        plan = _Plan(
            address=proxy,
            port=metadata.admin_port,
            ipv6=metadata.ipv6,
            ready=READINESS if metadata.readiness_port else ADMIN,
            tls=tls,
        )
        draft.add(LISTENER, ADMIN, _listener, plan)


def _cluster(name: str, address: str, port: int) -> Message:
    draft = ClusterDraft(name)
    draft.with_endpoints([Endpoint(address, port, weight=0)], ipv6=":" in address)
    draft.connect_within(CONNECT)
    draft.name_in_metrics()
    return draft.whole()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The admin listener of a proxy."""

    address: str
    port: int
    ipv6: bool
    ready: str  # the cluster that tells whether the proxy is ready
    tls: AdminTls | None


def _listener(name: str, plan: _Plan) -> Message:
    draft = ListenerDraft(name, plan.address, plan.port, inbound=True)
    draft.inspect_tls()
    draft.chains.append(_chain(name, plan, [("/ready", plan.ready)]))
    if plan.tls is not None:
        secured = _chain(name, plan, [("/ready", plan.ready), ("/", ADMIN)])
        secured.match = {"transport_protocol": "tls"}
        secured.tls = _tls_context(plan.tls)
        draft.chains.append(secured)
    return draft.whole()


def _chain(name: str, plan: _Plan, paths: Sequence[tuple[str, str]]) -> ChainDraft:
    chain = ChainDraft()
    manager = http_manager(name, HttpTerms(internal=LOOPBACK, ipv6=plan.ipv6))
    manager.route_config.validate_clusters.value = False
    host = manager.route_config.virtual_hosts.add(name=name, domains=["*"])
    for path, cluster in paths:
        host.routes.add(match={"prefix": path}, route={"cluster": cluster, "prefix_rewrite": path})
    chain.filters.append((HTTP_MANAGER, manager))
    return chain


def _tls_context(tls: AdminTls) -> Message:
    return DownstreamTlsContext(
        require_client_certificate={"value": True},
        common_tls_context={
            "tls_certificates": [
                {
                    "certificate_chain": {"inline_bytes": tls.server.chain},
                    "private_key": {"inline_bytes": tls.server.key},
                }
            ],
            "validation_context": {
                "trusted_ca": {"inline_bytes": tls.authority},
                "match_typed_subject_alt_names": [
                    {"san_type": "DNS", "matcher": {"exact": CLIENT_NAME}}
                ],
            },
        },
    )
