"""Certificates of authorities, sound and unsound, in PEM."""

from __future__ import annotations

import base64
import functools
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from support.fakes.identity import NOW, rsa_key

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

YEAR = timedelta(days=365)


def certificate(
    key: Key | None = None,
    *,
    authority: bool | None = True,
    signs: bool = True,
    agrees: bool = False,
    usage: bool = True,
    ends: datetime = NOW + YEAR,
) -> bytes:
    """Of an authority that signs itself, unless said otherwise. None: it does not say."""
    of = key or rsa_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(of.public_key())
        .serial_number(7)
        .not_valid_before(ends - 10 * YEAR)
        .not_valid_after(ends)
    )
    if authority is not None:
        constraints = x509.BasicConstraints(ca=authority, path_length=None)
        builder = builder.add_extension(constraints, critical=True)
    if usage:
        uses = x509.KeyUsage(
            digital_signature=not signs,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=agrees,
            key_cert_sign=signs,
            crl_sign=signs,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(uses, critical=True)
    signed = builder.sign(
        of, None if isinstance(of, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    )
    return signed.public_bytes(Encoding.PEM)


def leaf() -> bytes:
    """A certificate that can sign no other."""
    return certificate(authority=False, signs=False)


def private_pem(
    key: Key,
    form: PrivateFormat = PrivateFormat.TraditionalOpenSSL,
    encryption: KeySerializationEncryption | None = None,
) -> bytes:
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())


def ec_key(
    number: int = 1, curve: type[ec.EllipticCurve] = ec.SECP256R1
) -> ec.EllipticCurvePrivateKey:
    """The key pair number `number` on `curve`, the same one throughout a run."""
    return _made(number, curve)


@functools.cache
def _made(_number: int, curve: type[ec.EllipticCurve]) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


def block(label: str, content: bytes = b"hello") -> bytes:
    """`content` in PEM, whatever it is."""
    text = base64.encodebytes(content)
    return f"-----BEGIN {label}-----\n".encode() + text + f"-----END {label}-----\n".encode()


def der(pem: bytes) -> bytes:
    """The content of the one block of `pem`."""
    return base64.b64decode(b"".join(pem.splitlines()[1:-1]))
