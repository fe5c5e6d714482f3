"""The cluster of whoever takes the spans of a proxy, as a TrafficTrace says.

Source: docs/wire/older-policies.md#traces
"""

from __future__ import annotations

from kong_mesh_cp.core.xds.draft import WRONG_INPUT, Draft
from kong_mesh_cp.core.xds.generators.older.older_policies import TRACE, older_policies
from kong_mesh_cp.core.xds.generators.older.traces import add_collector, tracer_of
from kong_mesh_cp.core.xds.generators.outbound_clusters import is_ipv6
from kong_mesh_cp.core.xds.proxy_view import ProxyView


def older_tracing(view: ProxyView, draft: Draft) -> None:
    if not view.world.of_type(TRACE):
        return
    policies = older_policies(view.world, view.dataplane.spec.tag_sets, (TRACE,), draft.parts)
    try:
        tracer = tracer_of(policies.trace)
        if tracer is not None:
            add_collector(draft, tracer, ipv6=is_ipv6(view))
    except WRONG_INPUT as error:
        draft.complain(TRACE, error)
