"""Who writes down what a proxy forwards (docs/wire/envoy-observability.md#access-logs)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kong_mesh_cp.core.xds.generate import generate
from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from kong_mesh_cp.core.xds.parts import Parts
from support.specs.edges import (
    ToldEdge,
    about_edge,
    by_path,
    edge,
    gateway,
    http_route,
    listener,
    tcp_route,
    to_tag,
)
from support.specs.sidecars import (
    NOTHING_ELSE,
    Told,
    inbound,
    instance,
    outbound,
    policy,
    to_mesh,
    to_service,
    told,
    web,
)
from support.specs.transparent_proxies import REDIRECTED, view_of

INBOUND = "inbound:10.0.0.1:8080"
PAY, SHIP = "outbound:127.0.0.1:10001", "outbound:127.0.0.1:10002"
CALLER = web(to=(outbound(10001, "pay"), outbound(10002, "ship")))
SERVICES = (instance("pay", "http"), instance("ship", "tcp", 3))
METADATA = ProxyMetadata(ipv6=False, workdir="/run/p")


def to_file(**more: object) -> dict[str, Any]:
    return {"type": "File", "file": {"path": "/l", **more}}


def to_tcp(**more: object) -> dict[str, Any]:
    return {"type": "Tcp", "tcp": {"address": "logs:5000", **more}}


def to_collector(endpoint: str, **more: object) -> dict[str, Any]:
    return {"type": "OpenTelemetry", "openTelemetry": {"endpoint": endpoint, **more}}


def plain(text: str, **more: object) -> dict[str, Any]:
    return {"format": {"type": "Plain", "plain": text, **more}}


def logs(found: Told, listener: str) -> list[Any]:
    return [each["typedConfig"] for each in found.filter(listener).get("accessLog", ())]


def line(found: Told, listener: str) -> str:
    """The format of the only log, which is a text."""
    (log,) = logs(found, listener)
    text: str = log["logFormat"]["textFormatSource"]["inlineString"]
    return text


def logged(*backends: dict[str, Any], metadata: ProxyMetadata = METADATA, **more: Any) -> Told:
    """As `to` says of all services."""
    found = policy("MeshAccessLog", to=to_mesh(backends=list(backends)), **more)
    return told(CALLER, *SERVICES, found, metadata=metadata)


@pytest.mark.parametrize("members", [{"from_": ...}, {"rules": ...}])
def test_an_inbound_is_logged_whichever_way_it_is_said(members: dict[str, Any]) -> None:
    conf = {"backends": [to_file(**plain("%KUMA_SOURCE_SERVICE% to %KUMA_DESTINATION_SERVICE%"))]}
    said: dict[str, Any] = {"from_": to_mesh(**conf), "rules": [{"default": conf}]}
    found = told(
        CALLER, *SERVICES, policy("MeshAccessLog", **{each: said[each] for each in members})
    )
    assert line(found, INBOUND) == "unknown to web\n"
    assert logs(found, PAY) == []


def test_placeholders_of_an_outbound_are_filled_in() -> None:
    text = (
        "%KUMA_MESH% %KUMA_SOURCE_ADDRESS% %KUMA_SOURCE_ADDRESS_WITHOUT_PORT%"
        " %KUMA_SOURCE_SERVICE% %KUMA_DESTINATION_SERVICE% %KUMA_TRAFFIC_DIRECTION% %DURATION%"
    )
    found = logged(to_file(**plain(text)))
    assert line(found, PAY) == "m 10.0.0.1:0 10.0.0.1 web pay OUTBOUND %DURATION%\n"
    assert logs(found, INBOUND) == []


def test_a_proxy_with_several_services_is_called_after_the_first_by_name() -> None:
    own = (inbound("web", 8080, "http"), inbound("admin", 8081, "http"))
    conf = {"backends": [to_file(**plain("%KUMA_DESTINATION_SERVICE%"))]}
    found = told(web(*own), policy("MeshAccessLog", rules=[{"default": conf}]))
    assert line(found, INBOUND) == line(found, "inbound:10.0.0.1:8081") == "admin\n"


def test_behind_nat_the_advertised_address_is_written_down() -> None:
    conf = {"backends": [to_file(**plain("%KUMA_SOURCE_ADDRESS_WITHOUT_PORT%"))]}
    own = web(advertisedAddress="192.0.2.7")
    assert line(told(own, policy("MeshAccessLog", rules=[{"default": conf}])), INBOUND) == (
        "192.0.2.7\n"
    )


def test_without_a_format_requests_and_connections_have_their_own() -> None:
    found = logged(to_file())
    assert line(found, PAY).startswith('[%START_TIME%] m "%REQ(:METHOD)% ')
    assert line(found, SHIP).startswith("[%START_TIME%] %RESPONSE_FLAGS% m 10.0.0.1(web)->")


def test_what_goes_over_tcp_is_written_into_the_pipe_of_kuma_dp() -> None:
    (log,) = logs(logged(to_tcp(**plain("hello", omitEmptyValues=True))), PAY)
    assert log["path"] == "/run/p/kuma-al-web-1-m.sock"
    assert log["logFormat"] == {
        "jsonFormat": {"address": "logs:5000", "message": "hello\n"},
        "omitEmptyValues": True,
    }


def test_json_is_an_object_in_a_file_and_inside_of_a_record() -> None:
    members = {"type": "Json", "json": [{"key": "to", "value": "%KUMA_DESTINATION_SERVICE%"}]}
    file, tcp = logs(logged(to_file(format=members), to_tcp(format=members)), PAY)
    assert file["logFormat"]["jsonFormat"] == {"to": "pay"}
    assert tcp["logFormat"]["jsonFormat"] == {"address": "logs:5000", "message": {"to": "pay"}}


def test_a_collector_has_a_cluster_and_takes_a_body_and_attributes() -> None:
    body = {"kvlistValue": {"values": [{"key": "%KUMA_MESH%", "value": {"stringValue": "x"}}]}}
    attributes = [{"key": "who", "value": "%KUMA_SOURCE_SERVICE%"}]
    found = logged(to_collector("otel.example", body=body, attributes=attributes))
    (log,) = logs(found, PAY)
    assert log["body"]["kvlistValue"]["values"][0]["key"] == "m"
    assert log["attributes"]["values"] == [{"key": "who", "value": {"stringValue": "web"}}]
    cluster = found.clusters["meshaccesslog:opentelemetry:0"]
    (place,) = cluster["loadAssignment"]["endpoints"][0]["lbEndpoints"]
    address = place["endpoint"]["address"]["socketAddress"]
    assert (cluster["type"], address["address"], address["portValue"]) == (
        "STRICT_DNS",
        "otel.example",
        4317,
    )


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("%KUMA_MESH%!", '"m!"'),
        ([1, "<"], '[1,"\\u003c"]'),
        ({"stringValue": 1}, '{"stringValue":1}'),
    ],
)
def test_a_body_that_is_no_value_is_taken_as_its_text(body: object, text: str) -> None:
    (log,) = logs(logged(to_collector("o", body=body)), SHIP)
    assert log["body"] == {"stringValue": text}


def test_an_object_without_a_value_is_as_no_body() -> None:
    (log,) = logs(logged(to_collector("o", body={"other": 1})), SHIP)
    assert log["body"]["stringValue"].startswith("[%START_TIME%] %RESPONSE_FLAGS% m ")


def test_collectors_are_counted_as_they_are_asked_for() -> None:
    found = told(
        CALLER,
        *SERVICES,
        policy("MeshAccessLog", "a", to=to_service("ship", backends=[to_collector("one")])),
        policy("MeshAccessLog", "b", to=to_service("pay", backends=[to_collector("two:1")])),
        policy("MeshAccessLog", "c", rules=[{"default": {"backends": [to_collector("three:2")]}}]),
        policy("MeshAccessLog", "d", to=to_service("unused", backends=[to_collector("four")])),
    )
    clusters = [
        each["loadAssignment"]["endpoints"][0]["lbEndpoints"][0]["endpoint"]["address"][
            "socketAddress"
        ]["address"]
        for name, each in sorted(found.clusters.items())
        if name.startswith("meshaccesslog:")
    ]
    assert clusters == ["three", "two", "one"]
    (log,) = logs(found, SHIP)
    service = log["commonConfig"]["grpcService"]["envoyGrpc"]
    assert service == {"clusterName": "meshaccesslog:opentelemetry:2"}


def test_an_empty_list_of_backends_logs_nothing() -> None:
    found = told(
        CALLER,
        *SERVICES,
        policy("MeshAccessLog", "a", to=to_service("pay", backends=[])),
        policy("MeshAccessLog", "b", to=to_mesh(backends=[to_file()])),
    )
    assert logs(found, PAY) == []
    assert len(logs(found, SHIP)) == 1


def test_what_is_for_no_service_is_logged_as_external() -> None:
    own = web(transparentProxying={**REDIRECTED, "directAccessServices": ["*"]})
    said = policy(
        "MeshAccessLog", to=to_mesh(backends=[to_file(**plain("%KUMA_DESTINATION_SERVICE%"))])
    )
    found = told(own, *SERVICES, said, metadata=METADATA)
    for family in ("ipv4", "ipv6"):
        assert line(found, f"outbound:passthrough:{family}") == "external\n"
        assert logs(found, f"inbound:passthrough:{family}") == []
    for place in ("10.0.0.2:80", "10.0.0.3:80"):
        assert line(found, f"direct_access_{place}") == f"direct_access_{place}\n"


def test_of_one_service_alone_nothing_else_is_logged() -> None:
    own = web(transparentProxying=REDIRECTED)
    said = policy("MeshAccessLog", to=to_service("pay", backends=[to_file()]))
    found = told(own, *SERVICES, said, metadata=METADATA)
    assert logs(found, "outbound:passthrough:ipv4") == []


def test_a_file_takes_the_lines_without_a_collector() -> None:
    assert not any(each.startswith("meshaccesslog") for each in logged(to_file()).clusters)
    assert logged(to_file(), metadata=NOTHING_ELSE).complaints == []


def test_a_log_of_inbounds_leaves_outbounds_to_be_shared() -> None:
    said = policy("MeshAccessLog", rules=[{"default": {"backends": [to_file()]}}])
    first = view_of(CALLER, *SERVICES, said, metadata=METADATA)
    other = replace(first.metadata, workdir="/run/other")
    parts = Parts()
    generate(first, parts)
    before = len(parts)
    generate(replace(first, metadata=other), parts)
    # The inbound names the proxy, and nothing else does: its plan, its listener, its cluster.
    assert len(parts) - before <= 3


def test_a_gateway_writes_down_what_it_sends_on_and_what_it_takes() -> None:
    def written(path: str) -> dict[str, Any]:
        names = "%KUMA_SOURCE_SERVICE% %KUMA_DESTINATION_SERVICE% %KUMA_TRAFFIC_DIRECTION%"
        form = {"type": "Plain", "plain": names}
        return {"backends": [{"type": "File", "file": {"path": path, "format": form}}]}

    logs = policy(
        "MeshAccessLog",
        targetRef={"kind": "Mesh", "proxyTypes": ["Gateway"]},
        to=to_mesh(**written("/out")),
        from_=to_mesh(**written("/in")),
    )
    found = ToldEdge(
        edge(), gateway(), instance("pay", "http"), http_route(by_path("/", to_tag("pay"))), logs
    )
    told_logs = [each["typedConfig"] for each in found.filter("edge:HTTP:8080")["accessLog"]]
    assert [
        (each["path"], each["logFormat"]["textFormatSource"]["inlineString"]) for each in told_logs
    ] == [("/out", "edge * OUTBOUND\n"), ("/in", "unknown edge INBOUND\n")]


def test_a_gateways_collectors_have_clusters() -> None:
    backends = [{"type": "OpenTelemetry", "openTelemetry": {"endpoint": "otel.example:4317"}}]
    found = ToldEdge(
        edge(),
        gateway(listener(9000, "TCP")),
        instance("pay", "tcp"),
        tcp_route(to_tag("pay")),
        about_edge("MeshAccessLog", to=to_mesh(backends=backends)),
    )
    (log,) = found.filter("edge:TCP:9000")["accessLog"]
    service = log["typedConfig"]["commonConfig"]["grpcService"]["envoyGrpc"]
    assert service["clusterName"] in found.clusters
