from __future__ import annotations

import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.payload import FIELDS_MAX, VALUE_BYTES_MAX, parse_payload
from support.licenses.licenses import LICENSE_KEY, at, payload_of

# Each looks like the number five to somebody: int() takes most of them.
NOT_FIVE = [
    "5_0",
    "٥",
    "５",
    " 5",
    "5 ",
    "5\t",
    "+5",
    "-5",
    "05",
    "5.0",
    "5e0",
    "0x5",
    "0",
    "",
    "V",
]
NOT_DAYS = [
    "2023-02-29",
    "2023-13-01",
    "2023-00-01",
    "2023-01-00",
    "2023-01-32",
    "0000-01-01",
    "23-01-01",
    "12023-01-01",
    "2023/01/01",
    "2023-001-01",
    "2023-1-1 ",
    " 2023-1-1",
    "2023-1",
    "+2023-1-1",
    "2023-1-1T00:00:00Z",
    "２０２３-01-01",
    "٢٠٢٣-01-01",
    "2023-W01-1",
    "20230101",
    "tomorrow",
    "",
]


def refusal(payload: object) -> LicenseRejectedError:
    with pytest.raises(LicenseRejectedError) as caught:
        parse_payload(payload)
    return caught.value


def malformed(payload: object) -> str:
    error = refusal(payload)
    assert error.fault is Fault.MALFORMED
    return error.message


@pytest.mark.parametrize("text", NOT_FIVE)
def test_dataplanes_is_a_number_in_plain_ascii_digits(text: str) -> None:
    assert "dataplanes" in malformed(payload_of(dataplanes=text))


@pytest.mark.parametrize("number", [1, 5, 10, 9_999_999])
def test_dataplanes_is_from_one_to_seven_digits(number: int) -> None:
    assert parse_payload(payload_of(dataplanes=number)).dataplanes == number
    assert "dataplanes" in malformed(payload_of(dataplanes=number + 9_999_999))


@pytest.mark.parametrize("text", NOT_DAYS)
@pytest.mark.parametrize("name", ["license_creation_date", "license_expiration_date"])
def test_a_date_is_a_real_day_in_plain_ascii_digits(name: str, text: str) -> None:
    assert name in malformed(payload_of() | {name: text})


def test_the_creation_date_may_be_unpadded() -> None:
    assert parse_payload(payload_of(created="2021-8-4")).created == date(2021, 8, 4)
    assert parse_payload(payload_of(created="2021-08-04")).created == date(2021, 8, 4)


def test_a_leap_day_is_a_day() -> None:
    assert parse_payload(payload_of(expires="2032-2-29")).expires_at == at("2032-02-29")


@given(st.dates(), st.dates())
def test_a_license_ends_at_midnight_utc_and_not_before_its_creation(one: date, two: date) -> None:
    created, expires = sorted([one, two])
    payload = parse_payload(payload_of(created=created.isoformat(), expires=expires.isoformat()))
    assert payload.expires_at == at(expires.isoformat())
    if created != expires:
        swapped = payload_of(created=expires.isoformat(), expires=created.isoformat())
        assert "before" in malformed(swapped)


@pytest.mark.parametrize("value", [None, [], "text", 1, [["customer", "x"]]])
def test_a_payload_is_an_object(value: object) -> None:
    assert "not an object" in malformed(value)


@pytest.mark.parametrize("value", [5, 5.0, None, True, ["5"], {"n": "5"}])
def test_every_value_is_a_string(value: object) -> None:
    error = refusal(payload_of() | {"dataplanes": value})
    assert error.fault is Fault.MALFORMED
    assert "string" in error.hint


@pytest.mark.parametrize(
    "name", ["", "A", "1a", "_a", "a-b", "a b", "é", "а", "a" * 65, "a\n", "Customer", "a.b"]
)
def test_a_field_name_is_lower_case_ascii(name: str) -> None:
    assert "field 7" in malformed(payload_of() | {name: "x"})


@pytest.mark.parametrize("name", ["a", "mesh_zones", "z9_", "a" * 64])
def test_other_field_names_are_free(name: str) -> None:
    assert parse_payload(payload_of() | {name: "x"}).unused_fields == (name,)


def test_at_most_64_fields() -> None:
    others = {f"field_{number}": "" for number in range(FIELDS_MAX - 6)}
    assert len(parse_payload(payload_of(**others)).unused_fields) == FIELDS_MAX - 6
    assert "64" in malformed(payload_of(**others, one_more=""))


@pytest.mark.parametrize("text", ["x" * VALUE_BYTES_MAX, "é" * (VALUE_BYTES_MAX // 2)])
def test_a_value_has_at_most_1024_bytes_of_utf8(text: str) -> None:
    assert parse_payload(payload_of(customer=text)).customer == text
    assert "1024" in malformed(payload_of(customer=text + "x"))


@pytest.mark.parametrize(
    "text",
    ["a\nb", "a\r", "\t", "a\x00b", "a\x1b[31m", "a\x7f", "é\x85", "é\n", "é\u2028", "é\u2029"],
)
def test_control_characters_are_refused(text: str) -> None:
    assert "control character" in malformed(payload_of(customer=text))


@pytest.mark.parametrize(
    "character", ["\u061c", "\u200e", "\u200f", "\u202a", "\u202e", "\u2066", "\u2069"]
)
def test_bidi_characters_are_refused(character: str) -> None:
    assert "direction" in malformed(payload_of(customer=f"company{character}inc"))


def test_lone_surrogates_are_refused() -> None:
    assert "half of a character" in malformed(payload_of(customer="company\ud800"))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=50))
def test_text_is_in_normal_form_c(text: str) -> None:
    composed = unicodedata.normalize("NFC", f"x{text}")
    decomposed = unicodedata.normalize("NFD", f"x{text}")
    if composed != decomposed:
        assert refusal(payload_of(customer=decomposed)).fault is Fault.MALFORMED


def test_a_customer_may_have_any_name() -> None:
    for customer in ("Müller & Söhne", "株式会社", "a 'quoted' \"name\" \\", "😀"):
        assert parse_payload(payload_of(customer=customer)).customer == customer


@pytest.mark.parametrize("name", [name for name in payload_of() if name != "product_subscription"])
def test_no_known_field_may_be_missing_or_blank(name: str) -> None:
    payload = payload_of()
    del payload[name]
    assert name in malformed(payload)
    assert name in malformed(payload_of() | {name: "  "})


@pytest.mark.parametrize("product", ["Kong Enterprise", "kong mesh", "Kong Mesh ", "Kong"])
def test_a_license_for_another_product_is_said_to_be_one(product: str) -> None:
    error = refusal({"product_subscription": product})
    assert error.fault is Fault.WRONG_PRODUCT
    assert ascii(product) in error.message


def test_of_the_license_key_four_characters_are_kept() -> None:
    assert parse_payload(payload_of()).key_last4 == LICENSE_KEY[-4:]


def test_of_a_short_license_key_nothing_is_kept() -> None:
    assert parse_payload(payload_of(license_key="...")).key_last4 == ""
    assert parse_payload(payload_of(license_key="01234567890")).key_last4 == ""


def test_a_wrong_value_is_quoted_with_escapes_and_only_when_it_is_short() -> None:
    assert "'5\\xe9'" in malformed(payload_of(dataplanes="5é"))
    assert "a text of 43 characters" in malformed(payload_of(dataplanes=LICENSE_KEY))


def test_a_payload_does_not_show_its_key() -> None:
    assert LICENSE_KEY not in repr(parse_payload(payload_of()))
