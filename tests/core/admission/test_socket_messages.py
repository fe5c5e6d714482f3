from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.admission.attestation import UnitUnseen
from kong_mesh_cp.core.admission.decision import (
    RefusalCode,
    Refused,
    RuleReport,
    SelectorReport,
)
from kong_mesh_cp.core.admission.doors import ProxyPeer
from kong_mesh_cp.core.admission.ledger import Holder
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId, SeatRecord
from kong_mesh_cp.core.admission.socket_messages import (
    REASON_CHARACTERS_MAX,
    StreamRefusal,
    admitted_line,
    event_line,
    license_text,
    problem,
    seat_list,
    status_of,
    violations_text,
)
from kong_mesh_cp.core.meshes.membership import Breach
from kong_mesh_cp.core.schema.violations import Violation
from support.fakes.peers import attested

BACKEND = SeatId("default", "default", "backend-1")
FACTS = {"allowed": 5, "active": 1, "daysLeft": 29, "demo": True}


def refused(code: RefusalCode, **more: Any) -> dict[str, Any]:
    refusal = Refused(code=code, reason="it is so", hint="Do this.", **more)
    decoded: dict[str, Any] = json.loads(problem(refusal))
    return decoded


def test_a_first_line_looks_as_in_the_contract() -> None:
    line = admitted_line(BACKEND, ProxyKind.SIDECAR, license_text=license_text(FACTS, []), tags={})

    assert line == (
        b'{"decision":"admitted","seat":{"zone":"default","mesh":"default","name":"backend-1",'
        b'"kind":"sidecar","counted":true},"license":{"allowed":5,"active":1,"daysLeft":29,'
        b'"demo":true},"warnings":[]}\n'
    )


def test_tags_that_were_put_on_the_proxy_are_reported() -> None:
    line = admitted_line(
        BACKEND,
        ProxyKind.ZONE_EGRESS,
        license_text=license_text(FACTS, [("expires-soon", "ends “soon”")]),
        tags={"team": "payments"},
    )

    decoded = json.loads(line)
    assert decoded["tags"] == {"team": "payments"}
    assert decoded["warnings"] == [{"code": "expires-soon", "message": "ends “soon”"}]
    assert (decoded["seat"]["kind"], decoded["seat"]["counted"]) == ("zone-egress", False)


@given(st.text(), st.text(), st.text(), st.sampled_from(ProxyKind))
def test_a_first_line_is_one_line_of_json_whatever_the_names(
    zone: str, mesh: str, name: str, kind: ProxyKind
) -> None:
    line = admitted_line(
        SeatId(zone, mesh, name.replace("\ud800", "")),
        kind,
        license_text=license_text(FACTS, []),
        tags={},
    )

    assert line.count(b"\n") == 1
    assert json.loads(line)["seat"] == {
        "zone": zone,
        "mesh": mesh,
        "name": name,
        "kind": kind.value,
        "counted": kind.counted,
    }


def test_an_event_is_one_line() -> None:
    line = event_line({"event": "license-warning", "code": "expires-soon", "message": "a\nb"})

    assert line == b'{"event":"license-warning","code":"expires-soon","message":"a\\nb"}\n'


def test_a_problem_document_has_the_members_of_the_contract() -> None:
    document = refused(RefusalCode.LICENSE_LIMIT, retry_after_seconds=30)

    assert document == {
        "type": "urn:kong-mesh-cp:admission:license-limit",
        "title": "The license allows no further data plane proxy",
        "status": 403,
        "detail": "it is so. Do this.",
        "code": "license-limit",
        "reason": "it is so",
        "hint": "Do this.",
        "retryAfterSeconds": 30,
    }


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("malformed-request", 400),
        ("invalid-dataplane", 400),
        ("license-limit", 403),
        ("mesh-constraint", 403),
        ("identity", 403),
        ("mesh-not-found", 404),
        ("already-joined", 409),
        ("too-large", 413),
        ("too-slow", 408),
        ("rate-limited", 429),
        ("busy", 503),
    ],
)
def test_each_code_has_its_status(code: str, status: int) -> None:
    assert status_of(RefusalCode(code)) == refused(RefusalCode(code))["status"] == status


def test_there_is_no_code_without_a_status() -> None:
    assert all(400 <= status_of(code) < 600 for code in RefusalCode)


def test_violations_are_listed_with_their_fields() -> None:
    violations = (Violation("name", "cannot be empty"), Violation("", "all is wrong"))

    document = refused(RefusalCode.INVALID_DATAPLANE, violations=violations)

    assert document["invalid_parameters"] == [
        {"field": "name", "reason": "cannot be empty"},
        {"field": "", "reason": "all is wrong"},
    ]
    assert violations_text(violations) == "name: cannot be empty; all is wrong"


def test_an_identity_refusal_lists_selectors() -> None:
    report = RuleReport(2, (SelectorReport("unit", "a*.service", "b.service", matched=False),))

    assert refused(RefusalCode.IDENTITY, rules=(report,))["rules"] == [
        {
            "rule": 2,
            "selectors": [
                {
                    "selector": "unit",
                    "wanted": "a*.service",
                    "found": "b.service",
                    "matched": False,
                }
            ],
        }
    ]


def test_a_missing_mesh_lists_the_meshes_also_when_there_are_none() -> None:
    assert refused(RefusalCode.MESH_NOT_FOUND, meshes=("a", "b"))["meshes"] == ["a", "b"]
    assert refused(RefusalCode.MESH_NOT_FOUND)["meshes"] == []


def test_a_constraint_is_shown_with_what_was_held_against_it() -> None:
    breach = Breach("constraints.x[0]", ({"team": "a"},), {"team": "b"}, of_restriction=True)

    assert refused(RefusalCode.MESH_CONSTRAINT, breach=breach)["constraint"] == {
        "field": "constraints.x[0]",
        "tags": [{"team": "a"}],
        "found": {"team": "b"},
    }
    assert "constraint" not in refused(RefusalCode.MESH_CONSTRAINT)


def holder(name: str, unit: UnitUnseen | str | None) -> Holder:
    since = datetime(2026, 11, 21, 22, 40, 0, 5, UTC)
    record = SeatRecord(SeatId("default", "default", name), ProxyKind.SIDECAR, since)
    return Holder(record, attested(pid=7, uid=8, unit=unit), lambda: False)


def test_seats_are_listed_by_name_with_their_peers() -> None:
    unseen = UnitUnseen("hidden", "Look.")
    listed = json.loads(
        seat_list([holder("c", unseen), holder("b", None), holder("a", "a.service")])
    )

    assert listed["total"] == 3
    assert [item["peer"] for item in listed["items"]] == [
        {"uid": 8, "pid": 7, "unit": "a.service"},
        {"uid": 8, "pid": 7, "unit": "none"},
        {"uid": 8, "pid": 7, "unit": None},
    ]
    assert listed["items"][0]["since"] == "2026-11-21T22:40:00Z"
    assert listed["items"][0]["seat"] == {
        "zone": "default",
        "mesh": "default",
        "name": "a",
        "kind": "sidecar",
        "counted": True,
    }


def test_a_seat_of_a_process_and_its_envoy_is_listed_once() -> None:
    both = [holder("b", "b.service"), streaming("b"), streaming("a")]

    items = json.loads(seat_list(both))["items"]

    assert [item["seat"]["name"] for item in items] == ["a", "b"]
    assert "peer" not in items[0]
    assert items[0]["stream"] == items[1]["stream"] == {"address": "10.0.0.7"}
    assert items[1]["peer"]["unit"] == "b.service"


def test_what_a_proxy_does_not_take_stands_at_its_stream() -> None:
    refused = {BACKEND._replace(name="a"): StreamRefusal("Listener", "no such filter" + "x" * 5000)}

    items = json.loads(seat_list([streaming("a"), streaming("b")], refused.get))["items"]

    assert items[0]["stream"]["lastRefusal"]["type"] == "Listener"
    assert items[0]["stream"]["lastRefusal"]["reason"].startswith("no such filter")
    assert len(items[0]["stream"]["lastRefusal"]["reason"]) == REASON_CHARACTERS_MAX
    assert "lastRefusal" not in items[1]["stream"]


def streaming(name: str) -> Holder:
    of_process = holder(name, None)
    return Holder(of_process.record, ProxyPeer("10.0.0.7"), of_process.gone)


def test_an_empty_list_is_a_list() -> None:
    assert json.loads(seat_list([])) == {"total": 0, "items": []}


def test_a_refusal_in_one_line_has_its_code_and_the_remedy() -> None:
    refusal = Refused(code=RefusalCode.BUSY, reason="it is so", hint="Do this.")

    assert refusal.text == "busy: it is so. Do this."
