"""Proxies have certificates when they need them, and new ones in time.

Source: docs/wire/mtls.md#identities
"""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
import trio
import trio.testing
from cryptography import x509

from kong_mesh_cp.core.formats.prometheus_text import metrics_text
from kong_mesh_cp.core.identity.workload import Leaf
from kong_mesh_cp.core.meshes.ca_pairs import SigningAuthority
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.host.leaf_signing import sign_leaf
from kong_mesh_cp.usecases.data_plane.credentials.mesh_authorities import (
    FILES_SECONDS,
    AuthoritiesInForce,
)
from kong_mesh_cp.usecases.data_plane.credentials.workload_certificates import (
    CLOCK_SECONDS,
    RETRY_SECONDS,
    ProxySecrets,
    SignedLeaf,
    WorkloadCertificates,
    WorkloadIdentity,
)
from kong_mesh_cp.usecases.resources.provided_authorities import (
    FileUnreadableError,
    ProvidedAuthorities,
)
from support.daemons.resource_api import AT, ResourceApi
from support.fakes.authorities import certificate, ec_key, private_pem
from support.fakes.identity import pem

pytestmark = pytest.mark.usefixtures("autojump_clock")

WEB = ({"kuma.io/service": "web", "version": "v1"},)
WEB_2 = ({"kuma.io/service": "web", "version": "v2"},)
DAY = timedelta(days=1)
BY_SECRET = {"cert": {"secret": "c"}, "key": {"secret": "k"}}
BY_FILE = {"cert": {"file": "/ca.pem"}, "key": {"file": "/ca.key"}}

T = TypeVar("T")


async def at_once(work: Callable[[], T]) -> T:
    await trio.lowlevel.checkpoint()
    return work()


def proxy(name: str = "web-1", mesh: str = "shop") -> ResourceKey:
    return ResourceKey("Dataplane", mesh, name)


@dataclass
class Served:
    """A store, and the certificates of the proxies of its meshes."""

    api: ResourceApi
    nursery: trio.Nursery
    now: datetime = AT
    files: dict[str, bytes] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    meshes_changed: list[str] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)
    cannot_sign: str = ""
    certificates: WorkloadCertificates = field(init=False)

    def begin(self) -> None:
        sources = ProvidedAuthorities(self.api.store, self.read, in_worker_thread=at_once)
        authorities = AuthoritiesInForce(self.api.replica, sources, in_worker_thread=at_once)
        self.certificates = WorkloadCertificates(
            authorities,
            self.sign,
            lambda: self.now,
            changed=lambda each: self.changed.append(each.name),
            mesh_changed=self.meshes_changed.append,
            in_worker_thread=at_once,
        )
        self.nursery.start_soon(self.certificates.run)

    def read(self, path: str) -> bytes:
        if path not in self.files:
            raise FileUnreadableError(f"open {path}: no such file or directory")
        return self.files[path]

    def sign(self, authority: SigningAuthority, leaf: Leaf) -> SignedLeaf:
        if self.cannot_sign:
            raise ValueError(self.cannot_sign)
        self.signed.append(leaf.uris[0])
        return sign_leaf(authority, leaf)

    async def mesh(self, name: str = "shop", **backend: Any) -> None:
        conf = backend.pop("conf", BY_SECRET)
        await self.api.put("Mesh", name, skipCreatingInitialPolicies=["*"])
        await self.secret("k", pem(), mesh=name)
        await self.secret("c", certificate(), mesh=name)
        await self.mtls({"name": "ca", "type": "provided", "conf": conf, **backend}, name=name)

    async def mtls(
        self, *backends: dict[str, Any], enabled: str = "ca", name: str = "shop"
    ) -> None:
        mtls = {"enabledBackend": enabled, "backends": list(backends), "skipValidation": True}
        await self.api.put("Mesh", name, mtls=mtls)

    async def secret(self, name: str, data: bytes, mesh: str = "shop") -> None:
        await self.api.put("Secret", name, mesh=mesh, data=base64.b64encode(data).decode())

    async def secrets(
        self, name: str = "web-1", tags: Iterable[dict[str, str]] = WEB
    ) -> ProxySecrets:
        await self.certificates.prepare(proxy(name), tags)
        return self.now_has(name, tags)

    def now_has(self, name: str = "web-1", tags: Iterable[dict[str, str]] = WEB) -> ProxySecrets:
        found = self.certificates.current(proxy(name), tags)
        assert found is not None
        return found

    async def later(self, time: timedelta = timedelta()) -> None:
        """So much passes on the wall clock, and enough to look at it."""
        self.now += time
        await trio.sleep(CLOCK_SECONDS + 1)


@asynccontextmanager
async def serving() -> AsyncIterator[Served]:
    async with trio.open_nursery() as nursery:
        served = Served(ResourceApi(), nursery)
        nursery.start_soon(served.api.replica.run)
        yield served
        nursery.cancel_scope.cancel()


def identity_of(secrets: ProxySecrets) -> WorkloadIdentity:
    assert secrets.identity is not None
    return secrets.identity


def read(chain: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(chain)


async def test_a_proxy_has_a_certificate_of_its_mesh_when_it_is_prepared() -> None:
    async with serving() as served:
        await served.mesh()
        served.begin()
        secrets = await served.secrets()
        identity = identity_of(secrets)
        leaf = read(identity.chain)
        leaf.verify_directly_issued_by(read(secrets.bundles["shop"]))
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert tuple(names.get_values_for_type(x509.UniformResourceIdentifier)) == identity.uris
        assert identity.uris[0] == "spiffe://shop/web"
        assert leaf.not_valid_after_utc == identity.ends_at == AT + DAY
        assert (identity.backend, secrets.trusted) == ("ca", ("ca",))
        assert b"PRIVATE KEY" not in secrets.bundles["shop"]
        assert b"PRIVATE KEY" in identity.key
        assert "PRIVATE KEY" not in repr(secrets)


async def test_without_mtls_there_is_nothing_to_wait_for() -> None:
    async with serving() as served:
        await served.api.put("Mesh", "shop", skipCreatingInitialPolicies=["*"])
        served.begin()
        await served.certificates.prepare(proxy(), WEB)
        assert served.certificates.current(proxy(), WEB) is None
        await served.certificates.prepare(proxy(mesh="gone"), WEB)
        assert served.certificates.current(proxy(mesh="gone"), WEB) is None


async def test_the_same_proxy_keeps_its_certificate_until_four_fifths_of_its_time() -> None:
    async with serving() as served:
        await served.mesh()
        served.begin()
        first = identity_of(await served.secrets())
        await served.later(DAY * 0.79)
        assert identity_of(served.now_has()) is first
        assert served.changed == ["web-1"]
        await served.later(DAY * 0.02)
        second = identity_of(served.now_has())
        assert second.chain != first.chain
        assert second.ends_at == served.now + DAY - timedelta(0)
        assert served.changed == ["web-1", "web-1"]


async def test_it_lasts_as_long_as_the_mesh_says_from_the_next_one_on() -> None:
    async with serving() as served:
        await served.mesh(dpCert={"rotation": {"expiration": "1h"}})
        served.begin()
        first = identity_of(await served.secrets())
        assert first.ends_at == AT + timedelta(hours=1)
        await served.later(timedelta(minutes=49))
        assert identity_of(served.now_has()).ends_at == served.now + timedelta(hours=1)


async def test_other_tags_are_another_certificate_and_the_old_one_serves_until_then() -> None:
    async with serving() as served:
        await served.mesh()
        served.begin()
        first = identity_of(await served.secrets())
        assert identity_of(served.now_has(tags=WEB_2)) is first
        await trio.testing.wait_all_tasks_blocked()
        assert "kuma://version/v2" in identity_of(served.now_has(tags=WEB_2)).uris
        assert served.changed == ["web-1", "web-1"]


async def test_another_authority_in_the_same_place_signs_for_all_at_once() -> None:
    async with serving() as served:
        await served.mesh()
        served.begin()
        before = [await served.secrets(name) for name in ("web-1", "web-2")]
        await served.mtls({"name": "ca", "type": "provided", "conf": BY_SECRET})
        await served.secret("k", private_pem(ec_key()))
        await trio.testing.wait_all_tasks_blocked()
        await served.secret("c", certificate(ec_key()))
        await served.later()
        after = [served.now_has(name) for name in ("web-1", "web-2")]
        for old, new in zip(before, after, strict=True):
            assert old.bundles != new.bundles
            read(identity_of(new).chain).verify_directly_issued_by(read(new.bundles["shop"]))
        assert served.meshes_changed == ["shop"]


async def test_while_half_a_pair_is_written_the_one_before_stays_in_force(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "kong_mesh_cp.usecases.data_plane")
    async with serving() as served:
        await served.mesh()
        served.begin()
        first = identity_of(await served.secrets())
        await served.secret("k", private_pem(ec_key()))
        await served.later()
        assert identity_of(served.now_has()) is first
        (line,) = [each.getMessage() for each in caplog.records]
        assert line == (
            'mesh-ca-not-usable: authority "ca" of mesh "shop": not a valid TLS key pair: tls:'
            " private key type does not match public key type; the one before stays in force. Put"
            " a new certificate and key where they come from: c, k."
        )
        assert await served.secrets("web-2") is not None
        await served.secret("k", pem())
        await served.later()
        assert [each.getMessage() for each in caplog.records][1:] == [
            'mesh-ca-read-again: authority "ca" of mesh "shop" is in force'
        ]
        assert identity_of(served.now_has()) is first


async def test_a_mesh_without_a_good_authority_gives_nobody_a_certificate(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as served:
        await served.api.put("Mesh", "shop", skipCreatingInitialPolicies=["*"])
        await served.mtls({"name": "ca", "type": "provided", "conf": BY_SECRET})
        served.begin()
        secrets = await served.secrets()
        assert (secrets.identity, secrets.bundles, secrets.trusted) == (None, {"shop": b""}, ())
        assert "get no certificates, and refuse all connections" in caplog.text
        await served.secret("k", pem())
        await served.secret("c", certificate())
        await served.later()
        assert served.now_has().identity is not None


async def test_files_are_looked_at_again() -> None:
    async with serving() as served:
        served.files = {"/ca.pem": certificate(), "/ca.key": pem()}
        await served.mesh(conf=BY_FILE)
        served.begin()
        first = await served.secrets()
        served.files = {"/ca.pem": certificate(ec_key()), "/ca.key": private_pem(ec_key())}
        await trio.sleep(FILES_SECONDS + 1)
        await served.later()
        assert served.now_has().bundles != first.bundles


async def test_both_authorities_are_trusted_and_the_enabled_one_signs() -> None:
    async with serving() as served:
        await served.mesh()
        second = {"cert": {"secret": "c2"}, "key": {"secret": "k2"}}
        await served.secret("k2", private_pem(ec_key()))
        await served.secret("c2", certificate(ec_key()))
        served.begin()
        first = identity_of(await served.secrets())
        old = {"name": "ca", "type": "provided", "conf": BY_SECRET}
        new = {"name": "ca-2", "type": "provided", "conf": second}

        await served.mtls(old, new)
        await served.later()
        both = served.now_has()
        assert identity_of(both) is first
        assert both.trusted == ("ca", "ca-2")
        assert both.bundles["shop"].count(b"BEGIN CERTIFICATE") == 2

        await served.mtls(old, new, enabled="ca-2")
        await served.later()
        switched = served.now_has()
        assert identity_of(switched).backend == "ca-2"
        assert switched.bundles == both.bundles

        await served.mtls(new, enabled="ca-2")
        await served.later()
        assert served.now_has().trusted == ("ca-2",)
        assert identity_of(served.now_has()) is identity_of(switched)


async def test_when_mtls_is_switched_off_keys_are_dropped() -> None:
    async with serving() as served:
        await served.mesh()
        served.begin()
        first = identity_of(await served.secrets())
        await served.api.put("Mesh", "shop")
        await served.later()
        assert served.certificates.current(proxy(), WEB) is None
        assert served.meshes_changed == ["shop"]
        await served.mtls({"name": "ca", "type": "provided", "conf": BY_SECRET})
        await served.later()
        assert identity_of(await served.secrets()).key != first.key


async def test_a_proxy_that_has_left_gets_none_and_one_that_returns_a_new_one() -> None:
    async with serving() as served:
        await served.mesh()
        served.begin()
        first = identity_of(await served.secrets())
        served.certificates.forget(proxy())
        await served.later(DAY)
        assert served.changed == ["web-1"]
        assert identity_of(await served.secrets()).key != first.key


async def test_a_thousand_that_come_at_once_are_served_in_their_order() -> None:
    async with serving() as served:
        await served.mesh()
        served.begin()
        tags = [({"kuma.io/service": f"s{number:03}"},) for number in range(300)]
        async with trio.open_nursery() as nursery:
            await served.certificates.prepare(proxy("first"), WEB)
            for number, each in enumerate(tags):
                key = proxy(f"p{number:03}")
                served.certificates.current(key, each)
                nursery.start_soon(served.certificates.prepare, key, each)
            # Their configuration does not wait: what is there is given at once.
            assert served.now_has("p299", tags[299]).identity is None
        assert served.signed[1:] == [f"spiffe://shop/s{number:03}" for number in range(300)]
        assert 'kong_mesh_workload_certificates_total{mesh="shop"} 301' in metrics_text(
            served.certificates.metrics()
        )


async def test_a_clock_that_was_set_back_makes_all_certificates_anew() -> None:
    async with serving() as served:
        await served.mesh()
        served.begin()
        first = identity_of(await served.secrets())
        await served.later(-timedelta(hours=2))
        second = identity_of(served.now_has())
        assert second.begins < first.begins
        assert second.begins == served.now - timedelta(seconds=10)


async def test_a_clock_that_jumps_ahead_is_noticed_soon() -> None:
    async with serving() as served:
        await served.mesh()
        served.begin()
        await served.secrets()
        await served.later(400 * DAY)
        assert identity_of(served.now_has()).ends_at == served.now + DAY


async def test_an_authority_that_cannot_sign_is_told_once_and_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "kong_mesh_cp.usecases.data_plane")
    async with serving() as served:
        await served.mesh()
        served.begin()
        served.cannot_sign = "digest too big for rsa key"
        assert (await served.secrets()).identity is None
        await trio.sleep(3 * RETRY_SECONDS)
        (line,) = [each.getMessage() for each in caplog.records]
        assert line.startswith('mesh-ca-cannot-sign: authority "ca" of mesh "shop" signs no')
        served.cannot_sign = ""
        await trio.sleep(2 * RETRY_SECONDS)
        assert served.now_has().identity is not None
        assert caplog.records[-1].getMessage().startswith("mesh-ca-signs-again: ")
