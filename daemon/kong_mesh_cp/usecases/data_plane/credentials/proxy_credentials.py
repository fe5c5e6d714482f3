"""With what proxies prove who they are: made before their configuration, and told in insights.

What an insight says of a certificate is what the proxy has taken, never what was sent: permissive
meshes and new authorities wait for that.

Source: docs/wire/mtls.md#identities, docs/wire/envoy-names.md#admin
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.insights.certificate_facts import CertificateFacts
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.tags import SERVICE, Tags
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy
from kong_mesh_cp.usecases.data_plane.credentials.admin_authority import AdminAuthority
from kong_mesh_cp.usecases.data_plane.credentials.workload_certificates import (
    ProxySecrets,
    WorkloadCertificates,
)
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_types import ZONE_TYPES

if TYPE_CHECKING:
    from kong_mesh_cp.core.xds import proxy_view
    from kong_mesh_cp.core.xds.world import MeshWorld
else:  # with the first proxy: it imports protobuf
    proxy_view = lazy_import("kong_mesh_cp.core.xds.proxy_view")

DATAPLANE: Final = "Dataplane"
RETRY_SECONDS: Final = 1.0  # after the store has failed
RETAIN_SECONDS: Final = 60.0  # for that long the keys of those who left are kept, or a little less

Connected = Callable[[], Iterable[ConnectedProxy]]


class _Admin(NamedTuple):
    addresses: tuple[str, ...]
    tls: proxy_view.AdminTls | None


class ProxyCredentials:
    """Belongs to the event loop. `connected`: the proxies that have a stream here."""

    def __init__(
        self, certificates: WorkloadCertificates, admin: AdminAuthority, connected: Connected
    ) -> None:
        self._certificates = certificates
        self._authority = admin
        self._connected = connected
        self._admin: dict[ResourceKey, _Admin] = {}
        self._facts: dict[ResourceKey, CertificateFacts | None] = {}

    async def run(self) -> NoReturn:
        """Make and renew certificates, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._certificates.run)
            while True:
                await trio.sleep(RETAIN_SECONDS)
                connected = {_key(each) for each in self._connected()}
                self._certificates.retain(_InAnyMesh(connected))
                self._admin = {key: self._admin[key] for key in connected & self._admin.keys()}
                self._facts = {key: self._facts[key] for key in connected & self._facts.keys()}
        raise AssertionError("the nursery ends with an error or is cancelled")

    def preparation(
        self, proxy: ConnectedProxy, world: MeshWorld
    ) -> Callable[[], Awaitable[object]] | None:
        """What has to be awaited before anything can be made for `proxy`; None: nothing."""
        dataplane = world.dataplane(proxy.name)
        if dataplane is None:
            return None
        key = _key(proxy)
        certificate = self._certificates.preparation(
            key, dataplane.spec.tag_sets, world.crossing.trusted
        )
        return self._both(key, proxy_view.admin_addresses(dataplane.spec), [certificate])

    def zone_preparation(
        self, proxy: ConnectedProxy, addresses: tuple[str, ...], meshes: Iterable[str]
    ) -> Callable[[], Awaitable[object]] | None:
        """Likewise, for a zone proxy at `addresses` that shows itself as a member of `meshes`."""
        certificates = [
            self._certificates.preparation(_key(proxy)._replace(mesh=mesh), _zone_tags(proxy))
            for mesh in meshes
        ]
        return self._both(_key(proxy), addresses, certificates)

    def zone_identities(
        self, proxy: ConnectedProxy, meshes: Iterable[str]
    ) -> Mapping[str, proxy_view.Identity]:
        """Of a zone proxy, by mesh; without those that are not there yet."""
        found: dict[str, proxy_view.Identity] = {}
        for mesh in meshes:
            key = _key(proxy)._replace(mesh=mesh)
            identity = _identity(self._certificates.current(key, _zone_tags(proxy)))
            if identity is not None:
                found[mesh] = identity
        return found

    def _both(
        self,
        key: ResourceKey,
        addresses: tuple[str, ...],
        certificates: Sequence[Callable[[], Awaitable[None]] | None],
    ) -> Callable[[], Awaitable[object]] | None:
        admin = self._admin.get(key)
        is_known = admin is not None and admin.addresses == addresses
        awaited = [each for each in certificates if each is not None]
        if is_known and not awaited:
            return None

        async def prepare() -> None:
            if not is_known:
                self._admin[key] = _Admin(addresses, await self._admin_tls(addresses))
            for certificate in awaited:
                await certificate()

        return prepare

    def admin_tls(self, proxy: ConnectedProxy) -> proxy_view.AdminTls | None:
        """For the admin listener of `proxy`; None: there is no authority for it."""
        admin = self._admin.get(_key(proxy))
        return None if admin is None else admin.tls

    def identity(self, proxy: ConnectedProxy, world: MeshWorld) -> proxy_view.Identity | None:
        """Of `proxy` in its mesh; None: the mesh has no mTLS, or there is none yet."""
        dataplane = world.dataplane(proxy.name)
        if dataplane is None:
            return None
        key = _key(proxy)
        secrets = self._certificates.current(key, dataplane.spec.tag_sets)
        self._facts[key] = facts_of(secrets)
        return _identity(secrets)

    def certificate(self, mesh: str, name: str) -> CertificateFacts | None:
        """What is to be said of the certificate in the newest configuration of a proxy."""
        return self._facts.get(ResourceKey(DATAPLANE, mesh, name))

    async def _admin_tls(self, addresses: tuple[str, ...]) -> proxy_view.AdminTls | None:
        while True:
            try:
                pair = await self._authority.of_proxy(addresses)
            except StateError:
                await trio.sleep(RETRY_SECONDS)
                continue
            if pair is None:
                return None
            server = proxy_view.KeyPair(pair.chain, pair.key)
            return proxy_view.AdminTls(server=server, authority=pair.authority)


def facts_of(secrets: ProxySecrets | None) -> CertificateFacts | None:
    """What insights say of `secrets` once a proxy has taken them."""
    identity = None if secrets is None else secrets.identity
    if secrets is None or identity is None:
        return None
    return CertificateFacts(
        made_at=identity.made_at,
        ends_at=identity.ends_at,
        backend=identity.backend,
        trusted=secrets.trusted,
    )


def _identity(secrets: ProxySecrets | None) -> proxy_view.Identity | None:
    if secrets is None or secrets.identity is None:
        return None
    return proxy_view.Identity(
        pair=proxy_view.KeyPair(secrets.identity.chain, secrets.identity.key),
        authorities=secrets.bundles,
    )


class _InAnyMesh:
    """The keys of proxies; those of zone proxies, which are of no mesh, in any mesh."""

    def __init__(self, keys: Collection[ResourceKey]) -> None:
        self._keys = keys

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, ResourceKey):
            return False
        return key in self._keys or (key.type != DATAPLANE and key._replace(mesh="") in self._keys)


def _zone_tags(proxy: ConnectedProxy) -> Sequence[Tags]:
    """As its certificates have them."""
    return ({SERVICE: f"zone-{proxy.kind.value}"},)


def _key(proxy: ConnectedProxy) -> ResourceKey:
    of_zone = ZONE_TYPES.get(proxy.kind)
    return ResourceKey(DATAPLANE if of_zone is None else of_zone.resource, proxy.mesh, proxy.name)
