"""What a license does in each of its states, row by row, and what a start says.

Source: docs/license.md#what-it-does
"""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from kong_mesh_cp.core.admission.ledger import SeatPolicy
from kong_mesh_cp.core.errors import EX_CONFIG
from kong_mesh_cp.core.license.bundled import BundledLicense
from kong_mesh_cp.core.license.clock import ClockMark
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.keyring import Keyring
from kong_mesh_cp.core.license.sources import SourceKind, SourceReading
from kong_mesh_cp.usecases.ports.state_store import Remembered
from support.fakes.licensing import LICENSE_PATH, World, instant, reading, unreadable
from support.licenses.licenses import (
    RETIRED_VENDOR,
    STRANGER,
    TEST_VENDOR,
    issued,
    license_document,
)

DAY = timedelta(days=1)


def remembered(trial: str | None = None, clock: ClockMark | None = None) -> Remembered:
    started_at = None if trial is None else instant(trial)
    return Remembered(high_water={}, trial_started_at=started_at, clock=clock)


def refused(world: World) -> LicenseRejectedError:
    with pytest.raises(LicenseRejectedError) as caught:
        world.start()
    assert caught.value.exit_status == EX_CONFIG
    return caught.value


def codes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage().partition(":")[0] for record in caplog.records]


# Row: issued, valid.


def test_an_issued_license_starts_and_admits_over_its_limit_with_a_warning() -> None:
    licensing = World(license_document(dataplanes=20)).start()

    assert licensing.seat_policy() == SeatPolicy(limit=20, refuse_when_full=False, demo=False)
    assert [warning.code for warning in licensing.warnings(20)] == []
    assert [warning.code for warning in licensing.warnings(21)] == ["over-limit"]


# Row: issued, less than 30 days left.


def test_a_license_in_its_last_thirty_days_starts_and_warns(
    caplog: pytest.LogCaptureFixture,
) -> None:
    licensing = World(license_document(expires="2026-12-20")).start()

    licensing.log_start()

    assert "license-expires-soon" in codes(caplog)
    assert licensing.days_left == 29
    assert licensing.seat_policy().refuse_when_full is False


def test_with_exactly_thirty_days_left_there_is_no_warning() -> None:
    licensing = World(license_document(expires="2026-12-21")).start()

    assert licensing.warnings(0) == ()


# Row: issued, expires while running.


def test_a_license_that_ends_while_running_warns_and_goes_on_admitting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(license_document(expires="2026-11-22"))
    licensing = world.start()
    policy = licensing.seat_policy()

    world.live_through(licensing, 2 * DAY, step=timedelta(hours=1))

    assert licensing.seat_policy() == policy
    assert "license-expired" in codes(caplog)
    assert licensing.days_left == 0
    assert not licensing.restart_safe().safe


# Row: issued, expired at start.


def test_an_expired_license_refuses_the_start_with_place_and_next_command() -> None:
    world = World(license_document(expires="2023-11-09"))
    world.sources.readings = [
        reading(license_document(expires="2023-11-09"), path="/tmp/expired.json")
    ]

    assert refused(world).line == (
        "license-expired: the license of company_inc in /tmp/expired.json (KMESH_LICENSE_PATH) "
        "ended at 2023-11-09T00:00:00Z. "
        "Put a renewed file there and run: systemctl start kong-mesh-cp"
    )


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        (SourceKind.INLINE, "Set KMESH_LICENSE_INLINE to a renewed license"),
        (SourceKind.CREDENTIAL, "Put a renewed license at /etc/kong-mesh/license.json"),
        (SourceKind.CONFIG_INLINE, "Set license.inline to a renewed license"),
    ],
)
def test_an_expired_license_without_a_file_of_its_own_gets_its_own_remedy(
    kind: SourceKind, remedy: str
) -> None:
    world = World()
    world.sources.readings = [reading(license_document(expires="2023-11-09"), kind)]

    assert refused(world).hint == f"{remedy} and run: systemctl start kong-mesh-cp"


def test_the_day_of_the_end_is_over_and_the_second_before_is_not() -> None:
    document = license_document(expires="2026-11-21")

    assert refused(World(document, now="2026-11-21T00:00:00")).fault is Fault.EXPIRED
    assert World(document, now="2026-11-20T23:59:59").start().days_left == 0


def test_a_license_made_more_than_a_day_ahead_is_not_yet_valid() -> None:
    document = license_document(created="2026-11-23")

    assert refused(World(document, now="2026-11-21T12:00:00")).fault is Fault.NOT_YET_VALID
    assert World(document, now="2026-11-22").start().days_left > 0


# Row: malformed or bad signature at start.


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (b"{", Fault.NOT_JSON),
        (b"\xef\xbb\xbf{}", Fault.NOT_UTF8),
        (b'{"license": {"version": 1}}', Fault.MALFORMED),
        (license_document(STRANGER), Fault.BAD_SIGNATURE),
        (license_document(RETIRED_VENDOR), Fault.UNKNOWN_KEY),
        (license_document().replace(b"20", b"99", 1), Fault.BAD_SIGNATURE),
    ],
)
def test_an_unusable_document_refuses_the_start_and_names_its_place(
    document: bytes, fault: Fault
) -> None:
    error = refused(World(document))

    assert error.fault is fault
    assert f"{LICENSE_PATH} (KMESH_LICENSE_PATH)" in error.message


def test_without_trusted_keys_no_license_starts() -> None:
    assert refused(World(license_document(), keyring=Keyring())).fault is Fault.UNKNOWN_KEY


def test_a_path_in_the_inline_variable_gets_the_hint_that_names_the_other_variable() -> None:
    world = World()
    world.sources.readings = [reading(b"/etc/kong-mesh/license.json", SourceKind.INLINE)]

    error = refused(world)

    assert error.message.startswith("the license in KMESH_LICENSE_INLINE is not JSON")
    assert "KMESH_LICENSE_PATH" in error.hint


def test_a_broken_source_never_falls_through_to_a_lower_one() -> None:
    world = World()
    world.sources.readings = [
        reading(None, SourceKind.PATH, error=unreadable()),
        reading(license_document(), SourceKind.CONFIG_INLINE),
    ]

    assert refused(world).fault is Fault.UNREADABLE


# Rows: none, so the pre-bundled license.


def test_without_a_source_five_proxies_run_for_thirty_days_and_the_sixth_is_refused() -> None:
    licensing = World(now="2026-11-21T10:00:00").start()

    assert licensing.seat_policy() == SeatPolicy(limit=5, refuse_when_full=True, demo=True)
    assert licensing.entitlement == BundledLicense(instant("2026-11-21T10:00:00"))
    assert licensing.days_left == 30


def test_the_trial_counts_from_the_first_start_that_is_remembered() -> None:
    licensing = World(now="2026-11-21", remembered=remembered("2026-11-01")).start()

    assert licensing.days_left == 10
    assert licensing.trial_started_at == instant("2026-11-01")


def test_a_trial_that_is_over_goes_on_running_and_refusing_what_is_new() -> None:
    world = World(now="2026-11-21")
    licensing = world.start()

    world.live_through(licensing, 31 * DAY, step=DAY)

    assert licensing.seat_policy() == SeatPolicy(limit=5, refuse_when_full=True, demo=True)
    assert [warning.code for warning in licensing.warnings(0)] == ["expired"]


def test_a_trial_that_is_over_refuses_the_start_with_its_own_remedy() -> None:
    error = refused(World(now="2026-12-01", remembered=remembered("2026-11-01")))

    assert error.fault is Fault.EXPIRED
    assert error.message.startswith("the pre-bundled license ended at 2026-12-01T00:00:00Z")
    assert "Put an issued license at" in error.hint


def test_the_first_start_is_remembered_under_an_issued_license_too() -> None:
    licensing = World(license_document(), now="2026-11-21").start()

    assert licensing.trial_started_at == instant("2026-11-21")


def test_an_earlier_first_start_that_only_the_store_knows_counts() -> None:
    licensing = World(now="2026-11-21").start()

    licensing.trial_recorded(instant("2026-11-11"))
    licensing.trial_recorded(instant("2026-11-20"))

    assert licensing.trial_started_at == instant("2026-11-11")
    assert licensing.days_left == 20


def test_an_earlier_first_start_that_leaves_no_day_refuses() -> None:
    licensing = World(now="2026-11-21").start()

    with pytest.raises(LicenseRejectedError) as caught:
        licensing.trial_recorded(instant("2026-10-01"))

    assert caught.value.fault is Fault.EXPIRED


def test_a_first_start_in_the_future_was_a_wrong_clock_and_gives_no_longer_trial() -> None:
    licensing = World(now="2026-11-21", remembered=remembered("2031-01-01")).start()

    assert licensing.days_left == 30


# What a start says.


def test_the_log_of_a_start_says_which_source_won_and_what_it_holds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    licensing = World(license_document()).start()

    licensing.log_start()

    (line,) = [record.getMessage() for record in caplog.records]
    assert line == (
        f"license-in-force: the license of company_inc, from {LICENSE_PATH} (KMESH_LICENSE_PATH): "
        f"20 data plane proxies, id {issued().id}, until 2032-11-09T00:00:00Z "
        "(days left: 2180)"
    )


def test_a_trial_that_begins_is_logged_and_one_that_goes_on_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    World().start().log_start()
    assert "license-trial-started" in codes(caplog)

    caplog.clear()
    World(remembered=remembered("2026-11-20")).start().log_start()
    assert "license-trial-started" not in codes(caplog)


def test_sources_with_the_same_content_are_an_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World(license_document())
    world.sources.readings.append(reading(license_document(), SourceKind.CONFIG_INLINE))

    world.start().log_start()

    agree = next(r for r in caplog.records if r.getMessage().startswith("license-sources-agree"))
    assert agree.levelno == logging.INFO
    assert "license.inline" in agree.getMessage()


def test_sources_with_different_content_are_a_warning_that_names_winner_and_losers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(license_document())
    world.sources.readings.append(reading(license_document(dataplanes=9), SourceKind.CONFIG_INLINE))

    licensing = world.start()
    licensing.log_start()

    assert licensing.seat_policy().limit == 20
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("license-sources-conflict: ")
    assert "(KMESH_LICENSE_PATH) is used, not license.inline" in line


def test_remarks_about_the_file_are_warnings(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.sources.readings = [reading(license_document(), remarks=("may be read by everybody",))]

    world.start().log_start()

    assert [r.getMessage() for r in caplog.records] == [
        f"license-file-untidy: {LICENSE_PATH} (KMESH_LICENSE_PATH) may be read by everybody"
    ]


def test_a_license_of_a_test_key_says_test_everywhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    licensing = World(license_document(TEST_VENDOR)).start()

    licensing.log_start()

    assert "license-in-force: TEST the license of company_inc" in caplog.text
    assert "TEST" in licensing.status_line(0)
    assert [warning.code for warning in licensing.warnings(0)] == ["test-key"]


def test_a_replaced_keyring_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    World(license_document(), keyring_override=True).start().log_start()

    assert codes(caplog) == ["license-keyring-override"]


@pytest.mark.parametrize(
    "winner",
    [
        reading(license_document(expires="2023-11-09")),
        reading(b"{"),
        reading(None, error=unreadable()),
    ],
    ids=["expired", "broken", "unreadable"],
)
def test_a_refusal_names_another_source_that_would_do(winner: SourceReading) -> None:
    good = reading(license_document(), kind=SourceKind.CONFIG_PATH, path="/etc/good.json")
    spoilt = reading(license_document(STRANGER), kind=SourceKind.CONFIG_INLINE)
    world = World(license_document())
    world.sources.readings = [winner, spoilt, good]

    hint = refused(world).hint

    assert hint.startswith("/etc/good.json (license.path) would do, and is not used as long as ")
    assert f"{winner.source} is set: remove that, or mend it. " in hint
    world.sources.readings = [winner, spoilt]
    assert "would do" not in refused(world).hint
