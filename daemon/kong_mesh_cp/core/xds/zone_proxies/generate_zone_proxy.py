"""The configuration of one zone proxy."""

from __future__ import annotations

from kong_mesh_cp.core.resources.kinds.zone_proxies import ZoneIngress
from kong_mesh_cp.core.resources.meta import has_spec
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.generate import Generated
from kong_mesh_cp.core.xds.generators.admin import admin
from kong_mesh_cp.core.xds.generators.proxy_secrets import secrets
from kong_mesh_cp.core.xds.names import Origin
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.zone_proxies.zone_egress import egress
from kong_mesh_cp.core.xds.zone_proxies.zone_ingress import ingress
from kong_mesh_cp.core.xds.zone_proxies.zone_view import ZoneProxyView


def generate_zone_proxy(view: ZoneProxyView, parts: Parts) -> Generated:
    """As `generate` for the proxies of meshes. `parts` are of the zone's proxies."""
    draft = Draft(parts)
    draft.origin = Origin.ADMIN
    admin(view.metadata, view.address, view.admin_tls, draft)
    proxy = view.proxy
    if has_spec(proxy, ZoneIngress):
        draft.origin = Origin.INGRESS
        ingress(view, proxy, draft)
    else:
        draft.origin = Origin.EGRESS
        shown = egress(view, draft)
        draft.origin = Origin.SECRETS
        for mesh in sorted(shown):
            secrets(mesh, view.identities.get(mesh), (mesh,), draft)
    return Generated(
        draft.snapshot(),
        tuple(draft.complaints),
        draft.assigned.sources,
        frozenset(draft.services),
    )
