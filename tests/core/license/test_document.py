from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date

import pytest

from kong_mesh_cp.core.license.document import LICENSE_BYTES_MAX, read, verify
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.keyring import KeyPurpose, Keyring, KeyStatus
from support.licenses.licenses import (
    FIPS_VENDOR,
    KEYRING,
    LICENSE_KEY,
    RETIRED_VENDOR,
    STRANGER,
    TEST_VENDOR,
    VENDOR,
    Signer,
    at,
    envelope,
    issued,
    license_document,
    payload_of,
    signature_of,
    signed,
)


def refusal(document: bytes, keyring: Keyring = KEYRING) -> LicenseRejectedError:
    with pytest.raises(LicenseRejectedError) as caught:
        verify(document, keyring)
    return caught.value


def changed(change: Callable[[dict[str, object]], object], document: bytes | None = None) -> bytes:
    """A signed document whose inner object went through `change`."""
    value = json.loads(document or license_document())
    change(value["license"])
    return json.dumps(value, ensure_ascii=False).encode()


def test_a_signed_document_becomes_a_license() -> None:
    license_ = verify(license_document(), KEYRING)

    assert license_.customer == "company_inc"
    assert license_.product == "Kong Mesh"
    assert license_.dataplanes == 20
    assert license_.created == date(2021, 8, 4)
    assert license_.expires_at == at("2032-11-09")
    assert license_.key_last4 == "beef"
    assert license_.unused_fields == ()
    assert license_.kid == VENDOR.key().kid
    assert license_.purpose is KeyPurpose.ISSUED
    assert len(license_.id) == 64


@pytest.mark.parametrize("signer", [VENDOR, FIPS_VENDOR, TEST_VENDOR])
def test_every_active_key_is_tried(signer: Signer) -> None:
    license_ = issued(signer)
    assert license_.kid == signer.key().kid
    assert (license_.purpose is KeyPurpose.TEST) == (signer is TEST_VENDOR)


def test_the_id_is_that_of_the_payload_whichever_key_signed_it() -> None:
    assert issued(VENDOR).id == issued(FIPS_VENDOR).id == issued(TEST_VENDOR).id
    assert issued(FIPS_VENDOR).id != issued(FIPS_VENDOR, dataplanes=21).id


@pytest.mark.parametrize("version", [1, "1"])
def test_the_version_may_be_a_number_or_a_string(version: int | str) -> None:
    assert verify(signed(payload_of(), version=version), KEYRING).dataplanes == 20


@pytest.mark.parametrize("version", [2, "2", 17, "17", 999_999_999])
def test_a_greater_version_is_newer_and_not_invalid(version: object) -> None:
    error = refusal(envelope({"anything": []}, None, version=version))
    assert error.fault is Fault.NEWER_FORMAT
    assert "made for a newer release" in error.message
    assert "Upgrade" in error.hint


@pytest.mark.parametrize(
    "version", [0, -1, 1.0, 1.5, True, False, None, "", "01", "1 ", " 1", "1.0", "٢", "two", [], {}]
)
def test_any_other_version_is_malformed(version: object) -> None:
    assert refusal(envelope(payload_of(), "00", version=version)).fault is Fault.MALFORMED


def test_unknown_fields_are_kept_signed_and_named() -> None:
    document = signed(payload_of(mesh_zones="3", edition="gold"))
    assert verify(document, KEYRING).unused_fields == ("edition", "mesh_zones")
    assert refusal(document.replace(b'"mesh_zones": "3"', b'"mesh_zones": "4"')).fault is (
        Fault.BAD_SIGNATURE
    )


def test_layout_and_order_of_the_document_do_not_matter() -> None:
    value = json.loads(license_document())
    inner = value["license"]
    inner["payload"] = dict(reversed(inner["payload"].items()))
    compact = json.dumps(value, separators=(",", ":")).encode()
    windows = json.dumps(value, indent=4).replace("\n", "\r\n").encode() + b"\r\n\r\n"
    for document in (compact, windows, b"\n\t " + compact):
        assert verify(document, KEYRING) == issued()


def test_a_document_may_have_64_kib_and_not_a_byte_more() -> None:
    document = license_document().ljust(LICENSE_BYTES_MAX)
    assert verify(document, KEYRING) == issued()
    assert refusal(document + b" ").fault is Fault.TOO_LARGE


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"\xef\xbb\xbf" + license_document(), "byte order mark"),
        (license_document().decode().encode("utf-16"), "UTF-16"),
        (license_document().decode().encode("utf-16-le"), "UTF-16"),
        (license_document().decode().encode("utf-32"), "UTF-16 or UTF-32"),
        (license_document().replace(b"company_inc", b"company\0inc"), "NUL"),
        (license_document().replace(b"company_inc", b"company\xfcinc"), "not valid UTF-8"),
    ],
)
def test_what_is_not_plain_utf8_is_refused_with_that_reason(document: bytes, reason: str) -> None:
    error = refusal(document)
    assert error.fault is Fault.NOT_UTF8
    assert reason in error.message


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"[" * LICENSE_BYTES_MAX,
        b'{"a":' * (LICENSE_BYTES_MAX // 5),
        license_document().replace(b'"version": 1', b'"version": 1, "version": 1'),
        license_document().replace(b'"dataplanes"', b'"dataplanes": "9", "dataplanes"'),
        license_document().replace(b'"version": 1', b'"version": NaN'),
        license_document().replace(b'"version": 1', b'"version": Infinity'),
        license_document().replace(b'"version": 1', b'"version": ' + b"1" * 50_000),
        license_document().replace(b"company_inc", b"\\ud800"),
        license_document() + b"x",
    ],
)
def test_what_is_not_strict_json_is_refused(document: bytes) -> None:
    assert refusal(document).fault is Fault.NOT_JSON


@pytest.mark.parametrize("top", [b"[]", b"null", b"1", b'"text"', b"{}", b'{"license": []}'])
def test_what_is_json_but_no_license_is_malformed(top: bytes) -> None:
    assert refusal(top).fault is Fault.MALFORMED


def test_an_inner_object_without_its_envelope_gets_a_hint() -> None:
    inner = json.dumps(json.loads(license_document())["license"]).encode()
    assert '{"license": …}' in refusal(inner).hint


@pytest.mark.parametrize("member", ["version", "payload", "signature"])
def test_every_member_of_the_envelope_must_be_there(member: str) -> None:
    assert refusal(changed(lambda inner: inner.pop(member))).fault is Fault.MALFORMED


def test_members_outside_of_the_signature_are_refused() -> None:
    assert refusal(changed(lambda inner: inner.update(seats="100"))).fault is Fault.MALFORMED
    outer = json.loads(license_document()) | {"dataplanes": "100"}
    assert refusal(json.dumps(outer).encode()).fault is Fault.MALFORMED


def test_a_signature_in_upper_case_gets_its_own_hint() -> None:
    error = refusal(changed(lambda inner: inner.update(signature=str(inner["signature"]).upper())))
    assert error.fault is Fault.MALFORMED
    assert "lower case" in error.hint


@pytest.mark.parametrize(
    "signature",
    ["", "0", "zz", "00 ", " 00", "00\n", "0x00", "٠٠", "00" * 73, None, 0, [], ["00"], "ﬀ00"],
)
def test_what_is_no_signature_is_malformed(signature: object) -> None:
    assert refusal(envelope(payload_of(), signature)).fault is Fault.MALFORMED


@pytest.mark.parametrize("signer", [VENDOR, FIPS_VENDOR])
def test_a_shortened_or_changed_signature_is_bad(signer: Signer) -> None:
    document = license_document(signer)
    whole = signature_of(document)
    for wrong in (whole[:-2], whole[2:], "00" * 64, whole[::-1]):
        assert refusal(envelope(payload_of(), wrong)).fault is Fault.BAD_SIGNATURE


def test_any_changed_field_breaks_the_signature() -> None:
    signature = signature_of(license_document())
    for change in ({"customer": "other"}, {"dataplanes": 21}, {"expires": "2032-11-10"}):
        error = refusal(envelope(payload_of(**change), signature))
        assert error.fault is Fault.BAD_SIGNATURE
    without_key = payload_of()
    without_key["mesh_zones"] = "1"
    assert refusal(envelope(without_key, signature)).fault is Fault.BAD_SIGNATURE


def test_a_stranger_is_refused_with_the_keys_that_would_do() -> None:
    error = refusal(license_document(STRANGER))
    assert error.fault is Fault.BAD_SIGNATURE
    assert VENDOR.key().kid in error.hint
    assert RETIRED_VENDOR.key().kid not in error.hint


def test_a_retired_key_is_named_and_not_honoured() -> None:
    error = refusal(license_document(RETIRED_VENDOR))
    assert error.fault is Fault.UNKNOWN_KEY
    assert RETIRED_VENDOR.key().kid in error.message
    assert "retired" in error.message


@pytest.mark.parametrize(
    "keyring", [Keyring(), Keyring.of([RETIRED_VENDOR.key(status=KeyStatus.RETIRED)])]
)
def test_without_an_active_key_the_key_is_what_is_missing(keyring: Keyring) -> None:
    error = refusal(license_document(), keyring)
    assert error.fault is Fault.UNKNOWN_KEY
    assert "--license-keyring" in error.hint


def test_a_key_of_one_algorithm_never_takes_a_signature_of_the_other() -> None:
    only_fips = Keyring.of([FIPS_VENDOR.key()])
    assert refusal(license_document(VENDOR), only_fips).fault is Fault.BAD_SIGNATURE


def test_the_algorithm_cannot_be_chosen_by_the_file() -> None:
    for name in ("alg", "algorithm", "kid", "key"):
        assert refusal(changed(lambda inner, n=name: inner.update({n: "none"}))).fault is (  # type: ignore[misc]
            Fault.MALFORMED
        )


def test_an_unverified_document_can_be_read_for_showing_it() -> None:
    unverified = read(license_document(STRANGER))
    assert unverified.payload.customer == "company_inc"
    assert unverified.id == issued().id
    assert LICENSE_KEY not in repr(unverified)
    assert signature_of(license_document(STRANGER)) not in repr(unverified)


@pytest.mark.parametrize(
    "document",
    [
        license_document() + b"x",
        license_document(STRANGER),
        license_document() + b"\xff",
        license_document().replace(LICENSE_KEY.encode(), LICENSE_KEY.encode() + b"\\u202e"),
        license_document().replace(b'"license_key"', b'"dataplanes"'),
        license_document().replace(b"2032-11-09", LICENSE_KEY.encode()),
        license_document().replace(b"2032-11-09", b"2032-11-31"),
        license_document().replace(b"Kong Mesh", LICENSE_KEY.encode()),
        license_document().replace(b'"signature": "', b'"signature": "Z'),
    ],
)
def test_no_refusal_nor_what_hangs_on_it_holds_a_secret(document: bytes) -> None:
    pending: list[BaseException | None] = [refusal(document)]
    while pending:
        error = pending.pop()
        if error is None:
            continue
        shown = f"{error} {error!r} {error.args} {vars(error)}"
        assert LICENSE_KEY[:12] not in shown
        assert signature_of(license_document())[:12] not in shown
        assert not isinstance(error, json.JSONDecodeError | UnicodeError)
        pending += [error.__cause__, error.__context__]


def test_the_usual_slips_get_a_hint_of_their_own() -> None:
    curly = license_document().decode().replace('"', "”").encode()
    assert "curly" in refusal(curly).hint
    assert "KMESH_LICENSE_PATH" in refusal(b"/etc/kong-mesh/license.json\n").hint
    assert "shell" in refusal(b"'" + license_document().strip() + b"'").hint
