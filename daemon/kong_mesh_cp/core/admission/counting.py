"""Which kind of proxy a Dataplane resource describes, and so whether it takes a counted seat.

The kind is read from the resource and from nothing else: a flag in a request could be set by
a proxy that wants not to be counted.
"""

from __future__ import annotations

from kong_mesh_cp.core.admission.seats import ProxyKind

# networking.gateway.type of a Dataplane. proto3 JSON allows an enum by name and by number, and an
# absent value is the first one.
_GATEWAY_KINDS: dict[object, ProxyKind] = {
    "DELEGATED": ProxyKind.DELEGATED_GATEWAY,
    "BUILTIN": ProxyKind.BUILTIN_GATEWAY,
    0: ProxyKind.DELEGATED_GATEWAY,
    1: ProxyKind.BUILTIN_GATEWAY,
}


def gateway_kind(gateway_type: object) -> ProxyKind | None:
    """The kind behind a value of `networking.gateway.type`; None when it is no known type."""
    if gateway_type is None:
        return ProxyKind.DELEGATED_GATEWAY
    if isinstance(gateway_type, bool) or not isinstance(gateway_type, (str, int)):
        return None
    return _GATEWAY_KINDS.get(gateway_type)
