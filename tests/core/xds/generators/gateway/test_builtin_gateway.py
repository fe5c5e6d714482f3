"""What a builtin gateway is told, whichever routes say it (docs/wire/gateways.md#listeners)."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest

from kong_mesh_cp.core.xds.generate import Generated, generate
from kong_mesh_cp.core.xds.names import CLUSTER, LISTENER, ROUTE, RUNTIME, SECRET
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.shown import as_json
from support.fakes.authorities import certificate, ec_key, private_pem
from support.fakes.identity import pem
from support.specs.edges import (
    ToldEdge,
    by_path,
    edge,
    gateway,
    http_route,
    listener,
    tcp_route,
    to_tag,
)
from support.specs.sidecars import NOTHING_ELSE, external, instance, older, policy, tags
from support.specs.transparent_proxies import Json, view_of

PAY = instance("pay", "http")
ROUTE_TO_PAY = http_route(by_path("/x", to_tag("pay"), match="Exact"))
RSA = (certificate() + pem()).decode()
ECDSA = (certificate(ec_key()) + private_pem(ec_key())).decode()
OTHER = (certificate(ec_key(2)) + private_pem(ec_key(2))).decode()
LIMITS = "envoy.resource_limits.listener"


def told(*documents: Any) -> ToldEdge:
    return ToldEdge(edge(), PAY, *documents)


def made(*documents: Any, parts: Parts | None = None) -> Generated:
    return generate(view_of(edge(), PAY, *documents, metadata=NOTHING_ELSE), parts or Parts())


def runtime(made: Generated) -> Any:
    shown: Any = as_json(made.snapshot)
    return shown[RUNTIME]["gateway.listeners"]["layer"]


def https(*certificates: Json, port: int = 8443, **members: object) -> Json:
    tls = {"mode": "TERMINATE", "certificates": [*certificates]}
    return listener(port, "HTTPS", tls=tls, **members)


def inline(text: str) -> Json:
    return {"inlineString": text}


def mtls(name: str = "m") -> Json:
    backends = [{"name": "ca-1", "type": "builtin"}]
    return {"type": "Mesh", "name": name, "mtls": {"enabledBackend": "ca-1", "backends": backends},
            "skipCreatingInitialPolicies": ["*"]}  # fmt: skip


def secrets(found: Generated) -> list[str]:
    of_type = found.snapshot.by_type.get(SECRET)
    return [] if of_type is None else sorted(of_type.resources)


def test_a_policy_whose_target_is_not_there_is_told_as_long_as_it_is() -> None:
    lost = policy(
        "MeshRetry",
        targetRef={"kind": "MeshHTTPRoute", "name": "gone"},
        to=[{"targetRef": {"kind": "Mesh"}, "default": {"http": {"numRetries": 3}}}],
    )
    view, parts = (
        view_of(edge(), PAY, gateway(), ROUTE_TO_PAY, lost, metadata=NOTHING_ELSE),
        Parts(),
    )
    first = generate(view, parts)
    assert "with name 'gone'" in first.complaints[0].reason
    parts.turn()
    assert generate(view, parts).complaints == first.complaints


def test_without_a_gateway_resource_there_are_no_limits_and_nothing_else() -> None:
    found = made()
    assert runtime(found) == {}
    assert not any(found.snapshot.of_type(each).resources for each in (CLUSTER, LISTENER, ROUTE))


def test_limits_of_all_ports_are_in_one_layer_whatever_routes_they_have() -> None:
    ports = gateway(
        listener(resources={"connectionLimit": 10}),
        listener(9000, "TCP", resources={"connectionLimit": 7}),
        listener(8081),
    )
    found = made(ports, ROUTE_TO_PAY, tcp_route(to_tag("pay")))
    assert runtime(found) == {
        f"{LIMITS}.edge:HTTP:8080.connection_limit": 10,
        f"{LIMITS}.edge:TCP:9000.connection_limit": 7,
    }


def test_a_port_that_no_newer_route_is_about_has_those_of_the_older_generation() -> None:
    older_route = {
        "type": "MeshGatewayRoute",
        "mesh": "m",
        "name": "o",
        "selectors": [{"match": tags("edge")}],
        "conf": {"http": {"rules": [{
            "matches": [{"path": {"match": "EXACT", "value": "/older"}}],
            "backends": [{"weight": 1, "destination": tags("pay")}],
        }]}},
    }  # fmt: skip
    about_one = http_route(
        by_path("/newer", to_tag("pay"), match="Exact"),
        target={"kind": "MeshGateway", "name": "edge", "tags": {"port": "one"}},
    )
    found = told(gateway(listener(tags={"port": "one"}), listener(8081)), older_route, about_one)
    paths = {name: [each["match"]["path"] for each in found.table(name)] for name in found.tables}
    assert paths == {"edge:HTTP:8080:*": ["/newer"], "edge:HTTP:8081:*": ["/older"]}


def test_tls_ends_with_the_certificates_of_the_host_by_their_secrets() -> None:
    found = made(gateway(https(inline(RSA), inline(ECDSA), hostname="a.example")), ROUTE_TO_PAY)
    assert secrets(found) == [
        "cert.ecdsa:inlineString:a.example",
        "cert.rsa:inlineString:a.example",
    ]
    shown: Any = as_json(found.snapshot)
    (chain,) = shown[LISTENER]["edge:HTTPS:8443"]["filterChains"]
    assert chain["filterChainMatch"] == {"transportProtocol": "tls", "serverNames": ["a.example"]}
    context = chain["transportSocket"]["typedConfig"]["commonTlsContext"]
    named = [each["name"] for each in context["tlsCertificateSdsSecretConfigs"]]
    assert named == ["cert.rsa:inlineString:a.example", "cert.ecdsa:inlineString:a.example"]


def test_a_new_certificate_touches_no_listener() -> None:
    def with_content(text: str) -> Generated:
        data = b64encode(text.encode()).decode()
        secret = {"type": "Secret", "mesh": "m", "name": "cert", "data": data}
        return made(secret, gateway(https({"secret": "cert"})), ROUTE_TO_PAY)

    before, after = with_content(ECDSA), with_content(OTHER)
    assert secrets(before) == secrets(after) == ["cert.ecdsa:secret:cert"]
    assert before.snapshot.of_type(SECRET) != after.snapshot.of_type(SECRET)
    for each in (LISTENER, ROUTE, CLUSTER):
        assert before.snapshot.of_type(each) == after.snapshot.of_type(each)


def test_a_host_whose_certificate_is_not_there_is_left_out_and_told() -> None:
    hosts = (
        https({"secret": "gone"}, hostname="a.example"),
        https(inline(RSA), hostname="b.example"),
    )
    found = told(gateway(*hosts), ROUTE_TO_PAY)
    (chain,) = found.listeners["edge:HTTPS:8443"]["filterChains"]
    assert chain["filterChainMatch"]["serverNames"] == ["b.example"]
    (complaint,) = found.complaints
    assert "edge:HTTPS:8443: a certificate of a.example cannot be used" in complaint
    assert '"gone", which is not there' in complaint


def test_a_listener_without_any_chain_is_not_there() -> None:
    found = told(gateway(https({"secret": "gone"}), listener()), ROUTE_TO_PAY)
    assert list(found.listeners) == ["edge:HTTP:8080"]


def test_two_certificates_of_one_kind_are_told() -> None:
    found = told(gateway(https(inline(ECDSA), inline(OTHER))), ROUTE_TO_PAY)
    assert not found.listeners
    assert any("have keys of one kind" in each for each in found.complaints)


def test_what_stands_inline_at_two_ports_stays_apart() -> None:
    found = made(gateway(https(inline(ECDSA)), https(inline(OTHER), port=8444)), ROUTE_TO_PAY)
    assert secrets(found) == ["cert.ecdsa:inlineString:*", "cert.ecdsa:inlineString:*:8444"]
    same = made(gateway(https(inline(ECDSA)), https(inline(ECDSA), port=8444)), ROUTE_TO_PAY)
    assert secrets(same) == ["cert.ecdsa:inlineString:*"]


def test_tls_that_is_passed_through_is_told_apart_by_the_name_that_is_asked_for() -> None:
    passing = [
        listener(9443, "TLS", hostname=each, tls={"mode": "PASSTHROUGH"})
        for each in ("*", "db.example")
    ]
    found = told(gateway(*passing), tcp_route(to_tag("pay")))
    chains = found.listeners["edge:TLS:9443"]["filterChains"]
    assert [each["filterChainMatch"] for each in chains] == [
        {"transportProtocol": "tls", "serverNames": ["db.example"]},
        {"transportProtocol": "tls"},
    ]
    assert not any("transportSocket" in each for each in chains)


def test_a_listener_for_other_meshes_asks_for_a_certificate_of_any_mesh() -> None:
    crossing = gateway(listener(hostname="shop.mesh", crossMesh=True))
    found = told(mtls(), crossing, ROUTE_TO_PAY)
    chain = found.chain("edge:HTTP:8080")
    assert chain["filterChainMatch"] == {
        "transportProtocol": "tls",
        "applicationProtocols": ["kuma"],
    }
    context = chain["transportSocket"]["typedConfig"]
    assert context["requireClientCertificate"] is True
    trusted = context["commonTlsContext"]["combinedValidationContext"]
    assert trusted["validationContextSdsSecretConfig"]["name"] == "mesh_ca:secret:all"
    assert trusted["defaultValidationContext"] == {}


def test_without_mtls_there_is_no_listener_for_other_meshes() -> None:
    found = told(gateway(listener(crossMesh=True)), ROUTE_TO_PAY)
    assert not found.listeners
    assert found.complaints == [
        "edge:HTTP:8080: a listener for other meshes needs mTLS of its own mesh"
    ]


def test_a_route_whose_places_get_no_share_answers_an_error_and_is_told() -> None:
    nowhere = by_path("/x", to_tag("pay", 0), to_tag("audit", 0), match="Exact")
    found = told(gateway(), http_route(nowhere, by_path("/y", to_tag("pay"), match="Exact")))
    first, second = found.table()
    assert first["directResponse"] == {"status": 500}
    assert first["match"] == {"path": "/x"}
    assert "route" in second
    assert found.complaints == [
        "edge:HTTP:8080:*: r: none of the places that the route leads to gets any share"
    ]


@pytest.mark.parametrize("permitted", [False, True])
def test_what_is_outside_of_the_mesh_is_not_told_whose_request_it_gets(*, permitted: bool) -> None:
    outside = external("bin", "bin.example:80")
    permission = older("TrafficPermission", to="bin" if permitted else "pay")
    both = http_route(by_path("/x", to_tag("bin"), to_tag("pay"), match="Exact"))
    found = told(gateway(), outside, permission, both)
    (route,) = found.table()
    shares = {
        each["name"].rpartition("-")[0]: "requestHeadersToAdd" in each
        for each in route["route"]["weightedClusters"]["clusters"]
    }
    assert shares == {"bin": not permitted, "pay": True}
    # One that it may not call is one of the mesh that nobody offers.
    assert found.cluster("bin")["type"] == ("STRICT_DNS" if permitted else "EDS")


def test_clusters_are_called_after_their_service_in_metrics() -> None:
    dotted = instance("pay.v1", "http", last=4)
    found = told(gateway(), dotted, http_route(by_path("/x", to_tag("pay.v1"))))
    assert found.cluster("pay.v1")["altStatName"] == "pay_v1"


def test_equal_worlds_share_what_was_made() -> None:
    parts = Parts()
    view = view_of(edge(), PAY, gateway(), ROUTE_TO_PAY, metadata=NOTHING_ELSE)
    first, again = generate(view, parts), generate(view, parts)
    one, other = (each.snapshot.of_type(LISTENER).resources for each in (first, again))
    assert all(one[name] is other[name] for name in one)


def test_endpoints_that_come_are_those_that_are_there_from_scratch() -> None:
    parts = Parts()
    before = view_of(edge(), PAY, gateway(), ROUTE_TO_PAY, metadata=NOTHING_ELSE)
    now = view_of(
        edge(), PAY, gateway(), ROUTE_TO_PAY, instance("pay", "http", last=9), metadata=NOTHING_ELSE
    )
    moved = replace(before.world, endpoints=now.world.endpoints)
    made_before = generate(before, parts)
    assert (
        made_before.with_endpoints({"pay"}, moved, parts).snapshot
        == generate(now, Parts()).snapshot
    )
