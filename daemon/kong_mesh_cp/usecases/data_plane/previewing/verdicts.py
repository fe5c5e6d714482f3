"""What would come of writes and deletions by themselves: each is judged as its dry run is."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.identity.access import AccessRules, require
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kong_mesh_cp.usecases.ports.resource_store import Put, ResourceStore
from kong_mesh_cp.usecases.resources import write_access
from kong_mesh_cp.usecases.resources.documents import JsonDocument
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.reader import MESH, mesh_key
from kong_mesh_cp.usecases.resources.resource_refusals import ResourceRefusedError, unreadable
from kong_mesh_cp.usecases.resources.write_rules import Written
from kong_mesh_cp.usecases.resources.writer import ResourceWriter

DOCUMENTS_MAX: Final = 200  # of one preview

REFUSED: Final = "refused"
UNCHANGED: Final = "unchanged"
CREATED: Final = "created"
UPDATED: Final = "updated"
DELETED: Final = "deleted"
_RESOURCES, _DELETIONS = "resources", "deletions"


@dataclass(frozen=True, slots=True)
class Asked:
    """A write or a deletion; `document` None: it is to be deleted."""

    type: ResourceType
    key: ResourceKey
    document: JsonDocument | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What would come of one."""

    asked: Asked
    outcome: str
    put: Put | None = None
    warnings: tuple[str, ...] = ()
    refusal: ResourceRefusedError | None = None

    @property
    def has_effect(self) -> bool:
        return self.outcome not in (REFUSED, UNCHANGED)

    def shown(self) -> JsonDocument:
        """As an answer has it."""
        key = self.asked.key
        shown: JsonDocument = {"name": key.name, "outcome": self.outcome, "type": key.type}
        if key.mesh:
            shown["mesh"] = key.mesh
        if self.warnings:
            shown["warnings"] = list(self.warnings)
        if self.refusal is not None:
            shown["refusal"] = {
                "code": self.refusal.code,
                "detail": self.refusal.detail,
                "hint": self.refusal.hint,
                "title": self.refusal.title,
                "violations": [
                    {"field": each.field, "reason": each.message}
                    for each in self.refusal.violations
                ],
            }
        return shown


class Judging:
    """Errors of all methods: AccessDeniedError as those of the write itself; StateError."""

    def __init__(
        self,
        store: ResourceStore,
        applying: ResourceWriter,
        access: AccessRules,
        require_writable: Callable[[ResourceType], None],
    ) -> None:
        self._store = store
        self._applying = applying
        self._access = access
        self._require_writable = require_writable

    async def all(
        self, user: User, asked: Sequence[Asked], *, strict: bool = False
    ) -> Sequence[Foreseen]:
        """What would come of each."""
        new_meshes = {
            each.key.name for each in asked if each.type.name == MESH and each.document is not None
        }
        return [await self._judged(user, each, new_meshes, strict=strict) for each in asked]

    async def _judged(
        self, user: User, asked: Asked, new_meshes: set[str], *, strict: bool
    ) -> Foreseen:
        key = asked.key
        try:
            self._require_writable(asked.type)
            if asked.document is None:
                await self._applying.delete(user, asked.type, key.mesh, key.name, dry_run=True)
                return Foreseen(asked=asked, outcome=DELETED)
            if key.mesh in new_meshes and await self._store.get(mesh_key(key.mesh)) is None:
                return await self._with_its_mesh(user, asked)
            body = json.dumps(asked.document, ensure_ascii=False).encode()
            written = await self._applying.put(
                user, asked.type, key.mesh, key.name, body, dry_run=True, strict=strict
            )
        except ResourceRefusedError as error:
            return Foreseen(asked=asked, outcome=REFUSED, refusal=error)
        return Foreseen(
            asked=asked,
            outcome=await self._outcome(written),
            put=written.foreseen,
            warnings=written.warnings,
        )

    async def _with_its_mesh(self, user: User, asked: Asked) -> Foreseen:
        """Of a mesh that is not there yet. It has no proxies, and only the body can be judged."""
        require(self._access, user, write_access.sending(asked.key, None))
        warnings = await self._applying.validate(asked.key, asked.document)
        return Foreseen(asked=asked, outcome=CREATED, warnings=tuple(warnings))

    async def _outcome(self, written: Written) -> str:
        put = written.foreseen
        if written.created or put is None:
            return CREATED
        existing = await self._store.get(put.key)
        if existing is None:
            return CREATED
        same = (existing.spec, dict(existing.labels)) == (put.spec, dict(put.labels))
        return UNCHANGED if same else UPDATED


def asked_for(request: object) -> Sequence[Asked]:
    """What the body of a preview asks for. Raises: ResourceRefusedError."""
    if not isinstance(request, dict):
        raise unreadable("a preview is an object with resources and deletions")
    found: list[Asked] = []
    for member in (_RESOURCES, _DELETIONS):
        items = request.get(member, [])
        if not isinstance(items, list):
            raise unreadable(f"{member} has to be a list")
        if len(found) + len(items) > DOCUMENTS_MAX:
            raise unreadable(f"a preview takes at most {DOCUMENTS_MAX} resources at once")
        found += [_asked(each, f"{member}[{index}]") for index, each in enumerate(items)]
    if unknown := sorted(request.keys() - {_RESOURCES, _DELETIONS}):
        raise unreadable(f"a preview has no member {unknown[0]}")
    return found


def _asked(item: object, at: str) -> Asked:
    if not isinstance(item, dict):
        raise unreadable(f"{at} has to be a resource")
    type_name, mesh, name = (item.get(member, "") for member in ("type", "mesh", "name"))
    resource_type = TYPES.get(type_name) if isinstance(type_name, str) else None
    if resource_type is None or type_name not in KINDS or not resource_type.path:
        raise unreadable(f"{at}.type has to be the type of a resource")
    if not isinstance(name, str) or not name:
        raise unreadable(f"{at}.name has to be a name")
    if resource_type.is_mesh_scoped and (not isinstance(mesh, str) or not mesh):
        raise unreadable(f"{at}.mesh has to be the name of a mesh")
    key = ResourceKey(type_name, mesh if resource_type.is_mesh_scoped else "", name)
    return Asked(resource_type, key, None if at.startswith(_DELETIONS) else item)
