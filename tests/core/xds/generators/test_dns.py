"""The names that a proxy answers for (docs/wire/virtual-addresses.md#dns)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kong_mesh_cp.core.xds.generate import generate
from kong_mesh_cp.core.xds.names import LISTENER
from kong_mesh_cp.core.xds.parts import Parts
from support.specs.service_documents import external, mesh_service, reached_at
from support.specs.transparent_proxies import (
    Json,
    inbound,
    made_for,
    proxy,
    shown,
    view_of,
    web,
)
from support.suites.recorded_proxies import METADATA

PAY = proxy("pay-1", "10.0.0.2", inbound("pay_1"))


def answers(listeners: dict[str, Json]) -> dict[str, list[str]]:
    (found,) = listeners["kuma:dns"]["listenerFilters"]
    table: Any = found["typedConfig"]["serverConfig"]["inlineDnsTable"]
    return {
        each["name"]: each["endpoint"]["addressList"]["address"]
        for each in table.get("virtualDomains", ())
    }


def test_each_name_has_its_address_and_the_form_of_it_in_ipv6() -> None:
    assert answers(shown(made_for(web(), PAY), LISTENER)) == {
        "pay.1.mesh": ["240.0.0.0", "::ffff:f000:0"],
        "pay_1.mesh": ["240.0.0.0", "::ffff:f000:0"],
        "web.mesh": ["240.0.0.1", "::ffff:f000:1"],
    }


def test_where_all_is_ipv4_there_is_no_other_form() -> None:
    found = answers(shown(made_for(web(ipFamilyMode="IPv4")), LISTENER))
    assert found == {"web.mesh": ["240.0.0.0"]}


def test_names_are_sorted_and_an_answer_holds_for_half_a_minute() -> None:
    listener = shown(made_for(web(), PAY), LISTENER)["kuma:dns"]
    (found,) = listener["listenerFilters"]
    domains = found["typedConfig"]["serverConfig"]["inlineDnsTable"]["virtualDomains"]
    assert [each["name"] for each in domains] == ["pay.1.mesh", "pay_1.mesh", "web.mesh"]
    assert {each["answerTtl"] for each in domains} == {"30s"}


def test_it_listens_on_loopback_for_datagrams_where_kuma_dp_said() -> None:
    metadata = replace(METADATA, dns_port=15053)
    listener = shown(made_for(web(), metadata=metadata), LISTENER)["kuma:dns"]
    assert listener["address"] == {
        "socketAddress": {"protocol": "UDP", "address": "127.0.0.1", "portValue": 15053}
    }
    assert listener["enableReusePort"] is True
    assert "bindToPort" not in listener


def test_what_cannot_be_reached_is_not_known() -> None:
    assert answers(shown(made_for(web(reachableServices=["web"]), PAY), LISTENER)) == {
        "web.mesh": ["240.0.0.1", "::ffff:f000:1"]
    }
    assert answers(shown(made_for(web(reachableServices=["none"])), LISTENER)) == {}


@pytest.mark.parametrize(
    ("document", "port"),
    [(web(), 0), (proxy("web-1", "10.0.0.1", inbound("web")), 15054)],
)
def test_without_a_port_or_redirection_nobody_asks(document: Json, port: int) -> None:
    made = made_for(document, metadata=replace(METADATA, dns_port=port))
    assert "kuma:dns" not in shown(made, LISTENER)


def test_proxies_that_reach_the_same_share_one_listener() -> None:
    parts = Parts()
    view = view_of(web(), PAY)
    first, second = generate(view, parts), generate(view, parts)
    listeners = [made.snapshot.by_type[LISTENER].resources["kuma:dns"] for made in (first, second)]
    assert listeners[0] is listeners[1]


def test_names_of_resources_resolve_to_the_first_of_their_addresses() -> None:
    status = reached_at("241.0.0.0", "pay.svc.mesh.local", "pay.own")
    status["vips"].append({"ip": "241.0.0.9"})
    found = answers(shown(made_for(web(), mesh_service("pay", status=status)), LISTENER))
    address = ["241.0.0.0", "::ffff:f100:0"]
    assert {each: found[each] for each in ("pay.svc.mesh.local", "pay.own")} == {
        "pay.svc.mesh.local": address,
        "pay.own": address,
    }
    unreached = web(reachableBackends={"refs": []})
    found = answers(shown(made_for(unreached, mesh_service("pay", status=status)), LISTENER))
    assert "pay.own" not in found


def test_of_one_name_of_two_resources_the_later_kind_has_it() -> None:
    service = mesh_service("pay", status=reached_at("241.0.0.0", "pay.own"))
    status = {"vip": {"ip": "242.0.0.0"}, "addresses": [{"hostname": "pay.own"}]}
    found = answers(shown(made_for(web(), service, external("pay", status=status)), LISTENER))
    assert found["pay.own"][0] == "242.0.0.0"
