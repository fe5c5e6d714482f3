"""Which certificate and key are an authority; the texts are those that clients know.

Source: docs/wire/meshes.md#provided-authorities
"""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from kong_mesh_cp.core.meshes.ca_pairs import (
    CERTIFICATES_MAX,
    SigningAuthority,
    ends_at,
    signing_authority,
    violations,
)
from kong_mesh_cp.core.schema.violations import root
from support.fakes.authorities import block, certificate, der, ec_key, leaf, private_pem
from support.fakes.identity import NOW, pem, rsa_key

CA = certificate()
KEY = pem()
EC_CA = certificate(ec_key())
EC_KEY = private_pem(ec_key())
ED = ed25519.Ed25519PrivateKey.generate()
ENCRYPTED = BestAvailableEncryption(b"secret")
PUBLIC = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

NO_AUTHORITY = "basic constraint 'CA' must be set to 'true' (see X509-SVID: 4.1. Basic Constraints)"
NO_SIGNING = "key usage extension 'keyCertSign' must be set (see X509-SVID: 4.3. Key Usage)"
AGREEMENT = (
    "key usage extension 'keyAgreement' must NOT be set (see X509-SVID: Appendix A. X.509 Field"
    " Reference)"
)
NO_CERTIFICATE = "tls: failed to find any PEM data in certificate input"
NO_KEY = "tls: failed to find any PEM data in key input"
UNREADABLE = "tls: failed to parse private key"
OTHER = "tls: private key does not match public key"
OTHER_TYPE = "tls: private key type does not match public key type"
MALFORMED = "x509: malformed certificate"


def told(certificate_pem: bytes, key: bytes) -> list[tuple[str, str]]:
    return [(each.field, each.message) for each in violations(certificate_pem, key, root("conf"))]


@pytest.mark.parametrize(
    ("certificate_pem", "key"),
    [
        (CA, KEY),
        (CA, private_pem(rsa_key(), PrivateFormat.PKCS8)),
        (EC_CA, EC_KEY),
        (EC_CA, private_pem(ec_key(), PrivateFormat.PKCS8)),
        (EC_CA, block("EC PARAMETERS") + EC_KEY),
        (certificate(ED), private_pem(ED, PrivateFormat.PKCS8)),
        (CA.replace(b"\n", b"\r\n"), KEY.replace(b"\n", b"\r\n")),
        (b"subject=/CN=ca\n" + CA, b"key\n" + KEY),
        (CA.rstrip(), KEY.rstrip()),
        (CA * 3, KEY),
        (CA + KEY, CA + KEY),
        # The label does not say what is in it.
        (CA, block("EC PRIVATE KEY", der(KEY))),
        (certificate(rsa_key(9, 1024)), pem(9, 1024)),
        (certificate(ends=NOW - timedelta(days=1)), KEY),
    ],
)
def test_a_pair_of_an_authority_may_come_in_many_forms(certificate_pem: bytes, key: bytes) -> None:
    assert told(certificate_pem, key) == []


@pytest.mark.parametrize(
    ("certificate_pem", "key", "reason"),
    [
        (b"x", b"y", NO_CERTIFICATE),
        (der(CA), der(KEY), NO_CERTIFICATE),
        (base64.b64encode(CA), base64.b64encode(KEY), NO_CERTIFICATE),
        (CA.replace(b"\n", b"\n  "), KEY, NO_CERTIFICATE),
        (CA.decode().encode("utf-16"), KEY, NO_CERTIFICATE),
        (b"\xef\xbb\xbf" + CA, KEY, NO_CERTIFICATE),
        (CA[:-30], KEY, NO_CERTIFICATE),
        (CA, b"y", NO_KEY),
        (CA, der(KEY), NO_KEY),
        (
            KEY,
            CA,
            (
                "tls: failed to find certificate PEM data in certificate input, but did find a private"
                " key; PEM inputs may have been switched"
            ),
        ),
        (CA, CA, "tls: found a certificate rather than a key in the PEM for the private key"),
        (
            KEY + KEY,
            KEY,
            (
                'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM'
                " blocks of the following types: [RSA PRIVATE KEY RSA PRIVATE KEY]"
            ),
        ),
        (
            PUBLIC,
            KEY,
            (
                'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM'
                " blocks of the following types: [PUBLIC KEY]"
            ),
        ),
        (
            CA,
            PUBLIC,
            (
                'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after'
                " skipping PEM blocks of the following types: [PUBLIC KEY]"
            ),
        ),
        (block("CERTIFICATE"), KEY, MALFORMED),
        (block("CERTIFICATE", b""), KEY, MALFORMED),
        (block("CERTIFICATE", der(CA)[:-5]), KEY, MALFORMED),
        (block("CERTIFICATE", der(CA) + b"xx"), KEY, "x509: trailing data"),
        (
            certificate(ec_key(1, ec.SECP256K1)),
            private_pem(ec_key(1, ec.SECP256K1)),
            "x509: unsupported elliptic curve",
        ),
        (CA, pem(2), OTHER),
        (EC_CA, private_pem(ec_key(2)), OTHER),
        (CA, EC_KEY, OTHER_TYPE),
        (EC_CA, KEY, OTHER_TYPE),
        (certificate(ED), KEY, OTHER_TYPE),
        (CA, block("PRIVATE KEY"), UNREADABLE),
        (CA, private_pem(rsa_key(), PrivateFormat.PKCS8, ENCRYPTED), UNREADABLE),
        (CA, private_pem(rsa_key(), PrivateFormat.TraditionalOpenSSL, ENCRYPTED), UNREADABLE),
        (CA, private_pem(rsa_key(), PrivateFormat.OpenSSH), UNREADABLE),
        (CA, private_pem(ec_key(1, ec.SECP256K1)), UNREADABLE),
        (
            CA,
            x25519.X25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "tls: found unknown private key type in PKCS#8 wrapping",
        ),
        (
            CA,
            dsa.generate_private_key(1024).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            UNREADABLE,
        ),
    ],
)
def test_what_is_no_pair_is_told_in_the_words_that_clients_know(
    certificate_pem: bytes, key: bytes, reason: str
) -> None:
    assert told(certificate_pem, key) == [("conf.cert", f"not a valid TLS key pair: {reason}")]


@pytest.mark.parametrize(
    ("certificate_pem", "expected"),
    [
        (leaf(), [("conf.cert[0]", NO_AUTHORITY), ("conf.cert[0]", NO_SIGNING)]),
        (certificate(authority=None), [("conf.cert[0]", NO_AUTHORITY)]),
        (certificate(signs=False), [("conf.cert[0]", NO_SIGNING)]),
        (certificate(usage=False), [("conf.cert[0]", NO_SIGNING)]),
        (certificate(agrees=True), [("conf.cert[0]", AGREEMENT)]),
        (CA + leaf(), [("conf.cert[1]", NO_AUTHORITY), ("conf.cert[1]", NO_SIGNING)]),
        (
            CA + block("CERTIFICATE"),
            [("conf.cert[1]", "not a valid x509 certificate: x509: malformed certificate")],
        ),
    ],
)
def test_every_certificate_of_a_chain_is_an_authoritys(
    certificate_pem: bytes, expected: list[tuple[str, str]]
) -> None:
    assert told(certificate_pem, KEY) == expected


@pytest.mark.parametrize("part", ["p", "q", "d"])
def test_a_key_whose_numbers_do_not_fit_together_cannot_be_parsed(part: str) -> None:
    number: int = getattr(rsa_key().private_numbers(), part)
    size = (number.bit_length() + 7) // 8
    content = der(KEY)
    damaged = content.replace(number.to_bytes(size), (number ^ 6).to_bytes(size))
    assert damaged != content
    assert told(CA, block("RSA PRIVATE KEY", damaged)) == [
        ("conf.cert", f"not a valid TLS key pair: {UNREADABLE}")
    ]


def test_a_chain_has_an_end() -> None:
    assert told(CA * CERTIFICATES_MAX, KEY) == []
    reason = f"not a valid TLS key pair: more than {CERTIFICATES_MAX} certificates"
    assert told(CA * (CERTIFICATES_MAX + 1), KEY) == [("conf.cert", reason)]


def test_an_authority_ends_with_its_first_certificate() -> None:
    ends = NOW + timedelta(days=3)
    assert ends_at(KEY + certificate(ends=ends) + CA) == ends
    assert ends_at(KEY) is None
    assert ends_at(block("CERTIFICATE")) is None


def test_an_authority_that_can_sign_is_its_certificates_and_the_key_of_the_first() -> None:
    found = signing_authority(b"about it\n" + CA + KEY + EC_CA, KEY, root("conf"))
    assert isinstance(found, SigningAuthority)
    assert found.certificate.public_key() == found.key.public_key()
    assert found.chain == CA + EC_CA
    assert "PRIVATE" not in repr(found)


def test_what_is_no_authority_signs_only_where_nobody_judges() -> None:
    found = signing_authority(leaf(), KEY, root("conf"))
    assert isinstance(found, list)
    assert [each.message for each in found] == [NO_AUTHORITY, NO_SIGNING]
    assert isinstance(signing_authority(leaf(), KEY, root("conf"), judged=False), SigningAuthority)


@pytest.mark.parametrize("judged", [True, False])
def test_what_is_no_pair_never_signs(judged: bool) -> None:
    found = signing_authority(CA, EC_KEY, root("conf"), judged=judged)
    assert isinstance(found, list)
    assert [(each.field, each.message) for each in found] == [
        ("conf.cert", f"not a valid TLS key pair: {OTHER_TYPE}")
    ]
