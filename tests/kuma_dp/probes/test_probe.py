"""Requests to the proxy of probes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma_dp.probes.probe import Probe, health_check, read_probe, says_serving


def test_http_is_named_by_its_port_and_what_follows_it() -> None:
    headers = {"accept": "*/*", "host": "a", "connection": "close", "x-kuma-probes-timeout": "3"}
    assert read_probe("/8080/healthz", "a=b", headers) == Probe(
        kind="http", port=8080, seconds=3, target="/healthz?a=b", headers=(("accept", "*/*"),)
    )


@pytest.mark.parametrize(
    ("path", "kind", "port", "target"),
    [
        ("/80", "http", 80, "/"),
        ("/80/", "http", 80, "/"),
        ("/80/a b/é?#", "http", 80, "/a%20b/%C3%A9%3F%23"),
        ("/80/a\r\nb", "http", 80, "/a%0D%0Ab"),
        ("/tcp/65535", "tcp", 65535, "/"),
        ("/grpc/1/anything", "grpc", 1, "/anything"),
    ],
)
def test_a_path_names_kind_and_port(path: str, kind: str, port: int, target: str) -> None:
    probe = read_probe(path, "", {})
    assert probe == Probe(kind=kind, port=port, seconds=1, target=target)


@pytest.mark.parametrize(
    "path",
    ["", "/", "/healthz", "/0", "/65536", "/99999999999", "/tcp/", "/udp/80", "/8o", "/-1", "/٨٠"],
)
def test_what_names_no_port_is_no_probe(path: str) -> None:
    assert read_probe(path, "", {}) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", 1), ("0", 1), ("5", 5), ("-3", 1), ("x", 1), ("9" * 50, 1), ("999", 60)],
)
def test_time_is_bounded(text: str, seconds: float) -> None:
    probe = read_probe("/1", "", {"x-kuma-probes-timeout": text})
    assert probe is not None
    assert probe.seconds == seconds


def test_headers_say_scheme_host_and_service() -> None:
    headers = {
        "x-kuma-probes-scheme": "HTTPS",
        "x-kuma-probes-host": "example.org",
        "x-kuma-probes-grpc-service": "a.B",
    }
    probe = read_probe("/1", "", headers)
    assert probe is not None
    assert (probe.secure, probe.authority, probe.service) == (True, "example.org", "a.B")
    assert probe.headers == ()


@given(st.text(max_size=40), st.text(max_size=10))
def test_any_path_is_a_probe_or_none(path: str, query: str) -> None:
    probe = read_probe(path, query, {})
    assert probe is None or 0 < probe.port < 65536


@given(st.text(max_size=300))
def test_the_question_of_grpc_is_what_its_own_implementation_makes(service: str) -> None:
    from google.protobuf import wrappers_pb2

    # Any message with one text as its first member has the same form.
    found = wrappers_pb2.StringValue.FromString(health_check(service))
    assert found.value == service


@pytest.mark.parametrize(
    ("answer", "serving"), [(b"\x08\x01", True), (b"", False), (b"\x08\x02", False)]
)
def test_serving_is_the_only_good_answer_of_grpc(answer: bytes, serving: bool) -> None:
    assert says_serving(answer) is serving
