"""The AccessRole and AccessRoleBinding that a first start under `rbac` makes.

Source: docs/wire/meshes.md#first-start, docs/wire/tokens.md#roles
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.identity.roles import ADMIN_BINDING, ADMIN_ROLE, admin_binding, admin_role
from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.labels import Deployment
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.usecases.identity.stored_roles import BINDING, ROLE
from kong_mesh_cp.usecases.ports.resource_store import (
    AlreadyExistsError,
    Put,
    ResourceStore,
    Selection,
    VersionConflictError,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.documents import spec_text
from kong_mesh_cp.usecases.resources.kinds import KINDS

ROLE_KEY: Final = ResourceKey(ROLE, "", ADMIN_ROLE)
BINDING_KEY: Final = ResourceKey(BINDING, "", ADMIN_BINDING)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAdministrators:
    """Who gets the role."""

    users: Sequence[str]
    groups: Sequence[str]


async def ensure_roles(
    store: ResourceStore, who: FirstAdministrators, deployment: Deployment, wall_clock: WallClock
) -> bool:
    """Make both, in one transaction, where there is neither a role nor a binding of any name.

    So what an operator has made or taken out is never widened by a restart. Returns whether they
    were made. Raises: StateError.
    """
    for type_name in (ROLE, BINDING):
        if (await store.list(Selection(type=type_name, limit=1))).total:
            return False
    specs = {ROLE_KEY: admin_role(), BINDING_KEY: admin_binding(users=who.users, groups=who.groups)}
    puts = [
        Put(
            key=key,
            spec=spec_text(KINDS[key.type], spec),
            labels=labels.computed_labels({}, TYPES[key.type], "", deployment),
            at=wall_clock(),
            if_version=0,
        )
        for key, spec in specs.items()
    ]
    try:
        await store.apply(puts)
    except (AlreadyExistsError, VersionConflictError):
        return False  # another control plane on the same store was faster
    # The words "default … created" are waited for by the acceptance tests of others.
    log.info("access-role-made: default AccessRole created, %s", go_quote(ADMIN_ROLE))
    log.info("access-role-made: default AccessRoleBinding created, %s", go_quote(ADMIN_BINDING))
    return True
