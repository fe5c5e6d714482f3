from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.license.bundled import BUNDLED_DATAPLANES, BundledLicense
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.term import (
    Current,
    Entitlement,
    Expired,
    ExpiringSoon,
    Term,
    days_left,
    instant,
    name,
    require_startable,
    term_at,
)
from support.licenses.licenses import at, issued

INSTANTS = st.datetimes(timezones=st.just(UTC))


def refusal(entitlement: Entitlement, now: str) -> LicenseRejectedError:
    with pytest.raises(LicenseRejectedError) as caught:
        require_startable(entitlement, at(now))
    return caught.value


@pytest.mark.parametrize(
    ("now", "term"),
    [
        ("2026-06-01", Current()),
        ("2027-01-01", Current()),  # exactly 30 days are left
        ("2027-01-01T00:00:01", ExpiringSoon(days_left=29)),
        ("2027-01-17", ExpiringSoon(days_left=14)),
        ("2027-01-30T00:00:01", ExpiringSoon(days_left=0)),
        ("2027-01-30T23:59:59", ExpiringSoon(days_left=0)),
        ("2027-01-31", Expired(since=at("2027-01-31"))),  # the day itself is out
        ("2099-01-01", Expired(since=at("2027-01-31"))),
    ],
)
def test_a_license_warns_for_its_last_thirty_days_and_ends_at_midnight_utc(
    now: str, term: Term
) -> None:
    assert term_at(issued(expires="2027-01-31"), at(now)) == term


def test_the_bundled_license_lasts_thirty_days_from_the_first_start_to_a_midnight() -> None:
    bundled = BundledLicense(started_at=at("2026-11-21T10:00:00"))
    assert bundled.dataplanes == BUNDLED_DATAPLANES == 5
    assert bundled.expires_at == at("2026-12-22")
    assert term_at(bundled, at("2026-11-21T10:00:00")) == Current()
    assert term_at(bundled, at("2026-11-22T00:00:00")) == Current()
    assert term_at(bundled, at("2026-12-08T00:00:00")) == Current()
    assert term_at(bundled, at("2026-12-08T00:00:01")) == ExpiringSoon(days_left=13)
    assert term_at(bundled, at("2026-12-22")) == Expired(since=at("2026-12-22"))


def test_a_trial_that_starts_at_midnight_has_thirty_days_and_no_more() -> None:
    assert BundledLicense(started_at=at("2026-11-21")).expires_at == at("2026-12-21")


def test_a_trial_that_starts_at_the_end_of_the_calendar_ends_there() -> None:
    assert BundledLicense(at("9999-12-30")).expires_at.year == 9999


@given(INSTANTS, INSTANTS)
def test_days_left_are_whole_days_rounded_down_and_never_negative(
    end: datetime, now: datetime
) -> None:
    left = days_left(end, now)
    if now >= end:
        assert left == 0
    else:
        assert timedelta(days=left) <= end - now < timedelta(days=left + 1)


def test_a_start_is_refused_from_the_first_instant_of_the_end() -> None:
    license_ = issued(expires="2023-11-09")
    require_startable(license_, at("2023-11-08T23:59:59"))

    error = refusal(license_, "2023-11-09")
    assert error.fault is Fault.EXPIRED
    assert error.at("/tmp/expired.json (KMESH_LICENSE_PATH)").line == (
        "license-expired: the license of company_inc in /tmp/expired.json (KMESH_LICENSE_PATH)"
        " ended at 2023-11-09T00:00:00Z."
        " Put a renewed file there and run: systemctl start kong-mesh-cp"
    )


def test_a_start_is_refused_when_the_trial_is_over() -> None:
    bundled = BundledLicense(at("2026-11-21"))
    require_startable(bundled, at("2026-12-20T23:59:59"))
    error = refusal(bundled, "2026-12-21")
    assert error.fault is Fault.EXPIRED
    assert "pre-bundled" in error.message
    assert "systemctl start" in error.hint


def test_a_creation_up_to_a_day_ahead_is_taken() -> None:
    license_ = issued(created="2026-11-22")
    require_startable(license_, at("2026-11-21"))
    error = refusal(license_, "2026-11-20T23:59:59")
    assert error.fault is Fault.NOT_YET_VALID
    assert "timedatectl" in error.hint


def test_a_creation_on_the_last_day_of_the_calendar_overflows_nothing() -> None:
    license_ = issued(created="9999-12-31", expires="9999-12-31")
    assert refusal(license_, "2026-11-21").fault is Fault.NOT_YET_VALID
    assert refusal(license_, "9999-12-31T23:59:59").fault is Fault.EXPIRED


def test_instants_are_printed_in_utc_without_fractions() -> None:
    assert instant(at("2032-11-09")) == "2032-11-09T00:00:00Z"
    assert instant(at("2032-11-09T01:02:03.999999")) == "2032-11-09T01:02:03Z"
    east = datetime(2032, 11, 9, 1, tzinfo=timezone(timedelta(hours=2)))
    assert instant(east) == "2032-11-08T23:00:00Z"
    assert instant(at("0900-01-01")) == "0900-01-01T00:00:00Z"


def test_a_long_name_is_shortened_and_shown_on_one_line() -> None:
    assert name(issued(customer="x" * 500)) == f"the license of {'x' * 64}…"
    assert name(issued(customer="a\u200bb")) == "the license of 'a\\u200bb'"
