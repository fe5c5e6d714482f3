"""Somebody's role, and the policies that its conditions are about."""

from __future__ import annotations

from collections.abc import Mapping

from kong_mesh_cp.core.identity.access import Verb, WriteResource
from kong_mesh_cp.core.identity.roles import RoleAccess
from kong_mesh_cp.core.resources.kinds.access_role import KIND, AccessRoleBinding, Subject
from support.fakes.identity import KNOWN

Body = Mapping[str, object]
TO_JOHN = AccessRoleBinding(subjects=(Subject(type="User", name="john"),), roles=("role",))


def role(*rules: Body) -> RoleAccess:
    """John has these rules."""
    parsed = KIND.parse({"type": "AccessRole", "name": "role", "rules": list(rules)})
    assert not KIND.validate(parsed)
    return RoleAccess(roles={"role": parsed}, bindings=(TO_JOHN,))


def write(
    type_name: str = "MeshTimeout",
    *bodies: Body,
    verb: Verb = Verb.CREATE,
    mesh: str = "default",
    name: str = "res-1",
) -> WriteResource:
    return WriteResource(verb=verb, type=type_name, mesh=mesh, name=name, bodies=bodies)


def creates(rule: Body, action: WriteResource) -> bool:
    return role({"access": ["CREATE"], **rule}).permits(KNOWN, action)


def policy(
    target: Body | None = None,
    *,
    to: list[Body] | None = None,
    from_: list[Body] | None = None,
    rules: int = 0,
) -> dict[str, object]:
    spec: dict[str, object] = {"rules": [{"default": {}}] * rules}
    if target is not None:
        spec["targetRef"] = target
    for name, refs in (("to", to), ("from", from_)):
        if refs is not None:
            spec[name] = [{"targetRef": ref} for ref in refs]
    return {"type": "MeshTimeout", "spec": spec}


WEB = {"kind": "MeshService", "name": "web"}
API = {"kind": "MeshService", "name": "api"}
TEAM = {"kind": "MeshSubset", "tags": {"team": "a", "env": "prod"}}


def legacy(**selectors: list[dict[str, str]]) -> dict[str, object]:
    return {name: [{"match": tags} for tags in entries] for name, entries in selectors.items()}
