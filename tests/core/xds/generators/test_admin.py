"""Envoy's admin API, for the control plane alone (docs/wire/envoy-names.md#admin)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from kong_mesh_cp.core.xds.proxy_view import AdminTls, KeyPair
from support.specs.sidecars import Told, inbound, told, web

ADMIN = "kuma:envoy:admin"
READINESS = "kuma:readiness"
METADATA = ProxyMetadata(
    admin_port=9901, admin_address="127.0.0.1", readiness_port=9902, ipv6=False
)
TLS = AdminTls(server=KeyPair(b"chain", b"key"), authority=b"authority")


def place(cluster: Any) -> tuple[str, int]:
    (locality,) = cluster["loadAssignment"]["endpoints"]
    (endpoint,) = locality["lbEndpoints"]
    address = endpoint["endpoint"]["address"]["socketAddress"]
    return address["address"], address["portValue"]


def routes(chain: Any) -> dict[str, str]:
    """The cluster of each prefix."""
    (manager,) = chain["filters"]
    (host,) = manager["typedConfig"]["routeConfig"]["virtualHosts"]
    assert all(each["route"]["prefixRewrite"] == each["match"]["prefix"] for each in host["routes"])
    return {each["match"]["prefix"]: each["route"]["cluster"] for each in host["routes"]}


def own(**metadata: Any) -> Told:
    return told(web(), metadata=replace(METADATA, **metadata), admin_tls=TLS)


def test_in_plain_text_only_the_readiness_is_told() -> None:
    plain, secured = own().listeners[ADMIN]["filterChains"]
    assert "filterChainMatch" not in plain
    assert routes(plain) == {"/ready": READINESS}
    assert secured["filterChainMatch"] == {"transportProtocol": "tls"}
    assert routes(secured) == {"/ready": READINESS, "/": ADMIN}
    assert list(routes(secured)) == ["/ready", "/"]


def test_only_the_control_plane_may_ask_the_rest() -> None:
    _, secured = own().listeners[ADMIN]["filterChains"]
    context = secured["transportSocket"]["typedConfig"]
    assert context["requireClientCertificate"] is True
    trusted = context["commonTlsContext"]["validationContext"]
    assert trusted["matchTypedSubjectAltNames"] == [
        {"sanType": "DNS", "matcher": {"exact": "kuma-cp"}}
    ]
    assert set(trusted["trustedCa"]) == {"inlineBytes"}


def test_without_a_certificate_there_is_nothing_but_the_readiness() -> None:
    found = told(web(), metadata=METADATA)
    assert routes(found.chain(ADMIN)) == {"/ready": READINESS}


def test_the_listener_is_where_others_reach_the_proxy() -> None:
    address = own().listeners[ADMIN]["address"]["socketAddress"]
    assert (address["address"], address["portValue"]) == ("10.0.0.1", 9901)
    filters = own().listeners[ADMIN]["listenerFilters"]
    assert [each["name"] for each in filters] == ["envoy.filters.listener.tls_inspector"]


def test_a_proxy_on_the_address_of_its_admin_api_has_no_second_listener() -> None:
    document = web(inbound("web", 8080))
    document["networking"]["address"] = "127.0.0.1"
    found = told(document, metadata=METADATA, admin_tls=TLS)
    assert ADMIN not in found.listeners
    assert ADMIN in found.clusters


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("::1", "::1"),
        ("::", "::1"),
    ],
)
def test_what_listens_everywhere_is_asked_on_the_machine_itself(address: str, reached: str) -> None:
    cluster = own(admin_address=address, readiness_port=0).clusters[ADMIN]
    assert place(cluster) == (reached, 9901)
    assert cluster["altStatName"] == "kuma_envoy_admin"


@pytest.mark.parametrize("address", ["10.0.0.7", "metadata.internal", "localhost"])
def test_an_admin_api_elsewhere_is_refused_and_the_rest_is_told(address: str) -> None:
    found = own(admin_address=address)
    assert {ADMIN, READINESS} & {*found.clusters, *found.listeners} == set()
    assert set(found.clusters) == {"localhost:8080"}
    (complaint,) = found.complaints
    assert complaint == (
        f"{ADMIN}: envoy admin cluster is not allowed to have addresses other than "
        '"", "0.0.0.0", "127.0.0.1", "::", "::1"'
    )


def test_without_a_reporter_envoy_tells_its_readiness_itself() -> None:
    found = own(readiness_port=0)
    plain, _ = found.listeners[ADMIN]["filterChains"]
    assert routes(plain) == {"/ready": ADMIN}
    assert READINESS not in found.clusters


def test_without_an_admin_port_there_is_none_of_it() -> None:
    found = own(admin_port=0)
    assert set(found.clusters) == {"localhost:8080"}
    assert set(found.listeners) == {"inbound:10.0.0.1:8080"}
