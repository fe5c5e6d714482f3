"""With what control planes and Envoys' admin listeners prove to each other who they are."""

from __future__ import annotations

import base64

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from kong_mesh_cp.core.identity import ca
from kong_mesh_cp.usecases.data_plane.credentials.admin_authority import AdminAuthority, AdminPair
from support.daemons.resource_api import AT, ResourceApi
from support.fakes.identity import rsa_key

NAME = "envoy-admin-ca"


def authority(serial: int = 7) -> bytes:
    key = rsa_key()
    return ca.bundle(ca.control_plane_ca("Envoy Admin CA", key, serial=serial, now=AT), key)


async def with_secret(content: bytes) -> ResourceApi:
    api = ResourceApi()
    await api.put("GlobalSecret", NAME, data=base64.b64encode(content).decode())
    return api


def read(pair: AdminPair | None) -> x509.Certificate:
    assert pair is not None
    return x509.load_pem_x509_certificate(pair.chain)


async def test_two_control_planes_make_the_same() -> None:
    api = await with_secret(authority())
    one, other = AdminAuthority(api.store), AdminAuthority(api.store)
    assert await one.of_proxy(["10.0.0.1"]) == await other.of_proxy(["10.0.0.1"])
    assert await one.of_control_plane() == await other.of_control_plane()


async def test_a_proxy_has_a_certificate_for_its_addresses_and_to_serve() -> None:
    api = await with_secret(authority())
    found = read(await AdminAuthority(api.store).of_proxy(["10.0.0.1", "proxy.test"]))
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each.value) for each in names] == ["10.0.0.1", "proxy.test"]
    usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


async def test_the_control_plane_has_one_for_its_name_and_to_ask() -> None:
    api = await with_secret(authority())
    found = read(await AdminAuthority(api.store).of_control_plane())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["kuma-cp"]
    usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


async def test_both_are_issued_by_the_authority_and_have_keys_of_their_own() -> None:
    api = await with_secret(authority())
    admin = AdminAuthority(api.store)
    proxy, control_plane = await admin.of_proxy(["10.0.0.1"]), await admin.of_control_plane()
    assert proxy is not None
    assert control_plane is not None
    assert proxy.key != control_plane.key
    issuer = x509.load_pem_x509_certificate(proxy.authority)
    for pair in (proxy, control_plane):
        read(pair).verify_directly_issued_by(issuer)
        assert b"PRIVATE" not in pair.authority


async def test_it_is_made_once() -> None:
    api = await with_secret(authority())
    admin = AdminAuthority(api.store)
    assert await admin.of_proxy(["10.0.0.1"]) is await admin.of_proxy(["10.0.0.1"])
    assert await admin.of_proxy(["10.0.0.2"]) != await admin.of_proxy(["10.0.0.1"])


async def test_another_authority_makes_others() -> None:
    api = await with_secret(authority())
    admin = AdminAuthority(api.store)
    before = await admin.of_proxy(["10.0.0.1"])
    await api.put("GlobalSecret", NAME, data=base64.b64encode(authority(serial=8)).decode())
    after = await admin.of_proxy(["10.0.0.1"])
    assert before is not None
    assert after is not None
    assert after.authority != before.authority


async def test_one_that_is_deleted_and_made_anew_is_another() -> None:
    api = await with_secret(authority())
    admin = AdminAuthority(api.store)
    before = await admin.of_proxy(["10.0.0.1"])
    await api.delete("GlobalSecret", NAME)
    await api.put("GlobalSecret", NAME, data=base64.b64encode(authority(serial=8)).decode())
    after = await admin.of_proxy(["10.0.0.1"])
    assert before is not None
    assert after is not None
    assert after.authority != before.authority


async def test_without_a_usable_secret_there_is_nothing_to_show() -> None:
    assert await AdminAuthority(ResourceApi().store).of_control_plane() is None
    api = await with_secret(b"nothing that could sign")
    assert await AdminAuthority(api.store).of_proxy(["10.0.0.1"]) is None
