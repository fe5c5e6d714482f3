"""What administrators ask of keys: of those that sign tokens, and of the one that seals secrets.

Who may change the signing keys of a kind of token may write secrets, and issue every token of that
kind, without a condition: a rotation decides whose tokens count. No answer holds a key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from kong_mesh_cp.core.identity.access import (
    AccessRules,
    Action,
    IssueDataplaneToken,
    IssueUserToken,
    IssueZoneToken,
    Operation,
    ReadResource,
    Verb,
    WriteResource,
    require,
)
from kong_mesh_cp.core.identity.audit import Source, Touch, Touched
from kong_mesh_cp.core.identity.key_series import (
    GLOBAL_SECRET,
    GLOBAL_SERIES,
    KeySeries,
    dataplane_keys,
)
from kong_mesh_cp.core.identity.token_requests import CONTROL_PLANE_SCOPE
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.resources.bodies import shown_time
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.schema.violations import Violation
from kong_mesh_cp.usecases.identity.auditing import tell
from kong_mesh_cp.usecases.identity.signing_keys import SigningKeyRow, SigningKeys
from kong_mesh_cp.usecases.ports.resource_store import NotFoundError, ResourceStore
from kong_mesh_cp.usecases.ports.secrets import SealingKey
from kong_mesh_cp.usecases.resources import resource_refusals
from kong_mesh_cp.usecases.resources.reader import mesh_key
from kong_mesh_cp.usecases.resources.resource_refusals import ResourceRefusedError

DATAPLANE: Final = "dataplane"  # how the series of a mesh are called
SEALING_KEY: Final = "SealingKey"  # in the log, where types of resources stand
UNKNOWN_SERIES: Final = "there are no signing keys of this kind"

Document = Mapping[str, object]
RequireWritable = Callable[[str], None]  # of a type; raises ResourceRefusedError


class KeyRequests:
    """All methods raise AccessDeniedError, ResourceRefusedError, StateError and ControlPlaneError;
    then nothing has changed. `mesh` is "" for the keys of tokens that belong to no mesh, whose
    `kind` is `user` or `zone`; the keys of proxies' tokens are those of the kind `dataplane`.
    """

    def __init__(
        self,
        signing: SigningKeys,
        sealing: SealingKey,
        store: ResourceStore,
        *,
        access: AccessRules,
        require_writable: RequireWritable,
    ) -> None:
        self._signing = signing
        self._sealing = sealing
        self._store = store
        self._access = access
        self._require_writable = require_writable

    async def signing_keys(self, user: User, mesh: str = "") -> Document:
        """The keys, the newest of each series first."""
        series = {DATAPLANE: dataplane_keys(mesh)} if mesh else GLOBAL_SERIES
        for each in series.values():
            require(self._access, user, ReadResource(each.type, mesh))
        await self._require_mesh(mesh)
        items = [
            _shown(kind, each, row)
            for kind, each in series.items()
            for row in await self._signing.rows(each)
        ]
        return {"total": len(items), "items": items}

    async def rotate(self, user: User, source: Source, kind: str, mesh: str = "") -> Document:
        """Add a key to the series, which signs from now on."""
        series = await self._series(user, Verb.CREATE, kind, mesh)
        try:
            serial = await self._signing.rotate(series)
        except NotFoundError:
            raise resource_refusals.mesh_not_found() from None
        self._tell(user, Touch.CREATE, series.key(serial), source)
        row = next(row for row in await self._signing.rows(series) if row.serial == serial)
        return _shown(kind, series, row)

    async def retire(
        self, user: User, source: Source, kind: str, serial: str, mesh: str = ""
    ) -> None:
        """Void what an old key has signed. Raises ControlPlaneError `signing-key-in-use`."""
        series = await self._series(user, Verb.DELETE, kind, mesh)
        keys = series.keys_of(serial)
        if not keys:
            raise series.missing(serial)
        await self._signing.retire(series, int(serial))
        self._tell(user, Touch.DELETE, keys[0], source)

    async def revoke(
        self, user: User, source: Source, kind: str, token_id: str, mesh: str = ""
    ) -> None:
        """Void one token by its id."""
        series = await self._series(user, Verb.UPDATE, kind, mesh)
        try:
            await self._signing.revoke(series, token_id)
        except ValueError as error:
            wrong = Violation("id", str(error))
            raise resource_refusals.invalid("Could not revoke a token", [wrong]) from None
        self._tell(user, Touch.UPDATE, series.revocations[0], source)

    async def sealing_keys(self, user: User) -> Document:
        """The ids of the sealing keys, the one in use first, and how much each has sealed."""
        require(self._access, user, ReadResource(GLOBAL_SECRET))
        items = [
            {"id": row.id, "state": row.use.value, "secrets": row.secrets}
            for row in await self._sealing.keys()
        ]
        return {"total": len(items), "items": items}

    async def rotate_sealing(self, user: User, source: Source) -> Document:
        """Seal all secrets with a new key. Raises as `SealingKey.rotate`."""
        require(self._access, user, Operation.CHANGE_SEALING_KEY)
        done = await self._sealing.rotate()
        self._tell(user, Touch.CREATE, ResourceKey(SEALING_KEY, "", done.id), source)
        return {"id": done.id, "earlier": list(done.earlier), "secrets": done.secrets}

    async def retire_sealing(self, user: User, source: Source) -> Document:
        """Forget the earlier sealing keys. Raises as `SealingKey.retire`."""
        require(self._access, user, Operation.CHANGE_SEALING_KEY)
        done = await self._sealing.retire()
        for id_ in done.retired:
            self._tell(user, Touch.DELETE, ResourceKey(SEALING_KEY, "", id_), source)
        return {
            "retired": list(done.retired),
            "kept": list(done.kept),
            "secrets": done.secrets,
        }

    async def _series(self, user: User, verb: Verb, kind: str, mesh: str) -> KeySeries:
        """The series that `user` may change.

        A user without the right is refused before anything shows what there is.
        """
        series = dataplane_keys(mesh) if mesh else GLOBAL_SERIES.get(kind)
        # Without a name and a body: a rule about some secrets is none about the series.
        write = WriteResource(
            verb=verb, type=GLOBAL_SECRET if series is None else series.type, mesh=mesh, name=""
        )
        for action in (write, _issuing(kind, mesh)):
            require(self._access, user, action)
        if series is None:
            raise not_found(UNKNOWN_SERIES)
        self._require_writable(series.type)
        await self._require_mesh(mesh)
        return series

    async def _require_mesh(self, mesh: str) -> None:
        if mesh and await self._store.get(mesh_key(mesh)) is None:
            raise resource_refusals.mesh_not_found()

    def _tell(self, user: User, touch: Touch, key: ResourceKey, source: Source) -> None:
        tell(Touched(user=user, touch=touch, type=key.type, mesh=key.mesh, name=key.name), source)


def not_found(detail: str) -> ResourceRefusedError:
    return ResourceRefusedError(resource_refusals.Fault.NOT_FOUND, "Keys not found", detail)


def _issuing(kind: str, mesh: str) -> Action:
    """Every token of the kind."""
    if mesh:
        return IssueDataplaneToken(mesh=mesh)
    if kind == "zone":
        return IssueZoneToken(scope=(CONTROL_PLANE_SCOPE, "ingress", "egress"))
    return IssueUserToken()


def _shown(kind: str, series: KeySeries, row: SigningKeyRow) -> Document:
    return {
        "series": kind,
        **({"mesh": series.mesh} if series.mesh else {}),
        "serial": row.serial,
        "name": row.name,
        "state": row.use.value,
        "creationTime": shown_time(row.made_at),
    }
