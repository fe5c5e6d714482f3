"""Services outside of the mesh (docs/wire/older-policies.md#services-outside-of-the-mesh)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from support.specs.sidecars import (
    ROUTE_ALL,
    external,
    instance,
    older,
    outbound,
    policy,
    told,
    web,
)
from support.specs.transparent_proxies import Json, mesh

LISTENER = "outbound:127.0.0.1:10001"
CALLER = web(to=(outbound(10001, "pay"),))
EGRESS = {
    "type": "ZoneEgress",
    "name": "egress-1",
    "zone": "default",
    "networking": {"address": "10.6.0.1", "port": 10002},
}
THROUGH = {"routing": {"zoneEgress": True}}
MTLS = {"mtls": {"enabledBackend": "ca", "backends": [{"name": "ca", "type": "builtin"}]}}


def options(cluster: Any) -> Any:
    (found,) = cluster["typedExtensionProtocolOptions"].values()
    return found["explicitHttpConfig"]


def tls(cluster: Any) -> Any:
    (found,) = cluster["transportSocketMatches"]
    return found["transportSocket"]["typedConfig"]


@pytest.mark.parametrize(
    ("protocol", "spoken"),
    [
        ("http", {"httpProtocolOptions": {}}),
        ("http2", {"http2ProtocolOptions": {}}),
        ("grpc", {"http2ProtocolOptions": {}}),
    ],
)
def test_it_is_spoken_to_as_it_speaks_itself_under_the_name_of_its_host(
    protocol: str, spoken: Json
) -> None:
    found = told(CALLER, external("pay", "pay.example:80", protocol))
    cluster = found.clusters["pay"]
    assert cluster["type"] == "STRICT_DNS"
    assert options(cluster) == spoken
    assert "pay" not in found.endpoints
    (only,) = found.routes(LISTENER)
    assert only["route"]["autoHostRewrite"] is True


def test_one_that_a_proxy_offers_is_no_longer_outside() -> None:
    found = told(CALLER, external("pay", "192.0.2.1:80"), instance("pay", "http"))
    assert found.clusters["pay"]["type"] == "EDS"


def test_a_route_says_another_host_if_it_wants() -> None:
    rewrite = {"type": "URLRewrite", "urlRewrite": {"hostname": "inner"}}
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "default": {"filters": [rewrite]},
    }
    route = policy(
        "MeshHTTPRoute",
        to=[{"targetRef": {"kind": "MeshService", "name": "pay"}, "rules": [rule]}],
    )
    (only,) = told(CALLER, external("pay", "pay.example:80"), route).routes(LISTENER)
    assert only["route"]["hostRewriteLiteral"] == "inner"


def test_each_place_is_spoken_to_in_its_own_tls() -> None:
    secured = external(
        "pay", "pay.example:443", tls={"enabled": True, "caCert": {"inlineString": "CA"}}
    )
    plain = {**external("pay", "other.example:80"), "name": "plain"}
    cluster = told(CALLER, secured, plain).clusters["pay"]
    (match,) = cluster["transportSocketMatches"]
    assert match["match"] == {"kuma.io/protocol": "http", "kuma.io/external-service-name": "pay"}
    context = tls(cluster)
    assert context["sni"] == "pay.example"
    validation = context["commonTlsContext"]["validationContext"]
    assert base64.b64decode(validation["trustedCa"]["inlineBytes"]) == b"CA"
    assert [
        (each["sanType"], each["matcher"]) for each in validation["matchTypedSubjectAltNames"]
    ] == [("DNS", {"exact": "pay.example"}), ("IP_ADDRESS", {"exact": "pay.example"})]


def test_an_address_is_no_server_name_but_one_that_a_certificate_may_have() -> None:
    said = {"enabled": True, "caCert": {"inlineString": "CA"}}
    context = tls(told(CALLER, external("pay", "192.0.2.1:443", tls=said)).clusters["pay"])
    assert "sni" not in context
    names = context["commonTlsContext"]["validationContext"]["matchTypedSubjectAltNames"]
    assert names[1] == {"sanType": "IP_ADDRESS", "matcher": {"exact": "192.0.2.1"}}
    said["skipHostnameVerification"] = True
    context = tls(told(CALLER, external("pay", "192.0.2.1:443", tls=said)).clusters["pay"])
    assert set(context["commonTlsContext"]["validationContext"]) == {"trustedCa"}


def test_certificates_come_from_secrets_of_the_mesh() -> None:
    said = {
        "enabled": True,
        "caCert": {"secret": "ca"},
        "clientCert": {"inline": base64.b64encode(b"CERT").decode()},
        "clientKey": {"inlineString": "KEY"},
    }
    secret = {
        "type": "Secret",
        "mesh": "m",
        "name": "ca",
        "data": base64.b64encode(b"CA").decode(),
    }
    service = external("pay", "pay.example:443", tls=said)
    common = tls(told(CALLER, service, secret).clusters["pay"])["commonTlsContext"]
    (pair,) = common["tlsCertificates"]
    assert base64.b64decode(pair["privateKey"]["inlineBytes"]) == b"KEY"
    found = told(CALLER, service)
    assert found.complaints == [
        'pay: ExternalService "pay" is left out: caCert names the Secret "ca", which is not there'
    ]
    assert found.clusters["pay"]["type"] == "EDS"


def test_a_file_of_the_control_plane_is_nobodys_certificate() -> None:
    said = {"enabled": True, "caCert": {"file": "/etc/passwd"}}
    found = told(CALLER, external("pay", "pay.example:443", tls=said))
    (complaint,) = found.complaints
    assert complaint.endswith("caCert has to be a secret, inline or inlineString")


def test_through_an_egress_it_is_told_the_service_in_the_meshs_tls() -> None:
    found = told(mesh(**THROUGH, **MTLS), CALLER, external("pay", "pay.example:80"), EGRESS)
    cluster = found.clusters["pay"]
    assert cluster["type"] == "EDS"
    context = cluster["transportSocket"]["typedConfig"]
    assert context["sni"] == "pay{mesh=m}"
    assert "spiffe://m/zone-egress" in str(context)
    assert "10.6.0.1" in str(found.endpoints["pay"])


def test_without_an_egress_it_is_a_service_without_instances() -> None:
    found = told(mesh(**THROUGH), CALLER, external("pay", "pay.example:80"))
    assert found.endpoints["pay"] == {"clusterName": "pay"}
    assert "cluster" in found.filter(LISTENER)


def test_traffic_routes_lead_out_only_where_a_permission_lets_the_proxy() -> None:
    service = external("pay", "pay.example:80")
    permission = older("TrafficPermission", to="pay", by="web")
    found = told(CALLER, service, ROUTE_ALL)
    assert found.endpoints["pay"] == {"clusterName": "pay"}
    found = told(CALLER, service, ROUTE_ALL, older("TrafficPermission", to="pay", by="other"))
    assert found.endpoints["pay"] == {"clusterName": "pay"}
    found = told(CALLER, service, ROUTE_ALL, permission)
    assert found.clusters["pay"]["type"] == "STRICT_DNS"
    (only,) = found.routes(LISTENER)
    assert only["route"]["autoHostRewrite"] is True


def test_requests_to_it_are_limited_where_they_leave() -> None:
    service = external("pay", "pay.example:80")
    permission = older("TrafficPermission", to="pay")
    limit = older("RateLimit", to="pay", conf={"http": {"requests": 5, "interval": "10s"}})
    found = told(CALLER, service, ROUTE_ALL, permission, limit)
    (only,) = found.routes(LISTENER)
    assert set(only["typedPerFilterConfig"]) == {"envoy.filters.http.local_ratelimit"}
