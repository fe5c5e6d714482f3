"""What a control plane makes when it starts and it is not there: the default mesh …

Source: docs/wire/meshes.md#first-start
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Final

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.secrets_at_rest import NOT_TO_BE_OPENED
from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.labels import Deployment, Mode
from kong_mesh_cp.usecases.ports.resource_store import (
    AlreadyExistsError,
    Delete,
    NotFoundError,
    Put,
    ResourceStore,
    Selection,
    VersionConflictError,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.documents import spec_text, text_of
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.mesh_creation import (
    KeyMaker,
    MeshCreation,
    secret_key,
    secret_put,
)
from kong_mesh_cp.usecases.resources.reader import mesh_key

DEFAULT_MESH: Final = "default"
ZONE_SIGNING_KEY: Final = "zone-token-signing-key-1"
AUTHORITIES: Final = {  # and what their certificates call them
    "envoy-admin-ca": "Envoy Admin CA",
    "inter-cp-ca": "Control Plane Intercommunication CA",
}
RETRY_SECONDS: Final = 5.0

_HEADLESS: Final = "k8s.kuma.io/is-headless-service"
_KUBERNETES: Final = {labels.ENV: "kubernetes"}


@dataclass(frozen=True, slots=True)
class _Generator:
    """A HostnameGenerator: for which services, by the origin and further labels of theirs."""

    name: str
    selector: str
    template: str
    labels: Mapping[str, str] = field(default_factory=dict)


_GENERATORS: Final = {
    Mode.ZONE: (
        _Generator(
            "local-mesh-external-service",
            "meshExternalService",
            "{{ .DisplayName }}.extsvc.mesh.local",
        ),
        _Generator(
            "local-universal-mesh-service", "meshService", "{{ .DisplayName }}.svc.mesh.local"
        ),
    ),
    # For what zones get from here; also from zones on Kubernetes, which this product is not for.
    Mode.GLOBAL: (
        _Generator(
            "synced-mesh-multi-zone-service",
            "meshMultiZoneService",
            "{{ .DisplayName }}.mzsvc.mesh.local",
        ),
        _Generator(
            "synced-kube-mesh-service",
            "meshService",
            "{{ .DisplayName }}.{{ .Namespace }}.svc.{{ .Zone }}.mesh.local",
            {_HEADLESS: "false", **_KUBERNETES},
        ),
        _Generator(
            "synced-headless-kube-mesh-service",
            "meshService",
            '{{ label "statefulset.kubernetes.io/pod-name" }}.'
            '{{ label "k8s.kuma.io/service-name" }}.'
            "{{ .Namespace }}.svc.{{ .Zone }}.mesh.local",
            {_HEADLESS: "true", **_KUBERNETES},
        ),
        _Generator(
            "synced-universal-mesh-service",
            "meshService",
            "{{ .DisplayName }}.svc.{{ .Zone }}.mesh.local",
            {labels.ENV: labels.UNIVERSAL},
        ),
        _Generator(
            "synced-mesh-external-service",
            "meshExternalService",
            "{{ .DisplayName }}.extsvc.mesh.local",
        ),
    ),
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialResources:
    """Which of them are wanted."""

    default_mesh: bool = True
    hostname_generators: bool = True
    own_secrets: bool = True  # keys and authorities of the control plane, and its Zone


class InitialResourcesWriter:
    """Makes what is missing; what is there stays as it is."""

    def __init__(
        self,
        store: ResourceStore,
        births: MeshCreation,
        keys: KeyMaker,
        deployment: Deployment,
        wall_clock: WallClock,
    ) -> None:
        self._store = store
        self._births = births
        self._keys = keys
        self._deployment = deployment
        self._wall_clock = wall_clock

    async def run(self, wanted: InitialResources) -> None:
        """Return when all of it is there."""
        await until_stored(lambda: self._ensure(wanted))

    async def _ensure(self, wanted: InitialResources) -> None:
        if wanted.default_mesh and not self._deployment.federated:
            await self._unless_there(mesh_key(DEFAULT_MESH), self._default_mesh)
        if wanted.hostname_generators:
            for generator in _GENERATORS[self._deployment.mode]:
                await self._generator(generator)
        if wanted.own_secrets:
            if self._deployment.mode is Mode.ZONE:
                await self._zone()
            await self._own_secrets()

    async def _unless_there(
        self, key: ResourceKey, make: Callable[[], Awaitable[Sequence[Put]]]
    ) -> None:
        try:
            if await self._store.get(key) is not None:
                return
        except StateError as error:
            if error.code not in NOT_TO_BE_OPENED:
                raise
            # It is there, and a start that waited for it could not be mended through the API.
            log.error("default-unreadable: %s. %s", error.message, error.hint)
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

    async def _generator(self, generator: _Generator) -> None:
        key = ResourceKey("HostnameGenerator", "", generator.name)
        origin = {labels.ORIGIN: self._deployment.mode.value}

        async def make() -> Sequence[Put]:
            services = {generator.selector: {"matchLabels": {**origin, **generator.labels}}}
            spec = {"selector": services, "template": generator.template}
            own = origin if self._deployment.mode is Mode.ZONE else {}
            return [self._put(key, {"spec": spec}, own)]

        await self._unless_there(key, make)

    async def _zone(self) -> None:
        """The one Zone there is: another one is this zone under the name it had before."""
        key = ResourceKey("Zone", "", self._deployment.zone)

        async def make() -> Sequence[Put]:
            return [self._put(key, {}, {})]

        await self._unless_there(key, make)
        for zone in (await self._store.list(Selection(type="Zone"))).items:
            if zone.key != key:
                with contextlib.suppress(NotFoundError):
                    await self._store.apply([Delete(key=zone.key)])
                    log.warning(
                        "zone-removed: the Zone %s was removed, because this control plane is that"
                        " of the zone %s and keeps no other. If the name is a mistake, set"
                        " KUMA_MULTIZONE_ZONE_NAME back and restart.",
                        zone.key.name,
                        key.name,
                    )

    async def _own_secrets(self) -> None:
        signing = secret_key("", ZONE_SIGNING_KEY)

        async def make_key() -> Sequence[Put]:
            return [_first(secret_put(signing, await self._keys.signing_key(), self._wall_clock()))]

        if not self._deployment.federated:
            await self._unless_there(signing, make_key)
        for name in AUTHORITIES:
            await self._authority(name)

    async def _authority(self, name: str) -> None:
        key = secret_key("", name)

        async def make() -> Sequence[Put]:
            authority = await self._keys.control_plane_ca(AUTHORITIES[name])
            return [_first(secret_put(key, authority, self._wall_clock()))]

        await self._unless_there(key, make)

    def _put(
        self, key: ResourceKey, document: Mapping[str, object], own_labels: Mapping[str, str]
    ) -> Put:
        at = self._wall_clock()
        return Put(key=key, spec=text_of(document), at=at, labels=own_labels, if_version=0)


def _first(put: Put) -> Put:
    """Only where there is none yet: what another control plane has made may be in use already."""
    return replace(put, if_version=0)


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
