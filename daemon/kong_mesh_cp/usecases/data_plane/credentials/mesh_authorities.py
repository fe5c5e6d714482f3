"""The authorities that meshes sign with and trust, read and judged when they change.

What was good stays in force when its successor cannot be read or is no authority: proxies go on,
and the log says what is wrong. Kept in memory only; keys leave it for nobody but the signer.

Source: docs/wire/meshes.md#provided-authorities, docs/wire/mtls.md#identities
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.identity.workload import lifetime_of
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.meshes.authority_conf import ProvidedConf, readable_conf
from kong_mesh_cp.core.meshes.authority_id import AuthorityId
from kong_mesh_cp.core.meshes.authority_terms import renewal
from kong_mesh_cp.core.meshes.mesh_changes import PROVIDED_CA
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority, Mesh
from kong_mesh_cp.core.schema.violations import root
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import ResourceChange
from kong_mesh_cp.usecases.resources.documents import readable_as
from kong_mesh_cp.usecases.resources.provided_authorities import (
    InWorkerThread,
    NotLoadedError,
    ProvidedAuthorities,
)
from kong_mesh_cp.usecases.resources.reader import mesh_key

if TYPE_CHECKING:
    from kong_mesh_cp.core.meshes import ca_pairs
else:
    ca_pairs = lazy_import("kong_mesh_cp.core.meshes.ca_pairs")

FILES_SECONDS: Final = 60.0  # between two looks at files of this machine, which tell no change

_FOLLOWED: Final = frozenset({"Mesh", "Secret"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshAuthorities:
    """What a mesh with mTLS signs with and trusts.

    `signing` is None while there has been no good authority; then no proxy gets a certificate.
    `trusted` are the backends whose certificates are in `bundle`, which is PEM.
    """

    backend: str
    signing: ca_pairs.SigningAuthority | None
    lifetime: timedelta  # of the certificates of proxies
    trusted: tuple[str, ...]
    bundle: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Loaded:
    pair: tuple[bytes, bytes] = field(repr=False)
    judged: bool
    authority: ca_pairs.SigningAuthority


class AuthoritiesInForce:
    """Of the meshes that were asked for. Belongs to the event loop."""

    def __init__(
        self,
        replica: Replica,
        sources: ProvidedAuthorities,
        *,
        in_worker_thread: InWorkerThread = trio.to_thread.run_sync,
    ) -> None:
        self._replica = replica
        self._sources = sources
        self._in_worker_thread = in_worker_thread
        self._known: dict[str, MeshAuthorities | None] = {}
        self._loaded: dict[AuthorityId, _Loaded] = {}  # the last good ones
        self._with_files: set[str] = set()
        self._complaints: dict[AuthorityId, str] = {}
        self._reading = trio.Lock()
        self.changed: Callable[[str], None] = lambda _mesh: None  # is told the mesh

    def known(self, mesh: str) -> MeshAuthorities | None:
        """What was read of `mesh`; None: it has no mTLS, or nobody has asked for it before."""
        return self._known.get(mesh)

    def is_known(self, mesh: str) -> bool:
        """Whether it was asked for before, whatever was found."""
        return mesh in self._known

    def bundles(self) -> Mapping[str, bytes]:
        """What to trust of each mesh that was asked for and has mTLS."""
        return {mesh: found.bundle for mesh, found in self._known.items() if found is not None}

    async def of(self, mesh: str) -> MeshAuthorities | None:
        """As `known`, and from here on kept up to date. Raises: StateError."""
        if mesh not in self._known:
            async with self._reading:
                if mesh not in self._known:
                    self._known[mesh] = await self._read(mesh)
        return self._known[mesh]

    async def run(self) -> None:
        """Keep what is known up to date, until cancelled. A store that fails is asked again."""
        outcomes = FailureLog(log, "mesh-cas-not-followed", "mesh-cas-followed-again")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look_at_files)
            await self._replica.follow(
                _FOLLOWED, read=self._read_again, take=self._take, outcomes=outcomes
            )

    async def _take(self, change: ResourceChange) -> None:
        mesh = change.key.name if change.key.type == "Mesh" else change.key.mesh
        if mesh in self._known:
            await self._refresh(mesh)

    async def _read_again(self) -> None:
        for mesh in [*self._known]:
            await self._refresh(mesh)

    async def _look_at_files(self) -> None:
        while True:
            await trio.sleep(FILES_SECONDS)
            for mesh in [*self._with_files]:
                try:
                    await self._refresh(mesh)
                except StateError:
                    break  # who follows the store says so

    async def _refresh(self, mesh: str) -> None:
        async with self._reading:
            found = await self._read(mesh)
            is_new = found != self._known.get(mesh)
            self._known[mesh] = found
        if is_new:
            self.changed(mesh)

    async def _read(self, name: str) -> MeshAuthorities | None:
        stored = await self._replica.store.get(mesh_key(name))
        mesh = None if stored is None else readable_as(Mesh, stored)
        mtls, enabled = (None, None) if mesh is None else (mesh.mtls, mesh.enabled_ca)
        self._with_files.discard(name)
        if mtls is None or enabled is None:
            self._forget(name, kept=frozenset())
            return None
        found: dict[str, ca_pairs.SigningAuthority] = {}
        for backend in mtls.backends:
            if _reads_files(backend):
                self._with_files.add(name)
            authority = await self._authority(name, backend, judged=not mtls.skip_validation)
            if authority is not None:
                found[backend.name] = authority
        self._forget(name, kept=frozenset(each.name for each in mtls.backends))
        return MeshAuthorities(
            backend=enabled.name,
            signing=found.get(enabled.name),
            lifetime=lifetime_of(enabled),
            trusted=tuple(found),
            bundle=b"".join(each.chain for each in found.values()),
        )

    def _forget(self, mesh: str, kept: frozenset[str]) -> None:
        """The authorities of `mesh` that it does not have any more."""
        for each in [*self._loaded, *self._complaints]:
            if each.mesh == mesh and each.backend not in kept:
                self._loaded.pop(each, None)
                self._complaints.pop(each, None)

    async def _authority(
        self, mesh: str, backend: CertificateAuthority, *, judged: bool
    ) -> ca_pairs.SigningAuthority | None:
        """The newest good one; None where there has been none."""
        which = AuthorityId(mesh, backend.name)
        before = self._loaded.get(which)
        try:
            pair = await self._sources.pair(mesh, backend)
        except NotLoadedError as error:
            self._complain(which, backend, str(error))
            return None if before is None else before.authority
        if before is not None and (before.pair, before.judged) == (pair, judged):
            self._complain(which, backend, None)
            return before.authority
        look = partial(_signing_authority, *pair, judged=judged)
        found = await self._in_worker_thread(look)
        if isinstance(found, str):
            self._complain(which, backend, found)
            return None if before is None else before.authority
        self._complain(which, backend, None)
        self._loaded[which] = _Loaded(pair, judged, found)
        return self._loaded[which].authority

    def _complain(
        self, which: AuthorityId, backend: CertificateAuthority, reason: str | None
    ) -> None:
        """Once for each reason, and once when it is over."""
        told = self._complaints.pop(which, None)
        mesh, name = go_quote(which.mesh), go_quote(which.backend)
        if reason is not None:
            self._complaints[which] = reason
        if reason == told:
            return
        if reason is None:
            log.info("mesh-ca-read-again: authority %s of mesh %s is in force", name, mesh)
            return
        follows = (
            "the one before stays in force"
            if which in self._loaded
            else "proxies of the mesh get no certificates, and refuse all connections"
        )
        log.error(
            "mesh-ca-not-usable: authority %s of mesh %s: %s; %s. %s",
            name,
            mesh,
            reason,
            follows,
            renewal(backend),
        )


def _signing_authority(
    certificate: bytes, key: bytes, *, judged: bool
) -> ca_pairs.SigningAuthority | str:
    found = ca_pairs.signing_authority(certificate, key, root(""), judged=judged)
    if isinstance(found, list):
        return "; ".join(each.message for each in found)
    return found


def _reads_files(backend: CertificateAuthority) -> bool:
    if backend.type != PROVIDED_CA:
        return False
    conf = readable_conf(ProvidedConf, backend)
    return any(each is not None and each.file for each in (conf.cert, conf.key))
