"""Keys and certificates of new meshes, made in threads."""

from __future__ import annotations

import functools
from dataclasses import field
from datetime import timedelta
from typing import TYPE_CHECKING

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.expirations import expiration_of
from kong_mesh_cp.core.identity.rsa_keys import KEY_BITS, private_key_pem
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.meshes.authority_conf import BuiltinConf, CaCert, readable_conf
from kong_mesh_cp.core.meshes.mesh_changes import CA_KEY_BITS_MAX, CA_KEY_BITS_MIN
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority
from kong_mesh_cp.shell.host.key_queue import KeyQueue
from kong_mesh_cp.shell.host.randomness import new_rsa_key, new_serial
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.mesh_creation import CaPair

if TYPE_CHECKING:
    from kong_mesh_cp.core.identity import ca
else:
    ca = lazy_import("kong_mesh_cp.core.identity.ca")


@dataclass(frozen=True, slots=True)
class SystemKeyMaker:
    """`usecases.resources.mesh_creation.KeyMaker`: one key at a time."""

    wall_clock: WallClock
    queue: KeyQueue = field(default_factory=KeyQueue)

    async def signing_key(self, asker: str = "") -> bytes:
        return private_key_pem(await self.queue.make(asker, new_rsa_key))

    async def mesh_ca(self, mesh: str, backend: CertificateAuthority, asker: str = "") -> CaPair:
        asked = readable_conf(BuiltinConf, backend).certificate
        return await self.queue.make(asker, functools.partial(self._mesh_ca, mesh, asked))

    async def control_plane_ca(self, common_name: str) -> bytes:
        return await self.queue.make("", functools.partial(self._control_plane_ca, common_name))

    def _mesh_ca(self, mesh: str, asked: CaCert) -> CaPair:
        key = new_rsa_key(_bits_of(asked))
        certificate = ca.builtin_ca(
            mesh, key, serial=new_serial(), now=self.wall_clock(), validity=_validity_of(asked)
        )
        return CaPair(certificate, private_key_pem(key))

    def _control_plane_ca(self, common_name: str) -> bytes:
        key = new_rsa_key()
        now = self.wall_clock()
        certificate = ca.control_plane_ca(common_name, key, serial=new_serial(), now=now)
        return ca.bundle(certificate, key)


def _bits_of(asked: CaCert) -> int:
    """As many as are asked for. What cannot be made is refused when it is written; what an older
    release has let in is cut.
    """
    if not asked.rsa_bits:
        return KEY_BITS
    return min(max(asked.rsa_bits, CA_KEY_BITS_MIN), CA_KEY_BITS_MAX)


def _validity_of(asked: CaCert) -> timedelta:
    found = expiration_of(asked.expiration)
    return ca.TEN_YEARS if found is None else found
