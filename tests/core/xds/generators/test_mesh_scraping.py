"""Where a proxy is scraped as its Mesh says (docs/wire/metrics.md#mesh)."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from support.specs.sidecars import NOTHING_ELSE, Told, outbound, told, web
from support.specs.transparent_proxies import mesh

LISTENER = "kuma:metrics:prometheus"
METADATA = ProxyMetadata(ipv6=False, workdir="/run/p", admin_port=9901)
WITH_CERTIFICATE = ProxyMetadata(
    ipv6=False, admin_port=9901, metrics_cert_path="/c", metrics_key_path="/k"
)
MTLS = {"enabledBackend": "ca-1", "backends": [{"name": "ca-1", "type": "builtin"}]}


def measured(
    own: dict[str, Any] | None = None,
    *,
    metadata: ProxyMetadata = METADATA,
    mtls: dict[str, Any] | None = None,
    **conf: Any,
) -> Told:
    said = {"port": 5670, "path": "/metrics", **conf}
    backend = {"name": "p", "type": "prometheus", "conf": said}
    metrics = {"enabledBackend": "p", "backends": [backend]}
    members = {"metrics": metrics, **({} if mtls is None else {"mtls": mtls})}
    return told(mesh(**members), own or web(), metadata=metadata)


def rewritten(found: Told) -> str:
    (route,) = found.routes(LISTENER)
    path: str = route["route"]["prefixRewrite"]
    return path


@pytest.mark.parametrize(
    ("envoy", "path"),
    [
        ({}, "/"),
        ({"filterRegex": "http.*"}, "/?filter=http.*&"),
        ({"usedOnly": True}, "/?usedonly"),
        ({"filterRegex": "a", "usedOnly": True}, "/?filter=a&usedonly"),
    ],
)
def test_which_metrics_are_asked_for_is_in_the_path(envoy: dict[str, Any], path: str) -> None:
    assert rewritten(measured(envoy=envoy)) == path


def test_the_dataplane_has_the_last_word_where_it_says_something() -> None:
    own = {
        **web(),
        "metrics": {"type": "prometheus", "conf": {"port": 1, "envoy": {"usedOnly": False}}},
    }
    found = measured(own, envoy={"usedOnly": True})
    assert found.listeners[LISTENER]["address"]["socketAddress"]["portValue"] == 1
    # False says nothing in protobuf.
    assert rewritten(found) == "/?usedonly"


def test_a_port_that_the_proxy_has_is_left_alone_and_told() -> None:
    for own, port in (
        (web(), 8080),
        (
            web(
                to=(
                    outbound(
                        5670,
                        "x",
                    ),
                )
            ),
            5670,
        ),
    ):
        found = (
            measured(own, port=port)
            if port == 8080
            else measured(web(to=({"address": "10.0.0.1", **outbound(5670, "x")},)), port=port)
        )
        assert LISTENER not in found.listeners
        assert any(each.startswith(LISTENER) for each in found.complaints)


def test_without_an_admin_port_there_are_no_metrics() -> None:
    assert LISTENER not in measured(metadata=NOTHING_ELSE).listeners


def test_on_a_mesh_with_mtls_plain_text_is_for_the_proxy_itself() -> None:
    own, others = measured(mtls=MTLS).listeners[LISTENER]["filterChains"]
    (near,) = own["filterChainMatch"]["sourcePrefixRanges"]
    assert near == {"addressPrefix": "10.0.0.1", "prefixLen": 32}
    assert "transportSocket" in others


@pytest.mark.parametrize("conf", [{"skipMTLS": True}, {"tls": {"mode": "disabled"}}])
def test_tls_can_be_switched_off(conf: dict[str, Any]) -> None:
    assert "transportSocket" not in measured(mtls=MTLS, **conf).chain(LISTENER)


def test_tls_of_the_machine_needs_its_files() -> None:
    conf: dict[str, Any] = {"tls": {"mode": "providedTLS"}}
    assert "transportSocket" not in measured(mtls=MTLS, **conf).chain(LISTENER)
    _, secured = measured(metadata=WITH_CERTIFICATE, **conf).listeners[LISTENER]["filterChains"]
    assert "/c" in str(secured["transportSocket"])
