"""Which headers are those of a proxy, under any spelling."""

from __future__ import annotations

import re

import pytest

from kong_mesh_cp.shell.http.forwarding import is_forwarded

NAMES = re.findall(
    r"\S+",
    """
Forwarded Forwarded-For X-Forwarded X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto
X-Forwarded-Port X-Forwarded-Server X-Forwarded-Client-Cert X-Forwarded-By X-Original-Forwarded-For
Forwarded-Proto Front-End-Https Max-Forwards Via X-Via X-BlueCoat-Via X-Real-IP X-Real-Port
X-Client-IP Client-IP X-Cluster-Client-IP True-Client-IP CF-Connecting-IP CF-Connecting-IPv6 CF-Ray
CF-IPCountry CDN-Loop Fastly-Client-IP Fastly-FF Fly-Client-IP X-Originating-IP X-Remote-IP
X-Remote-Addr Remote-Addr X-Remote-User X-ProxyUser-Ip X-Proxy-Id Proxy-Connection
Proxy-Authorization WL-Proxy-Client-IP X-Envoy-External-Address X-Envoy-Internal
X-Envoy-Expected-Rq-Timeout-Ms X-Envoy-Attempt-Count X-Amzn-Trace-Id X-Amz-Cf-Id X-Azure-ClientIP
X-Azure-SocketIP X-Appengine-User-IP X-Cloud-Trace-Context X-Original-URL X-Original-Host
X-Rewrite-URL X-Host X-Scheme X-Nginx-Proxy X-Varnish Surrogate-Capability X-ARR-LOG-ID
X-Akamai-Edgescape Akamai-Origin-Hop X-LB-Client l5d-client-id X-Sucuri-ClientIP Incap-Client-IP
Ali-CDN-Real-IP CDN-Src-IP X-Source-IP X-Peer-IP X-Client-Address X-User-IP Ngrok-Agent-Ips
Tailscale-User-Login SSL-Client-Cert X-SSL-Client-Verify X-Cluster-Addr X-Istio-Attributes
X-Traefik-Router X-Auth-Request-User X-Authenticated-User X-WebAuth-User X-Consumer-ID
X-Kong-Request-Id Kong-Upstream-Latency X-Client-Cert X-Client-Verify X-Accel-Internal Early-Data
""",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_header_that_proxies_add_is_theirs_in_every_spelling(name: str) -> None:
    lower = name.lower()
    spellings = (lower, name.upper(), lower.replace("-", "_"), lower.replace("-", "."),
                 f"{lower}-", f"http_{lower.replace('-', '_')}")  # fmt: skip
    for spelling in spellings:
        assert is_forwarded(["host", spelling]), spelling


@pytest.mark.parametrize("name", ["XForwardedFor", "xrealip", "truecLIENTip", "x-forwarded_for"])
def test_it_is_theirs_without_separators_too(name: str) -> None:
    assert is_forwarded([name])


def test_headers_that_clients_send_for_themselves_are_not() -> None:
    names = """
    host user-agent accept accept-encoding accept-language accept-charset authorization cookie
    cache-control pragma connection keep-alive content-type content-length content-encoding expect
    transfer-encoding te trailer upgrade-insecure-requests dnt priority origin referer from range
    if-match if-none-match if-modified-since sec-fetch-site sec-fetch-mode sec-fetch-dest
    sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-gpc x-requested-with x-request-id
    x-correlation-id traceparent tracestate baggage b3 x-b3-traceid idempotency-key date
    x-csrf-token x-api-key x-client-version x-custom
    """
    assert not is_forwarded(re.findall(r"\S+", names))
