"""What a running control plane says while days pass, counts change and clocks are set."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kong_mesh_cp.core.license.clock import ClockMark
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.sources import SourceKind
from kong_mesh_cp.usecases.ports.state_store import Remembered
from support.fakes.licensing import World, instant, reading
from support.licenses.licenses import license_document

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def said(caplog: pytest.LogCaptureFixture, code: str) -> list[str]:
    lines = [record.getMessage() for record in caplog.records]
    return [line for line in lines if line.startswith(f"license-{code}: ")]


def days_told(world: World, code: str) -> list[object]:
    return [event["daysLeft"] for event in world.events if event.get("code") == code]


def test_the_last_thirty_days_are_reported_once_a_day_and_then_each_day_that_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(license_document(expires="2027-03-01"), now="2026-11-21T10:00:00")
    licensing = world.start()
    licensing.log_start()

    world.live_through(licensing, instant("2027-03-03T12:00:00") - world.wall, step=HOUR)

    assert days_told(world, "expires-soon") == list(range(29, -1, -1))
    assert days_told(world, "expired") == [0, 0, 0]
    assert len(said(caplog, "expires-soon")) == 30
    first, last = said(caplog, "expires-soon")[0], said(caplog, "expired")[-1]
    assert "has 29 days left and ends at 2027-03-01T00:00:00Z" in first
    assert "run: systemctl reload kong-mesh-cp" in first
    assert "it ended at 2027-03-01T00:00:00Z" in last


def test_each_line_comes_at_its_crossing(caplog: pytest.LogCaptureFixture) -> None:
    world = World(license_document(expires="2027-03-01"), now="2027-01-29T23:59:00")
    licensing = world.start()
    licensing.log_start()
    assert said(caplog, "expires-soon") == []

    world.live_through(licensing, MINUTE, step=MINUTE)
    assert said(caplog, "expires-soon") == []  # exactly thirty days left

    world.live_through(licensing, MINUTE, step=MINUTE)
    assert len(said(caplog, "expires-soon")) == 1

    world.live_through(licensing, 23 * HOUR, step=MINUTE)
    assert len(said(caplog, "expires-soon")) == 1


def test_a_license_that_only_a_start_can_see_is_renewed_with_a_restart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(now="2026-11-21")
    world.sources.readings = [reading(license_document(expires="2026-12-01"), SourceKind.INLINE)]

    world.start().log_start(active=21)

    told = [*said(caplog, "expires-soon"), *said(caplog, "over-limit")]
    assert len(told) == 2
    for line in told:
        assert line.endswith(
            "Set KMESH_LICENSE_INLINE to a renewed license and run: systemctl restart kong-mesh-cp"
        )


def test_a_new_license_clears_the_warning_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    world = World(license_document(expires="2026-12-01"))
    licensing = world.start()
    licensing.log_start()
    world.put(license_document(expires="2030-01-01"))

    licensing.reload("SIGHUP")

    (line,) = said(caplog, "expires-soon-cleared")
    assert "license of company_inc until 2030-01-01" in line
    assert world.events[-1]["event"] == "license-warning-cleared"


def test_a_new_license_that_ends_soon_too_is_reported_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(license_document(expires="2026-12-01"))
    licensing = world.start()
    licensing.log_start()
    world.put(license_document(expires="2026-12-02"))

    licensing.reload("SIGHUP")

    assert len(said(caplog, "expires-soon")) == 2
    assert said(caplog, "expires-soon-cleared") == []


def test_over_the_limit_is_reported_on_crossing_and_hourly_with_the_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(license_document(dataplanes=20))
    licensing = world.start()

    world.live_through(licensing, 3 * HOUR, step=MINUTE, active=23)

    lines = said(caplog, "over-limit")
    assert len(lines) == 3
    assert "23 data plane proxies are connected, and the license allows 20" in lines[0]


def test_at_the_limit_itself_the_warning_is_over(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    world = World(license_document(dataplanes=20))
    licensing = world.start()
    licensing.tick(21)

    licensing.tick(20)

    (line,) = said(caplog, "over-limit-cleared")
    assert line.startswith("license-over-limit-cleared: 20 of 20 data plane proxies; ")
    assert licensing.warnings(20) == ()


def test_a_count_that_swings_around_the_limit_gives_one_pair_of_lines_an_hour(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    world = World(license_document(dataplanes=20))
    licensing = world.start()
    for second in range(3 * 3600):
        world.passes(timedelta(seconds=1))
        licensing.tick(20 + second % 2)

    assert len(said(caplog, "over-limit")) == 3
    assert len(said(caplog, "over-limit-cleared")) == 3


def test_a_warning_keeps_the_time_since_when_it_holds() -> None:
    world = World(license_document(dataplanes=20), now="2026-11-21")
    licensing = world.start()
    licensing.tick(21)
    world.live_through(licensing, 5 * HOUR, step=MINUTE, active=22)

    (warning,) = licensing.warnings(22)

    assert warning.since == instant("2026-11-21")
    assert "22 data plane proxies" in warning.message


# Clocks.


def test_setting_the_clock_back_revives_no_license_and_is_reported_once_a_day(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(license_document(expires="2026-11-22"), now="2026-11-21")
    licensing = world.start()
    world.live_through(licensing, 3 * DAY, step=HOUR)
    world.wall -= 60 * DAY
    world.live_through(licensing, 2 * DAY, step=HOUR)

    assert licensing.days_left == 0
    assert licensing.restart_safe().safe is False
    assert len(said(caplog, "clock-suspect")) == 2
    assert "clock-suspect" in [warning.code for warning in licensing.warnings(0)]


def test_setting_the_clock_right_again_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    world = World(license_document())
    licensing = world.start()
    world.wall -= 60 * DAY
    licensing.tick(0)
    world.wall += 60 * DAY
    licensing.tick(0)

    assert len(said(caplog, "clock-suspect-cleared")) == 1


def test_a_clock_that_was_set_back_before_the_start_revives_no_license() -> None:
    mark = ClockMark(
        seen=instant("2026-11-21"), boot_id="before", boottime_seconds=5.0, ahead_seconds=0.0
    )
    remembered = Remembered(high_water={}, clock=mark)
    world = World(license_document(expires="2026-11-10"), now="2026-11-01", remembered=remembered)

    with pytest.raises(LicenseRejectedError) as caught:
        world.start()

    assert caught.value.fault is Fault.EXPIRED
    assert "reset-clock" in caught.value.hint, "by the wall clock it has not ended"


def test_one_jump_forward_does_not_poison_the_license(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    world = World(license_document(expires="2032-11-09"), now="2026-11-21")
    licensing = world.start()
    world.wall += 3650 * DAY
    licensing.tick(0)
    assert licensing.days_left == 0

    world.wall -= 3650 * DAY
    licensing.tick(0)

    assert licensing.days_left == 2180
    assert licensing.restart_safe().safe
    assert len(said(caplog, "expired")) == 1
    assert len(said(caplog, "expired-cleared")) == 1


def test_after_a_jump_there_and_back_the_last_thirty_days_are_still_reported() -> None:
    world = World(license_document(expires="2026-12-31"), now="2026-11-21")
    licensing = world.start()
    world.wall += 3650 * DAY
    licensing.tick(0)
    world.wall -= 3650 * DAY
    licensing.tick(0)

    world.live_through(licensing, 39 * DAY, step=HOUR)

    assert days_told(world, "expires-soon") == list(range(29, 0, -1))


def test_a_clock_corrected_around_midnight_repeats_no_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(license_document(expires="2026-12-01"), now="2026-11-25T00:00:01")
    licensing = world.start()
    licensing.log_start()
    for _ in range(10):
        world.wall -= timedelta(seconds=5)
        licensing.tick(0)
        world.wall += timedelta(seconds=5)
        licensing.tick(0)

    assert len(said(caplog, "expires-soon")) == 1


def test_the_clock_mark_is_due_at_first_and_then_once_a_minute() -> None:
    world = World(license_document())
    licensing = world.start()
    marks = []
    for _ in range(600):
        world.passes(timedelta(seconds=1))
        licensing.tick(0)
        if (mark := licensing.unsaved_clock) is not None:
            licensing.clock_saved(mark)
            marks.append(mark)

    assert len(marks) == 10
    assert world.wall - marks[-1].seen < MINUTE


# The verdict about a restart.


def test_the_verdict_follows_the_file_within_seconds_without_a_reload() -> None:
    world = World(license_document())
    licensing = world.start()
    world.put(b"")
    world.live_through(licensing, timedelta(seconds=6), step=timedelta(seconds=1))

    assert "restart NOT safe: license-not-json" in licensing.status_line(0)

    world.put(license_document())
    assert licensing.restart_safe().safe
    assert licensing.status_line(0).endswith("restart safe")


def test_ticks_do_not_read_the_sources_each_time() -> None:
    world = World(license_document())
    licensing = world.start()
    reads = world.sources.reads

    world.live_through(licensing, timedelta(seconds=60), step=timedelta(seconds=1))

    assert world.sources.reads - reads == 12


def test_a_restart_becomes_unsafe_when_the_license_ends() -> None:
    world = World(license_document(expires="2026-11-22"))
    licensing = world.start()
    assert licensing.restart_safe().safe

    world.live_through(licensing, DAY, step=MINUTE)

    verdict = licensing.restart_safe()
    assert verdict.error is not None
    assert verdict.error.code == "license-expired"
