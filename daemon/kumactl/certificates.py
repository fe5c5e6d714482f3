"""Self-signed TLS certificates for trying things out."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kumactl.errors import UsageError

VALIDITY: Final = timedelta(days=3650)
CLOCK_SKEW: Final = timedelta(minutes=5)
_COMMON_NAME_CHARACTERS_MAX: Final = 64  # X.520


class Purpose(StrEnum):
    """Which end of a connection shows the certificate."""

    SERVER = "server"
    CLIENT = "client"


class KeyType(StrEnum):
    """The kind of its key."""

    RSA = "rsa"
    ECDSA = "ecdsa"


def self_signed(
    purpose: Purpose, key_type: KeyType, hostnames: Sequence[str], now: datetime
) -> tuple[bytes, bytes]:
    """Private key and certificate for `hostnames` (names or addresses), PEM. Raises: UsageError."""
    key = _new_key(key_type)
    common_name = hostnames[0][:_COMMON_NAME_CHARACTERS_MAX]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    usage = {
        Purpose.SERVER: ExtendedKeyUsageOID.SERVER_AUTH,
        Purpose.CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH,
    }[purpose]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + VALIDITY)
        # Its own issuer: who trusts it, gives it as CA.
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_names(hostnames)), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, certificate.public_bytes(Encoding.PEM)


def _new_key(key_type: KeyType) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    if key_type is KeyType.ECDSA:
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _names(hostnames: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for hostname in hostnames:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(hostname)))
        except ValueError:
            names.append(_dns_name(hostname))
    return names


def _dns_name(hostname: str) -> x509.DNSName:
    if not hostname.isascii() or not hostname.isprintable() or " " in hostname:
        raise UsageError(f"{hostname!r} is no host name (write it in ASCII: xn--…)")
    return x509.DNSName(hostname)
