"""Instances that are called by their own addresses (docs/wire/virtual-addresses.md#direct-access)."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.xds.generate import generate
from kong_mesh_cp.core.xds.names import CLUSTER, LISTENER
from kong_mesh_cp.core.xds.parts import Parts
from support.specs.transparent_proxies import (
    Json,
    inbound,
    made_for,
    mesh,
    proxy,
    shown,
    view_of,
    web,
)

PAY = proxy("pay-1", "10.0.0.2", inbound("pay"), inbound("admin", 81))


def direct(*documents: Json) -> list[str]:
    listeners = shown(made_for(*documents), LISTENER)
    return sorted(name for name in listeners if name.startswith("direct_access"))


def test_each_instance_of_the_services_has_a_listener_of_its_own() -> None:
    assert direct(web(directAccessServices=["pay"]), PAY) == ["direct_access_10.0.0.2:80"]
    assert direct(web(directAccessServices=["*"]), PAY) == [
        "direct_access_10.0.0.2:80",
        "direct_access_10.0.0.2:81",
    ]


def test_the_listeners_lead_to_the_address_that_was_called() -> None:
    made = made_for(web(directAccessServices=["pay"]), PAY)
    listener = shown(made, LISTENER)["direct_access_10.0.0.2:80"]
    assert listener["bindToPort"] is False
    (chain,) = listener["filterChains"]
    assert chain["filters"][0]["typedConfig"]["cluster"] == "direct_access"
    cluster = shown(made, CLUSTER)["direct_access"]
    assert cluster["type"] == "ORIGINAL_DST"
    assert "transportSocket" not in cluster


def test_an_instance_is_called_where_its_proxy_listens_whatever_its_state() -> None:
    others = proxy(
        "pay-1",
        "10.0.0.2",
        inbound("pay", 80, address="10.0.0.9"),
        inbound("pay", 81, state="Ignored"),
        inbound("pay", 82, state="NotReady"),
        advertisedAddress="192.0.2.1",
    )
    assert direct(web(directAccessServices=["pay"]), others) == [
        "direct_access_10.0.0.2:81",
        "direct_access_10.0.0.2:82",
        "direct_access_10.0.0.9:80",
    ]


def test_a_name_has_no_brackets_around_ipv6() -> None:
    far = proxy("pay-1", "fd00::2", inbound("pay"))
    assert direct(web(directAccessServices=["pay"]), far) == ["direct_access_fd00::2:80"]


def test_a_proxy_has_no_direct_access_to_itself() -> None:
    assert direct(web(directAccessServices=["*"])) == []


def test_an_address_that_an_outbound_has_is_not_taken_twice() -> None:
    external = {
        "type": "ExternalService",
        "mesh": "m",
        "name": "es",
        "networking": {"address": "10.0.0.2:80"},
        "tags": {"kuma.io/service": "outside"},
    }
    assert direct(web(directAccessServices=["pay"]), PAY, external) == []


@pytest.mark.parametrize(
    "transparent",
    [
        {},
        {"directAccessServices": ["pay"], "redirectPortInbound": 0},
        {"directAccessServices": ["pay"], "redirectPortOutbound": 0},
    ],
)
def test_without_redirection_or_services_there_is_none_of_it(transparent: Json) -> None:
    made = made_for(web(**transparent), PAY)
    assert "direct_access" not in shown(made, CLUSTER)
    assert not any(name.startswith("direct_access") for name in shown(made, LISTENER))


def test_with_mtls_any_proxy_of_the_mesh_is_who_was_called() -> None:
    backend = {"name": "ca", "type": "builtin"}
    secured = mesh(mtls={"enabledBackend": "ca", "backends": [backend]})
    view = view_of(secured, web(directAccessServices=["pay"]), PAY)
    tls = shown(generate(view, Parts()), CLUSTER)["direct_access"]["transportSocket"]["typedConfig"]
    assert "sni" not in tls
    context = tls["commonTlsContext"]["combinedValidationContext"]["defaultValidationContext"]
    assert context["matchTypedSubjectAltNames"] == [
        {"sanType": "URI", "matcher": {"prefix": "spiffe://m/"}}
    ]
