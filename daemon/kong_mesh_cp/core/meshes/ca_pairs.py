"""Whether a certificate and a key are an authority that can sign for proxies, and how long.

Imported when a pair is looked at: x509 is two thirds of a start.

Source: docs/wire/meshes.md#provided-authorities
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.meshes.pem_blocks import PemBlock, blocks
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

CERTIFICATES_MAX: Final = 100  # of one chain; each is looked at, and takes as long as the first
RSA_BITS_MAX: Final = 16_384  # what OpenSSL can still sign with
_CERTIFICATE: Final = "CERTIFICATE"
_PRIVATE_KEY: Final = "PRIVATE KEY"
_CURVE: Final = "EC PARAMETERS"  # that some tools write before a key, which says it again
_PEM_COLUMNS: Final = 64
_CURVES: Final = frozenset({"secp224r1", "secp256r1", "secp384r1", "secp521r1"})  # those of Go
_KEY_UNREADABLE: Final = "tls: failed to parse private key"

_NO_AUTHORITY: Final = (
    "basic constraint 'CA' must be set to 'true' (see X509-SVID: 4.1. Basic Constraints)"
)
_SIGNS_NO_CERTIFICATES: Final = (
    "key usage extension 'keyCertSign' must be set (see X509-SVID: 4.3. Key Usage)"
)
_AGREES_ON_KEYS: Final = (
    "key usage extension 'keyAgreement' must NOT be set"
    " (see X509-SVID: Appendix A. X.509 Field Reference)"
)

_E = TypeVar("_E", bound=x509.ExtensionType)

_PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
_PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True, eq=False)
class SigningAuthority:
    """An authority that can sign: the first certificate of its chain, and the key of that.

    `chain` has all of its certificates in PEM, and nothing else that stood in their file.
    """

    certificate: x509.Certificate
    key: _PrivateKey = field(repr=False)
    chain: bytes


class UnusablePairError(Exception):
    """Why a pair is none; of authorities in the words that clients know."""


class ServerPair(NamedTuple):
    """A certificate that a server shows, with its chain, and its key; both PEM."""

    kind: str  # of the key: rsa or ecdsa
    chain: str
    key: str


def server_pair(text: bytes) -> ServerPair:
    """The one key in `text`, and the certificates, of which the first is the key's.

    Raises: UnusablePairError.
    """
    found = list(islice(blocks(text), CERTIFICATES_MAX + 1))
    keys = [each for each in found if each.label.endswith(_PRIVATE_KEY)]
    chain = [each for each in found if each.label.endswith(_CERTIFICATE)]
    if len(keys) > 1:
        raise UnusablePairError("there is more than one private key")
    for each in found:
        if each not in keys and each not in chain and each.label != _CURVE:
            raise UnusablePairError(f"a PEM block is {each.label}, not a certificate or a key")
    if not chain:
        raise UnusablePairError("there is no certificate in PEM")
    if not keys:
        raise UnusablePairError("there is no private key in PEM")
    key = _private_key(keys[0].content)
    if key.public_key() != _public_key(_parsed(chain[0].content)):
        raise UnusablePairError("the private key is not that of the first certificate")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raise UnusablePairError("the private key is to be one of RSA or ECDSA")
    kind = "rsa" if isinstance(key, rsa.RSAPrivateKey) else "ecdsa"
    texts = [f"{_written(each)}\n" for each in chain]
    return ServerPair(kind, "".join(texts), _written(keys[0]))


def _written(block: PemBlock) -> str:
    """In PEM, with a line break at the end."""
    text = base64.b64encode(block.content).decode()
    lines = [text[start : start + _PEM_COLUMNS] for start in range(0, len(text), _PEM_COLUMNS)]
    return "\n".join([f"-----BEGIN {block.label}-----", *lines, f"-----END {block.label}-----", ""])


def violations(certificate: bytes, key: bytes, at: FieldPath) -> list[Violation]:
    """What speaks against the pair, which is in PEM and stands in `cert` and `key` at `at`.

    `certificate` may be a chain; all of it has to be of authorities.
    """
    at = at.field("cert")
    try:
        chain = _pair(certificate, key)
    except UnusablePairError as error:
        return [at.violation(f"not a valid TLS key pair: {error}")]
    found: list[Violation] = []
    for index, each in enumerate(chain):
        try:
            found += _of_authority(_parsed(each), at.index(index))
        except UnusablePairError as error:
            reason = f"not a valid x509 certificate: {error}"
            return [*found, at.index(index).violation(reason)]
    return found


def signing_authority(
    certificate: bytes, key: bytes, at: FieldPath, *, judged: bool = True
) -> SigningAuthority | list[Violation]:
    """The authority that the pair is, or all that speaks against it: see `violations`.

    `judged` False: it only has to be able to sign, as where a mesh skips validation.
    """
    try:
        chain = _pair(certificate, key)
        for each in chain:
            _parsed(each)
    except UnusablePairError as error:
        return [at.field("cert").violation(f"not a valid TLS key pair: {error}")]
    found = violations(certificate, key, at) if judged else []
    if found:
        return found
    texts = [_parsed(each).public_bytes(serialization.Encoding.PEM) for each in chain]
    return SigningAuthority(_parsed(chain[0]), _private_key(_key_block(key)), b"".join(texts))


def ends_at(certificate: bytes) -> datetime | None:
    """When the first of a chain in PEM ends; None where there is no certificate."""
    first = next((each for each in blocks(certificate) if each.label == _CERTIFICATE), None)
    try:
        return None if first is None else _parsed(first.content).not_valid_after_utc
    except UnusablePairError:
        return None


def _pair(certificate: bytes, key: bytes) -> Sequence[bytes]:
    """The chain, of which the first has the key. Raises: UnusablePairError."""
    chain = _chain(certificate)
    key_content = _key_block(key)
    public = _public_key(_parsed(chain[0]))
    private = _private_key(key_content)
    if not isinstance(private.public_key(), _kind_of(public)):
        raise UnusablePairError("tls: private key type does not match public key type")
    if private.public_key() != public:
        raise UnusablePairError("tls: private key does not match public key")
    return chain


def _chain(text: bytes) -> Sequence[bytes]:
    chain: list[bytes] = []
    others: list[str] = []
    for block in blocks(text):
        if block.label == _CERTIFICATE:
            chain.append(block.content)
        else:
            others.append(block.label)
        if len(chain) > CERTIFICATES_MAX:
            raise UnusablePairError(f"more than {CERTIFICATES_MAX} certificates")
    if chain:
        return chain
    if not others:
        raise UnusablePairError("tls: failed to find any PEM data in certificate input")
    if len(others) == 1 and others[0].endswith(_PRIVATE_KEY):
        raise UnusablePairError(
            "tls: failed to find certificate PEM data in certificate input, but did find a private"
            " key; PEM inputs may have been switched"
        )
    raise UnusablePairError(
        'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks'
        f" of the following types: {_listed(others)}"
    )


def _key_block(text: bytes) -> bytes:
    others: list[str] = []
    for block in blocks(text):
        if block.label == _PRIVATE_KEY or block.label.endswith(f" {_PRIVATE_KEY}"):
            return block.content
        others.append(block.label)
    if not others:
        raise UnusablePairError("tls: failed to find any PEM data in key input")
    if others == [_CERTIFICATE]:
        raise UnusablePairError(
            "tls: found a certificate rather than a key in the PEM for the private key"
        )
    raise UnusablePairError(
        'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after'
        f" skipping PEM blocks of the following types: {_listed(others)}"
    )


def _listed(labels: Sequence[str]) -> str:
    """As Go prints a slice; of very many the first."""
    return f"[{' '.join(labels[:CERTIFICATES_MAX])}]"


def _parsed(content: bytes) -> x509.Certificate:
    size = _element_bytes(content)
    try:
        certificate = x509.load_der_x509_certificate(content[:size])
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm):
        raise UnusablePairError("x509: malformed certificate") from None
    if size < len(content):
        raise UnusablePairError("x509: trailing data")
    return certificate


def _element_bytes(content: bytes) -> int:
    """The length of the DER element at the start of `content`; all of it where that is none."""
    if len(content) < 2:
        return len(content)
    length = content[1]
    if length < 0x80:
        return 2 + length
    digits = length & 0x7F
    return 2 + digits + int.from_bytes(content[2 : 2 + digits], "big")


def _public_key(certificate: x509.Certificate) -> _PublicKey:
    try:
        key = certificate.public_key()
    except (ValueError, exceptions.UnsupportedAlgorithm):
        raise UnusablePairError("tls: unknown public key algorithm") from None
    match key:
        case ec.EllipticCurvePublicKey() if key.curve.name not in _CURVES:
            raise UnusablePairError("x509: unsupported elliptic curve")
        case rsa.RSAPublicKey() | ec.EllipticCurvePublicKey() | ed25519.Ed25519PublicKey():
            return key
        case _:
            raise UnusablePairError("tls: unknown public key algorithm")


def _kind_of(key: _PublicKey) -> type[object]:
    kinds = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)
    return next(kind for kind in kinds if isinstance(key, kind))


def _private_key(content: bytes) -> _PrivateKey:
    """PKCS #1, PKCS #8 or SEC 1, whatever the label says; never an encrypted one."""
    try:
        # The numbers of RSA are looked at below: proving their primality could take minutes.
        key = serialization.load_der_private_key(
            content, password=None, unsafe_skip_rsa_key_validation=True
        )
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm):
        raise UnusablePairError(_KEY_UNREADABLE) from None
    match key:
        case rsa.RSAPrivateKey():
            _require_sound(key)
            return key
        case ec.EllipticCurvePrivateKey() if key.curve.name in _CURVES:
            return key
        case ed25519.Ed25519PrivateKey():
            return key
        case x25519.X25519PrivateKey():
            raise UnusablePairError("tls: found unknown private key type in PKCS#8 wrapping")
        case _:
            raise UnusablePairError(_KEY_UNREADABLE)


def _require_sound(key: rsa.RSAPrivateKey) -> None:
    if key.key_size > RSA_BITS_MAX:
        reason = f"the key has {key.key_size} bits, and may have {RSA_BITS_MAX}"
        raise UnusablePairError(reason)
    numbers = key.private_numbers()
    public = numbers.public_numbers
    parts = (numbers.p, numbers.q, numbers.d)
    if any(part.bit_length() > key.key_size or part < 2 for part in parts):
        raise UnusablePairError(_KEY_UNREADABLE)
    turns = numbers.d * public.e
    if numbers.p * numbers.q != public.n or any(
        turns % (prime - 1) != 1 % (prime - 1) for prime in (numbers.p, numbers.q)
    ):
        raise UnusablePairError(_KEY_UNREADABLE)


def _of_authority(certificate: x509.Certificate, at: FieldPath) -> list[Violation]:
    """What speaks against its being an authority's. Raises: UnusablePairError."""
    try:
        extensions = certificate.extensions
    except (ValueError, x509.DuplicateExtension):
        raise UnusablePairError("x509: malformed extension") from None
    found: list[Violation] = []
    usage = _extension(extensions, x509.KeyUsage)
    constraints = _extension(extensions, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        found.append(at.violation(_NO_AUTHORITY))
    if usage is None or not usage.key_cert_sign:
        found.append(at.violation(_SIGNS_NO_CERTIFICATES))
    if usage is not None and usage.key_agreement:
        found.append(at.violation(_AGREES_ON_KEYS))
    return found


def _extension(extensions: x509.Extensions, kind: type[_E]) -> _E | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
