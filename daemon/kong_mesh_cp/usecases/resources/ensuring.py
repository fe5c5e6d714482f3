"""What a control plane makes when it starts and it is not there: the default mesh … (3.8)."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.labels import Place
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.usecases.ports import WallClock
from kong_mesh_cp.usecases.resource_ports import (
    AlreadyExistsError,
    Put,
    ResourceStore,
    VersionConflictError,
)
from kong_mesh_cp.usecases.resources.births import KeyMaker, MeshBirths, secret_key, secret_put
from kong_mesh_cp.usecases.resources.documents import spec_text
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.reading import mesh_key

DEFAULT_MESH: Final = "default"
ZONE_SIGNING_KEY: Final = "zone-token-signing-key-1"
AUTHORITIES: Final = ("envoy-admin-ca", "inter-cp-ca")
RETRY_SECONDS: Final = 5.0

_GENERATORS: Final = (
    ("local-mesh-external-service", "meshExternalService", "{{ .DisplayName }}.extsvc.mesh.local"),
    ("local-universal-mesh-service", "meshService", "{{ .DisplayName }}.svc.mesh.local"),
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialResources:
    """Which of them are wanted."""

    default_mesh: bool = True
    hostname_generators: bool = True
    own_secrets: bool = True  # keys and authorities of the control plane, and its Zone


class Ensuring:
    """Makes what is missing; what is there stays as it is."""

    def __init__(
        self,
        store: ResourceStore,
        births: MeshBirths,
        keys: KeyMaker,
        place: Place,
        wall_clock: WallClock,
    ) -> None:
        self._store = store
        self._births = births
        self._keys = keys
        self._place = place
        self._wall_clock = wall_clock

    async def run(self, wanted: InitialResources) -> None:
        """Return when all of it is there."""
        await until_stored(lambda: self._ensure(wanted))

    async def _ensure(self, wanted: InitialResources) -> None:
        if wanted.default_mesh and not self._place.federated:
            await self._unless_there(mesh_key(DEFAULT_MESH), self._default_mesh)
        if wanted.hostname_generators:
            for name, selector, template in _GENERATORS:
                await self._generator(name, selector, template)
        if wanted.own_secrets:
            await self._zone()
            await self._own_secrets()

    async def _unless_there(
        self, key: ResourceKey, make: Callable[[], Awaitable[Sequence[Put]]]
    ) -> None:
        if await self._store.get(key) is not None:
            return
        try:
            await self._store.apply(await make())
        except (AlreadyExistsError, VersionConflictError):
            return  # another control plane on the same store was faster
        log.info("default-made: %s %s", key.type, key.name)

    async def _default_mesh(self) -> Sequence[Put]:
        at = self._wall_clock()
        mesh = Mesh()
        put = Put(
            key=mesh_key(DEFAULT_MESH), spec=spec_text(KINDS["Mesh"], mesh), at=at, if_version=0
        )
        return [put, *await self._births.created(DEFAULT_MESH, mesh, at)]

    async def _generator(self, name: str, selector: str, template: str) -> None:
        async def make() -> Sequence[Put]:
            wanted = {labels.ORIGIN: "zone", labels.ENV: labels.UNIVERSAL}
            if selector == "meshExternalService":
                del wanted[labels.ENV]
            spec = {"selector": {selector: {"matchLabels": wanted}}, "template": template}
            return [self._put(ResourceKey("HostnameGenerator", "", name), {"spec": spec})]

        await self._unless_there(ResourceKey("HostnameGenerator", "", name), make)

    async def _zone(self) -> None:
        key = ResourceKey("Zone", "", self._place.zone)

        async def make() -> Sequence[Put]:
            return [self._put(key, {})]

        await self._unless_there(key, make)

    async def _own_secrets(self) -> None:
        signing = secret_key("", ZONE_SIGNING_KEY)

        async def make_key() -> Sequence[Put]:
            return [secret_put(signing, await self._keys.signing_key(), self._wall_clock())]

        if not self._place.federated:
            await self._unless_there(signing, make_key)
        for name in AUTHORITIES:
            await self._authority(name)

    async def _authority(self, name: str) -> None:
        key = secret_key("", name)

        async def make() -> Sequence[Put]:
            return [secret_put(key, await self._keys.control_plane_ca(name), self._wall_clock())]

        await self._unless_there(key, make)

    def _put(self, key: ResourceKey, document: dict[str, object]) -> Put:
        computed = labels.computed_labels({}, TYPES[key.type], "", self._place)
        return Put(
            key=key, spec=json.dumps(document), at=self._wall_clock(), labels=computed, if_version=0
        )


async def until_stored(make: Callable[[], Awaitable[object]]) -> None:
    """Return when `make` is through. A store that fails is asked again, and said once."""
    failing = False
    while True:
        try:
            await make()
        except StateError as error:
            if not failing:
                log.error("defaults-not-made: %s; trying again. %s", error.message, error.hint)
            failing = True
            await trio.sleep(RETRY_SECONDS)
        else:
            return
