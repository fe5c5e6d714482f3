"""Files of a certificate and its key as people have them, and what is said of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7, pkcs12

from support.daemons.tls_peers import Pair, issued, pair


@dataclass(frozen=True)
class Mistake:
    """What lies in the two files, and how the refusal begins, goes on and says to mend it."""

    files: Callable[[], Pair]
    code: str
    says: str
    remedy: str


def _der(certificate: bytes) -> bytes:
    return x509.load_pem_x509_certificate(certificate).public_bytes(Encoding.DER)


def _key_in(
    encoding: Encoding,
    form: serialization.PrivateFormat,
    protection: serialization.KeySerializationEncryption | None = None,
) -> bytes:
    key = serialization.load_pem_private_key(pair().key, None)
    return key.private_bytes(encoding, form, protection or serialization.NoEncryption())


def _store() -> bytes:
    key = serialization.load_pem_private_key(pair().key, None)
    certificate = x509.load_pem_x509_certificate(pair().certificate)
    return pkcs12.serialize_key_and_certificates(
        b"server",
        key,  # type: ignore[arg-type]  # it is one of those that are taken
        certificate,
        None,
        serialization.BestAvailableEncryption(b"x"),
    )


def _bundle(encoding: Encoding) -> bytes:
    certificate = x509.load_pem_x509_certificate(pair().certificate)
    return pkcs7.serialize_certificates([certificate], encoding)


_PASSWORD = serialization.BestAvailableEncryption(b"x")
_PKCS8 = serialization.PrivateFormat.PKCS8
_TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL
_PUBLIC = (
    serialization.load_pem_private_key(pair().key, None)
    .public_key()
    .public_bytes(Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
)
_REQUEST = b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"


def _with_key(key: bytes) -> Callable[[], Pair]:
    return lambda: Pair(pair().certificate, key)


def _with_certificate(certificate: bytes) -> Callable[[], Pair]:
    return lambda: Pair(certificate, pair().key)


MISTAKES: Final = {
    "swapped": Mistake(
        lambda: Pair(pair().key, pair().certificate), "tls-files-swapped", "swapped", "Swap"
    ),
    "swapped, with a chain": Mistake(
        lambda: Pair(pair().key, pair().certificate + issued().certificate),
        "tls-files-swapped",
        "swapped",
        "Swap",
    ),
    "two keys": Mistake(
        _with_certificate(pair().key), "tls-pair-unusable", "holds a private key", "Put a cert"
    ),
    "two certificates": Mistake(
        _with_key(pair().certificate), "tls-pair-unusable", "holds a certificate", "Put a cert"
    ),
    "another key": Mistake(
        _with_key(pair("other").key), "tls-key-mismatch", "do not belong together", "Put a cert"
    ),
    "the root first": Mistake(
        _with_certificate(issued().certificate + pair().certificate),
        "tls-chain-order",
        "as number 2 of 2",
        "own certificate first",
    ),
    "certificate in DER": Mistake(
        _with_certificate(_der(pair().certificate)),
        "tls-not-pem",
        "a certificate in DER",
        "openssl x509 -inform der -in",
    ),
    "key in DER": Mistake(
        _with_key(_key_in(Encoding.DER, _PKCS8)),
        "tls-not-pem",
        "a key in DER",
        "openssl pkey -inform der -in",
    ),
    "key in the traditional DER": Mistake(
        _with_key(_key_in(Encoding.DER, _TRADITIONAL)),
        "tls-not-pem",
        "a key in DER",
        "openssl pkey -inform der -in",
    ),
    "encrypted key in DER": Mistake(
        _with_key(_key_in(Encoding.DER, _PKCS8, _PASSWORD)),
        "tls-not-pem",
        "a key in DER",
        "openssl pkey -inform der -in",
    ),
    "PKCS #12": Mistake(
        _with_certificate(_store()), "tls-not-pem", "is PKCS #12", "openssl pkcs12 -in"
    ),
    "PKCS #7": Mistake(
        _with_certificate(_bundle(Encoding.PEM)),
        "tls-pair-unusable",
        "openssl pkcs7 -print_certs",
        "Put a certificate",
    ),
    "PKCS #7 in DER": Mistake(
        _with_certificate(_bundle(Encoding.DER)), "tls-not-pem", "PKCS #7", "openssl pkcs7 -inform"
    ),
    "a key store of Java": Mistake(
        _with_certificate(b"\xfe\xed\xfe\xed\0\0\0\2"), "tls-not-pem", "of Java", "keytool"
    ),
    "encrypted key": Mistake(
        _with_key(_key_in(Encoding.PEM, _PKCS8, _PASSWORD)),
        "tls-key-encrypted",
        "is encrypted",
        "openssl pkey -in",
    ),
    "encrypted traditional key": Mistake(
        _with_key(_key_in(Encoding.PEM, _TRADITIONAL, _PASSWORD)),
        "tls-key-encrypted",
        "is encrypted",
        "openssl pkey -in",
    ),
    "a key of OpenSSH": Mistake(
        _with_key(_key_in(Encoding.PEM, serialization.PrivateFormat.OpenSSH)),
        "tls-pair-unusable",
        "a key of OpenSSH",
        "Put a certificate",
    ),
    "a public key": Mistake(
        _with_key(_PUBLIC), "tls-pair-unusable", "holds a public key", "Put a certificate"
    ),
    "a request": Mistake(
        _with_certificate(_REQUEST), "tls-pair-unusable", "a request for", "Put a certificate"
    ),
    "empty certificate": Mistake(
        _with_certificate(b" \n"), "tls-pair-unusable", "is empty", "Put a certificate"
    ),
    "empty key": Mistake(_with_key(b""), "tls-pair-unusable", "is empty", "Put a certificate"),
    "garbage": Mistake(
        _with_certificate(bytes(range(256)) * 8),
        "tls-pair-unusable",
        "holds no certificate in PEM",
        "Put a certificate",
    ),
    "UTF-16": Mistake(
        _with_certificate(pair().certificate.decode().encode("utf-16")),
        "tls-not-pem",
        "UTF-16",
        "iconv -f UTF-16",
    ),
    "a cut certificate": Mistake(
        _with_certificate(pair().certificate[:200]),
        "tls-pair-unusable",
        "holds no certificate in PEM",
        "Put a certificate",
    ),
    "a certificate of no base64": Mistake(
        _with_certificate(pair().certificate.replace(b"M", b"*")),
        "tls-pair-unusable",
        "is damaged",
        "Put a certificate",
    ),
    "a certificate of nonsense": Mistake(
        _with_certificate(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        "tls-pair-unusable",
        "cannot be used",
        "Put a certificate",
    ),
    "a key of nonsense": Mistake(
        _with_key(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        "tls-pair-unusable",
        "cannot be used",
        "Put a certificate",
    ),
    "too much": Mistake(
        _with_certificate(pair().certificate + b"\n" * 1024 * 1024),
        "tls-file-unreadable",
        "is larger than 1024 KiB",
        "Put a PEM file",
    ),
}

# Odd, and right all the same.
USABLE: Final[dict[str, Callable[[], Pair]]] = {
    "one file for both": lambda: Pair(pair().certificate + pair().key, pair().key),
    "one file twice": lambda: Pair(
        pair().key + pair().certificate, pair().key + pair().certificate
    ),
    "with a chain": lambda: Pair(pair().certificate + issued().certificate, pair().key),
    "lines of Windows": lambda: Pair(
        pair().certificate.replace(b"\n", b"\r\n"), pair().key.replace(b"\n", b"\r\n")
    ),
    "a mark of UTF-8": lambda: Pair(b"\xef\xbb\xbf" + pair().certificate, pair().key),
    "text around": lambda: Pair(
        b"Bag Attributes\n  NOT ENCRYPTED\n" + pair().certificate + b"end",
        b"# ENCRYPTED once\n" + pair().key,
    ),
}
