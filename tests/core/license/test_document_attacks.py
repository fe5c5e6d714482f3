"""What somebody who wants more seats might try, by name."""

from __future__ import annotations

import json
import string

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.license.canonical import LICENSE_TYPE, canonical_body, signed_message
from kong_mesh_cp.core.license.document import License, verify
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.keyring import Keyring
from support.licenses.licenses import (
    FIPS_VENDOR,
    KEYRING,
    STRANGER,
    TEST_VENDOR,
    VENDOR,
    Signer,
    envelope,
    issued,
    license_document,
    payload_of,
    signature_of,
    signed,
)

ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493  # L of RFC 8032, section 5.1
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

FIELD_NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=12).map(lambda text: f"x_{text}")
VALUES = st.text(string.printable[:94] + " é株", max_size=40)


def fault_of(document: bytes, keyring: Keyring = KEYRING) -> Fault:
    with pytest.raises(LicenseRejectedError) as caught:
        verify(document, keyring)
    return caught.value.fault


def test_signing_with_a_key_of_ones_own() -> None:
    assert fault_of(license_document(STRANGER, dataplanes=9999)) is Fault.BAD_SIGNATURE


def test_raising_the_limit_of_a_genuine_license() -> None:
    document = license_document(dataplanes=20).replace(b'"20"', b'"9999"')
    assert fault_of(document) is Fault.BAD_SIGNATURE


def test_saying_a_field_twice_so_that_signer_and_reader_see_different_ones() -> None:
    document = license_document()
    for twice in (b'"dataplanes": "9999", "dataplanes"', b'"dataplane\\u0073": "9", "dataplanes"'):
        assert fault_of(document.replace(b'"dataplanes"', twice)) is Fault.NOT_JSON


def test_moving_a_signature_from_another_kind_of_document() -> None:
    for payload_type in ("", LICENSE_TYPE.upper(), LICENSE_TYPE.replace("v1", "v2"), "text/plain"):
        document = signed(payload_of(), payload_type=payload_type)
        assert fault_of(document) is Fault.BAD_SIGNATURE


def test_signing_the_payload_without_its_envelope() -> None:
    bare = VENDOR.sign(canonical_body(payload_of()))
    assert fault_of(envelope(payload_of(), bare)) is Fault.BAD_SIGNATURE


def test_signing_the_file_as_it_is_laid_out_and_not_its_canonical_form() -> None:
    laid_out = json.dumps(payload_of(), indent=1).encode()
    document = envelope(payload_of(), VENDOR.sign(signed_message(laid_out)))
    assert fault_of(document) is Fault.BAD_SIGNATURE


def test_shifting_bytes_between_type_and_body() -> None:
    body = canonical_body(payload_of())
    shifted = signed_message(body[1:], payload_type=f"{LICENSE_TYPE} {len(body)} {{")
    assert shifted != signed_message(body)
    assert fault_of(envelope(payload_of(), VENDOR.sign(shifted))) is Fault.BAD_SIGNATURE


def test_an_ed25519_signature_with_s_beyond_the_group_order() -> None:
    signature = bytes.fromhex(signature_of(license_document(VENDOR)))
    scalar = int.from_bytes(signature[32:], "little") + ED25519_ORDER
    altered = (signature[:32] + scalar.to_bytes(32, "little")).hex()
    assert fault_of(envelope(payload_of(), altered)) is Fault.BAD_SIGNATURE


def test_the_other_ecdsa_signature_of_the_same_license_is_the_same_license() -> None:
    r, s = decode_dss_signature(bytes.fromhex(signature_of(license_document(FIPS_VENDOR))))
    other = encode_dss_signature(r, P256_ORDER - s).hex()
    # ECDSA allows it. It gains nothing: the id is that of the payload, which is unchanged.
    assert verify(envelope(payload_of(), other), KEYRING) == issued(FIPS_VENDOR)


@pytest.mark.parametrize(
    ("r", "s"), [(0, 0), (1, 1), (0, 1), (1, 0), (P256_ORDER, P256_ORDER), (P256_ORDER - 1, 1)]
)
def test_ecdsa_signatures_of_trivial_numbers(r: int, s: int) -> None:
    trivial = encode_dss_signature(r, s).hex()
    assert fault_of(envelope(payload_of(), trivial)) is Fault.BAD_SIGNATURE


def test_ecdsa_der_with_padding_or_a_tail() -> None:
    signature = bytes.fromhex(signature_of(license_document(FIPS_VENDOR)))
    long_form = b"\x30\x81" + signature[1:]
    indefinite = b"\x30\x80" + signature[2:] + b"\0\0"
    for altered in (long_form, indefinite, signature[:-1]):
        # With a padded r and s, the longer forms have more digits than any signature.
        fault = fault_of(envelope(payload_of(), altered.hex()))
        assert fault in {Fault.BAD_SIGNATURE, Fault.MALFORMED}


def test_an_all_zero_signature() -> None:
    for length in (64, 70, 72):
        document = envelope(payload_of(), "00" * length)
        assert fault_of(document) is Fault.BAD_SIGNATURE


def test_passing_a_test_license_off_as_an_issued_one() -> None:
    document = license_document(TEST_VENDOR)
    assert verify(document, KEYRING).purpose == "test"
    assert fault_of(document.replace(b'"version"', b'"purpose": "issued", "version"')) is (
        Fault.MALFORMED
    )
    claimed = signed(payload_of(purpose="issued"), TEST_VENDOR)
    assert verify(claimed, KEYRING).purpose == "test"


def test_lowering_the_version_of_a_newer_format() -> None:
    document = signed(payload_of(), payload_type=LICENSE_TYPE.replace("v1", "v2"), version=2)
    assert fault_of(document) is Fault.NEWER_FORMAT
    assert fault_of(document.replace(b'"version": 2', b'"version": 1')) is Fault.BAD_SIGNATURE


def test_bringing_the_key_along() -> None:
    inner = json.loads(license_document(STRANGER))
    inner["license"]["key"] = STRANGER.spki.hex()
    assert fault_of(json.dumps(inner).encode()) is Fault.MALFORMED
    inside = signed(payload_of(kid=VENDOR.key().kid), STRANGER)
    assert fault_of(inside) is Fault.BAD_SIGNATURE


def test_making_a_license_by_hand_in_the_file_of_another_product() -> None:
    assert fault_of(signed(payload_of(product="Kong Gateway"))) is Fault.WRONG_PRODUCT


@pytest.mark.parametrize("signer", [VENDOR, FIPS_VENDOR], ids=["ed25519", "ecdsa-p256"])
@given(
    dataplanes=st.integers(1, 9_999_999),
    expires=st.dates(),
    others=st.dictionaries(FIELD_NAMES, VALUES, max_size=5),
    data=st.data(),
)
def test_every_signed_payload_is_read_as_it_is_and_no_other_fits_its_signature(
    signer: Signer, dataplanes: int, expires: object, others: dict[str, str], data: st.DataObject
) -> None:
    payload = payload_of(
        dataplanes=dataplanes, created="0001-01-01", expires=str(expires), **others
    )
    document = signed(payload, signer)
    license_ = verify(document, KEYRING)
    assert isinstance(license_, License)
    assert license_.dataplanes == dataplanes
    assert license_.expires_at.date() == expires
    assert license_.unused_fields == tuple(sorted(others))
    assert license_.kid == signer.key().kid

    name = data.draw(st.sampled_from(sorted(payload)))
    changed = payload | {name: data.draw(VALUES.filter(lambda text: text != payload[name]))}
    assert fault_of(envelope(changed, signature_of(document))) in {
        Fault.BAD_SIGNATURE,
        Fault.MALFORMED,
        Fault.WRONG_PRODUCT,
    }
    without = {other: text for other, text in payload.items() if other != name}
    assert fault_of(envelope(without, signature_of(document))) in {
        Fault.BAD_SIGNATURE,
        Fault.MALFORMED,
    }
