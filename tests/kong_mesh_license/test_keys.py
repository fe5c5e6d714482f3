from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa

from kong_mesh_cp.core.license.keyring import Algorithm, Key, KeyPurpose
from kong_mesh_license.errors import VendorToolError
from kong_mesh_license.keys import SigningKey, spki_of_public_pem
from support.licenses.licenses import FIPS_VENDOR, VENDOR


def pem_of(
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed448.Ed448PrivateKey,
) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_generated_key_signs_what_its_public_half_verifies(algorithm: Algorithm) -> None:
    key = SigningKey.generate(algorithm)
    trusted = Key.from_spki(key.spki, purpose=KeyPurpose.ISSUED)
    assert trusted.algorithm is algorithm
    assert trusted.verifies(key.sign(b"message"), b"message")
    assert not trusted.verifies(key.sign(b"message"), b"other")


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_key_is_the_same_after_it_was_stored(algorithm: Algorithm) -> None:
    key = SigningKey.generate(algorithm)
    assert SigningKey.from_pem(key.private_pem).spki == key.spki
    assert spki_of_public_pem(key.public_pem) == key.spki


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_no_two_generated_keys_are_the_same(algorithm: Algorithm) -> None:
    assert SigningKey.generate(algorithm).spki != SigningKey.generate(algorithm).spki


@pytest.mark.parametrize(
    "private",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ed448.Ed448PrivateKey.generate(),
    ],
)
def test_other_kinds_of_keys_do_not_sign(
    private: ec.EllipticCurvePrivateKey | ed448.Ed448PrivateKey,
) -> None:
    with pytest.raises(VendorToolError, match="neither Ed25519 nor ECDSA P-256"):
        SigningKey.from_pem(pem_of(private))


@pytest.mark.parametrize("text", [b"", b"secret-canary", VENDOR.pem[:60], VENDOR.spki])
def test_what_is_no_key_is_refused_without_being_quoted(text: bytes) -> None:
    for read in (SigningKey.from_pem, spki_of_public_pem):
        with pytest.raises(VendorToolError) as caught:
            read(text)
        assert "canary" not in caught.value.line


def test_a_private_key_is_not_taken_for_a_public_one() -> None:
    for signer in (VENDOR, FIPS_VENDOR):
        with pytest.raises(VendorToolError, match="private key"):
            spki_of_public_pem(signer.pem)


def test_a_key_shows_nothing_of_itself() -> None:
    assert repr(SigningKey.from_pem(VENDOR.pem)) == "SigningKey()"
