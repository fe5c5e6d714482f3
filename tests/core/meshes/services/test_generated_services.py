"""One MeshService for each service tag, as its proxies say.

Source: docs/wire/services.md#generated-services
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kong_mesh_cp.core.meshes.services.generated_services import (
    GRACE_STARTED,
    can_be_named,
    generated,
    grace_left,
    with_grace,
    without_grace,
)
from kong_mesh_cp.core.meshes.services.service_proxies import ServiceProxy, service_proxy
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.services.mesh_service import Port
from kong_mesh_cp.core.schema.messages import read_message

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def proxy(name: str, *inbounds: dict[str, object], age: int = 0) -> ServiceProxy:
    spec = read_message(Dataplane, {"networking": {"inbound": list(inbounds)}})
    return service_proxy(name, NOON - timedelta(seconds=age), spec)


def inbound(
    port: int, service: str = "web", protocol: str | None = None, name: str = ""
) -> dict[str, object]:
    tags = {"kuma.io/service": service, **({"kuma.io/protocol": protocol} if protocol else {})}
    return {"port": port, "name": name, "tags": tags}


def port(number: int, protocol: str = "tcp", name: str = "") -> Port:
    return Port(name=name or str(number), port=number, target_port=number, app_protocol=protocol)


def test_ports_are_those_of_the_inbounds_with_the_tag_in_their_order() -> None:
    one = proxy("a", inbound(81, protocol="http", name="main"), inbound(80), inbound(9, "other"))
    made = generated("web", [one], None)
    assert made is not None
    assert made.ports == (port(81, "http", "main"), port(80))
    assert made.conflicting == ()


def test_no_proxy_no_service() -> None:
    assert generated("web", [proxy("a", inbound(80, "other"))], None) is None


def test_the_oldest_proxy_decides_and_the_others_are_named() -> None:
    proxies = [proxy("a", inbound(80)), proxy("b", inbound(81), age=5), proxy("c", inbound(80))]
    made = generated("web", proxies, None)
    assert made is not None
    assert made.ports == (port(81),)
    assert made.conflicting == ("a", "c")


def test_of_two_of_the_same_age_the_first_by_name_decides() -> None:
    made = generated("web", [proxy("b", inbound(81)), proxy("a", inbound(80))], None)
    assert made is not None
    assert made.ports == (port(80),)


def test_ports_stay_while_one_proxy_has_them() -> None:
    proxies = [proxy("a", inbound(81), age=5), proxy("b", inbound(80))]
    kept = generated("web", proxies, (port(80),))
    assert kept is not None
    assert (kept.ports, kept.conflicting) == ((port(80),), ("a",))
    moved = generated("web", proxies, (port(82),))
    assert moved is not None
    assert moved.ports == (port(81),)


@pytest.mark.parametrize(
    ("service", "can"),
    [("web", True), ("web-1", True), ("a_b", False), ("1st", False), ("a.b", False), ("", False)],
)
def test_a_service_needs_a_name_of_dns(service: str, can: bool) -> None:
    assert can_be_named(service) is can


def test_a_grace_period_is_told_in_a_label_and_passes() -> None:
    labels = with_grace({"team": "x"}, NOON)
    assert labels == {"team": "x", GRACE_STARTED: "2026-11-21T12:00:00Z"}
    assert grace_left(labels, HOUR, NOON + timedelta(minutes=20)) == timedelta(minutes=40)
    left = grace_left(labels, HOUR, NOON + 2 * HOUR)
    assert left is not None
    assert left < timedelta(0)
    assert without_grace(labels) == {"team": "x"}


def test_the_original_tells_it_with_nanoseconds_and_its_own_zone() -> None:
    labels = {GRACE_STARTED: "2026-11-21T13:00:00.123456789+01:00"}
    left = grace_left(labels, HOUR, NOON)
    assert left is not None
    assert HOUR < left < HOUR + timedelta(seconds=1)


@pytest.mark.parametrize("labels", [{}, {GRACE_STARTED: "yesterday"}])
def test_what_is_no_instant_begins_nothing(labels: dict[str, str]) -> None:
    assert grace_left(labels, HOUR, NOON) is None
