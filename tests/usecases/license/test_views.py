"""What everybody, an administrator, a proxy, systemd and Prometheus are told about the license."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest

from kong_mesh_cp.core.admission.ledger import Occupancy
from kong_mesh_cp.core.admission.mesh_quotas import MeshQuotas
from kong_mesh_cp.core.formats.prometheus_text import MetricFamily
from kong_mesh_cp.core.license.keyring import KeyPurpose
from kong_mesh_cp.core.license.sources import SourceKind
from kong_mesh_cp.usecases.license.license_changes import CHANGES_KEPT
from support.fakes.licensing import LICENSE_PATH, World, reading
from support.licenses.licenses import (
    LICENSE_KEY,
    TEST_VENDOR,
    VENDOR,
    issued,
    license_document,
    payload_of,
    signed,
)

DAY = timedelta(days=1)
OCCUPANCY = Occupancy(
    active=2,
    reserved=1,
    by_mesh={"zoo": 1, "default": 1},
    by_zone={"default": 2},
    high_water={date(2026, 11, 21): 2, date(2026, 11, 20): 7},
    quotas=MeshQuotas({"zoo": None, "default": 3}, 5),
)


def test_everybody_gets_the_four_documented_fields_in_their_order() -> None:
    licensing = World(license_document()).start()

    assert json.dumps(licensing.public_view(2).document()) == (
        '{"allowedDataplaneProxies": 20, "activeDataplaneProxies": 2,'
        ' "expirationDate": "2032-11-09T00:00:00Z", "demo": false}'
    )


def test_the_pre_bundled_license_is_a_demo() -> None:
    licensing = World(now="2026-11-21").start()

    assert licensing.public_view(0).document() == {
        "allowedDataplaneProxies": 5,
        "activeDataplaneProxies": 0,
        "expirationDate": "2026-12-21T00:00:00Z",
        "demo": True,
    }


def test_an_administrator_sees_everything_but_the_secrets() -> None:
    world = World(license_document())
    world.sources.readings.append(reading(license_document(), SourceKind.CONFIG_INLINE))

    view = world.start().full_view(OCCUPANCY).document()

    assert view == {
        "allowedDataplaneProxies": 20,
        "activeDataplaneProxies": 2,
        "expirationDate": "2032-11-09T00:00:00Z",
        "demo": False,
        "id": issued().id,
        "customer": "company_inc",
        "product": "Kong Mesh",
        "creationDate": "2021-08-04",
        "licenseKeyLast4": LICENSE_KEY[-4:],
        "signedBy": VENDOR.key().kid,
        "test": False,
        "unusedFields": [],
        "source": f"{LICENSE_PATH} (KMESH_LICENSE_PATH)",
        "otherSources": ["license.inline"],
        "daysLeft": 2180,
        "restartSafe": True,
        "restartError": None,
        "clockSuspect": False,
        "keyring": "built-in",
        "warnings": [],
        "pendingError": None,
        "seats": {
            "byMesh": {"default": 1, "zoo": 1},
            "byZone": {"default": 2},
            "reserved": 1,
            "elsewhere": 0,
            "quotas": {"*": 5, "default": 3, "zoo": None},
        },
        "highWaterMarks": {"2026-11-20": 7, "2026-11-21": 2},
        "changes": [],
    }


def test_the_full_view_starts_with_the_documented_fields() -> None:
    licensing = World(license_document()).start()

    full = list(licensing.full_view(OCCUPANCY).document())

    assert full[:4] == list(licensing.public_view(2).document())


def test_the_full_view_of_the_pre_bundled_license_has_the_same_fields() -> None:
    bundled = World().start().full_view(OCCUPANCY).document()
    full = World(license_document()).start().full_view(OCCUPANCY).document()

    assert list(bundled) == list(full)
    assert bundled["source"] == "pre-bundled"
    assert bundled["id"] is None


def test_warnings_pending_error_and_overrides_are_shown() -> None:
    world = World(
        license_document(TEST_VENDOR, expires="2026-12-01"), keyring_override=True, now="2026-11-21"
    )
    licensing = world.start()
    world.put(b"")
    world.passes(timedelta(hours=1))
    licensing.reload("SIGHUP")

    view = licensing.full_view(OCCUPANCY).document()

    assert view["test"] is True
    assert view["keyring"] == "override"
    assert view["restartSafe"] is False
    assert isinstance(view["warnings"], list)
    assert [w["code"] for w in view["warnings"]] == ["expires-soon", "test-key", "keyring-override"]
    assert {w["since"] for w in view["warnings"]} == {"2026-11-21T01:00:00Z"}
    assert view["warnings"][1]["hint"] == "Use a license that was issued for production."
    assert view["warnings"][1]["message"].endswith(
        f"is signed by the test key {TEST_VENDOR.key().kid}"
    )
    assert isinstance(view["pendingError"], dict)
    assert view["pendingError"]["code"] == "license-not-json"
    assert view["pendingError"]["since"] == "2026-11-21T01:00:00Z"
    assert list(view["pendingError"]) == ["code", "message", "hint", "since"]


def test_signed_fields_that_this_version_does_not_know_are_named() -> None:
    licensing = World(signed(payload_of(mesh_zones="3"))).start()

    assert licensing.full_view(OCCUPANCY).document()["unusedFields"] == ["mesh_zones"]


def test_a_proxy_sees_only_the_numbers() -> None:
    licensing = World(license_document()).start()

    assert licensing.admission_license(3) == {
        "allowed": 20,
        "active": 3,
        "daysLeft": 2180,
        "demo": False,
    }


@pytest.mark.parametrize(
    ("world", "active", "line"),
    [
        (
            World(license_document(), now="2026-11-22"),
            1,
            (
                "1 of 20 data plane proxies; license of company_inc until 2032-11-09 (2179 days);"
                " restart safe"
            ),
        ),
        (
            World(now="2026-11-21"),
            0,
            (
                "0 of 5 data plane proxies; pre-bundled license until 2026-12-21 (30 days);"
                " restart safe"
            ),
        ),
        (
            World(license_document(TEST_VENDOR, expires="2026-11-23"), now="2026-11-21T12:00:00"),
            21,
            (
                "21 of 20 data plane proxies, 1 OVER the limit; TEST license of company_inc until"
                " 2026-11-23 (1 day); restart safe"
            ),
        ),
    ],
)
def test_the_status_is_one_line(world: World, active: int, line: str) -> None:
    assert world.start().status_line(active) == line


def test_the_status_of_an_ended_license_says_so_and_that_a_restart_would_fail() -> None:
    world = World(license_document(expires="2026-11-22"), now="2026-11-21")
    licensing = world.start()
    world.live_through(licensing, 2 * DAY, step=DAY)

    assert licensing.status_line(1) == (
        "1 of 20 data plane proxies; license of company_inc EXPIRED on 2026-11-22;"
        " restart NOT safe: license-expired"
    )


def values(families: tuple[MetricFamily, ...]) -> dict[str, float]:
    return {family.name: family.samples[0].value for family in families}


def test_the_metrics_tell_the_license_in_force() -> None:
    licensing = World(license_document(expires="2032-11-09")).start()

    assert values(licensing.metrics(20)) == {
        "kong_mesh_license_expiration_timestamp_seconds": 1983571200,
        "kong_mesh_license_dataplanes_allowed": 20,
        "kong_mesh_license_dataplanes_active": 20,
        "kong_mesh_license_over_limit": 0,
        "kong_mesh_license_restart_safe": 1,
        "kong_mesh_license_reload_total": 0,
    }


def test_the_metrics_tell_over_limit_and_unsafe_restart() -> None:
    world = World(license_document())
    licensing = world.start()
    world.put(b"")
    licensing.reload("SIGHUP")

    found = values(licensing.metrics(21))

    assert found["kong_mesh_license_over_limit"] == 1
    assert found["kong_mesh_license_restart_safe"] == 0


def test_every_metric_has_a_help_text_and_its_kind() -> None:
    families = World().start().metrics(0)

    assert all(family.help.endswith(".") for family in families)
    assert [family.kind for family in families] == ["gauge"] * 5 + ["counter"]


def test_the_purpose_of_the_key_decides_what_is_a_test() -> None:
    assert issued(TEST_VENDOR).purpose is KeyPurpose.TEST
    assert World(license_document()).start().full_view(OCCUPANCY).document()["test"] is False


def test_what_came_of_the_sources_is_shown_oldest_first_and_each_failure_once() -> None:
    world = World(license_document(dataplanes=20), now="2026-11-21")
    licensing = world.start()
    world.put(b"")
    licensing.reload("SIGHUP")
    licensing.reload("file changed")
    world.put(license_document(dataplanes=30))
    world.passes(timedelta(hours=1))
    licensing.reload("file changed")
    licensing.reload("file changed")

    changes: Any = licensing.full_view(OCCUPANCY).document()["changes"]
    rejected, applied = changes

    assert (rejected["result"], rejected["code"]) == ("rejected", "license-not-json")
    assert (rejected["at"], rejected["cause"]) == ("2026-11-21T00:00:00Z", "SIGHUP")
    assert (applied["result"], applied["code"]) == ("applied", "")
    assert (applied["at"], applied["cause"]) == ("2026-11-21T01:00:00Z", "file changed")
    assert "20" in applied["message"] and "30" in applied["message"]


def test_only_the_last_changes_are_kept() -> None:
    world = World(license_document(dataplanes=1))
    licensing = world.start()
    for seats in range(2, CHANGES_KEPT + 4):
        world.put(license_document(dataplanes=seats))
        licensing.reload("file changed")

    assert len(licensing.full_view(OCCUPANCY).changes) == CHANGES_KEPT
