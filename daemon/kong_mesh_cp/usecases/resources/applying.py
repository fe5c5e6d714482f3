"""Creating, updating and deleting resources: checks in the order clients see them (2.7, 2.9)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

import trio

from kong_mesh_cp.core import strict_json
from kong_mesh_cp.core.identity.access import AccessRules, Verb, WriteResource, require
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.resources import labels, membership
from kong_mesh_cp.core.resources.bodies import (
    Draft,
    bad_request_detail,
    read_draft,
    request_violations,
)
from kong_mesh_cp.core.resources.defaults import (
    with_metrics_defaults,
    with_unproven_inbounds,
    with_zone_tag,
)
from kong_mesh_cp.core.resources.go_json import syntax_fault
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kind import InvalidResourceError, Kind
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.insights import ZoneInsight
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.labels import Place
from kong_mesh_cp.core.resources.meta import name_warning
from kong_mesh_cp.core.resources.quoting import go_quote
from kong_mesh_cp.core.resources.reading import JsonObject, ParseError, is_object
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kong_mesh_cp.core.resources.violations import Violation
from kong_mesh_cp.usecases.ports import WallClock
from kong_mesh_cp.usecases.resource_ports import (
    AlreadyExistsError,
    Change,
    Delete,
    NotFoundError,
    Put,
    ResourceStore,
    Selection,
    StoredResource,
    VersionConflictError,
)
from kong_mesh_cp.usecases.resources import mesh_rules, refusals
from kong_mesh_cp.usecases.resources.births import MeshBirths
from kong_mesh_cp.usecases.resources.documents import (
    shown,
    spec_as,
    spec_text,
    status_text,
)
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.reading import in_its_mesh, mesh_key

# What is smaller is read within a few hundredths of a second, at the worst.
LARGE_BODY_BYTES: Final = 4 * 1024
LARGE_VALUES: Final = 512  # of a body that was decoded already

_PROXY_TYPES: Final = {"ZoneIngress": "zoneingress", "ZoneEgress": "zoneegress"}

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a write."""

    created: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRules:
    """What the settings say about writes."""

    place: Place
    unsafe_delete: bool = False  # do not ask what still needs what is deleted
    origin_required: bool = True  # of what is written on a federated zone

    @property
    def checked_place(self) -> Place:
        """The place as far as it asks something of labels and names."""
        return self.place if self.origin_required else replace(self.place, federated=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """A body that its type can be read from."""

    draft: Draft
    document: JsonObject
    status: str | None
    is_large: bool = False  # then it is read and written in a thread


class Applying:
    """Writes what clients send. All methods raise StateError, AccessDeniedError and
    ResourceRefusedError; then nothing has changed.
    """

    def __init__(
        self,
        store: ResourceStore,
        access: AccessRules,
        births: MeshBirths,
        rules: WriteRules,
        wall_clock: WallClock,
    ) -> None:
        self._store = store
        self._access = access
        self._births = births
        self._rules = rules
        self._wall_clock = wall_clock
        self._large_bodies = trio.CapacityLimiter(1)

    async def put(
        self, user: User, resource_type: ResourceType, mesh: str, name: str, body: bytes
    ) -> Written:
        """Make the resource, or replace its whole spec; `mesh` is "" for a global type."""
        if resource_type.is_mesh_scoped and await self._store.get(mesh_key(mesh)) is None:
            raise refusals.mesh_not_found()
        key = ResourceKey(resource_type.name, mesh, name)
        given = await self._given(resource_type, body)
        return await self._write(user, key, given)

    async def put_document(
        self, user: User, key: ResourceKey, document: object, *, also: Sequence[Put] = ()
    ) -> Written:
        """As `put`, for a body that was decoded already. `also` is made in the same transaction."""
        return await self._write(user, key, await self._decoded(key, document), also)

    async def _write(
        self, user: User, key: ResourceKey, given: _Body, also: Sequence[Put] = ()
    ) -> Written:
        kind = KINDS[key.type]
        existing = await self._store.get(key)
        await self._fit(key, given)
        self._require_access(user, key, existing, given.document)
        title = refusals.CREATE if existing is None else refusals.UPDATE
        changes = await self._changes(key, kind, given, existing, title)
        await self._apply([*changes, *also], key)
        warnings = [*kind.warnings(given.draft.spec)]
        deprecated = name_warning(key.type, key.name)
        return Written(existing is None, (*warnings, *([] if deprecated is None else [deprecated])))

    async def _given(self, resource_type: ResourceType, body: bytes) -> _Body:
        if len(body) < LARGE_BODY_BYTES:
            return _read_text(resource_type, body)
        given = await self._apart(partial(_read_text, resource_type, body))
        return replace(given, is_large=True)

    async def _apart(self, work: Callable[[], T]) -> T:
        """For a large body, which would keep everybody else waiting.

        One at a time: it takes many times its size, too.
        """
        return await trio.to_thread.run_sync(work, limiter=self._large_bodies)

    async def _decoded(self, key: ResourceKey, document: object) -> _Body:
        reading = partial(_read, TYPES[key.type], document)
        if not holds_more(document, LARGE_VALUES):
            return reading()
        return replace(await self._apart(reading), is_large=True)

    async def judge(self, key: ResourceKey, document: object) -> None:
        """What `put_document` finds wrong with a body by itself. Raises: ResourceRefusedError."""
        await self._fit(key, await self._decoded(key, document))

    async def _fit(self, key: ResourceKey, given: _Body) -> None:
        fit = partial(self._require_fit, key, given)
        await self._apart(fit) if given.is_large else fit()

    def _require_fit(self, key: ResourceKey, given: _Body) -> None:
        place = self._rules.checked_place
        violations = request_violations(given.draft, TYPES[key.type], key, place)
        _refuse(refusals.PROCESS, violations)

    async def delete(self, user: User, resource_type: ResourceType, mesh: str, name: str) -> None:
        """Take it out, with all that it owns."""
        key = ResourceKey(resource_type.name, mesh, name)
        existing = await in_its_mesh(self._store, key)
        if existing is None:
            raise refusals.not_found(refusals.DELETE)
        self._require_access(user, key, existing, None)
        violation = await self._needed(key)
        if violation is not None:
            raise refusals.invalid(refusals.DELETE, [violation])
        try:
            await self._store.apply([Delete(key=key)])
        except NotFoundError:
            raise refusals.not_found(refusals.DELETE) from None

    def _require_access(
        self,
        user: User,
        key: ResourceKey,
        before: StoredResource | None,
        after: JsonObject | None,
    ) -> None:
        verb = Verb.UPDATE if before is not None else Verb.CREATE
        bodies = (*([] if before is None else [shown(before)]), *([] if after is None else [after]))
        action = WriteResource(
            verb=verb if after is not None else Verb.DELETE,
            type=key.type,
            mesh=key.mesh,
            name=key.name,
            bodies=bodies,
        )
        require(self._access, user, action)

    async def _changes(
        self,
        key: ResourceKey,
        kind: Kind[Any],
        given: _Body,
        existing: StoredResource | None,
        title: str,
    ) -> Sequence[Change]:
        now = self._wall_clock()
        place = self._rules.place
        spec, more = given.draft.spec, list[Put]()
        proxy_type = _PROXY_TYPES.get(key.type)
        match spec:
            case Mesh():
                spec = with_metrics_defaults(spec)
                if existing is None:
                    _refuse(title, mesh_rules.creation_violations(key.name, spec))
                    more += await self._births.created(key.name, spec, now)
                else:
                    before = spec_as(Mesh, existing)
                    _refuse(title, mesh_rules.change_violations(key.name, before, spec))
                    more += await self._births.certificates(key.name, spec, now)
            case Dataplane():
                proxy_type = spec.proxy_type
                spec = with_zone_tag(spec, place.zone)
                if existing is None:
                    spec = with_unproven_inbounds(spec)
                await self._require_membership(key, spec, title)
            case _:
                pass
        text = partial(spec_text, kind, spec)
        written = Put(
            key=key,
            spec=await self._apart(text) if given.is_large else text(),
            status=given.status,
            labels=labels.computed_labels(
                given.draft.meta.labels, TYPES[key.type], key.mesh, place, proxy_type=proxy_type
            ),
            owner=mesh_key(key.mesh) if key.mesh else None,
            at=now,
            if_version=0 if existing is None else existing.version,
        )
        return [written, *more]

    async def _require_membership(self, key: ResourceKey, spec: Dataplane, title: str) -> None:
        mesh = await self._store.get(mesh_key(key.mesh))
        if mesh is None:
            raise refusals.mesh_vanished(key.mesh)
        of_mesh = spec_as(Mesh, mesh)
        reason = membership.refusal(key.mesh, of_mesh, spec.tag_sets)
        if reason is not None:
            log.warning("dataplane-not-a-member: %s: %s", go_quote(key.name), shown_line(reason))
            raise refusals.internal(title)

    async def _apply(self, changes: Sequence[Change], key: ResourceKey) -> None:
        try:
            await self._store.apply(changes)
        except AlreadyExistsError as error:
            raise refusals.already_exists(error.key) from None
        except VersionConflictError as error:
            raise refusals.conflict(error.key) from None
        except NotFoundError:
            raise refusals.mesh_vanished(key.mesh) from None

    async def _needed(self, key: ResourceKey) -> Violation | None:
        """Why it has to stay."""
        match key.type:
            case "Mesh" if not self._rules.unsafe_delete:
                dataplanes = Selection(type="Dataplane", mesh=key.name, limit=1)
                if (await self._store.list(dataplanes)).total:
                    reason = "unable to delete mesh, there are still some dataplanes attached"
                    return Violation("mesh", reason)
            case "Zone" if not self._rules.unsafe_delete:
                insight = await self._store.get(ResourceKey("ZoneInsight", "", key.name))
                if insight is not None and spec_as(ZoneInsight, insight).is_online:
                    reason = (
                        "unable to delete Zone, Zone CP is still connected, please shut it down"
                        " first"
                    )
                    return Violation("zone", reason)
            case "Secret":
                mesh = await self._store.get(mesh_key(key.mesh))
                if mesh is not None:
                    return mesh_rules.secret_in_use(key.name, key.mesh, spec_as(Mesh, mesh))
            case _:
                pass
        return None


def shown_line(text: str) -> str:
    """`text` as one line of a log, whatever tags hold."""
    return go_quote(text)[1:-1]


def holds_more(document: object, values_max: int) -> bool:
    """Whether there are more than `values_max` values in `document`, which is decoded JSON."""
    pending, seen = [document], 0
    while pending and seen <= values_max:
        match pending.pop():
            case dict() as members:
                seen += len(members)
                pending.extend(members.values())
            case list() as items:
                seen += len(items)
                pending.extend(items)
            case _:
                pass
    return seen > values_max


def _refuse(title: str, violations: Sequence[Violation]) -> None:
    if violations:
        raise refusals.invalid(title, violations)


def _parsed(resource_type: ResourceType, body: bytes) -> object:
    try:
        return strict_json.parse(body)
    except strict_json.StrictJsonError as error:
        reason = syntax_fault(body) or error.message
        raise _unreadable(resource_type, ParseError(reason)) from None


def _read_text(resource_type: ResourceType, body: bytes) -> _Body:
    return _read(resource_type, _parsed(resource_type, body))


def _read(resource_type: ResourceType, document: object) -> _Body:
    kind = KINDS[resource_type.name]
    try:
        draft = read_draft(kind, resource_type, document)
        members = document if is_object(document) else {}
        status = status_text(kind, members)
    except ParseError as error:
        raise _unreadable(resource_type, error) from None
    except InvalidResourceError as error:
        wrong = [_of_schema(each) for each in error.violations]
        raise refusals.invalid(refusals.PROCESS, wrong) from None
    wrong = [*kind.validate(draft.spec), *kind.validate_name(draft.meta.name)]
    _refuse(refusals.PROCESS, wrong)
    return _Body(draft=draft, document=members, status=status)


def _of_schema(violation: Violation) -> Violation:
    """What a schema refuses outside of `spec` has no field of its own in answers."""
    if violation.field.startswith("spec."):
        return violation
    return Violation("", f"{violation.field} {violation.message}".lstrip())


def _unreadable(resource_type: ResourceType, error: ParseError) -> refusals.ResourceRefusedError:
    return refusals.unreadable(bad_request_detail(resource_type, error))
