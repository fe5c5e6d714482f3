"""The tokens that come with admissions: short-lived, and bound to the proxy that was admitted."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, NoReturn

import trio

from kong_mesh_cp.core.admission.request import Tags
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId
from kong_mesh_cp.core.errors import ControlPlaneError, StateError
from kong_mesh_cp.core.formats.durations import MINUTE
from kong_mesh_cp.core.identity import tokens
from kong_mesh_cp.core.identity.audit import Source, TokenIssued
from kong_mesh_cp.core.identity.key_series import ZONE_KEYS, KeySeries, dataplane_keys
from kong_mesh_cp.core.identity.refusals import SigningKeyError, SigningKeyNotFoundError
from kong_mesh_cp.core.identity.rsa_keys import SigningKey
from kong_mesh_cp.core.identity.tokens import DataplaneClaims, ZoneClaims
from kong_mesh_cp.core.resources.tags import ZONE
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.identity.auditing import tell
from kong_mesh_cp.usecases.identity.signing_keys import SigningKeys
from kong_mesh_cp.usecases.ports.resource_store import ResourceChange
from kong_mesh_cp.usecases.ports.state_store import WallClock

KEY_SECONDS_MAX: Final = 5.0  # for the store to show a key: an admission does not depend on it
VALID_NANOSECONDS: Final = 5 * MINUTE
ADMISSION: Final = Source("the admission socket")

SECRETS: Final = ("GlobalSecret", "Secret")  # types in which signing keys lie

log = logging.getLogger(__name__)

InWorkerThread = Callable[[Callable[[], str]], Awaitable[str]]

_ZONE_SCOPES: Final = {ProxyKind.ZONE_INGRESS: "ingress", ProxyKind.ZONE_EGRESS: "egress"}


class ProxyTokens:
    """Signs with the newest key that the secrets hold.

    Keys are kept open in memory, because fetching and opening one takes longer than signing. They
    are dropped with any change of the secrets that they may come from, and none is kept while
    changes are not seen: so a key that was rotated or taken out counts as soon as the store tells.
    """

    def __init__(
        self,
        keys: SigningKeys,
        replica: Replica,
        *,
        wall_clock: WallClock,
        new_id: Callable[[], str],
        in_worker_thread: InWorkerThread,
    ) -> None:
        """`in_worker_thread` runs a function beside the event loop: signing takes long."""
        self._keys = keys
        self._replica = replica
        self._wall_clock = wall_clock
        self._new_id = new_id
        self._in_worker_thread = in_worker_thread
        self._kept: dict[KeySeries, tuple[str, SigningKey] | ControlPlaneError] = {}
        self._fetching = trio.Lock()
        self._following = False
        self._changes = 0  # of secrets, as far as they were seen

    async def follow(self) -> NoReturn:
        """Keep keys for as long as this runs."""
        await self._replica.follow(
            SECRETS,
            read=self._read,
            take=self._take,
            outcomes=FailureLog(log, "signing-keys-not-followed", "signing-keys-followed-again"),
            lost=self._lost,
        )

    async def token(self, seat: SeatId, kind: ProxyKind, tag_sets: Iterable[Tags]) -> str:
        """A token for the proxy; "" where the store does not show the key in KEY_SECONDS_MAX.

        Raises: SigningKeyNotFoundError, SigningKeyError, StateError; ValueError for tags that no
        token can hold.
        """
        series = ZONE_KEYS if kind in _ZONE_SCOPES else dataplane_keys(seat.mesh)
        with trio.move_on_after(KEY_SECONDS_MAX) as shown:
            kid, key = await self._newest(series)
        if shown.cancelled_caught:
            return ""
        claims = claims_of(seat, kind, tag_sets)
        token_id, now = self._new_id(), self._wall_clock()

        def sign() -> str:
            return tokens.sign(
                claims,
                key=key,
                kid=kid,
                token_id=token_id,
                now=now,
                valid_nanoseconds=VALID_NANOSECONDS,
            )

        token = await self._in_worker_thread(sign)
        issued = TokenIssued(
            who=f"seat {seat.path}",
            token_id=token_id,
            key=f"{series.prefix}-{kid}",
            valid_nanoseconds=VALID_NANOSECONDS,
            claims=claims,
        )
        # The line of the admission says who has it now, and it ends before it could be voided.
        tell(issued, ADMISSION, logging.DEBUG)
        return token

    @staticmethod
    def remedy(error: ControlPlaneError | ValueError, seat: SeatId) -> str:
        """Why there is no token, and what to do. `error` is what `token` has raised."""
        prefix = dataplane_keys(seat.mesh).prefix
        match error:
            case SigningKeyNotFoundError():
                return (
                    f"mesh {seat.mesh} has no signing key. Make one: kumactl generate "
                    f"signing-key, as the Secret {prefix}-1 of the mesh."
                )
            case SigningKeyError():
                return (
                    f"{error.message}, and mesh {seat.mesh} has no other that is usable. Put "
                    f"another in its place, or add a newer one: kumactl generate signing-key."
                )
            case StateError():
                what = f"the signing key of mesh {seat.mesh} cannot be read"
                return f"{what}: {error.message}. {error.hint}"
            case _:
                return f"its tags do not fit into a token: {error}. Use fewer or shorter tags."

    async def _newest(self, series: KeySeries) -> tuple[str, SigningKey]:
        kept = self._kept.get(series)
        if kept is None:
            # Of a thousand that come back at once, one asks the store, and the others find the key.
            async with self._fetching:
                kept = self._kept.get(series) or await self._fetched(series)
        if isinstance(kept, ControlPlaneError):
            raise kept.with_traceback(None)  # else it would grow with each time
        return kept

    async def _fetched(self, series: KeySeries) -> tuple[str, SigningKey] | ControlPlaneError:
        changes = self._changes
        found: tuple[str, SigningKey] | ControlPlaneError
        try:
            found = await self._keys.newest(series)
        except (SigningKeyNotFoundError, SigningKeyError) as error:
            # Also kept: a mesh without a key must not make its proxies search for it each time.
            found = error
        # What was read before a change is old by now.
        if self._following and changes == self._changes:
            self._kept[series] = found
        return found

    async def _read(self) -> None:
        self._changes += 1
        self._kept.clear()
        self._following = True

    async def _take(self, change: ResourceChange) -> None:
        self._changes += 1
        for series in [*self._kept]:
            if (series.type, series.mesh) == (change.key.type, change.key.mesh):
                del self._kept[series]

    def _lost(self) -> None:
        self._following = False
        self._kept.clear()


def claims_of(
    seat: SeatId, kind: ProxyKind, tag_sets: Iterable[Tags]
) -> DataplaneClaims | ZoneClaims:
    """What a token says of the proxy: name, mesh and tags; of a zone proxy its zone and part."""
    scope = _ZONE_SCOPES.get(kind)
    if scope is not None:
        return ZoneClaims(zone=seat.zone, scope=(scope,))
    return DataplaneClaims(name=seat.name, mesh=seat.mesh, tags=_values(tag_sets), type="dataplane")


def _values(tag_sets: Iterable[Tags]) -> Mapping[str, tuple[str, ...]]:
    """Each tag with all its values. Not the zone: a proxy that is being verified may not have
    been given it yet, and the control plane that verifies is of one zone anyway.
    """
    values: dict[str, dict[str, None]] = {}
    for tags in tag_sets:
        for name, value in tags.items():
            if name != ZONE:
                values.setdefault(name, {})[value] = None
    return {name: tuple(sorted(each)) for name, each in sorted(values.items())}
