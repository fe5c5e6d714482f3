"""The AccessRoles and AccessRoleBindings of a store as decisions see them: in memory, always the
newest, and nothing at all where they cannot be read.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, TypeVar

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.identity.access import Action, StaticAccess
from kong_mesh_cp.core.identity.roles import RoleAccess, is_by_role
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.kinds.access_role import AccessRole, AccessRoleBinding
from kong_mesh_cp.usecases.following.replica import RETRY_SECONDS, Replica
from kong_mesh_cp.usecases.ports.resource_store import (
    Applied,
    Change,
    FeedItem,
    Page,
    ResourceChange,
    ResourceStore,
    Selection,
    StoredResource,
)
from kong_mesh_cp.usecases.resources.documents import spec_as

ROLE: Final = "AccessRole"
BINDING: Final = "AccessRoleBinding"
TYPES_OF_ROLES: Final = frozenset({ROLE, BINDING})

R = TypeVar("R", AccessRole, AccessRoleBinding)

log = logging.getLogger(__name__)


class RolesUnknownError(StateError):
    """503: the store cannot say who may do it, so it is refused."""

    def __init__(self) -> None:
        super().__init__(
            "the roles in the store cannot be read, so no change is let through",
            code="access-roles-unknown",
            hint="The line access-roles-not-read before this one says why.",
        )


class StoredRoles:
    """`core.identity.access.AccessRules` by the roles that the store holds right now.

    `permits` raises RolesUnknownError for what roles decide, from a failure of the store until it
    can be read again. `readers` decide about the rest; what they deny, roles may still give.
    """

    def __init__(self, replica: Replica, readers: StaticAccess) -> None:
        self._replica = replica
        self._store = replica.store
        self._readers = readers
        self._rules: RoleAccess | None = None
        self._following = False
        self._settled = False
        self._doubted = trio.Event()
        self._reading = trio.Lock()  # what is read later must not be known earlier
        self._said = frozenset[str]()
        self._leading_to_more = frozenset[str]()  # of which roles that was said
        self._unreadable = frozenset[ResourceKey]()

    def permits(self, user: User, action: Action) -> bool:
        """Raises: RolesUnknownError."""
        by_role = is_by_role(action)
        if not by_role and self._readers.permits(user, action):
            return True
        if self._rules is not None and self._following:
            return self._rules.permits(user, action)
        if by_role:
            raise RolesUnknownError
        return False

    def for_writers(self) -> ResourceStore:
        """The store, for those who write: a change of roles is in force before it is answered."""
        return _RolesFirst(self._store, self)

    def settle(self) -> None:
        """What a start makes is there by now: from here on, odd roles are warned of."""
        self._settled = True
        self._warn()

    async def follow(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Take over every change, until cancelled; started when the roles were read or could not
        be. A store that fails is asked again.
        """
        outcomes = _Outcomes(self, task_status)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._clear_doubts)
            await self._replica.follow(
                TYPES_OF_ROLES, read=self._read, take=self._take, outcomes=outcomes
            )

    def followed(self) -> None:
        """What is known is what is stored, and every change of it is reported."""
        self._following = True

    def lost(self, error: StateError) -> None:
        """What is stored is not known any more."""
        self._following = False
        self._forget(error)

    async def changed(self) -> None:
        """Something was written here: know it now. A store that fails is asked again later."""
        try:
            await self._read()
        except StateError as error:
            self._forget(error)
            self._doubted.set()

    async def _clear_doubts(self) -> None:
        # The feed may have brought the change already, and brings it once only.
        while True:
            await self._doubted.wait()
            self._doubted = trio.Event()
            await trio.sleep(RETRY_SECONDS)
            await self.changed()

    async def _take(self, _: ResourceChange) -> None:
        await self._read()

    async def _read(self) -> None:
        async with self._reading:
            roles, bindings = await self._store.list_together(
                [Selection(type=ROLE), Selection(type=BINDING)]
            )
            self._unreadable, before = frozenset(), self._unreadable
            self._rules = RoleAccess(
                roles={
                    each.key.name: role
                    for each in roles.items
                    if (role := self._spec(AccessRole, each, before)) is not None
                },
                bindings=tuple(
                    binding
                    for each in bindings.items
                    if (binding := self._spec(AccessRoleBinding, each, before)) is not None
                ),
                readers=self._readers,
            )
        self._warn()

    def _spec(
        self, spec_type: type[R], stored: StoredResource, known: Collection[ResourceKey]
    ) -> R | None:
        """None for what gives no user anything because it cannot be read."""
        try:
            return spec_as(spec_type, stored)
        except (ParseError, InvalidResourceError):
            self._unreadable |= {stored.key}
            if stored.key not in known:
                log.error(
                    "access-role-unreadable: %s %s gives nobody anything: no release of this "
                    "program has stored it so. Write it anew.",
                    stored.key.type,
                    go_quote(stored.key.name),
                )
            return None

    def _forget(self, error: StateError) -> None:
        if self._rules is not None or "unread" not in self._said:
            log.error(
                "access-roles-not-read: %s; until they can be read, no change of a resource and no "
                "token is let through. %s",
                error.message,
                error.hint,
            )
        self._rules = None
        self._said |= {"unread"}

    def _warn(self) -> None:
        """Say what holds now and did not before."""
        if not self._settled or self._rules is None:
            return
        open_to_all = self._rules.open_to_all()
        nobody = not self._rules.gives_anything()
        if open_to_all and "open" not in self._said:
            log.warning(
                "access-open-to-all: AccessRoleBindings give the roles %s to clients without a "
                "token. If that is not meant, take the group mesh-system:unauthenticated out of "
                "their subjects.",
                ", ".join(map(go_quote, open_to_all)),
            )
        if nobody and "nobody" not in self._said:
            log.warning(
                "access-nobody-writes: no AccessRoleBinding gives anybody an AccessRole that "
                "exists, so nobody may write, administrators included. To mend them, start with "
                "KUMA_ACCESS_TYPE=static for a while."
            )
        more = frozenset(self._rules.leading_to_more())
        if more - self._leading_to_more:
            log.warning(
                "access-role-leads-to-more: who has one of the AccessRoles %s can get every right, "
                "since it writes AccessRoles, AccessRoleBindings or GlobalSecrets (which hold the "
                "keys of tokens). If that is not meant, give its rules `types` or a `mesh`.",
                ", ".join(map(go_quote, sorted(more))),
            )
        self._leading_to_more = more
        said = {"open": bool(open_to_all), "nobody": nobody}
        self._said = frozenset(name for name, holds in said.items() if holds)


def is_role(key: ResourceKey) -> bool:
    """Whether decisions depend on it."""
    return key.type in TYPES_OF_ROLES


class _Outcomes:
    """Tells `roles` whether it follows; the first time is the end of the start."""

    def __init__(self, roles: StoredRoles, task_status: trio.TaskStatus[None]) -> None:
        self._roles = roles
        self._task_status = task_status

    def succeeded(self) -> None:
        self._roles.followed()
        self._started()

    def failed(self, error: StateError) -> None:
        self._roles.lost(error)
        self._started()

    def _started(self) -> None:
        self._task_status.started()
        self._task_status = trio.TASK_STATUS_IGNORED


class _RolesFirst:
    """`ResourceStore` that returns from a change when it is in force."""

    def __init__(self, store: ResourceStore, roles: StoredRoles) -> None:
        self._store = store
        self._roles = roles

    async def revision(self) -> int:
        return await self._store.revision()

    async def get(self, key: ResourceKey) -> StoredResource | None:
        return await self._store.get(key)

    async def get_many(self, keys: Collection[ResourceKey]) -> Mapping[ResourceKey, StoredResource]:
        return await self._store.get_many(keys)

    async def list(self, selection: Selection) -> Page:
        return await self._store.list(selection)

    async def list_together(self, selections: Sequence[Selection]) -> Sequence[Page]:
        return await self._store.list_together(selections)

    async def apply(self, changes: Sequence[Change]) -> Applied:
        applied = await self._store.apply(changes)
        if any(is_role(change.key) for change in applied.changes):
            await self._roles.changed()
        return applied

    def changes(self, since: int | None = None) -> AbstractContextManager[AsyncIterator[FeedItem]]:
        return self._store.changes(since)
