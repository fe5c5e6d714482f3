"""A proxy with fewer outbounds, for what is tried out on it: the others would only take time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kong_mesh_cp.core.resources.kinds.dataplane import (
    Networking,
    ReachableBackendRef,
    ReachableBackends,
    TransparentProxying,
)
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.proxy_view import LOCALHOST, OutboundTarget, ProxyView
from kong_mesh_cp.core.xds.targets import targets_of

_NO_SERVICE = ""  # none is called so; without any name all would be reachable


def narrowed(view: ProxyView, targets: Sequence[OutboundTarget], parts: Parts) -> ProxyView:
    """`view` with no other outbounds than `targets`, which are some of its own.

    All of them, where they cannot be told apart by what a Dataplane may say.
    """
    networking = view.networking
    transparent = networking.transparent_proxying
    if transparent is None:
        fewer = _listed(networking, targets)
    else:
        fewer = replace(networking, transparent_proxying=_reaching(transparent, targets))
    spec = replace(view.dataplane.spec, networking=fewer)
    found = replace(view, dataplane=replace(view.dataplane, spec=spec))
    return found if {*targets_of(found, parts)} == {*targets} else view


def _listed(networking: Networking, targets: Sequence[OutboundTarget]) -> Networking:
    places = {(each.address, each.port) for each in targets}
    wanted = [
        each for each in networking.outbound if (each.address or LOCALHOST, each.port) in places
    ]
    return replace(networking, outbound=tuple(wanted))


def _reaching(
    transparent: TransparentProxying, targets: Sequence[OutboundTarget]
) -> TransparentProxying:
    services = {each.service for each in targets if each.resource is None}
    resources = {
        each.resource._replace(section_name="") for each in targets if each.resource is not None
    }
    refs = [
        ReachableBackendRef(kind=each.type, name=each.name, namespace=each.namespace)
        for each in sorted(resources)
    ]
    return replace(
        transparent,
        direct_access_services=(),
        reachable_services=tuple(sorted(services)) or (_NO_SERVICE,),
        reachable_backends=ReachableBackends(refs=tuple(refs)),
    )
