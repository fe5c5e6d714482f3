"""What certificates made here contain. Pure: keys, serial numbers and the time are given.

With `core/meshes/ca_pairs` it is who imports x509, which is two thirds of a start: who needs
either imports it lazily.

Source: docs/wire/processes.md#server-certificate, docs/wire/meshes.md#certificate-authorities
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kong_mesh_cp.core.identity.rsa_keys import private_key_pem
from kong_mesh_cp.core.identity.workload import Leaf
from kong_mesh_cp.core.meshes.ca_pairs import SigningAuthority

SERVER_OWNER: Final = "kong-mesh-cp"
SERIAL_BITS_MAX: Final = 128
TEN_YEARS: Final = timedelta(days=3650)
CA_SKEW: Final = timedelta(seconds=10)  # clocks of proxies may be this far behind
SERVER_SKEW: Final = timedelta(minutes=5)
P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_BYTES: Final = 32
_SHA384_BITS: Final = 384  # of a curve that is as strong as SHA-384
_FOREVER: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280 section 4.1.2.5


AdminPurpose = Literal["client", "server"]
"""Whose it is: the control plane's, or a proxy's."""


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
        begins=now - SERVER_SKEW,
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


def workload_certificate(
    authority: SigningAuthority, leaf: Leaf, key: ec.EllipticCurvePrivateKey, *, serial: int
) -> bytes:
    """The certificate, in PEM, that `authority` gives to the proxy that has `key`."""
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        # An elliptic curve signs: it neither encrypts keys nor agrees on them (RFC 8446).
        (_usage(digital_signature=True, key_cert_sign=False), True),
        (x509.ExtendedKeyUsage(purposes), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
    ]
    if leaf.uris:
        names = [x509.UniformResourceIdentifier(each) for each in leaf.uris]
        # It has no other name, so that who reads it has to know this one (RFC 5280 4.2.1.6).
        extensions.append((x509.SubjectAlternativeName(names), True))
    number = _key_identifier(authority.certificate)
    if number is not None:
        by_number = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(number)
        extensions.append((by_number, False))
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(_sound_serial(serial))
        .not_valid_before(leaf.begins)
        .not_valid_after(leaf.ends)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    signed = builder.sign(authority.key, _hash_for(authority.key))
    return signed.public_bytes(Encoding.PEM)


def admin_certificate(
    authority: SigningAuthority, hosts: Sequence[str], *, purpose: AdminPurpose
) -> tuple[bytes, bytes]:
    """Certificate and key, in PEM, of one side of the connections to Envoys' admin listeners.

    Both follow from `authority`, which could make any other, and `hosts`: every control plane that
    has it makes the same, at any time, so that no proxy is told of a new one without a reason.
    """
    host = " ".join(hosts)
    key = _derived_key(authority, host, purpose)
    oid = ExtendedKeyUsageOID.CLIENT_AUTH
    if purpose == "server":
        oid = ExtendedKeyUsageOID.SERVER_AUTH
    names = x509.SubjectAlternativeName([_general_name(each) for each in hosts])
    begins = authority.certificate.not_valid_before_utc
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(_derived(authority, host, purpose, "serial", SERIAL_BITS_MAX // 8 - 1))
        .not_valid_before(begins)
        .not_valid_after(begins + TEN_YEARS)
        .add_extension(_usage(digital_signature=True, key_cert_sign=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([oid]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(names, critical=True)
    )
    number = _key_identifier(authority.certificate)
    if number is not None:
        by_number = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(number)
        builder = builder.add_extension(by_number, critical=False)
    signed = builder.sign(authority.key, _hash_for(authority.key))
    form = PrivateFormat.PKCS8
    return (
        signed.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, form, NoEncryption()),
    )


def _derived_key(
    authority: SigningAuthority, host: str, purpose: AdminPurpose
) -> ec.EllipticCurvePrivateKey:
    # Eight bytes more than the order of the curve has: the remainder favours no value
    # (FIPS 186-5 A.2.1).
    wide = _derived(authority, host, purpose, "key", P256_BYTES + 8)
    return ec.derive_private_key(wide % (P256_ORDER - 1) + 1, ec.SECP256R1())


def _derived(
    authority: SigningAuthority, host: str, purpose: AdminPurpose, what: str, size: int
) -> int:
    """A number of `size` bytes that only who has the key of `authority` can tell."""
    form = PrivateFormat.PKCS8
    secret = authority.key.private_bytes(Encoding.DER, form, NoEncryption())
    info = f"kong-mesh-cp envoy admin {purpose} {what} {host}".encode()
    found = HKDF(algorithm=hashes.SHA256(), length=size, salt=None, info=info).derive(secret)
    return int.from_bytes(found, "big") or 1


def term(certificate: bytes) -> tuple[datetime, datetime]:
    """When the first certificate of a PEM text begins and ends. Raises: ValueError for none."""
    read = x509.load_pem_x509_certificate(certificate)
    return read.not_valid_before_utc, read.not_valid_after_utc


def names_in(certificate: bytes) -> tuple[str, ...]:
    """The host names and addresses that the first certificate of a PEM text is for.

    Raises: ValueError for none.
    """
    try:
        names = _alternative_names(x509.load_pem_x509_certificate(certificate))
    except x509.DuplicateExtension as error:
        raise ValueError(str(error)) from None
    if names is None:
        return ()
    addresses = names.get_values_for_type(x509.IPAddress)
    return (*names.get_values_for_type(x509.DNSName), *(str(each) for each in addresses))


def is_no_authority(certificate: bytes) -> bool:
    """Whether the first certificate of a PEM text says that it has signed no other.

    One that says nothing may be an authority. Raises: ValueError for none.
    """
    read = x509.load_pem_x509_certificate(certificate)
    try:
        return not read.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
    except x509.DuplicateExtension as error:
        raise ValueError(str(error)) from None


def _alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


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
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(_sound_serial(serial))
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _sound_serial(serial: int) -> int:
    if not 1 <= serial < 2**SERIAL_BITS_MAX:
        raise ValueError(f"a serial number is positive and has at most {SERIAL_BITS_MAX} bits")
    return serial


def _key_identifier(certificate: x509.Certificate) -> x509.SubjectKeyIdentifier | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return None


def _hash_for(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """As strong as the key; Ed25519 brings its own."""
    match key:
        case ed25519.Ed25519PrivateKey():
            return None
        case ec.EllipticCurvePrivateKey() if key.curve.key_size > _SHA384_BITS:
            return hashes.SHA512()
        case ec.EllipticCurvePrivateKey() if key.curve.key_size == _SHA384_BITS:
            return hashes.SHA384()
        case _:
            return hashes.SHA256()


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
    return _usage(key_cert_sign=True, crl_sign=True)


def _server_usage() -> x509.KeyUsage:
    return _usage(digital_signature=True, key_encipherment=True, key_cert_sign=True)


def _usage(
    *,
    key_cert_sign: bool,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
