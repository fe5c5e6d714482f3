"""Secrets that are called like keys of tokens hold such keys, under numbers that can be followed."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from kong_mesh_cp.core.identity.key_secret_rules import (
    is_revocations,
    is_token_key,
    revocation_violations,
    violations,
)
from kong_mesh_cp.core.identity.key_series import SERIAL_MAX, WRITTEN_SERIAL_MAX
from kong_mesh_cp.core.identity.rsa_keys import PEM_BYTES_MAX
from kong_mesh_cp.core.resources.key import ResourceKey
from support.fakes.identity import pem, rsa_key, signing_key

PRIVATE = (
    ("GlobalSecret", "", "user-token-signing-key"),
    ("GlobalSecret", "", "zone-token-signing-key"),
    ("Secret", "payments", "dataplane-token-signing-key-payments"),
    # The mesh may be called so that its name looks like a number.
    ("Secret", "m-1", "dataplane-token-signing-key-m-1"),
)
PUBLIC = ("GlobalSecret", "", "zone-token-signing-public-key")


def numbered(row: tuple[str, str, str], number: object) -> ResourceKey:
    type_, mesh, prefix = row
    return ResourceKey(type_, mesh, f"{prefix}-{number}")


def fields(key: ResourceKey, data: bytes) -> list[str]:
    return [each.field for each in violations(key, data)]


def altered(**parts: int) -> bytes:
    """Key pair 1 with other numbers in it: PKCS #1 written by hand, as no library writes it."""
    good = rsa_key().private_numbers()
    public = good.public_numbers
    numbers = {
        "version": 0,
        "n": public.n,
        "e": public.e,
        "d": good.d,
        "p": good.p,
        "q": good.q,
        "dmp1": good.dmp1,
        "dmq1": good.dmq1,
        "iqmp": good.iqmp,
        **parts,
    }
    der = _der(0x30, b"".join(_der(0x02, _integer(each)) for each in numbers.values()))
    return (
        b"-----BEGIN RSA PRIVATE KEY-----\n"
        + base64.encodebytes(der)
        + b"-----END RSA PRIVATE KEY-----\n"
    )


def _integer(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content


def damaged() -> bytes:
    """Its numbers do not fit together."""
    good = rsa_key().private_numbers()
    return altered(dmp1=good.dmp1 + 2, d=good.d + 2)


def slow() -> bytes:
    """A key whose exponent is many times as long as it is, and so takes that long to sign."""
    good = rsa_key().private_numbers()
    return altered(dmp1=good.dmp1 + (good.p - 1) * 2**20_000)


BAD = {
    "nothing": b"",
    "one letter": b"x",
    "a public key": signing_key().verifier.pem(),
    "another kind of key": ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    ),
    "too short a key": pem(1, bits=1024),
    "half a key": pem()[:700],
    "a damaged key": damaged(),
    "a slow key": slow(),
    "too much": pem() + b" " * PEM_BYTES_MAX,
}


@pytest.mark.parametrize("row", PRIVATE)
@pytest.mark.parametrize("what", BAD)
def test_what_cannot_sign_is_no_signing_key(row: tuple[str, str, str], what: str) -> None:
    assert fields(numbered(row, 9), BAD[what]) == ["data"]


@pytest.mark.parametrize("row", PRIVATE)
def test_what_kumactl_generates_is_one(row: tuple[str, str, str]) -> None:
    key = numbered(row, 2)
    assert is_token_key(key)
    assert violations(key, pem()) == []
    pkcs8 = rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert violations(key, pkcs8) == []


def test_a_key_written_by_hand_is_as_good() -> None:
    assert violations(numbered(PRIVATE[0], 1), altered()) == []


def test_a_zones_copy_holds_a_public_key() -> None:
    key = numbered(PUBLIC, 1)
    assert violations(key, signing_key().verifier.pem()) == []
    pkix = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert violations(key, pkix) == []
    assert fields(key, b"x") == ["data"]


@pytest.mark.parametrize("row", PRIVATE)
@pytest.mark.parametrize("number", [WRITTEN_SERIAL_MAX + 1, SERIAL_MAX, 10**18, "9" * 200, "01"])
def test_a_number_that_a_rotation_could_not_follow_is_refused(
    row: tuple[str, str, str], number: object
) -> None:
    assert fields(numbered(row, number), pem()) == ["name"]


@pytest.mark.parametrize("number", [0, 1, 1_764_456_000_000, WRITTEN_SERIAL_MAX])
def test_any_other_number_is_taken(number: int) -> None:
    assert violations(numbered(PRIVATE[0], number), pem()) == []


@pytest.mark.parametrize(
    "key",
    [
        ResourceKey("GlobalSecret", "", "user-token-signing-key"),  # of tokens of old: any bytes
        ResourceKey("GlobalSecret", "", "user-token-signing-key-x"),
        ResourceKey("GlobalSecret", "", "user-token-signing-key-\u0661"),
        ResourceKey("GlobalSecret", "", "my-user-token-signing-key-1"),
        ResourceKey("GlobalSecret", "", "dataplane-token-signing-key-default-1"),
        ResourceKey("Secret", "default", "user-token-signing-key-1"),
        ResourceKey("Secret", "default", "dataplane-token-signing-key-other-1"),
        ResourceKey("Dataplane", "default", "user-token-signing-key-1"),
        ResourceKey("GlobalSecret", "", "user-token-revocations"),
        ResourceKey("GlobalSecret", "", "admin-user-token"),
    ],
)
def test_what_is_in_other_secrets_is_their_own_matter(key: ResourceKey) -> None:
    assert not is_token_key(key)
    assert violations(key, b"x") == []


REVOCATIONS = [
    ResourceKey("GlobalSecret", "", "user-token-revocations"),
    ResourceKey("GlobalSecret", "", "zone-token-revocations"),
    ResourceKey("GlobalSecret", "", "dataplane-token-revocations-default"),
    ResourceKey("Secret", "default", "dataplane-token-revocations-default"),
]


def test_lists_of_void_tokens_are_known_by_name() -> None:
    assert all(map(is_revocations, REVOCATIONS))
    for key in (
        ResourceKey("Secret", "default", "user-token-revocations"),
        ResourceKey("Secret", "other", "dataplane-token-revocations-default"),
        ResourceKey("GlobalSecret", "", "user-token-revocations-2"),
        ResourceKey("Dataplane", "default", "dataplane-token-revocations-default"),
    ):
        assert not is_revocations(key)


ID = "4ff2511f-7627-44e4-8075-672d09c527d3"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"a",
        ID.encode(),
        f"{ID},{ID}\n".encode(),
        f"{ID}\r\n{ID}\r\n".encode(),
        f'["{ID}"]'.encode(),
        f"\ufeff{ID}".encode(),
        b"abcdefghijklmnop",  # of 16 characters that may stand in Base64
    ],
)
def test_a_list_of_void_tokens_may_have_any_form_that_is_read(data: bytes) -> None:
    assert revocation_violations(data) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (ID.encode("utf-16"), "it is no UTF-8 text"),
        (ID.encode("utf-16-le"), "it is no plain text"),
        (b"\x1f\x8b\x08\x00", "it is no UTF-8 text"),
        (base64.b64encode(ID.encode()), "encoded twice"),
        (base64.b64encode(f"{ID},{ID}\n".encode()) + b"\n", "encoded twice"),
    ],
)
def test_a_list_that_would_void_nothing_is_refused(data: bytes, reason: str) -> None:
    (violation,) = revocation_violations(data)
    assert violation.field == "data"
    assert reason in violation.message
    assert ID not in violation.message
