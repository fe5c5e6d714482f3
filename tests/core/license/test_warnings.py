from __future__ import annotations

import pytest

from kong_mesh_cp.core.license import warnings
from kong_mesh_cp.core.license.bundled import BundledLicense
from kong_mesh_cp.core.license.sources import Choice, SourceKind, SourceReading
from kong_mesh_cp.core.license.term import Current, Entitlement, Expired, ExpiringSoon, Term
from support.licenses.licenses import TEST_VENDOR, at, issued

ISSUED = issued(expires="2027-01-31")
BUNDLED = BundledLicense(at("2026-11-21"))


def codes(found: tuple[warnings.LicenseWarning, ...]) -> list[str]:
    return [warning.code for warning in found]


def test_all_well_is_no_warning() -> None:
    assert warnings.current(ISSUED, Current(), active=20) == ()
    assert warnings.current(BUNDLED, Current(), active=5) == ()


@pytest.mark.parametrize(
    ("entitlement", "term", "code"),
    [
        (ISSUED, ExpiringSoon(days_left=29), "expires-soon"),
        (BUNDLED, ExpiringSoon(days_left=29), "expires-soon"),
        (ISSUED, Expired(since=ISSUED.expires_at), "expired"),
        (BUNDLED, Expired(since=BUNDLED.expires_at), "expired"),
    ],
)
def test_the_end_is_announced_with_days_instant_and_command(
    entitlement: Entitlement, term: Term, code: str
) -> None:
    (warning,) = warnings.current(entitlement, term, active=0)
    assert warning.code == code
    assert "29 days" in warning.message or "0 days" in warning.message
    assert "T00:00:00Z" in warning.message
    assert "systemctl re" in warning.message


def test_one_day_is_no_days() -> None:
    (warning,) = warnings.current(ISSUED, ExpiringSoon(days_left=1), active=0)
    assert "1 day left" in warning.message


def test_the_limit_itself_is_within_the_limit() -> None:
    assert warnings.current(ISSUED, Current(), active=ISSUED.dataplanes) == ()
    (warning,) = warnings.current(ISSUED, Current(), active=ISSUED.dataplanes + 1)
    assert warning.code == "over-limit"
    assert "21 " in warning.message
    assert "still admitted" in warning.message


def test_over_the_bundled_limit_no_more_are_admitted() -> None:
    (warning,) = warnings.current(BUNDLED, Current(), active=6)
    assert warning.code == "over-limit"
    assert "no new ones are admitted" in warning.message


def test_a_license_of_a_test_key_says_so() -> None:
    (warning,) = warnings.current(issued(TEST_VENDOR), Current(), active=0)
    assert warning.code == "test-key"
    assert warning.message.startswith("TEST")


def test_conditions_of_the_machine_are_reported() -> None:
    found = warnings.current(
        BUNDLED, Current(), active=0, clock_suspect=True, keyring_override=True
    )
    assert codes(found) == ["clock-suspect", "keyring-override"]


def test_a_conflict_names_winner_and_losers() -> None:
    winner = SourceReading(kind=SourceKind.INLINE, path=None, document=b"{}", error=None)
    loser = SourceReading(kind=SourceKind.PATH, path="/x.json", document=b"[]", error=None)
    choice = Choice(winner=winner, losers=(loser,), conflicting=True)
    (warning,) = warnings.current(ISSUED, Current(), active=0, sources=choice)
    assert warning.code == "sources-conflict"
    assert "KMESH_LICENSE_INLINE is used, not /x.json (KMESH_LICENSE_PATH)" in warning.message


def test_sources_that_agree_are_no_warning() -> None:
    winner = SourceReading(kind=SourceKind.INLINE, path=None, document=b"{}", error=None)
    choice = Choice(winner=winner, losers=(winner,), conflicting=False)
    assert warnings.current(ISSUED, Current(), active=0, sources=choice) == ()


def test_several_conditions_stand_side_by_side() -> None:
    found = warnings.current(
        issued(TEST_VENDOR), ExpiringSoon(days_left=3), active=21, clock_suspect=True
    )
    assert codes(found) == ["expires-soon", "over-limit", "clock-suspect", "test-key"]
    assert all(warning.message.isprintable() for warning in found)
