"""Keys of tokens: which are taken, and that their signatures are those of everybody else."""

from __future__ import annotations

import base64
import hmac
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.identity.refusals import SigningKeyError
from kong_mesh_cp.core.identity.rsa_keys import (
    LEGACY_KEY_BYTES_MIN,
    PEM_BYTES_MAX,
    LegacyVerifier,
    SigningKey,
    public_key_of,
)
from support.fakes.identity import JOHN, base64url, pem, rsa_key, signing_key, token_for

# RFC 7515 appendix A.2: the modulus, and a token of RS256 signed with its other half.
RFC_MODULUS = (
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4"
    "d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5re"
    "xMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX"
    "FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
)
RFC_PAYLOAD = (
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
RFC_RS256 = (
    f"eyJhbGciOiJSUzI1NiJ9.{RFC_PAYLOAD}",
    (
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
        "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb"
        "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO"
        "YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    ),
)
# RFC 7515 appendix A.1: a shared secret, and a token of HS256.
RFC_SECRET = (
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
)
RFC_HS256 = (
    f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{RFC_PAYLOAD}",
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
)


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def problem(document: bytes) -> str:
    with pytest.raises(SigningKeyError) as caught:
        SigningKey.parse(document)
    return caught.value.message


def public_problem(document: bytes) -> str:
    with pytest.raises(SigningKeyError) as caught:
        public_key_of(document)
    return caught.value.message


def test_the_signature_of_the_rfcs_example_of_rs256_is_valid() -> None:
    numbers = rsa.RSAPublicNumbers(65537, int.from_bytes(decoded(RFC_MODULUS), "big"))
    document = numbers.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    verifier = public_key_of(document)
    message, signature = RFC_RS256[0].encode(), decoded(RFC_RS256[1])

    assert verifier.verifies(signature, message)
    assert not verifier.verifies(signature, message + b".")
    assert not verifier.verifies(signature[:-1], message)


def test_the_signature_of_the_rfcs_example_of_hs256_is_valid() -> None:
    verifier = LegacyVerifier(decoded(RFC_SECRET))
    message, signature = RFC_HS256[0].encode(), decoded(RFC_HS256[1])

    assert verifier.verifies(signature, message)
    assert not verifier.verifies(signature, message[:-1])
    assert not verifier.verifies(signature[:-1], message)


@pytest.mark.parametrize("length", [0, 1, LEGACY_KEY_BYTES_MIN - 1])
def test_a_short_secret_verifies_nothing(length: int) -> None:
    secret = bytes(length)
    made = hmac.digest(secret, b"x", "sha256") if length else b""
    assert not LegacyVerifier(secret).verifies(made, b"x")


def test_openssl_verifies_a_token_made_here(tmp_path: Path) -> None:
    signed, _, signature = token_for(JOHN).rpartition(".")
    (tmp_path / "key.pem").write_bytes(signing_key().verifier.pem())
    (tmp_path / "signed").write_bytes(signed.encode())
    (tmp_path / "signature").write_bytes(decoded(signature))
    # PKCS #1 is what openssl calls an RSAPublicKey; dgst wants it as SubjectPublicKeyInfo.
    openssl(tmp_path, "rsa", "-RSAPublicKey_in", "-in", "key.pem", "-pubout", "-out", "spki.pem")
    said = openssl(
        tmp_path, "dgst", "-sha256", "-verify", "spki.pem", "-signature", "signature", "signed"
    )
    assert "Verified OK" in said


def test_a_token_made_with_openssl_is_verified_here(tmp_path: Path) -> None:
    openssl(tmp_path, "genrsa", "-traditional", "-out", "key.pem", "2048")
    (tmp_path / "signed").write_bytes(b"a.b")
    openssl(tmp_path, "dgst", "-sha256", "-sign", "key.pem", "-out", "signature", "signed")
    openssl(tmp_path, "rsa", "-in", "key.pem", "-pubout", "-out", "spki.pem")
    signature = (tmp_path / "signature").read_bytes()

    for name in ("key.pem", "spki.pem"):
        assert public_key_of((tmp_path / name).read_bytes()).verifies(signature, b"a.b")
    key = SigningKey.parse((tmp_path / "key.pem").read_bytes())
    assert key.sign(b"a.b") == signature


def openssl(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("form", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8])
def test_a_private_key_may_come_in_both_forms(form: PrivateFormat) -> None:
    document = rsa_key().private_bytes(Encoding.PEM, form, NoEncryption())
    assert SigningKey.parse(document).sign(b"x") == signing_key().sign(b"x")
    assert public_key_of(document).verifies(signing_key().sign(b"x"), b"x")


@pytest.mark.parametrize("form", [PublicFormat.PKCS1, PublicFormat.SubjectPublicKeyInfo])
def test_a_public_key_may_come_in_both_forms(form: PublicFormat) -> None:
    document = rsa_key().public_key().public_bytes(Encoding.PEM, form)
    assert public_key_of(document).verifies(signing_key().sign(b"x"), b"x")


def test_signing_keys_are_written_as_pkcs1() -> None:
    assert pem().startswith(b"-----BEGIN RSA PRIVATE KEY-----\n")
    assert signing_key().verifier.pem().startswith(b"-----BEGIN RSA PUBLIC KEY-----\n")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\n",
        b"no key",
        b"\xff\xfe",
        b"-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n",
        b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        pem()[:200],
    ],
)
def test_what_is_no_private_key_is_refused(document: bytes) -> None:
    assert problem(document) == "the signing key is no private key in PEM"


def test_an_encrypted_key_is_refused() -> None:
    document = rsa_key().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
    )
    assert "no private key in PEM" in problem(document)


@pytest.mark.parametrize("key", [ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())])  # fmt: skip
def test_a_key_of_another_kind_is_refused(
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey,
) -> None:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert problem(private) == "the signing key is no RSA key"
    assert public_problem(public) == "the signing key is no RSA key"


def test_a_weak_key_is_refused_to_sign_and_to_verify() -> None:
    weak = rsa_key(9, 1024)
    private = weak.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = weak.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    assert "has 1024 bits; it needs 2048 to 8192" in problem(private)
    assert "has 1024 bits" in public_problem(public)


def public_pem(modulus: int, exponent: int = 65537) -> bytes:
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.PKCS1)


def test_a_giant_key_is_refused_because_verifying_would_take_long() -> None:
    assert "has 16384 bits" in public_problem(public_pem((1 << 16383) + 1))


def test_a_giant_exponent_is_refused_for_the_same_reason() -> None:
    modulus = rsa_key().public_key().public_numbers().n
    assert "exponent that is too large" in public_problem(public_pem(modulus, (1 << 40) + 1))


def test_a_giant_document_is_refused_unread() -> None:
    assert "larger than" in problem(b"x" * (PEM_BYTES_MAX + 1))
    assert "larger than" in public_problem(b"x" * (PEM_BYTES_MAX + 1))


def test_a_damaged_key_signs_nothing() -> None:
    """Its numbers do not fit together: a signature of it would give the key away."""
    numbers = rsa_key(1).private_numbers()
    other = rsa_key(2).private_numbers()
    damaged = rsa.RSAPrivateNumbers(
        p=numbers.p,
        q=numbers.q,
        d=other.d,
        dmp1=other.dmp1,
        dmq1=numbers.dmq1,
        iqmp=numbers.iqmp,
        public_numbers=numbers.public_numbers,
    ).private_key(unsafe_skip_rsa_key_validation=True)
    document = damaged.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    with pytest.raises(SigningKeyError, match="its numbers do not fit together"):
        SigningKey.parse(document).sign(b"x")


def test_keys_do_not_show_themselves() -> None:
    secret = rsa_key().private_numbers()
    shown = f"{signing_key()!r} {signing_key().verifier!r} {LegacyVerifier(b'hidden' * 9)!r}"
    assert "hidden" not in shown
    assert str(secret.d) not in shown


@given(st.binary(max_size=400))
def test_any_bytes_are_a_key_or_the_typed_refusal(document: bytes) -> None:
    assert problem(document).startswith("the signing key")
    assert public_problem(document).startswith("the signing key")


@given(st.binary(max_size=600), st.binary(max_size=100))
def test_no_bytes_are_a_signature(signature: bytes, message: bytes) -> None:
    assert not signing_key().verifier.verifies(signature, message)
    assert not LegacyVerifier(bytes(64)).verifies(signature[:31], message)


@given(st.integers(0, 60), st.binary(min_size=1, max_size=30))
def test_a_damaged_pem_is_a_key_or_the_typed_refusal(line: int, junk: bytes) -> None:
    lines = pem().split(b"\n")
    lines[line % len(lines)] = base64url(junk).encode()
    try:
        signature = SigningKey.parse(b"\n".join(lines)).sign(b"x")
    except SigningKeyError:
        return
    assert signature == signing_key().sign(b"x")


def test_what_is_just_within_the_limits_is_taken() -> None:
    modulus = rsa_key().public_key().public_numbers().n
    assert public_key_of(public_pem(modulus, (1 << 32) + 1)).pem()
    assert public_key_of(public_pem((1 << 8191) + 1)).pem()
    assert SigningKey.parse(pem().ljust(PEM_BYTES_MAX, b"\n")).sign(b"x")
    secret = bytes(LEGACY_KEY_BYTES_MIN)
    assert LegacyVerifier(secret).verifies(hmac.digest(secret, b"x", "sha256"), b"x")
