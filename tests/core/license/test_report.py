from __future__ import annotations

import pytest

from kong_mesh_cp.core.license.fault import Fault
from kong_mesh_cp.core.license.report import Report, Verdict, report_on
from support.licenses.licenses import (
    KEYRING,
    LICENSE_KEY,
    STRANGER,
    TEST_VENDOR,
    at,
    license_document,
    signature_of,
)

SOURCE = "/etc/kong-mesh/license.json"


def judged(document: bytes, now: str = "2026-11-21", active: int = 0) -> Report:
    return report_on(document, source=SOURCE, keyring=KEYRING, now=at(now), active=active)


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        (license_document(), Verdict.VALID),
        (license_document(expires="2026-12-01"), Verdict.VALID_WITH_WARNINGS),
        (license_document(TEST_VENDOR), Verdict.VALID_WITH_WARNINGS),
        (license_document(expires="2026-11-21"), Verdict.EXPIRED),
        (license_document(created="2030-1-1"), Verdict.INVALID),
        (license_document(STRANGER), Verdict.INVALID),
        (b"", Verdict.INVALID),
    ],
)
def test_every_document_gets_a_verdict(document: bytes, verdict: Verdict) -> None:
    report = judged(document)
    assert report.verdict is verdict
    assert (report.refusal is None) == (verdict in (Verdict.VALID, Verdict.VALID_WITH_WARNINGS))


def test_a_refusal_names_the_place() -> None:
    for document in (b"", license_document(STRANGER), license_document(expires="2023-11-09")):
        refusal = judged(document).refusal
        assert refusal is not None
        assert SOURCE in refusal.line


def test_an_ended_license_is_still_shown_and_claims_are_kept_apart() -> None:
    ended = judged(license_document(expires="2023-11-09"))
    assert ended.license is not None
    assert ended.unverified is None

    claimed = judged(license_document(STRANGER))
    assert claimed.license is None
    assert claimed.unverified is not None
    assert claimed.refusal is not None
    assert claimed.refusal.fault is Fault.BAD_SIGNATURE

    assert judged(b"{}").unverified is None


def test_more_proxies_than_allowed_are_a_warning() -> None:
    assert judged(license_document(), active=20).verdict is Verdict.VALID
    assert judged(license_document(), active=21).verdict is Verdict.VALID_WITH_WARNINGS


def test_no_report_holds_a_secret() -> None:
    for document in (license_document(), license_document(STRANGER)):
        shown = repr(judged(document))
        assert LICENSE_KEY not in shown
        assert signature_of(document) not in shown
