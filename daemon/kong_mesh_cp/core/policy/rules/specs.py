"""Policies, services and proxies from their specs: the JSON that the kinds render, found valid.

Matching reads the JSON, because it wants a fraction of a spec, and to read all of it with its
types takes several times as long; a mesh has thousands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from kong_mesh_cp.core.policy.rules.destinations import Destination, Port
from kong_mesh_cp.core.policy.rules.policy import (
    HTTP_ROUTE,
    TCP_ROUTE,
    TRAITS,
    Conf,
    Entry,
    Meta,
    Policy,
)
from kong_mesh_cp.core.policy.rules.proxies import GatewayRole, Inbound, Listener, Proxy
from kong_mesh_cp.core.policy.target_ref import WHOLE_MESH, TargetRef
from kong_mesh_cp.core.resources.kinds.dataplane import GatewayType, InboundState

_IGNORED: Final = InboundState.Ignored.name
_BUILTIN: Final = GatewayType.BUILTIN.name


def policy_of(meta: Meta, spec: Mapping[str, object]) -> Policy:
    """The policy called `meta` whose kind renders as `spec`; unknown members are not read."""
    target = _object(spec, "targetRef")
    return Policy(
        meta=meta,
        target=target_of(target) if target else WHOLE_MESH,
        to=tuple(_entries(meta.type, spec, "to")),
        sources=tuple(_entries(meta.type, spec, "from")),
        rules=tuple(_object(rule, "default") for rule in _objects(spec, "rules")),
        proxy_conf=_object(spec, "default") if TRAITS[meta.type].proxy_wide else None,
    )


def destination_of(meta: Meta, spec: Mapping[str, object]) -> Destination:
    """The service called `meta`, or the Mesh, which has no ports."""
    return Destination(
        meta,
        tuple(Port(_number(port, "port"), _text(port, "name")) for port in _objects(spec, "ports")),
    )


def proxy_of(meta: Meta, spec: Mapping[str, object]) -> Proxy:
    """The proxy of a Dataplane; one without `networking` has nothing that could be selected."""
    networking = _object(spec, "networking")
    address = _text(networking, "address")
    gateway = networking.get("gateway")
    return Proxy(
        meta=meta,
        address=address,
        inbounds=tuple(
            Inbound(
                Listener(_text(inbound, "address") or address, _number(inbound, "port")),
                _texts(inbound, "tags"),
                _text(inbound, "name"),
                ignored=inbound.get("state") == _IGNORED,
            )
            for inbound in _objects(networking, "inbound")
        ),
        gateway=(
            GatewayRole(gateway.get("type") == _BUILTIN, _texts(gateway, "tags"))
            if isinstance(gateway, Mapping)
            else None
        ),
    )


def target_of(reference: Mapping[str, object]) -> TargetRef:
    """A targetRef as it is written in JSON."""
    if len(reference) == 1 and reference.get("kind") == WHOLE_MESH.kind:
        return WHOLE_MESH  # which most are
    proxy_types = reference.get("proxyTypes")
    return TargetRef(
        kind=_text(reference, "kind"),
        name=_text(reference, "name"),
        tags=_texts(reference, "tags"),
        mesh=_text(reference, "mesh"),
        proxy_types=tuple(map(str, proxy_types)) if isinstance(proxy_types, list) else None,
        namespace=_text(reference, "namespace"),
        labels=_texts(reference, "labels"),
        section_name=_text(reference, "sectionName"),
    )


def _entries(policy_type: str, spec: Mapping[str, object], member: str) -> Iterator[Entry]:
    for item in _objects(spec, member):
        target = target_of(_object(item, "targetRef"))
        yield Entry(target if target.kind else WHOLE_MESH, _conf(policy_type, item))


def _conf(policy_type: str, item: Mapping[str, object]) -> Conf:
    """What of an entry is merged: its `default`, but routes keep their rules beside it.

    Source: docs/wire/policies.md#merging
    """
    if policy_type == HTTP_ROUTE:
        return {
            member: value
            for member, value in item.items()
            if member != "targetRef" and value != []  # which says no more than an absent one
        }
    if policy_type == TCP_ROUTE:
        rules = _objects(item, "rules")
        return rules[0] if rules else _to_itself(_object(item, "targetRef"))
    return _object(item, "default")


def _to_itself(target: Mapping[str, object]) -> Conf:
    """The rule of an entry without one: connections go where they were going."""
    return {"default": {"backendRefs": [{**target, "weight": 1}]}}


def _objects(holder: Mapping[str, object], member: str) -> list[Mapping[str, object]]:
    items = holder.get(member)
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def _object(holder: Mapping[str, object], member: str) -> Mapping[str, object]:
    value = holder.get(member)
    return value if isinstance(value, Mapping) else {}


def _text(holder: Mapping[str, object], member: str) -> str:
    value = holder.get(member)
    return value if isinstance(value, str) else ""


def _number(holder: Mapping[str, object], member: str) -> int:
    value = holder.get(member)
    return value if isinstance(value, int) else 0


def _texts(holder: Mapping[str, object], member: str) -> dict[str, str]:
    return {key: str(value) for key, value in _object(holder, member).items()}
