"""Which kind of seat the proxy of a Dataplane takes."""

from __future__ import annotations

from kong_mesh_cp.core.admission.seats import ProxyKind
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane


def seat_kind(spec: Dataplane) -> ProxyKind:
    # As everywhere: a proxy with inbounds is a sidecar, whatever else it calls itself.
    if spec.gateway is None or (spec.networking and spec.networking.inbound):
        return ProxyKind.SIDECAR
    return ProxyKind.BUILTIN_GATEWAY if spec.is_builtin_gateway else ProxyKind.DELEGATED_GATEWAY
