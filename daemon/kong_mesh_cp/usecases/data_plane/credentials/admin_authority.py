"""With what this control plane and Envoys' admin listeners prove to each other who they are.

Source: docs/wire/inspection.md#envoy-admin
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.secret import Secret
from kong_mesh_cp.core.schema.violations import root
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, StoredResource
from kong_mesh_cp.usecases.resources.documents import readable_as

if TYPE_CHECKING:
    from kong_mesh_cp.core.identity import ca
    from kong_mesh_cp.core.meshes import ca_pairs
else:
    ca = lazy_import("kong_mesh_cp.core.identity.ca")
    ca_pairs = lazy_import("kong_mesh_cp.core.meshes.ca_pairs")

T = TypeVar("T")

AUTHORITY: Final = ResourceKey("GlobalSecret", "", "envoy-admin-ca")
CONTROL_PLANE: Final = "kuma-cp"  # the name in the certificate of the control plane
CERTIFICATES_KEPT_MAX: Final = 4096  # one for each address of a proxy; each takes a millisecond


@dataclass(frozen=True, slots=True)
class AdminPair:
    """A certificate with its key, and the authority of both sides, in PEM."""

    chain: bytes
    key: bytes
    authority: bytes


class AdminAuthority:
    """Makes them of the GlobalSecret `envoy-admin-ca`."""

    def __init__(self, store: ResourceStore) -> None:
        self._store = store
        self._read: ca_pairs.SigningAuthority | None = None
        self._stored: StoredResource | None = None  # what was read
        self._made: dict[tuple[str, tuple[str, ...]], AdminPair] = {}
        self._one_at_a_time = trio.CapacityLimiter(1)

    async def of_proxy(self, addresses: Sequence[str]) -> AdminPair | None:
        """What a proxy at `addresses` shows; None: the secret is gone, or unusable.

        Raises: StateError.
        """
        return await self._pair("server", tuple(addresses))

    async def of_control_plane(self) -> AdminPair | None:
        """As `of_proxy`, what this control plane shows."""
        return await self._pair("client", (CONTROL_PLANE,))

    async def _pair(self, purpose: ca.AdminPurpose, hosts: tuple[str, ...]) -> AdminPair | None:
        await self._renew()
        key = (purpose, hosts)
        found = self._made.get(key)
        authority = self._read
        if found is not None or authority is None:
            return found
        made = await self._in_thread(
            partial(ca.admin_certificate, authority, hosts, purpose=purpose)
        )
        pair = AdminPair(*made, authority.chain)
        if authority is self._read:
            if len(self._made) >= CERTIFICATES_KEPT_MAX:
                del self._made[next(iter(self._made))]
            self._made[key] = pair
        return pair

    async def _renew(self) -> None:
        stored = await self._store.get(AUTHORITY)
        if stored == self._stored:  # its version alone begins anew with a secret that is made anew
            return
        secret = None if stored is None else readable_as(Secret, stored)
        content = b"" if secret is None or secret.data is None else secret.data
        read = await self._in_thread(partial(_authority, content))
        self._read, self._stored = read, stored
        self._made.clear()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=self._one_at_a_time)


def _authority(content: bytes) -> ca_pairs.SigningAuthority | None:
    """Certificate and key stand one after the other."""
    found = ca_pairs.signing_authority(content, content, root("data"), judged=False)
    return found if isinstance(found, ca_pairs.SigningAuthority) else None
