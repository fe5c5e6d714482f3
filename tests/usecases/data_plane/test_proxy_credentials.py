"""A proxy's configuration waits for what it proves itself with, and insights say what it took.

Source: docs/wire/mtls.md#identities
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar

import pytest
import trio
from cryptography import x509

from kong_mesh_cp.core.identity import ca
from kong_mesh_cp.core.policy.rules.matched import MeshView
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, Inbound, Networking
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.xds.cross_mesh.other_meshes import CrossMesh
from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from kong_mesh_cp.core.xds.world import MeshWorld, by_type, mesh_world
from kong_mesh_cp.shell.host.leaf_signing import sign_leaf
from kong_mesh_cp.usecases.data_plane.authentication import ProxyKind
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy
from kong_mesh_cp.usecases.data_plane.credentials.admin_authority import AdminAuthority
from kong_mesh_cp.usecases.data_plane.credentials.mesh_authorities import AuthoritiesInForce
from kong_mesh_cp.usecases.data_plane.credentials.proxy_credentials import (
    RETAIN_SECONDS,
    ProxyCredentials,
)
from kong_mesh_cp.usecases.data_plane.credentials.workload_certificates import WorkloadCertificates
from kong_mesh_cp.usecases.resources.provided_authorities import ProvidedAuthorities
from support.daemons.resource_api import AT, ResourceApi
from support.fakes.authorities import certificate
from support.fakes.identity import pem, rsa_key
from support.specs.shop_resources import resource

pytestmark = pytest.mark.usefixtures("autojump_clock")

WEB = ConnectedProxy(mesh="shop", name="web-1", metadata=ProxyMetadata())
PAIR = {"cert": {"secret": "c"}, "key": {"secret": "k"}}
MTLS = {"enabledBackend": "ca", "backends": [{"name": "ca", "type": "provided", "conf": PAIR}]}

T = TypeVar("T")


async def at_once(work: Callable[[], T]) -> T:
    await trio.lowlevel.checkpoint()
    return work()


def world(address: str = "10.0.0.1", advertised: str = "") -> MeshWorld:
    networking = Networking(
        address=address,
        advertised_address=advertised,
        inbound=(Inbound(port=80, tags={"kuma.io/service": "web"}),),
    )
    dataplane = resource("Dataplane", "web-1", Dataplane(networking=networking))
    return mesh_world(
        resource("Mesh", "shop", Mesh()), by_type([dataplane]), MeshView(), zone="default"
    )


@dataclass
class Proved:
    api: ResourceApi
    connected: list[ConnectedProxy] = field(default_factory=lambda: [WEB])

    def begin(self) -> ProxyCredentials:
        sources = ProvidedAuthorities(self.api.store, in_worker_thread=at_once)
        authorities = AuthoritiesInForce(self.api.replica, sources, in_worker_thread=at_once)
        certificates = WorkloadCertificates(
            authorities, sign_leaf, lambda: AT, in_worker_thread=at_once
        )
        admin = AdminAuthority(self.api.store)
        return ProxyCredentials(certificates, admin, lambda: self.connected)

    async def secret(self, name: str, data: bytes, mesh: str = "") -> None:
        type_name = "Secret" if mesh else "GlobalSecret"
        await self.api.put(type_name, name, mesh=mesh, data=base64.b64encode(data).decode())


@asynccontextmanager
async def proving() -> AsyncIterator[tuple[Proved, ProxyCredentials]]:
    """A mesh with mTLS, and an authority for admin listeners."""
    async with trio.open_nursery() as nursery:
        proved = Proved(ResourceApi())
        nursery.start_soon(proved.api.replica.run)
        await proved.api.put("Mesh", "shop", skipCreatingInitialPolicies=["*"])
        await proved.secret("c", certificate(), mesh="shop")
        await proved.secret("k", pem(), mesh="shop")
        await proved.api.put("Mesh", "shop", mtls=MTLS)
        admin = ca.control_plane_ca("Envoy Admin CA", rsa_key(), serial=7, now=AT)
        await proved.secret("envoy-admin-ca", ca.bundle(admin, rsa_key()))
        credentials = proved.begin()
        nursery.start_soon(credentials.run)
        yield proved, credentials
        nursery.cancel_scope.cancel()


async def prepared(credentials: ProxyCredentials, of: MeshWorld) -> None:
    preparation = credentials.preparation(WEB, of)
    assert preparation is not None
    await preparation()
    assert credentials.preparation(WEB, of) is None


async def test_nothing_is_made_before_its_certificates_are() -> None:
    async with proving() as (_, credentials):
        assert credentials.admin_tls(WEB) is None
        await prepared(credentials, world())
        identity = credentials.identity(WEB, world())
        assert identity is not None
        leaf = x509.load_pem_x509_certificate(identity.pair.chain)
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(identity.authorities["shop"]))
        admin = credentials.admin_tls(WEB)
        assert admin is not None
        assert x509.load_pem_x509_certificate(admin.server.chain).issuer.rfc4514_string() == (
            "CN=Envoy Admin CA,OU=Mesh,O=Kuma"
        )


async def test_its_facts_are_those_of_what_was_made_last() -> None:
    async with proving() as (_, credentials):
        await prepared(credentials, world())
        assert credentials.certificate("shop", "web-1") is None
        credentials.identity(WEB, world())
        facts = credentials.certificate("shop", "web-1")
        assert facts is not None
        assert (facts.backend, facts.trusted) == ("ca", ("ca",))
        assert (facts.made_at, facts.ends_at) == (AT, AT + timedelta(days=1))


async def test_an_admin_listener_at_another_address_has_another_certificate() -> None:
    async with proving() as (_, credentials):
        await prepared(credentials, world())
        first = credentials.admin_tls(WEB)
        await prepared(credentials, world(advertised="192.0.2.1"))
        second = credentials.admin_tls(WEB)
        assert first is not None
        assert second is not None
        names = x509.load_pem_x509_certificate(second.server.chain).extensions
        found = names.get_extension_for_class(x509.SubjectAlternativeName).value
        shown = [str(each) for each in found.get_values_for_type(x509.IPAddress)]
        assert shown == ["10.0.0.1", "192.0.2.1"]
        assert first.server != second.server


async def test_who_is_not_in_its_mesh_has_nothing() -> None:
    async with proving() as (_, credentials):
        other = ConnectedProxy(mesh="shop", name="gone", metadata=ProxyMetadata())
        assert credentials.preparation(other, world()) is None
        assert credentials.identity(other, world()) is None
        assert credentials.admin_tls(other) is None


async def test_keys_of_those_who_have_left_are_dropped_after_a_while() -> None:
    async with proving() as (proved, credentials):
        await prepared(credentials, world())
        first = credentials.identity(WEB, world())
        await trio.sleep(2 * RETAIN_SECONDS)
        assert credentials.identity(WEB, world()) == first
        proved.connected.clear()
        await trio.sleep(2 * RETAIN_SECONDS)
        assert credentials.admin_tls(WEB) is None
        assert credentials.certificate("shop", "web-1") is None
        await prepared(credentials, world())
        second = credentials.identity(WEB, world())
        assert first is not None
        assert second is not None
        assert first.pair != second.pair


EGRESS = ConnectedProxy(mesh="", name="egress-1", metadata=ProxyMetadata(), kind=ProxyKind.EGRESS)


async def test_an_egress_shows_itself_in_each_mesh_until_it_has_left_for_a_while() -> None:
    async with proving() as (proved, credentials):
        proved.connected[:] = [EGRESS]
        preparation = credentials.zone_preparation(EGRESS, ("10.0.0.9",), ["shop"])
        assert preparation is not None
        await preparation()

        first = credentials.zone_identities(EGRESS, ["shop", "gone"])
        assert [*first] == ["shop"]
        leaf = x509.load_pem_x509_certificate(first["shop"].pair.chain).extensions
        found = leaf.get_extension_for_class(x509.SubjectAlternativeName).value
        assert found.get_values_for_type(x509.UniformResourceIdentifier) == [
            "spiffe://shop/zone-egress",
            "kuma://kuma.io/service/zone-egress",
        ]
        assert credentials.admin_tls(EGRESS) is not None

        await trio.sleep(2 * RETAIN_SECONDS)
        assert credentials.zone_identities(EGRESS, ["shop"]) == first
        proved.connected.clear()
        await trio.sleep(2 * RETAIN_SECONDS)
        assert credentials.zone_identities(EGRESS, ["shop"]) == {}


async def test_the_authorities_of_other_meshes_that_it_knows_are_there_first() -> None:
    async with proving() as (proved, credentials):
        await proved.api.put("Mesh", "bank", skipCreatingInitialPolicies=["*"])
        await proved.secret("c", certificate(), mesh="bank")
        await proved.secret("k", pem(), mesh="bank")
        await proved.api.put("Mesh", "bank", mtls=MTLS)
        await prepared(credentials, world())
        identity = credentials.identity(WEB, world())
        assert identity is not None
        assert {*identity.authorities} == {"shop"}

        calling = replace(world(), crossing=CrossMesh(trusted=("bank",)))
        await prepared(credentials, calling)

        identity = credentials.identity(WEB, calling)
        assert identity is not None
        assert {*identity.authorities} == {"bank", "shop"}
