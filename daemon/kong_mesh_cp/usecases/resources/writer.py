"""Creating, updating and deleting resources: checks in the order clients see them.

Source: docs/wire/resource-api.md#writing, docs/wire/resource-api.md#deleting
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

import trio

from kong_mesh_cp.core.admission.mesh_quotas import NO_QUOTAS, MeshQuotas
from kong_mesh_cp.core.identity import key_secret_rules
from kong_mesh_cp.core.identity.access import AccessRules, require
from kong_mesh_cp.core.identity.audit import quoted, told
from kong_mesh_cp.core.identity.conditions import may_be_about
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.meshes import membership
from kong_mesh_cp.core.meshes.mesh_defaults import filled_in
from kong_mesh_cp.core.resources import inline_secrets, labels
from kong_mesh_cp.core.resources.bodies import request_violations
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.kinds.secret import Secret
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kong_mesh_cp.usecases.ports.resource_store import (
    Change,
    ChangeRefusedError,
    Delete,
    NotFoundError,
    Put,
    ResourceStore,
    StoredResource,
    VersionConflictError,
    WouldFitError,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources import resource_refusals, secret_references, write_access
from kong_mesh_cp.usecases.resources.cross_checks import contradictions
from kong_mesh_cp.usecases.resources.deletion_rules import needed
from kong_mesh_cp.usecases.resources.documents import spec_as, stored_form
from kong_mesh_cp.usecases.resources.equal_writes import (
    keeping_what_is_equal,
    keeping_what_is_observed,
)
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.mesh_creation import MeshCreation
from kong_mesh_cp.usecases.resources.proxy_room import ProxyRoom
from kong_mesh_cp.usecases.resources.quotas import Quotas
from kong_mesh_cp.usecases.resources.reader import in_its_mesh, mesh_key
from kong_mesh_cp.usecases.resources.sent_bodies import (
    LARGE_BODY_BYTES,
    LARGE_VALUES,
    SentBody,
    holds_more,
    read_decoded,
    read_text,
    refuse,
    warnings_of,
)
from kong_mesh_cp.usecases.resources.turns import Turns
from kong_mesh_cp.usecases.resources.write_rules import There, WriteRules, Written

ATTEMPTS_MAX: Final = 100  # of writers that meet; each time one of them gets through
DECODED: Final = ""  # who sends those, in the line for large bodies: no user's name
BODIES_WAITING_MAX: Final = 512  # their bytes are bounded where they are received
BODIES_WAITING_OF_ONE_MAX: Final = 256  # as many as a tool may send at once

_PROXY_TYPES: Final = {"ZoneIngress": "zoneingress", "ZoneEgress": "zoneegress"}

T = TypeVar("T")

log = logging.getLogger(__name__)


def _title(existing: StoredResource | None) -> str:
    return resource_refusals.CREATE if existing is None else resource_refusals.UPDATE


def always(_who: str) -> bool:
    """A `may_be_told` of a log that nobody can fill."""
    return True


class ResourceWriter:
    """Writes what clients send. All methods raise StateError, AccessDeniedError and
    ResourceRefusedError; then nothing has changed.
    """

    def __init__(
        self,
        store: ResourceStore,
        access: AccessRules,
        births: MeshCreation,
        rules: WriteRules,
        wall_clock: WallClock,
        *,
        quotas: Quotas | None = None,
        mesh_quotas: MeshQuotas = NO_QUOTAS,
        may_be_told: Callable[[str], bool] = always,
    ) -> None:
        """`quotas` None: nothing but the disk bounds what is written. `mesh_quotas`: of proxies.
        `may_be_told`: whether the log has room for one more refusal of a user.
        """
        self._store = store
        self._access = access
        self._births = births
        self._rules = rules
        self._wall_clock = wall_clock
        self._quotas = quotas
        self._proxy_room = ProxyRoom(store, mesh_quotas)
        self._may_be_told = may_be_told
        # One at a time: a body takes many times its size.
        self._large_bodies = Turns(
            waiting_max=BODIES_WAITING_MAX, waiting_of_one_max=BODIES_WAITING_OF_ONE_MAX
        )

    async def put(
        self,
        user: User,
        resource_type: ResourceType,
        mesh: str,
        name: str,
        body: bytes,
        *,
        dry_run: bool = False,
        strict: bool = False,
    ) -> Written:
        """Make the resource, or replace its whole spec; `mesh` is "" for a global type.

        `strict`: members that its type does not know are refused, and not only warned of.
        `dry_run`: judged as the real write, also by the store, and nothing comes of it. What would
        be made with it (keys, first policies) is left out.
        """
        key = ResourceKey(resource_type.name, mesh, name)
        there = await self._there(key)
        # Who may write nothing here costs nobody the reading of what they send.
        require(self._access, user, write_access.sending(key, there.existing))
        strict = strict or self._rules.strict
        read = partial(read_text, resource_type, body, strict=strict, existing=there.existing)
        given = await self._given(user, body, read)
        for left in reversed(range(ATTEMPTS_MAX)):
            # Time has passed, or another writer was faster: it comes after that one.
            if given.sent_by is not None or left < ATTEMPTS_MAX - 1:
                there = await self._there(key)
            try:
                return await self._write(user, key, given, there, dry_run=dry_run)
            except resource_refusals.ResourceRefusedError as error:
                if error.fault is not resource_refusals.Fault.CONFLICT or not left:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _there(self, key: ResourceKey) -> There:
        """One question to the store. Raises: ResourceRefusedError without its mesh."""
        if not TYPES[key.type].is_mesh_scoped:
            return There(await self._store.get(key))
        found = await self._store.get_many([mesh_key(key.mesh), key])
        mesh = found.get(mesh_key(key.mesh))
        if mesh is None:
            raise resource_refusals.mesh_not_found()
        return There(found.get(key), mesh)

    async def put_document(
        self,
        user: User,
        key: ResourceKey,
        document: object,
        *,
        also: Sequence[Put] = (),
        onto: int | None = None,
    ) -> Written:
        """As `put`, for a body that was decoded already. `also` is made in the same transaction.

        `onto`: the version that is to be replaced; 0, there must be none; None, any.
        """
        given = await self._decoded(key, document)
        existing = await self._store.get(key)
        if onto not in {None, 0 if existing is None else existing.version}:
            raise resource_refusals.conflict(key)
        return await self._write(user, key, given, There(existing), also)

    async def _write(
        self,
        user: User,
        key: ResourceKey,
        given: SentBody,
        there: There,
        also: Sequence[Put] = (),
        *,
        dry_run: bool = False,
    ) -> Written:
        existing = there.existing
        await self._in_worker_thread(given, partial(self._require_fit, key, given))
        zone = self._rules.deployment.zone
        filled = filled_in(given.draft.spec, zone, is_new=existing is None)
        keeping = partial(keeping_what_is_observed, filled, existing)
        spec = await self._in_worker_thread(given, keeping)
        stored = partial(stored_form, KINDS[key.type], spec)
        document, text = await self._in_worker_thread(given, stored)
        # What is checked is what is stored: members the type does not know are gone.
        require(self._access, user, write_access.storing(key, existing, document))
        inline = await self._inline_secrets(key, given, text, existing)
        await self._require_allowed(user, key, given, spec, there)
        written = self._put(key, given, spec, text, existing, user=user)
        if dry_run:
            changes: Sequence[Change] = [replace(written, asks_only=True)]
        else:
            births = await self._made_with(key, spec, existing, written.at, asker=user.name)
            kept = keeping_what_is_equal(written, given.draft.meta.labels, existing)
            changes = [kept, *births, *also]
        async with AsyncExitStack() as room:
            if existing is None:
                await room.enter_async_context(self._proxy_room.for_one(key, spec))
            await self._apply(changes, key, _title(existing))
        referring = await secret_references.warnings(self._store, key, document, text)
        authorities = self._births.authorities
        authority = await authorities.write_warnings(key, spec, there, self._wall_clock())
        warnings = warnings_of(key, given, [*inline, *referring, *authority])
        return Written(existing is None, warnings, written if dry_run else None)

    async def _inline_secrets(
        self, key: ResourceKey, given: SentBody, text: str, existing: StoredResource | None
    ) -> Sequence[str]:
        """What to say of them. Raises: ResourceRefusedError where one is the mask of another."""
        look = partial(inline_secrets.found, key.type, text)
        found = await self._in_worker_thread(given, look)
        refuse(_title(existing), inline_secrets.mask_violations(found))
        return inline_secrets.warnings(found)

    async def _given(self, user: User, body: bytes, read: Callable[[], SentBody]) -> SentBody:
        if len(body) < LARGE_BODY_BYTES:
            return read()
        return replace(
            await self._large_bodies.in_worker_thread(user.name, read), sent_by=user.name
        )

    async def _decoded(self, key: ResourceKey, document: object) -> SentBody:
        reading = partial(read_decoded, TYPES[key.type], document, strict=self._rules.strict)
        if not holds_more(document, LARGE_VALUES):
            return reading()
        return replace(await self._large_bodies.in_worker_thread(DECODED, reading), sent_by=DECODED)

    async def validate(self, key: ResourceKey, document: object) -> Sequence[str]:
        """What `put_document` finds wrong with a body by itself, and of what it would warn.

        Raises: ResourceRefusedError.
        """
        given = await self._decoded(key, document)
        await self._in_worker_thread(given, partial(self._require_fit, key, given))
        stored = partial(stored_form, KINDS[key.type], given.draft.spec)
        _, text = await self._in_worker_thread(given, stored)
        inline = await self._inline_secrets(key, given, text, None)
        return warnings_of(key, given, inline)

    def _require_fit(self, key: ResourceKey, given: SentBody) -> None:
        deployment, meta = self._rules.checked_deployment, given.draft.meta
        violations = request_violations(given.draft, TYPES[key.type], key, deployment)
        refuse(resource_refusals.PROCESS, violations)
        shown_name = labels.display_name(meta.name, meta.labels)
        refuse(resource_refusals.CREATE, KINDS[key.type].validate_name(meta.name, shown_name))

    async def delete(
        self,
        user: User,
        resource_type: ResourceType,
        mesh: str,
        name: str,
        *,
        dry_run: bool = False,
    ) -> None:
        """Take it out, with all that it owns; with `dry_run`, only judge whether that may be."""
        key = ResourceKey(resource_type.name, mesh, name)
        require(self._access, user, write_access.removing(key, None))
        existing = await in_its_mesh(self._store, key)
        if existing is None:
            raise resource_refusals.not_found(resource_refusals.DELETE)
        require(self._access, user, write_access.removing(key, existing))
        if not self._rules.unsafe_delete:
            refuse(resource_refusals.DELETE, await needed(self._store, key))
        if dry_run:
            return
        # Where its content decides, nothing else goes than what was judged.
        judged = may_be_about(key.type)
        try:
            await self._store.apply([Delete.as_read(existing) if judged else Delete(key=key)])
        except NotFoundError:
            raise resource_refusals.not_found(resource_refusals.DELETE) from None
        except VersionConflictError as error:
            raise resource_refusals.conflict(error.key) from None

    async def _require_allowed(
        self, user: User, key: ResourceKey, given: SentBody, spec: object, there: There
    ) -> None:
        """What else may stand against a write: what is there. Raises: ResourceRefusedError."""
        existing, title = there.existing, _title(there.existing)
        match spec:
            case Mesh():
                before = None if existing is None else spec_as(Mesh, existing)
                refuse(title, await self._births.violations(key.name, before, spec))
            case Dataplane():
                # A large body has had its turns since, and then the mesh is asked for anew.
                mesh = there.mesh if given.sent_by is None else None
                await self._require_membership(user, key, spec, mesh, title)
            case Secret(data=data) if key_secret_rules.is_token_key(key):
                check = partial(key_secret_rules.violations, key, data or b"")
                refuse(title, await trio.to_thread.run_sync(check))
            case Secret(data=data) if key_secret_rules.is_revocations(key):
                refuse(title, key_secret_rules.revocation_violations(data or b""))
            case _:
                refuse(title, await contradictions(self._store, key, spec))

    def _put(
        self,
        key: ResourceKey,
        given: SentBody,
        spec: object,
        text: str,
        existing: StoredResource | None,
        *,
        user: User,
    ) -> Put:
        """The write of `spec`, whose text is `text`."""
        proxy_type = spec.proxy_type if isinstance(spec, Dataplane) else _PROXY_TYPES.get(key.type)
        return Put(
            key=key,
            spec=text,
            status=given.status if existing is None or given.has_status else existing.status,
            labels=labels.computed_labels(
                given.draft.meta.labels,
                TYPES[key.type],
                key.mesh,
                self._rules.deployment,
                proxy_type=proxy_type,
            ),
            owner=mesh_key(key.mesh) if key.mesh else None,
            at=self._wall_clock(),
            if_version=0 if existing is None else existing.version,
            quota=None if self._quotas is None else self._quotas.of(user),
        )

    async def _made_with(
        self,
        key: ResourceKey,
        spec: object,
        existing: StoredResource | None,
        at: datetime,
        *,
        asker: str,
    ) -> Sequence[Put]:
        """What has to be made with it."""
        if not isinstance(spec, Mesh):
            return ()
        make = self._births.created if existing is None else self._births.certificates
        return await make(key.name, spec, at, asker=asker)

    async def _in_worker_thread(self, given: SentBody, work: Callable[[], T]) -> T:
        """What `work` gives; for a large body in a thread, when it is its sender's turn."""
        if given.sent_by is None:
            return work()
        return await self._large_bodies.in_worker_thread(given.sent_by, work)

    async def _require_membership(
        self,
        user: User,
        key: ResourceKey,
        spec: Dataplane,
        mesh: StoredResource | None,
        title: str,
    ) -> None:
        if mesh is None:
            mesh = await self._store.get(mesh_key(key.mesh))
        if mesh is None:
            raise resource_refusals.mesh_vanished(key.mesh)
        of_mesh = spec_as(Mesh, mesh)
        reason = membership.refusal(key.mesh, of_mesh, spec.tag_sets)
        if reason is not None:
            if self._may_be_told(str(user)):
                log.warning("dataplane-not-a-member: %s: %s", quoted(key.name), told(reason))
            raise resource_refusals.internal(title)

    async def _apply(self, changes: Sequence[Change], key: ResourceKey, title: str) -> None:
        try:
            await self._store.apply(changes)
        except WouldFitError:
            return
        except ChangeRefusedError as error:
            raise resource_refusals.by_store(error, key, title) from None
