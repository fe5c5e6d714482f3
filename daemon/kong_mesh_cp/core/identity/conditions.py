"""When the conditions of AccessRules are fulfilled (docs/wire/tokens.md#roles).

Conditions on resources are about policies, and are held against a policy as it is stored. One that
asks for nothing, or for a part that the policy does not have, is not fulfilled: where a condition
can be read in two ways, the one that grants less is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from kong_mesh_cp.core.formats.go.go_values import JsonObject, is_object
from kong_mesh_cp.core.resources.kinds.access_role import (
    ANY,
    OF_CONNECTIONS,
    Condition,
    DirectionCondition,
    RefCondition,
    TagMatch,
)
from kong_mesh_cp.core.resources.registry import TYPES, Policy, ResourceType

_WITH_SELECTORS: Final = frozenset({"MeshGateway"})  # selects as policies do, but is none
_WHOLE_MESH: Final[JsonObject] = {"kind": "Mesh"}
_WHOLE_RULES: Final[JsonObject] = {"targetRef": _WHOLE_MESH}  # `rules` are for every client


def may_be_about(type_name: str) -> bool:
    """Whether a rule with conditions can grant anything on resources of this type.

    Only on what says itself whom it is for. All else (secrets, roles, meshes, zones, services,
    proxies) has nothing to hold a condition against, or would be a way to more rights.
    """
    resource_type = TYPES.get(type_name)
    if resource_type is None or resource_type.admin_only or not resource_type.is_mesh_scoped:
        return False
    return resource_type.is_policy or resource_type.name in _WITH_SELECTORS


def can_be_fulfilled(condition: Condition, type_name: str) -> bool:
    """Whether there may be a resource of the type that fulfils it."""
    return (
        may_be_about(type_name)
        and not condition.is_void
        and condition.parts.keys() <= _parts(TYPES[type_name])
    )


def is_fulfilled(condition: Condition, type_name: str, mesh: str, document: JsonObject) -> bool:
    """Whether the resource that is stored as `document`, in `mesh`, is one it asks for."""
    if not can_be_fulfilled(condition, type_name):
        return False
    if TYPES[type_name].is_target_ref_policy:
        spec = document.get("spec")
        return is_object(spec) and _covers_spec(condition, spec, mesh)
    return all(
        isinstance(match, TagMatch) and _covers_selectors(match, document.get(name))
        for name, match in condition.parts.items()
    )


def allows_tokens(condition: Condition) -> bool:
    """Whether there is a proxy's token that it allows."""
    return condition.dp_token is not None and not condition.is_void


def allows_token(condition: Condition, tags: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a proxy's token with these tags is one it asks for."""
    if condition.dp_token is None or condition.is_void:
        return False
    allowed: dict[str, set[str]] = {}
    for tag in condition.dp_token.tags:
        allowed.setdefault(tag.name, set()).add(tag.value)
    return all(
        tags.get(name) and (ANY in values or values.issuperset(tags[name]))
        for name, values in allowed.items()
    )


def _parts(resource_type: ResourceType) -> frozenset[str]:
    """Where resources of a type say whom they are for; a resource need not have all of them."""
    if resource_type.policy is None or not resource_type.is_target_ref_policy:
        return OF_CONNECTIONS
    lists = {"to": Policy.TO, "from": Policy.FROM}
    return frozenset(
        {"targetRef", *(name for name, part in lists.items() if part in resource_type.policy)}
    )


def _covers_selectors(match: TagMatch, selectors: object) -> bool:
    """Whether each selector of a policy selects only what `match` does; none selects all."""
    found = [each.get("match") for each in _entries(selectors)]
    return bool(found) and all(_has_tags(tags, match.match) for tags in found)


def _covers_spec(condition: Condition, spec: JsonObject, mesh: str) -> bool:
    ref = condition.target_ref
    if ref is not None and not _covers_ref(ref, spec.get("targetRef"), mesh):
        return False
    if condition.from_ is None and condition.to is None:
        return True
    # What a policy says of the other direction would be for whomever the condition did not mean.
    inbound = [*_entries(spec.get("from")), *(_WHOLE_RULES for _ in _entries(spec.get("rules")))]
    return _covers_list(condition.from_, inbound, mesh) and _covers_list(
        condition.to, _entries(spec.get("to")), mesh
    )


def _covers_list(
    condition: DirectionCondition | None, entries: Iterable[JsonObject], mesh: str
) -> bool:
    refs = [entry.get("targetRef") for entry in entries]
    if condition is None or condition.target_ref is None:
        return not refs
    return bool(refs) and all(_covers_ref(condition.target_ref, ref, mesh) for ref in refs)


def _covers_ref(condition: RefCondition, ref: object, mesh: str) -> bool:
    # Without a targetRef a policy is for the whole mesh.
    target = ref if is_object(ref) and ref.get("kind") else _WHOLE_MESH
    kind = target.get("kind")
    if condition.tags and kind == "MeshGateway" != condition.kind:
        return False  # its tags are those of listeners, not of proxies
    return (
        condition.kind in {"", kind}
        and condition.name in {"", target.get("name")}
        and condition.mesh in {"", ANY, target.get("mesh") or mesh}
        and _has_tags(target.get("tags"), condition.tags)
    )


def _has_tags(tags: object, wanted: Mapping[str, str]) -> bool:
    found: JsonObject = tags if is_object(tags) else {}
    return all(name in found and value in {ANY, found[name]} for name, value in wanted.items())


def _entries(value: object) -> list[JsonObject]:
    return [each for each in value if is_object(each)] if isinstance(value, list) else []
