"""The first configuration of an Envoy."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from envoy.config.bootstrap.v3 import bootstrap_pb2
from google.protobuf import json_format

from kong_mesh_cp.core.xds.bootstrap.bootstrap_request import BootstrapRequest, ProxyVersions
from kong_mesh_cp.core.xds.bootstrap.envoy_bootstrap import (
    BootstrapFacts,
    BootstrapTerms,
    envoy_bootstrap,
)
from kong_mesh_cp.core.xds.bootstrap.socket_paths import access_log_socket

# The names of the types that an Any may hold.
from envoy.config.grpc_credential.v3 import file_based_metadata_pb2  # isort: skip
from envoy.extensions.access_loggers.file.v3 import file_pb2  # isort: skip
from envoy.extensions.regex_engines.v3 import google_re2_pb2  # isort: skip
from envoy.extensions.resource_monitors.downstream_connections.v3 import (  # isort: skip
    downstream_connections_pb2,
)
from envoy.extensions.resource_monitors.fixed_heap.v3 import fixed_heap_pb2  # isort: skip
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2  # isort: skip
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2  # isort: skip

KNOWN = (
    *(file_based_metadata_pb2, file_pb2, google_re2_pb2, downstream_connections_pb2),
    *(fixed_heap_pb2, tls_pb2, http_protocol_options_pb2),
)
REQUEST = BootstrapRequest(
    mesh="shop", name="web-1", token="a.b.c", workdir="/run/kuma-dp", features=("one",)
)
FACTS = BootstrapFacts(
    service="web", xds_host="10.0.0.1", ipv4_only=False, authority=b"-----BEGIN CERTIFICATE-----"
)
TERMS = BootstrapTerms()


def made(
    request: BootstrapRequest = REQUEST,
    facts: BootstrapFacts = FACTS,
    terms: BootstrapTerms = TERMS,
) -> dict[str, Any]:
    return envoy_bootstrap(request, facts, terms)


def cluster(bootstrap: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (x for x in bootstrap["staticResources"]["clusters"] if x["name"] == name)
    return dict(found)


@pytest.mark.parametrize("is_gateway", [False, True])
@pytest.mark.parametrize("heap_bytes", [0, 2**29])
@pytest.mark.parametrize("reloadable", [False, True])
@pytest.mark.parametrize("delta", [False, True])
def test_every_form_of_it_is_envoys_message(
    is_gateway: bool, heap_bytes: int, reloadable: bool, delta: bool
) -> None:
    request = replace(
        REQUEST,
        heap_bytes_max=heap_bytes,
        token_path="/run/token",
        dns_port=15054,
        dynamic_metadata={"a": "b"},
        resource="type: Dataplane",
        versions=ProxyVersions(version="2.10.11", envoy_compatible=True),
    )
    facts = replace(FACTS, is_builtin_gateway=is_gateway, xds_host="cp.example", ipv4_only=True)
    terms = replace(TERMS, reloadable_tokens=reloadable, delta=delta)
    assert KNOWN
    message = bootstrap_pb2.Bootstrap()
    json_format.ParseDict(made(request, facts, terms), message)  # knows every member
    assert message.node.id == "shop.web-1"


def test_envoy_is_who_its_kuma_dp_says() -> None:
    node = made()["node"]
    assert (node["id"], node["cluster"]) == ("shop.web-1", "web")
    assert node["metadata"] == {
        "version": {"kumaDp": {}, "envoy": {}},
        "features": ["one"],
        "workdir": "/run/kuma-dp",
        "metricsCertPath": "",
        "metricsKeyPath": "",
        "systemCaPath": "",
        "ipv6Enabled": False,
        "dataplane.proxyType": "dataplane",
        "dataplane.admin.port": "9901",
        "dataplane.admin.address": "127.0.0.1",
    }


def test_ports_are_texts_and_absent_where_there_are_none() -> None:
    request = replace(REQUEST, dns_port=15053, readiness_port=9400, app_probe_proxy=True)
    metadata = made(request)["node"]["metadata"]
    assert metadata["dataplane.dns.port"] == "15053"
    assert metadata["dataplane.readinessReporter.port"] == "9400"
    assert metadata["dataplane.appProbeProxy.enabled"] == "true"


@pytest.mark.parametrize(("own", "default", "port"), [(0, 9901, 9901), (9911, 9901, 9911)])
def test_the_admin_interface_is_where_the_resource_says(own: int, default: int, port: int) -> None:
    bootstrap = made(facts=replace(FACTS, admin_port=own), terms=replace(TERMS, admin_port=default))
    assert bootstrap["admin"]["address"]["socketAddress"]["portValue"] == port


def test_without_a_port_there_is_no_admin_interface() -> None:
    bootstrap = made(terms=replace(TERMS, admin_port=0))
    assert "admin" not in bootstrap
    assert "dataplane.admin.port" not in bootstrap["node"]["metadata"]


def test_what_windows_has_for_nothing_is_called_otherwise() -> None:
    def path(request: BootstrapRequest, terms: BootstrapTerms = TERMS) -> object:
        return made(request, terms=terms)["admin"]["accessLog"][0]["typedConfig"]["path"]

    windows = replace(REQUEST, operating_system="windows")
    assert path(REQUEST) == "/dev/null"
    assert path(windows) == "NUL"
    assert path(windows, replace(TERMS, admin_access_log_path="/x")) == "/x"


def test_the_token_goes_with_both_streams() -> None:
    bootstrap = made()
    told = [{"key": "authorization", "value": "a.b.c"}]
    for config in (bootstrap["dynamicResources"]["adsConfig"], bootstrap["hdsConfig"]):
        assert config["apiType"] == "GRPC"
        assert config["grpcServices"] == [
            {"envoyGrpc": {"clusterName": "ads_cluster"}, "initialMetadata": told}
        ]


def test_a_token_of_a_file_is_read_by_the_client_that_can() -> None:
    request = replace(REQUEST, token_path="/run/token")
    facts = replace(FACTS, xds_host="fd00::1")
    bootstrap = made(request, facts, replace(TERMS, reloadable_tokens=True))
    (service,) = bootstrap["dynamicResources"]["adsConfig"]["grpcServices"]
    assert service["googleGrpc"]["targetUri"] == "[fd00::1]:5678"
    assert "initialMetadata" not in service
    assert [x["name"] for x in bootstrap["staticResources"]["clusters"]] == ["access_log_sink"]


def test_a_token_without_a_file_is_given_as_ever() -> None:
    assert made(terms=replace(TERMS, reloadable_tokens=True)) == made()


def test_changes_alone_are_asked_for_where_that_is_set() -> None:
    bootstrap = made(terms=replace(TERMS, delta=True))
    assert bootstrap["dynamicResources"]["adsConfig"]["apiType"] == "DELTA_GRPC"
    assert bootstrap["hdsConfig"]["apiType"] == "GRPC"


@pytest.mark.parametrize("proxy_type", ["ingress", "egress"])
def test_proxies_of_zones_have_no_services_to_check(proxy_type: str) -> None:
    assert "hdsConfig" not in made(replace(REQUEST, mesh="", proxy_type=proxy_type))
    assert "hdsConfig" not in made(terms=replace(TERMS, hds=False))


@pytest.mark.parametrize(
    ("host", "kind"),
    [("10.0.0.1", "STATIC"), ("fd00::1", "STATIC"), ("cp.example", "STRICT_DNS")],
)
def test_the_control_plane_is_found_by_its_host_and_has_to_prove_it(host: str, kind: str) -> None:
    bootstrap = made(facts=replace(FACTS, xds_host=host), terms=replace(TERMS, xds_port=443))
    ads = cluster(bootstrap, "ads_cluster")
    (endpoint,) = ads["loadAssignment"]["endpoints"][0]["lbEndpoints"]
    assert ads["type"] == kind
    assert "dnsLookupFamily" not in ads
    assert endpoint["endpoint"]["address"]["socketAddress"] == {"address": host, "portValue": 443}
    assert ads["transportSocket"]["typedConfig"]["sni"] == host
    (secret,) = bootstrap["staticResources"]["secrets"]
    context = secret["validationContext"]
    assert context["matchTypedSubjectAltNames"] == [
        {"sanType": "DNS", "matcher": {"exact": host}},
        {"sanType": "IP_ADDRESS", "matcher": {"exact": host}},
    ]
    assert base64.b64decode(context["trustedCa"]["inlineBytes"]) == FACTS.authority


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [(1_000_000, "1s"), (7_000_000, "7s"), (250_000, "0.250s"), (1_000_001, "1.000001s")],
)
def test_the_wait_for_a_connection_is_that_of_the_settings(microseconds: int, text: str) -> None:
    bootstrap = made(terms=replace(TERMS, connect_timeout_microseconds=microseconds))
    assert {x["connectTimeout"] for x in bootstrap["staticResources"]["clusters"]} == {text}


def test_a_gateway_bounds_its_connections_and_where_it_knows_it_its_memory() -> None:
    gateway = replace(FACTS, is_builtin_gateway=True)
    terms = replace(TERMS, gateway_connections_max=777)
    bounded = made(replace(REQUEST, heap_bytes_max=2**29), gateway, terms)["overloadManager"]
    assert [x["typedConfig"] for x in bounded["resourceMonitors"]] == [
        {
            "@type": "type.googleapis.com/envoy.extensions.resource_monitors."
            "downstream_connections.v3.DownstreamConnectionsConfig",
            "maxActiveDownstreamConnections": "777",
        },
        {
            "@type": "type.googleapis.com/envoy.extensions.resource_monitors."
            "fixed_heap.v3.FixedHeapConfig",
            "maxHeapSizeBytes": str(2**29),
        },
    ]
    assert [x["triggers"][0]["threshold"]["value"] for x in bounded["actions"]] == [0.95, 0.98]
    assert "actions" not in made(facts=gateway, terms=terms)["overloadManager"]
    assert "overloadManager" not in made(replace(REQUEST, heap_bytes_max=2**29))


def test_a_gateway_has_runtime_settings_over_ads() -> None:
    layers = made(facts=replace(FACTS, is_builtin_gateway=True))["layeredRuntime"]["layers"]
    assert [each["name"] for each in layers] == ["kuma", "gateway.listeners"]


def test_a_socket_path_fits_where_the_kernel_keeps_it() -> None:
    assert access_log_socket("/run/x", "web-1", "shop") == "/run/x/kuma-al-web-1-shop.sock"
    assert access_log_socket("/run/x/", "ingress-1", "") == "/run/x/kuma-al-ingress-1-.sock"
    long = access_log_socket("/run/x", "w" * 200, "shop")
    assert len(long) == 98 + len(".sock")
    assert access_log_socket("/run/" + "é" * 100, "w", "shop").endswith(".sock")
