"""Wires who may do what: the lists of the settings, or the roles in the store."""

from __future__ import annotations

import trio

from kong_mesh_cp.core.identity.access import AccessRules, Grant, StaticAccess
from kong_mesh_cp.core.resources.labels import Deployment
from kong_mesh_cp.settings.access import AccessSettings, AccessStaticSettings, GrantSettings
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.identity.access_log import LoggedAccess
from kong_mesh_cp.usecases.identity.initial_roles import FirstAdministrators, ensure_roles
from kong_mesh_cp.usecases.identity.stored_roles import StoredRoles
from kong_mesh_cp.usecases.resources.initial_resources import until_stored


class Access:
    """`rules` decide. Resources are written to `writers_store`."""

    def __init__(self, settings: AccessSettings, replica: Replica) -> None:
        self._settings = settings
        lists = static_access(settings.static)
        self._roles = StoredRoles(replica, lists) if settings.type == "rbac" else None
        self.rules: AccessRules = lists
        self.unlogged: AccessRules = lists  # the same, for questions that no request asks
        self.writers_store = replica.store
        if self._roles is not None:
            self.unlogged = self._roles
            self.rules = LoggedAccess(self._roles, settings.rbac.log_actions, clocks.boot_clock)
            self.writers_store = self._roles.for_writers()

    async def follow(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Keep up with the store until cancelled; started when the first requests may come."""
        if self._roles is None:
            task_status.started()
        else:
            await self._roles.follow(task_status=task_status)

    async def ensure(self, deployment: Deployment, *, wanted: bool) -> None:
        """Make what a first start makes, if `wanted`. Returns when it is there."""
        rbac = self._settings.rbac
        if self._roles is None:
            return
        if wanted and not rbac.skip_admin_role_creation:
            who = FirstAdministrators(
                users=rbac.default_admin_role_users, groups=rbac.default_admin_role_groups
            )
            store = self.writers_store
            await until_stored(lambda: ensure_roles(store, who, deployment, clocks.wall_clock))
        self._roles.settle()


def static_access(settings: AccessStaticSettings) -> StaticAccess:
    return StaticAccess(
        admin_resources=_grant(settings.admin_resources),
        generate_dataplane_token=_grant(settings.generate_dp_token),
        generate_user_token=_grant(settings.generate_user_token),
        generate_zone_token=_grant(settings.generate_zone_token),
        generate_cp_token=_grant(settings.generate_cp_token),
        view_config_dump=_grant(settings.view_config_dump),
        view_stats=_grant(settings.view_stats),
        view_clusters=_grant(settings.view_clusters),
        control_plane_metadata=_grant(settings.control_plane_metadata),
    )


def _grant(settings: GrantSettings) -> Grant:
    return Grant(users=frozenset(settings.users), groups=frozenset(settings.groups))
