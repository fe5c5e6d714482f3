"""What a process gets that has arrived: its token, or why there is none yet."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import trio

from kong_mesh_cp.core.admission.request import Tags
from kong_mesh_cp.core.admission.seats import SeatRecord
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.usecases.ports.state_store import MeshDirectory

if TYPE_CHECKING:  # a start does not wait for what signs
    from kong_mesh_cp.usecases.admission.proxy_tokens import ProxyTokens

# For its turn at signing: a thousand proxies that come back at once are signed for one by one. A
# connection waits for its answer a little longer.
TOKEN_SECONDS_MAX: Final = 20.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the first line of an admission says beside the decision."""

    token: str = ""
    warnings: Sequence[tuple[str, str]] = ()  # code and message


class Arrivals:
    """Hands out the tokens of admissions."""

    def __init__(self, meshes: MeshDirectory) -> None:
        self._meshes = meshes
        self._reasons: dict[str, str] = {}  # why there was no token, by mesh: logged once

    async def equip(
        self,
        record: SeatRecord,
        tag_sets: Sequence[Tags],
        tokens: ProxyTokens | None,  # None: not yet
    ) -> Arrival:
        """The proxy has its seat whether there is a token or not."""
        mesh = record.seat.mesh
        token = ""
        reason = "its signing key is still being made or read. Ask again in a moment."
        if self._meshes.is_awaited(mesh):
            # There is nothing to be mended in the mesh: what is in the way is in the store.
            reason = (
                f"mesh {mesh} and its signing key are not made yet: the start makes them as "
                "soon as the store takes them. Ask again in a moment."
            )
        elif tokens is not None:
            with trio.move_on_after(TOKEN_SECONDS_MAX):
                try:
                    token = await tokens.token(record.seat, record.kind, tag_sets)
                except (ControlPlaneError, ValueError) as error:
                    reason = tokens.remedy(error, record.seat)
        if token:
            self._reasons.pop(mesh, None)
            return Arrival(token)
        if self._reasons.get(mesh) != reason:
            log.warning("token-not-issued: for mesh %s: %s", mesh, reason)
        self._reasons[mesh] = reason
        return Arrival(warnings=(("token-not-issued", reason),))
