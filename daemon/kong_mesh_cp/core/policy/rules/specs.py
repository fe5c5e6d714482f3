"""Policies as matching and merging read them, made from rendered, valid specs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kong_mesh_cp.core.policy.rules.policy import (
    HTTP_ROUTE,
    TCP_ROUTE,
    TRAITS,
    Conf,
    Entry,
    Meta,
    Policy,
)
from kong_mesh_cp.core.policy.target_ref import WHOLE_MESH, TargetRef


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


def target_of(reference: Mapping[str, object]) -> TargetRef:
    """A targetRef as it is written in JSON."""
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
    """What of an entry is merged: its `default`, but routes keep their rules beside it (8.3)."""
    if policy_type == HTTP_ROUTE:
        return {member: value for member, value in item.items() if member != "targetRef"}
    if policy_type == TCP_ROUTE:
        return next(iter(_objects(item, "rules")), {})
    return _object(item, "default")


def _objects(holder: Mapping[str, object], member: str) -> list[Mapping[str, object]]:
    items = holder.get(member)
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def _object(holder: Mapping[str, object], member: str) -> Mapping[str, object]:
    value = holder.get(member)
    return value if isinstance(value, Mapping) else {}


def _text(holder: Mapping[str, object], member: str) -> str:
    value = holder.get(member)
    return value if isinstance(value, str) else ""


def _texts(holder: Mapping[str, object], member: str) -> dict[str, str]:
    return {key: str(value) for key, value in _object(holder, member).items()}
