"""What certificates made here contain, as cryptography and openssl read them."""

from __future__ import annotations

import ipaddress
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from kong_mesh_cp.core.identity import ca
from kong_mesh_cp.core.identity.workload import Leaf
from kong_mesh_cp.core.meshes.ca_pairs import signing_authority
from kong_mesh_cp.core.schema.violations import root
from support.fakes.authorities import certificate, ec_key, private_pem
from support.fakes.identity import NOW, pem, rsa_key

ED = ed25519.Ed25519PrivateKey.generate()

NAMES = ["cp-host", "localhost", "127.0.0.1", "::1", "fe80::1%eth0", "localhost"]


def builtin(validity: timedelta = ca.TEN_YEARS) -> x509.Certificate:
    return x509.load_pem_x509_certificate(
        ca.builtin_ca("payments", rsa_key(), serial=7, now=NOW, validity=validity)
    )


def server() -> x509.Certificate:
    return x509.load_pem_x509_certificate(
        ca.server_certificate(NAMES, rsa_key(), serial=2**128 - 1, now=NOW)
    )


def of_the_control_plane() -> x509.Certificate:
    return x509.load_pem_x509_certificate(
        ca.control_plane_ca("Envoy Admin CA", rsa_key(), serial=7, now=NOW)
    )


MADE = [builtin, server, of_the_control_plane]


def usage(certificate: x509.Certificate) -> set[str]:
    extension = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert extension.critical
    always = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign",
    )  # fmt: skip
    return {name for name in always if getattr(extension.value, name)}


@pytest.mark.parametrize("made", MADE)
def test_every_one_is_its_own_authority(made: Callable[[], x509.Certificate]) -> None:
    certificate = made()
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca) == (True, True)
    assert certificate.issuer == certificate.subject
    certificate.verify_directly_issued_by(certificate)
    assert certificate.version is x509.Version.v3


def test_a_meshs_authority_is_named_for_its_mesh() -> None:
    certificate = builtin()
    assert certificate.subject.rfc4514_string() == "CN=payments,OU=Mesh,O=Kuma"
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert san.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://payments"]
    assert usage(certificate) == {"key_cert_sign", "crl_sign"}
    assert certificate.serial_number == 7


def test_a_meshs_authority_begins_ten_seconds_ago_and_lasts_ten_years() -> None:
    certificate = builtin()
    assert certificate.not_valid_before_utc == NOW - timedelta(seconds=10)
    assert certificate.not_valid_after_utc == NOW + timedelta(days=3650)


def test_an_authority_of_the_control_plane_has_the_same_time_and_its_own_name() -> None:
    certificate = of_the_control_plane()
    assert certificate.not_valid_before_utc == NOW - timedelta(minutes=5)
    assert certificate.not_valid_after_utc == NOW + timedelta(days=3650)
    assert certificate.subject.rfc4514_string() == "CN=Envoy Admin CA,OU=Mesh,O=Kuma"
    assert usage(certificate) == {"key_cert_sign", "crl_sign"}


def test_a_meshs_authority_lasts_as_long_as_the_mesh_says() -> None:
    assert builtin(timedelta(hours=1)).not_valid_after_utc == NOW + timedelta(hours=1)


def test_an_end_beyond_any_calendar_is_the_one_for_never() -> None:
    never = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert builtin(timedelta(days=106_000_000)).not_valid_after_utc == never


@pytest.mark.parametrize("bits", [2048, 4096])
def test_a_meshs_authority_has_a_key_of_the_bits_that_it_is_given(bits: int) -> None:
    key = rsa_key(1, bits)
    certificate = x509.load_pem_x509_certificate(ca.builtin_ca("m", key, serial=1, now=NOW))
    assert certificate.public_key() == key.public_key()


def test_the_servers_certificate_names_the_machine_in_every_way() -> None:
    certificate = server()
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert san.value.get_values_for_type(x509.DNSName) == ["cp-host", "localhost"]
    assert san.value.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("::1"),
        ipaddress.ip_address("fe80::1"),
    ]


def test_the_servers_certificate_has_a_subject_of_its_own_so_that_curl_takes_it() -> None:
    number = f"{2**128 - 1:x}"
    assert server().subject.rfc4514_string() == f"2.5.4.5={number},CN=kong-mesh-cp"


def test_the_servers_certificate_is_for_servers_and_to_be_trusted() -> None:
    certificate = server()
    purpose = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purpose) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert usage(certificate) == {"digital_signature", "key_encipherment", "key_cert_sign"}


def test_the_servers_certificate_begins_five_minutes_ago_and_lasts_ten_years() -> None:
    certificate = server()
    assert certificate.not_valid_before_utc == NOW - timedelta(minutes=5)
    assert certificate.not_valid_after_utc == NOW + timedelta(days=3650)
    assert certificate.serial_number == 2**128 - 1


@pytest.mark.parametrize("serial", [0, -1, 2**128])
def test_a_serial_number_is_positive_and_has_at_most_128_bits(serial: int) -> None:
    with pytest.raises(ValueError, match="a serial number is positive"):
        ca.builtin_ca("m", rsa_key(), serial=serial, now=NOW)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError):
        ca.server_certificate(["höst"], rsa_key(), serial=1, now=NOW)


def test_the_same_is_made_of_the_same() -> None:
    """Pure: no clock, no randomness."""
    assert server() == server()
    assert builtin() == builtin()


def test_certificate_and_key_go_into_one_secret() -> None:
    certificate = ca.control_plane_ca("Inter CP CA", rsa_key(), serial=1, now=NOW)
    both = ca.bundle(certificate, rsa_key())
    assert both.startswith(b"-----BEGIN CERTIFICATE-----\n")
    assert both.count(b"-----BEGIN ") == 2
    assert both.index(b"-----BEGIN RSA PRIVATE KEY-----") > both.index(b"-----END CERTIFICATE")


def test_openssl_accepts_the_servers_certificate_for_this_machine(tmp_path: Path) -> None:
    document = ca.server_certificate(
        NAMES, rsa_key(), serial=1, now=datetime.fromtimestamp(1_600_000_000, UTC)
    )
    path = tmp_path / "cp.crt"
    path.write_bytes(document)
    for name in ("-verify_hostname", "cp-host"), ("-verify_ip", "127.0.0.1"):
        done = subprocess.run(
            ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", *name,
             "-attime", "1600000100", "-CAfile", path, path],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(
        ["openssl", "verify", "-verify_hostname", "evil", "-attime", "1600000100", "-CAfile", path, path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "hostname mismatch" in (done.stdout + done.stderr).lower()


AUTHORITIES: list[Callable[[], tuple[bytes, bytes]]] = [
    lambda: (ca.builtin_ca("payments", rsa_key(), serial=7, now=NOW), pem()),
    lambda: (certificate(ec_key()), private_pem(ec_key())),
    lambda: (
        certificate(ec_key(curve=ec.SECP384R1)),
        private_pem(ec_key(curve=ec.SECP384R1)),
    ),
    lambda: (
        certificate(ec_key(curve=ec.SECP521R1)),
        private_pem(ec_key(curve=ec.SECP521R1)),
    ),
    lambda: (certificate(ED), private_pem(ED, PrivateFormat.PKCS8)),
]
URIS = ("spiffe://payments/web", "kuma://kuma.io/service/web")


def signed_by(made: tuple[bytes, bytes], uris: tuple[str, ...] = URIS) -> x509.Certificate:
    authority = signing_authority(*made, root("conf"))
    assert not isinstance(authority, list)
    asked = Leaf(uris, NOW - timedelta(seconds=10), NOW + timedelta(days=1))
    return x509.load_pem_x509_certificate(
        ca.workload_certificate(authority, asked, ec_key(2), serial=9)
    )


@pytest.mark.parametrize("authority", AUTHORITIES)
def test_the_certificate_of_a_proxy_is_signed_by_its_authority(
    authority: Callable[[], tuple[bytes, bytes]],
) -> None:
    made = authority()
    leaf = signed_by(made)
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(made[0]))
    assert leaf.public_key() == ec_key(2).public_key()


def test_the_certificate_of_a_proxy_says_what_the_original_says_of_it() -> None:
    authority = AUTHORITIES[0]()
    leaf = signed_by(authority)
    assert leaf.subject.rfc4514_string() == ""
    assert leaf.issuer.rfc4514_string() == "CN=payments,OU=Mesh,O=Kuma"
    assert usage(leaf) == {"digital_signature"}
    basic = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca) == (True, False)
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert not purposes.critical
    assert list(purposes.value) == [
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    ]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical
    assert names.value.get_values_for_type(x509.UniformResourceIdentifier) == list(URIS)
    signer = x509.load_pem_x509_certificate(authority[0]).extensions
    number = signer.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    by = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    assert (by.critical, by.value.key_identifier) == (False, number)
    assert len(leaf.extensions) == 5
    assert (leaf.not_valid_before_utc, leaf.not_valid_after_utc) == (
        NOW - timedelta(seconds=10),
        NOW + timedelta(days=1),
    )


def test_a_proxy_without_names_and_an_authority_without_a_number_leave_those_out() -> None:
    leaf = signed_by(AUTHORITIES[1](), uris=())
    kinds = {type(each.value) for each in leaf.extensions}
    assert kinds == {x509.KeyUsage, x509.ExtendedKeyUsage, x509.BasicConstraints}
