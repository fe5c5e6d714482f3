"""What certificates made here contain. Pure: keys, serial numbers and the time are given.

With `core/meshes/ca_pairs` it is who imports x509, which is two thirds of a start: who needs
either imports it lazily.

Source: docs/wire/processes.md#server-certificate, docs/wire/meshes.md#certificate-authorities
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kong_mesh_cp.core.identity.rsa_keys import private_key_pem

SERVER_OWNER: Final = "kong-mesh-cp"
SERIAL_BITS_MAX: Final = 128
TEN_YEARS: Final = timedelta(days=3650)
CA_SKEW: Final = timedelta(seconds=10)  # clocks of proxies may be this far behind
SERVER_SKEW: Final = timedelta(minutes=5)
_FOREVER: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280 section 4.1.2.5


def builtin_ca(
    mesh: str,
    key: rsa.RSAPrivateKey,
    *,
    serial: int,
    now: datetime,
    validity: timedelta = TEN_YEARS,
) -> bytes:
    """The certificate, in PEM, of the authority that issues the identities of `mesh`."""
    san = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://{mesh}")])
    return _certificate(
        _name("Mesh", mesh),
        key,
        serial=serial,
        begins=now - CA_SKEW,
        ends=_later(now, validity),
        extensions=((_authority_usage(), True), (san, False)),
    )


def control_plane_ca(
    common_name: str, key: rsa.RSAPrivateKey, *, serial: int, now: datetime
) -> bytes:
    """The certificate, in PEM, of an authority for connections of the control plane itself."""
    return _certificate(
        _name("Mesh", common_name),
        key,
        serial=serial,
        begins=now - CA_SKEW,
        ends=_later(now, TEN_YEARS),
        extensions=((_authority_usage(), True),),
    )


def server_certificate(
    names: Sequence[str], key: rsa.RSAPrivateKey, *, serial: int, now: datetime
) -> bytes:
    """The certificate, in PEM, that the control plane makes itself when it is given none.

    `names`: its host name, localhost, and every address of the machine. It is its own authority,
    so that clients can be given it as the one to trust. Raises: ValueError for a name that is none.
    """
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    san = x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(names)])
    # The original leaves the subject empty, and curl with OpenSSL cannot read an issuer without
    # a name. Clients look for whom they meant in the names above only (RFC 9525 section 6). The
    # number keeps apart what a machine had before: OpenSSL finds an authority by its subject.
    owner = x509.NameAttribute(NameOID.COMMON_NAME, SERVER_OWNER)
    number = x509.NameAttribute(NameOID.SERIAL_NUMBER, f"{serial:x}")
    return _certificate(
        x509.Name([owner, number]),
        key,
        serial=serial,
        begins=now - SERVER_SKEW,
        ends=_later(now, TEN_YEARS),
        extensions=((_server_usage(), True), (purpose, False), (san, False)),
    )


def term(certificate: bytes) -> tuple[datetime, datetime]:
    """When the first certificate of a PEM text begins and ends. Raises: ValueError for none."""
    read = x509.load_pem_x509_certificate(certificate)
    return read.not_valid_before_utc, read.not_valid_after_utc


def bundle(certificate: bytes, key: rsa.RSAPrivateKey) -> bytes:
    """Certificate and key in one, as `envoy-admin-ca` and `inter-cp-ca` hold them."""
    return certificate + private_key_pem(key)


def _certificate(
    subject: x509.Name,
    key: rsa.RSAPrivateKey,
    *,
    serial: int,
    begins: datetime,
    ends: datetime,
    extensions: Iterable[tuple[x509.ExtensionType, bool]],
) -> bytes:
    if not 1 <= serial < 2**SERIAL_BITS_MAX:
        raise ValueError(f"a serial number is positive and has at most {SERIAL_BITS_MAX} bits")
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _later(now: datetime, validity: timedelta) -> datetime:
    return now + validity if validity < _FOREVER - now else _FOREVER


def _name(unit: str, common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Kuma"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.partition("%")[0]))
    except ValueError:
        return x509.DNSName(name)


def _authority_usage() -> x509.KeyUsage:
    return _usage(crl_sign=True)


def _server_usage() -> x509.KeyUsage:
    return _usage(digital_signature=True, key_encipherment=True)


def _usage(
    *, digital_signature: bool = False, key_encipherment: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
