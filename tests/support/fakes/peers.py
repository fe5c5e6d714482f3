"""Peers for tests of admissions: attested ones, and an attestor that says what it is told."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from kong_mesh_cp.core.admission.attestation import AttestedPeer, InUnit, NoUnit, UnitSight


def attested(
    *,
    pid: int = 4242,
    uid: int = 1000,
    gid: int = 1000,
    gids: frozenset[int] = frozenset(),
    unit: UnitSight | str | None = None,
    user: str | None = None,
    groups: frozenset[str] = frozenset(),
) -> AttestedPeer:
    """A process; `unit` may be given by its name, None stands for no unit."""
    sight = InUnit(unit) if isinstance(unit, str) else unit if unit is not None else NoUnit()
    return AttestedPeer(
        pid=pid, uid=uid, gid=gid, gids=gids | {gid}, unit=sight, user=user, groups=groups
    )


@dataclass
class FakePeer:
    """A `PeerAttestor` without a process. `ended` and `at_eof` make it gone."""

    sees: AttestedPeer = field(default_factory=attested)
    ended: bool = False
    at_eof: bool = False
    looks: int = 0  # how many times somebody asked who it is

    @property
    def pid(self) -> int:
        return self.sees.pid

    @property
    def uid(self) -> int:
        return self.sees.uid

    async def attest(self, *, names: bool) -> AttestedPeer:
        self.looks += 1
        if not names:
            return AttestedPeer(
                pid=self.sees.pid,
                uid=self.sees.uid,
                gid=self.sees.gid,
                gids=self.sees.gids,
                unit=self.sees.unit,
            )
        await trio.lowlevel.checkpoint()
        return self.sees

    def gone(self) -> bool:
        return self.ended or self.at_eof
