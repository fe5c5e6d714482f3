"""What is made together with a mesh: one transaction, all of it or nothing.

Source: docs/wire/meshes.md#creation, docs/wire/mtls.md#a-new-authority
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.meshes import authority_progress, mesh_changes
from kong_mesh_cp.core.meshes.initial_policies import policies_of_new_mesh
from kong_mesh_cp.core.meshes.mesh_defaults import CaSecrets, ca_secrets_of, dataplane_signing_key
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds import mesh_rules
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority, Mesh
from kong_mesh_cp.core.schema.violations import Violation
from kong_mesh_cp.usecases.ports.resource_store import Put, ResourceStore, Selection
from kong_mesh_cp.usecases.resources.documents import readable_as, spec_text, text_of
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.provided_authorities import (
    SECRET,
    ProvidedAuthorities,
    ReadFile,
    no_files,
)
from kong_mesh_cp.usecases.resources.reader import mesh_key
from kong_mesh_cp.usecases.resources.sweeping import sweep

if TYPE_CHECKING:
    from kong_mesh_cp.core.resources.kinds import insights
else:  # few writes of a mesh ask for them
    insights = lazy_import("kong_mesh_cp.core.resources.kinds.insights")

DATAPLANE_INSIGHT: Final = "DataplaneInsight"
KEYS_BUSY_SECONDS: Final = 5  # a few keys are made in that time


@dataclass(frozen=True, slots=True)
class CaPair:
    """A certificate authority. PEM."""

    certificate: bytes
    key: bytes


class KeysBusyError(StateError):
    """503: as many keys are being made as may wait. Nothing was made."""

    def __init__(self) -> None:
        super().__init__(
            "as many keys are waiting to be made as there may be",
            code="keys-busy",
            hint=f"Ask again in {KEYS_BUSY_SECONDS} seconds, for one mesh after the other.",
        )


class KeyMaker(Protocol):
    """Makes what takes long and needs randomness; never in the way of other requests.

    `asker` is the user that a key is made for, "" the control plane itself. All methods raise
    KeysBusyError, but not to the control plane.
    """

    async def signing_key(self, asker: str = "") -> bytes:
        """An RSA key for tokens: PKCS #1, PEM."""
        ...

    async def mesh_ca(self, mesh: str, backend: CertificateAuthority, asker: str = "") -> CaPair:
        """The authority of a backend of the type builtin."""
        ...

    async def control_plane_ca(self, common_name: str) -> bytes:
        """Certificate and key of an authority of the control plane itself."""
        ...


class MeshCreation:
    """Says what there is to be made for a mesh that is created or changed."""

    def __init__(
        self,
        store: ResourceStore,
        keys: KeyMaker,
        *,
        routing: bool = False,
        read_file: ReadFile = no_files,
    ) -> None:
        """`routing`: new meshes get the two policies of older ones, too. `read_file`: what an
        authority may be read from.
        """
        self.authorities = ProvidedAuthorities(store, read_file)
        self._store = store
        self._keys = keys
        self._routing = routing

    async def violations(self, name: str, before: Mesh | None, mesh: Mesh) -> list[Violation]:
        """What speaks against `mesh`, where `before` is stored; None: there is none.

        Raises: StateError.
        """
        # The body was judged by what was stored when it came; another write may have been faster.
        wrong = mesh_rules.count_violations(before or Mesh(), mesh)
        if before is None:
            wrong += mesh_changes.creation_violations(name, mesh)
        else:
            wrong += mesh_changes.change_violations(name, before, mesh)
            wrong += await _waited_for(self._store, name, before, mesh)
        return [*wrong, *await self.authorities.violations(name, mesh)]

    async def created(
        self, name: str, mesh: Mesh, at: datetime, *, asker: str = ""
    ) -> Sequence[Put]:
        """Authorities, the signing key of proxies' tokens, and the initial policies.

        Raises: KeysBusyError.
        """
        changes = [*await self.certificates(name, mesh, at, asker=asker)]
        key = secret_key(name, dataplane_signing_key(name))
        if await self._store.get(key) is None:
            changes.append(secret_put(key, await self._keys.signing_key(asker), at))
        skipped = mesh.skip_creating_initial_policies
        for policy in policies_of_new_mesh(name, skipped, routing=self._routing):
            kind = KINDS[policy.type]
            spec = kind.parse({"type": policy.type, "name": policy.name, **policy.body})
            changes.append(
                Put(
                    key=ResourceKey(policy.type, name, policy.name),
                    spec=spec_text(kind, spec),
                    at=at,
                    owner=mesh_key(name),
                )
            )
        return changes

    async def certificates(
        self, name: str, mesh: Mesh, at: datetime, *, asker: str = ""
    ) -> Sequence[Put]:
        """The Secrets of builtin authorities that are not there yet. Raises: KeysBusyError."""
        backends: Mapping[str, CertificateAuthority] = (
            {} if mesh.mtls is None else {each.name: each for each in mesh.mtls.backends}
        )
        changes: list[Put] = []
        for secrets in ca_secrets_of(name, mesh):
            changes += await self._authority(name, backends[secrets.backend], secrets, at, asker)
        return changes

    async def _authority(
        self,
        mesh: str,
        backend: CertificateAuthority,
        secrets: CaSecrets,
        at: datetime,
        asker: str,
    ) -> Sequence[Put]:
        certificate, key = (
            secret_key(mesh, secrets.certificate),
            secret_key(mesh, secrets.key),
        )
        if len(await self._store.get_many([certificate, key])) == 2:
            return ()
        # Half of a pair is as good as nothing: both are made anew.
        pair = await self._keys.mesh_ca(mesh, backend, asker)
        return (
            secret_put(certificate, pair.certificate, at),
            secret_put(key, pair.key, at),
        )


def secret_key(mesh: str, name: str) -> ResourceKey:
    """The key of a Secret; of a GlobalSecret where `mesh` is ""."""
    return ResourceKey(SECRET if mesh else f"Global{SECRET}", mesh, name)


def secret_put(key: ResourceKey, content: bytes, at: datetime) -> Put:
    """Make or replace a secret."""
    return Put(
        key=key,
        spec=text_of({"data": base64.b64encode(content).decode()}),
        at=at,
        owner=mesh_key(key.mesh) if key.mesh else None,
    )


async def _waited_for(
    store: ResourceStore, name: str, before: Mesh, after: Mesh
) -> list[Violation]:
    """Why the mesh `name` cannot become `after` yet. Raises: StateError."""
    if not authority_progress.waits(before, after):
        return []
    proxies: list[authority_progress.ProxyTrust] = []
    async for stored in sweep(store, Selection(type=DATAPLANE_INSIGHT, mesh=name)):
        insight = readable_as(insights.DataplaneInsight, stored)
        trust = None if insight is None else authority_progress.trust_of(stored.key.name, insight)
        if trust is not None:
            proxies.append(trust)
    return authority_progress.violations(before, after, proxies)
