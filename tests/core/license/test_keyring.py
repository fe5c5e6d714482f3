from __future__ import annotations

import base64
import json
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.errors import EX_CONFIG, ConfigurationError
from kong_mesh_cp.core.license.keyring import (
    ACTIVE_KEYS_MAX,
    KEYRING_BYTES_MAX,
    KEYS_MAX,
    Algorithm,
    Key,
    KeyPurpose,
    Keyring,
    KeyStatus,
)
from support.licenses.licenses import (
    FIPS_VENDOR,
    KEYRING,
    RETIRED_VENDOR,
    STRANGER,
    VENDOR,
    Signer,
    ed25519_signer,
    keyring_json,
)

SOURCE = "/usr/lib/kong-mesh-cp/keyring.json"


def entry(**changes: object) -> dict[str, object]:
    key = VENDOR.key()
    return {
        "kid": key.kid,
        "spki": base64.b64encode(key.spki).decode(),
        "purpose": "issued",
        "status": "active",
        "comment": "",
        **changes,
    }


def refusal(document: bytes) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Keyring.parse(document, source=SOURCE)
    assert caught.value.code == "keyring-invalid"
    assert caught.value.exit_status == EX_CONFIG
    assert SOURCE in caught.value.message
    return caught.value.message


def spki_of(public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> bytes:
    return public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def test_a_keyring_file_gives_its_keys_in_order() -> None:
    assert Keyring.parse(keyring_json(), source=SOURCE) == KEYRING


def test_an_empty_list_is_a_keyring_that_trusts_nobody() -> None:
    assert Keyring.parse(b"[]\n", source=SOURCE) == Keyring()


def test_a_kid_is_the_start_of_the_hash_of_the_key() -> None:
    assert VENDOR.key().kid == sha256(VENDOR.spki).hexdigest()[:16]


def test_the_comment_may_be_missing() -> None:
    plain = entry()
    del plain["comment"]
    assert Keyring.parse(json.dumps([plain]).encode(), source=SOURCE).keys == (VENDOR.key(),)


@pytest.mark.parametrize("missing", ["kid", "spki", "purpose", "status"])
def test_every_other_member_must_be_there(missing: str) -> None:
    broken = entry()
    del broken[missing]
    message = refusal(json.dumps([entry(), broken]).encode())
    assert "entry 2" in message
    assert missing in message


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kid": "0" * 16}, "kid"),
        ({"kid": VENDOR.key().kid.upper()}, "kid"),
        ({"spki": "not base64!"}, "base64"),
        ({"spki": ""}, "neither"),
        ({"spki": base64.b64encode(VENDOR.spki + b"\0").decode()}, "neither"),
        ({"spki": base64.b64encode(VENDOR.spki[:-1]).decode()}, "neither"),
        ({"purpose": "any"}, "purpose"),
        ({"status": "revoked"}, "status"),
        ({"comment": "two\nlines"}, "comment"),
        ({"comment": "x" * 257}, "comment"),
        ({"comment": 1}, "comment"),
        ({"algorithm": "none"}, "members"),
    ],
)
def test_a_wrong_entry_is_named_with_its_fault(change: dict[str, object], reason: str) -> None:
    message = refusal(json.dumps([entry(**change)]).encode())
    assert "entry 1" in message
    assert reason in message


@pytest.mark.parametrize(
    "document", [b"", b"{}", b"[1]", b"null", b"[" * 100_000, b"\xff", b'[""]']
)
def test_what_is_no_list_of_keys_is_refused(document: bytes) -> None:
    assert refusal(document)


def test_a_huge_keyring_is_refused_unread() -> None:
    assert "larger" in refusal(b" " * KEYRING_BYTES_MAX + b"[]")


def test_the_same_key_twice_is_refused() -> None:
    assert "twice" in refusal(json.dumps([entry(), entry(purpose="test")]).encode())


def test_at_most_eight_keys_are_active() -> None:
    keys = [ed25519_signer(f"key {number}").key() for number in range(ACTIVE_KEYS_MAX)]
    retired = ed25519_signer("an old one").key(status=KeyStatus.RETIRED)
    assert len(Keyring.of([*keys, retired]).active) == ACTIVE_KEYS_MAX
    with pytest.raises(ValueError, match="active"):
        Keyring.of([*keys, VENDOR.key()])


def test_retired_keys_are_bounded_too() -> None:
    keys = [
        ed25519_signer(f"key {number}").key(status=KeyStatus.RETIRED)
        for number in range(KEYS_MAX + 1)
    ]
    with pytest.raises(ValueError, match=str(KEYS_MAX)):
        Keyring.of(keys)


def test_keys_of_other_algorithms_are_refused() -> None:
    p384 = ec.derive_private_key(7, ec.SECP384R1()).public_key()
    k1 = ec.derive_private_key(7, ec.SECP256K1()).public_key()
    rsa_key = rsa.RSAPublicNumbers(65537, (1 << 2047) + 1).public_key()
    for public in (p384, k1, rsa_key):
        with pytest.raises(ValueError, match="neither Ed25519 nor ECDSA P-256"):
            Key.from_spki(spki_of(public), purpose=KeyPurpose.ISSUED)


def test_a_point_that_is_not_on_the_curve_is_refused() -> None:
    off = FIPS_VENDOR.spki[:-1] + bytes([FIPS_VENDOR.spki[-1] ^ 1])
    with pytest.raises(ValueError, match="not a point on the curve"):
        Key.from_spki(off, purpose=KeyPurpose.ISSUED)


def test_the_algorithm_is_read_from_the_key() -> None:
    assert VENDOR.key().algorithm is Algorithm.ED25519
    assert FIPS_VENDOR.key().algorithm is Algorithm.ECDSA_P256


@pytest.mark.parametrize("signer", [VENDOR, FIPS_VENDOR], ids=["ed25519", "ecdsa-p256"])
@given(message=st.binary(), other=st.binary())
def test_a_key_verifies_what_it_signed_and_nothing_else(
    signer: Signer, message: bytes, other: bytes
) -> None:
    signature = bytes.fromhex(signer.sign(message))

    assert signer.key().verifies(signature, message)
    assert not STRANGER.key().verifies(signature, message)
    if other != message:
        assert not signer.key().verifies(signature, other)


@given(signature=st.binary(max_size=80))
def test_no_bytes_as_a_signature_make_a_key_raise(signature: bytes) -> None:
    for key in (VENDOR.key(), FIPS_VENDOR.key()):
        assert not key.verifies(signature, b"message")


def test_the_signer_is_found_among_all_keys() -> None:
    message = b"message"
    for signer in (VENDOR, FIPS_VENDOR, RETIRED_VENDOR):
        found = KEYRING.signer(bytes.fromhex(signer.sign(message)), message)
        assert found is not None
        assert found.kid == signer.key().kid
    assert KEYRING.signer(bytes.fromhex(STRANGER.sign(message)), message) is None


def test_the_key_itself_is_not_part_of_its_repr() -> None:
    assert VENDOR.spki.hex() not in repr(VENDOR.key())
