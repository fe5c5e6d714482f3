from __future__ import annotations

import json

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.license.canonical import (
    LICENSE_TYPE,
    canonical_body,
    license_id,
    signed_message,
)
from kong_mesh_cp.core.license.keyring import Key, KeyPurpose
from support.licenses.licenses import VENDOR, payload_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]))

# The published vector: RFC 8032 section 7.1, test 1, over the payload of the product's docs.
VECTOR_TYPE = "application/vnd.example.mesh-license.v1+json"
VECTOR_PAYLOAD = {
    "customer": "company_inc",
    "license_creation_date": "2021-8-4",
    "product_subscription": "Kong Mesh",
    "dataplanes": "5",
    "license_expiration_date": "2023-11-09",
    "license_key": "...",
}
VECTOR_SPKI = bytes.fromhex(
    "302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
)
VECTOR_ID = "7b3c1612f303fa32cb64e8e491fe250c3c1323f42072f43671517cecf35becac"
VECTOR_SIGNATURE = bytes.fromhex(
    "20d5c1e72fcf7fbdc136de2ef8c9d811b0d65e3b77dbf19ea161421a938e0698"
    "f0d24fa3fbfa1a870bf95bba4a2dbc4b8681ada51946ecb5a018ea36e9dd4803"
)


@given(st.dictionaries(TEXT, TEXT))
def test_the_canonical_form_is_that_of_rfc_8785(payload: dict[str, str]) -> None:
    assert canonical_body(payload) == rfc8785.dumps(payload)


@given(st.dictionaries(TEXT, TEXT))
def test_the_canonical_form_does_not_depend_on_order(payload: dict[str, str]) -> None:
    members = list(payload.items())
    members.reverse()
    assert canonical_body(dict(members)) == canonical_body(payload)
    assert json.loads(canonical_body(payload)) == payload


def test_members_are_ordered_by_utf_16_and_not_by_code_points() -> None:
    body = canonical_body({"\ufb33": "", "\U0001f600": ""})
    assert body.index("\U0001f600".encode()) < body.index("\ufb33".encode())


def test_the_message_is_dsse_with_lengths_in_bytes() -> None:
    assert signed_message("{é}".encode(), payload_type="tüp") == "DSSEv1 4 tüp 4 {é}".encode()
    assert signed_message(b"") == f"DSSEv1 {len(LICENSE_TYPE)} {LICENSE_TYPE} 0 ".encode()


def test_the_published_vector_verifies() -> None:
    key = Key.from_spki(VECTOR_SPKI, purpose=KeyPurpose.TEST)
    body = canonical_body(VECTOR_PAYLOAD)

    assert license_id(body) == VECTOR_ID
    assert key.verifies(VECTOR_SIGNATURE, signed_message(body, payload_type=VECTOR_TYPE))


def test_a_signature_made_for_another_type_of_document_does_not_fit() -> None:
    key = Key.from_spki(VECTOR_SPKI, purpose=KeyPurpose.TEST)
    assert not key.verifies(VECTOR_SIGNATURE, signed_message(canonical_body(VECTOR_PAYLOAD)))


def test_the_id_is_the_same_for_every_signature_of_a_payload() -> None:
    body = canonical_body(payload_of())
    shuffled = canonical_body(dict(sorted(payload_of().items())))
    assert license_id(body) == license_id(shuffled)
    assert license_id(body) != license_id(canonical_body(payload_of(dataplanes=21)))
    assert len(license_id(body)) == 64


def test_one_key_gives_one_kid() -> None:
    assert VENDOR.key().kid == VENDOR.key(KeyPurpose.TEST).kid
