from __future__ import annotations

from kong_mesh_cp.core.errors import EX_CONFIG
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError


def test_the_set_of_faults_is_closed() -> None:
    assert {fault.value for fault in Fault} == {
        "path-not-found",
        "unreadable",
        "unsafe-permissions",
        "too-large",
        "not-utf8",
        "not-json",
        "malformed",
        "newer-format",
        "bad-signature",
        "unknown-key",
        "wrong-product",
        "not-yet-valid",
        "expired",
    }


def test_a_refusal_becomes_a_line_with_code_message_and_remedy() -> None:
    error = LicenseRejectedError(Fault.EXPIRED, "/x has ended", hint="Renew it.")
    assert error.line == "license-expired: /x has ended. Renew it."
    assert error.exit_status == EX_CONFIG


def test_a_sentence_takes_the_place_into_its_middle() -> None:
    error = LicenseRejectedError(
        Fault.MALFORMED, "is malformed", subject="the license", hint="Use another."
    )
    assert error.message == "the license is malformed"
    assert error.at("/x").message == "the license in /x is malformed"
    assert error.at("/x").hint == "Use another."
    assert error.at("/x", hint="Look.").hint == "Look."


def test_a_message_without_a_subject_gets_the_place_in_front() -> None:
    error = LicenseRejectedError(Fault.UNREADABLE, "cannot be read", hint="Look.")
    assert error.at("/x").message == "/x: cannot be read"
    assert error.at("/x").fault is Fault.UNREADABLE
