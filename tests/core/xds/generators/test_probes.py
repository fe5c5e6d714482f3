"""Health endpoints in plain text (docs/wire/envoy-names.md#probes)."""

from __future__ import annotations

from typing import Any

from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from support.specs.sidecars import inbound, told, web
from support.specs.transparent_proxies import Json

LISTENER = "probe:listener"


def probed(*endpoints: Json, **networking: Any) -> Json:
    own = web(inbound("web", 8080, "http", servicePort=9000), **networking)
    return {**own, "probes": {"port": 9009, "endpoints": list(endpoints)}}


def endpoint(port: int, path: str, application_path: str) -> Json:
    return {"inboundPort": port, "path": path, "inboundPath": application_path}


def routes(document: Json) -> Any:
    return told(document).routes(LISTENER)


def test_they_are_at_a_port_of_their_own_on_the_address_of_the_proxy() -> None:
    listener = told(probed(endpoint(9000, "/9000/health", "/health"))).listeners[LISTENER]
    address = listener["address"]["socketAddress"]
    assert (address["address"], address["portValue"]) == ("10.0.0.1", 9009)
    assert listener["trafficDirection"] == "INBOUND"


def test_exactly_the_path_is_handed_to_the_application_by_its_own_name() -> None:
    (route,) = routes(probed(endpoint(9000, "/9000/health", "/health")))
    assert route["match"] == {
        "path": "/9000/health",
        "headers": [{"name": ":method", "stringMatch": {"exact": "GET"}}],
    }
    assert route["route"]["cluster"] == "localhost:9000"
    assert route["route"]["regexRewrite"] == {"pattern": {"regex": ".*"}, "substitution": "/health"}


def test_a_port_that_no_inbound_has_is_for_the_asker_to_find() -> None:
    (route,) = routes(probed(endpoint(3000, "/3000/live", "/live")))
    assert route["redirect"] == {"portRedirect": 3000, "pathRedirect": "/live"}


def test_what_is_behind_the_path_does_not_count() -> None:
    (route,) = routes(probed(endpoint(9000, "/health?full=1", "/health?full=1")))
    assert route["match"]["path"] == "/health"
    assert route["route"]["regexRewrite"]["substitution"] == "/health"


def test_a_transparent_proxy_does_not_listen_itself() -> None:
    redirected = {"redirectPortInbound": 15006, "redirectPortOutbound": 15001}
    document = probed(endpoint(9000, "/h", "/h"), transparentProxying=redirected)
    assert told(document).listeners[LISTENER]["bindToPort"] is False


def test_where_kuma_dp_answers_them_there_is_no_listener() -> None:
    metadata = ProxyMetadata(app_probe_proxy=True)
    assert LISTENER not in told(probed(endpoint(9000, "/h", "/h")), metadata=metadata).listeners
    assert LISTENER not in told(web()).listeners
