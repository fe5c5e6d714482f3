"""What is seen of the proxies of a service.

Source: docs/wire/services.md#status, docs/wire/services.md#proxies-of-a-service
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kong_mesh_cp.core.meshes.services.service_proxies import (
    ProxyState,
    ServiceProxy,
    selects,
    service_proxy,
)
from kong_mesh_cp.core.meshes.services.service_status import (
    counts,
    identities,
    is_of_this_zone,
    matched_services,
    tls,
)
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.services.mesh_service import DataplaneRef, Port, Selector
from kong_mesh_cp.core.schema.messages import read_message

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
CERTIFIED = ProxyState(is_online=True, is_certified=True)
ONLINE = ProxyState(is_online=True, is_certified=False)
GONE = ProxyState(is_online=False, is_certified=True)


def proxy(name: str, *inbounds: dict[str, object], **networking: object) -> ServiceProxy:
    spec = read_message(Dataplane, {"networking": {"inbound": list(inbounds), **networking}})
    return service_proxy(name, NOON, spec)


def inbound(port: int, service: str = "web", **more: object) -> dict[str, object]:
    return {"port": port, "tags": {"kuma.io/service": service, "v": str(port)}, **more}


def tags(**wanted: str) -> Selector:
    return Selector(
        dataplane_tags={
            name.replace("service", "kuma.io/service"): value for name, value in wanted.items()
        }
    )


def port(number: int, target: int | str) -> Port:
    return Port(port=number, target_port=target)


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (tags(service="web"), True),
        (tags(service="web", v="80"), True),
        (tags(service="web", v="81"), False),
        (tags(service="*"), False),
        (Selector(), False),
        (Selector(dataplane_ref=DataplaneRef(name="a")), True),
        (Selector(dataplane_ref=DataplaneRef(name="b")), False),
        (Selector(dataplane_tags={"kuma.io/service": "web"}, dataplane_ref=DataplaneRef()), False),
    ],
)
def test_one_inbound_has_to_carry_all_the_tags(selector: Selector, selected: bool) -> None:
    assert selects(selector, proxy("a", inbound(80), inbound(81, "api"))) is selected


def test_a_gateway_without_inbounds_is_no_proxy_of_a_service() -> None:
    gateway = proxy("a", gateway={"tags": {"kuma.io/service": "web"}})
    assert not selects(tags(service="web"), gateway)
    assert not selects(Selector(dataplane_ref=DataplaneRef(name="a")), gateway)


def test_identities_are_all_services_of_the_proxies() -> None:
    found = identities([proxy("a", inbound(80), inbound(81, "api")), proxy("b", inbound(80))])
    assert [(each.type, each.value) for each in found] == [
        ("ServiceTag", "api"),
        ("ServiceTag", "web"),
    ]


def test_a_proxy_is_healthy_when_each_port_ends_at_a_ready_inbound() -> None:
    proxies = [
        proxy("good", inbound(80), inbound(81, name="admin")),
        proxy("half", inbound(80), inbound(81, name="admin", state="NotReady")),
        proxy("older-word", inbound(80, health={"ready": False}), inbound(81, name="admin")),
        proxy("ignored", inbound(80), inbound(81, name="admin", state="Ignored")),
        proxy("unnamed", inbound(80), inbound(81)),
    ]
    states = {"good": CERTIFIED, "half": ONLINE, "unnamed": GONE}
    found = counts(proxies, states, (port(1, 80), port(2, "admin")))
    assert (found.total, found.connected, found.healthy) == (5, 2, 1)


def test_a_service_without_ports_asks_nothing_of_its_proxies() -> None:
    assert counts([proxy("a", inbound(80))], {}, ()).healthy == 1


def test_a_port_without_a_target_ends_nowhere() -> None:
    assert counts([proxy("a", inbound(80))], {}, (port(80, 0),)).healthy == 0


@pytest.mark.parametrize(
    ("before", "states", "has_mtls", "after"),
    [
        ("", {"a": CERTIFIED, "b": GONE}, True, "Ready"),
        ("", {"a": CERTIFIED, "b": ONLINE}, True, "NotReady"),
        ("", {"a": CERTIFIED}, True, "NotReady"),
        ("NotReady", {}, True, "NotReady"),
        ("Ready", {}, True, "Ready"),
        ("Ready", {"a": CERTIFIED, "b": CERTIFIED}, False, "NotReady"),
    ],
)
def test_tls_is_ready_once_all_proxies_have_certificates_and_stays_so(
    before: str,
    states: dict[str, ProxyState],
    has_mtls: bool,
    after: str,
) -> None:
    proxies = [proxy("a", inbound(80)), proxy("b", inbound(80))]
    assert tls(before, proxies, states, has_mtls=has_mtls).status == after


def test_a_service_without_proxies_is_ready_for_tls() -> None:
    assert tls("", [], {}, has_mtls=True).status == "Ready"


@pytest.mark.parametrize(
    ("labels", "own"),
    [({}, True), ({"kuma.io/origin": "zone"}, True), ({"kuma.io/origin": "global"}, False)],
)
def test_another_zone_tells_of_its_own_services(labels: dict[str, str], own: bool) -> None:
    assert is_of_this_zone(labels) is own


def test_services_match_by_label_and_are_told_with_their_zone() -> None:
    services = {
        "pay": {"kuma.io/display-name": "payments", "kuma.io/zone": "west", "team": "a"},
        "pay-2": {"kuma.io/display-name": "payments", "kuma.io/zone": "east", "team": "a"},
        "web": {"team": "b"},
    }
    found = matched_services({"team": "a"}, services, "shop")
    assert [(each.name, each.zone, each.mesh) for each in found] == [
        ("payments", "east", "shop"),
        ("payments", "west", "shop"),
    ]
    assert [each.name for each in matched_services({"gone": ""}, services, "shop")] == [
        "payments",
        "payments",
        "web",
    ]
