"""A reload applies what is usable and keeps what is in force otherwise."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.license.sources import SourceKind
from kong_mesh_cp.usecases.license.holder import CAUSE_FILE, LicenseHolder
from kong_mesh_cp.usecases.license.reload_outcome import ReloadResult
from kong_mesh_cp.usecases.ports.state_store import Remembered
from support.fakes.licensing import LICENSE_PATH, World, instant, reading, unreadable
from support.licenses.licenses import STRANGER, TEST_VENDOR, license_document

HOUR = timedelta(hours=1)


def lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


def pending_code(licensing: LicenseHolder) -> str | None:
    pending = licensing.pending_error
    return None if pending is None else pending.error.code


def test_a_larger_license_is_applied_with_one_line_that_holds_the_difference(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    world = World(license_document(dataplanes=5, expires="2027-11-09"))
    licensing = world.start()
    world.put(license_document(dataplanes=20, expires="2028-01-01"))

    outcome = licensing.reload("SIGHUP")

    assert outcome.result is ReloadResult.APPLIED
    assert outcome.difference == "dataplanes 5 → 20, expires 2027-11-09 → 2028-01-01"
    assert outcome.reductions == ()
    assert licensing.seat_policy().limit == 20
    assert lines(caplog, logging.INFO) == [
        f"license-applied: {outcome.difference}, from {LICENSE_PATH} (KMESH_LICENSE_PATH) (SIGHUP)"
    ]


@pytest.mark.parametrize(
    ("smaller", "named"),
    [
        (license_document(dataplanes=19), "fewer data plane proxies (20 → 19)"),
        (license_document(expires="2030-01-01"), "an earlier end (2032-11-09 → 2030-01-01)"),
        (license_document(customer="other_co"), "another customer (company_inc → other_co)"),
    ],
)
def test_a_smaller_license_is_applied_and_a_warning_names_the_reduction(
    caplog: pytest.LogCaptureFixture, smaller: bytes, named: str
) -> None:
    world = World(license_document())
    licensing = world.start()
    world.put(smaller)

    outcome = licensing.reload("SIGHUP")

    assert outcome.result is ReloadResult.APPLIED
    assert outcome.reductions == (named,)
    (warning,) = lines(caplog, logging.WARNING)
    assert warning.startswith(f"license-reduced: the license now in force means {named}")


def test_the_pre_bundled_license_is_replaced_without_a_restart() -> None:
    world = World()
    licensing = world.start()
    world.put(license_document())

    outcome = licensing.reload(CAUSE_FILE)

    assert outcome.result is ReloadResult.APPLIED
    assert "customer none (pre-bundled) → company_inc" in outcome.difference
    assert outcome.reductions == ()
    assert not licensing.seat_policy().refuse_when_full


def test_the_same_license_is_unchanged_and_says_so_to_who_asked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    licensing = World(license_document()).start()

    assert licensing.reload("SIGHUP").result is ReloadResult.UNCHANGED
    assert lines(caplog, logging.INFO) == [
        "license-unchanged: the license of company_inc stays in force (SIGHUP)"
    ]

    caplog.clear()
    licensing.reload(CAUSE_FILE)  # somebody touched the file: not worth a line
    assert caplog.records == []


def test_the_same_license_found_again_after_its_end_is_unchanged() -> None:
    world = World(license_document(expires="2026-11-22"))
    licensing = world.start()
    world.live_through(licensing, 48 * HOUR, step=HOUR)

    assert licensing.reload("SIGHUP").result is ReloadResult.UNCHANGED
    assert pending_code(licensing) is None


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"", "license-not-json"),
        (license_document(STRANGER, dataplanes=999), "license-bad-signature"),
        (license_document(expires="2026-11-20"), "license-expired"),
        (license_document(created="2026-12-24"), "license-not-yet-valid"),
    ],
)
def test_an_unusable_license_never_displaces_the_one_in_force(
    caplog: pytest.LogCaptureFixture, document: bytes, code: str
) -> None:
    world = World(license_document())
    licensing = world.start()
    before = licensing.entitlement
    world.put(document)

    outcome = licensing.reload("SIGHUP")

    assert outcome.result is ReloadResult.REJECTED
    assert outcome.error is not None
    assert outcome.error.code == code
    assert licensing.entitlement is before
    assert pending_code(licensing) == code
    assert licensing.restart_safe().safe is False
    (line,) = lines(caplog, logging.ERROR)
    assert line.startswith(f"{code}: ")
    assert "; the license of company_inc stays in force (SIGHUP). " in line


def test_a_failure_is_logged_once_and_another_failure_once_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(license_document())
    licensing = world.start()
    for document in (b"", b"", license_document(STRANGER), license_document(STRANGER)):
        world.put(document)
        licensing.reload(CAUSE_FILE)

    assert [line.partition(":")[0] for line in lines(caplog, logging.ERROR)] == [
        "license-not-json",
        "license-bad-signature",
    ]


def test_a_license_that_is_not_yet_valid_is_logged_once_though_time_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(license_document())
    licensing = world.start()
    world.put(license_document(created="2026-12-24"))
    for _ in range(3):
        world.passes(HOUR)
        licensing.reload(CAUSE_FILE)

    assert len(lines(caplog, logging.ERROR)) == 1


def test_the_pending_error_says_since_when() -> None:
    world = World(license_document(), now="2026-11-21")
    licensing = world.start()
    world.put(b"")
    licensing.reload(CAUSE_FILE)
    world.passes(HOUR)
    licensing.reload(CAUSE_FILE)

    assert licensing.pending_error is not None
    assert licensing.pending_error.since == instant("2026-11-21")


def test_recovery_is_logged_and_clears_the_pending_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    document = license_document()
    world = World(document)
    licensing = world.start()
    world.put(b"")
    licensing.reload(CAUSE_FILE)
    world.put(document)

    assert licensing.reload(CAUSE_FILE).result is ReloadResult.UNCHANGED

    assert pending_code(licensing) is None
    assert licensing.restart_safe().safe
    assert [line.partition(":")[0] for line in lines(caplog, logging.INFO)] == [
        "license-reload-recovered"
    ]


def test_a_source_that_vanished_leaves_the_issued_license_and_makes_a_restart_unsafe() -> None:
    world = World(license_document())
    licensing = world.start()
    world.put(None)

    outcome = licensing.reload("SIGHUP")

    assert outcome.result is ReloadResult.REJECTED
    assert isinstance(outcome.error, ControlPlaneError)
    assert outcome.error.code == "license-source-gone"
    assert "would run on the pre-bundled license (5 data plane proxies" in outcome.error.message
    assert licensing.seat_policy().limit == 20
    assert not licensing.restart_safe().safe


def test_a_source_that_vanished_after_the_trial_says_that_a_restart_would_be_refused() -> None:
    past = Remembered(high_water={}, trial_started_at=instant("2026-01-01"))
    world = World(license_document(), remembered=past)
    licensing = world.start()
    world.put(None)

    outcome = licensing.reload("SIGHUP")

    assert outcome.error is not None
    assert "a restart would be refused" in outcome.error.message


def test_a_file_that_cannot_be_read_any_more_keeps_the_license() -> None:
    world = World(license_document())
    licensing = world.start()
    world.sources.readings = [reading(None, error=unreadable())]

    licensing.reload(CAUSE_FILE)

    assert pending_code(licensing) == "license-unreadable"
    assert licensing.seat_policy().limit == 20


def test_a_license_signed_by_another_key_is_a_change_even_if_it_says_the_same() -> None:
    world = World(license_document())
    licensing = world.start()
    world.put(license_document(TEST_VENDOR))

    outcome = licensing.reload("SIGHUP")

    assert outcome.result is ReloadResult.APPLIED
    assert outcome.difference.startswith("signed by issued key ")


def test_sources_that_begin_to_differ_are_a_warning_at_the_reload(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(license_document())
    licensing = world.start()
    world.sources.readings.append(reading(license_document(dataplanes=1), SourceKind.CONFIG_PATH))

    assert licensing.reload("SIGHUP").result is ReloadResult.UNCHANGED
    assert lines(caplog, logging.WARNING)[0].startswith("license-sources-conflict: ")


def test_a_new_remark_about_the_file_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    world = World(license_document())
    licensing = world.start()
    world.sources.readings = [reading(license_document(), remarks=("may be read by everybody",))]

    licensing.reload(CAUSE_FILE)
    licensing.reload(CAUSE_FILE)

    assert len(lines(caplog, logging.WARNING)) == 1


def test_each_result_is_counted() -> None:
    world = World(license_document())
    licensing = world.start()
    licensing.reload("SIGHUP")
    world.put(b"")
    licensing.reload("SIGHUP")
    licensing.reload("SIGHUP")
    world.put(license_document(dataplanes=21))
    licensing.reload("SIGHUP")

    family = licensing.metrics(0)[-1]

    assert family.name == "kong_mesh_license_reload_total"
    assert {sample.labels[0][1]: sample.value for sample in family.samples} == {
        "applied": 1,
        "unchanged": 1,
        "rejected": 2,
    }


def test_held_seats_learn_of_another_license() -> None:
    world = World(license_document())
    licensing = world.start()
    world.put(license_document(dataplanes=30))

    licensing.reload("SIGHUP")

    assert world.events == [
        {"event": "license-changed", "allowed": 30, "active": 0, "daysLeft": 2180, "demo": False}
    ]
