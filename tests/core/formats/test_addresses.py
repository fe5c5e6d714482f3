"""Addresses, hosts and URLs, judged as Go judges them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.addresses import (
    hostname_reasons,
    is_dns_name,
    is_ip,
    is_same_ip,
    join_host_port,
    parse_request_uri,
    split_host_port,
)


@pytest.mark.parametrize(
    "text", ["192.168.0.1", "0.0.0.0", "::", "::1", "0:0:0:0:0:FFFF:C0A8:0001", "::ffff:1.2.3.4"]
)
def test_an_address_is_an_address(text: str) -> None:
    assert is_ip(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "1.2.3.4/32",
        "fe80::1%eth0",
        "a",
        "١.2.3.4",
    ],
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert not is_ip(text)


@pytest.mark.parametrize("text", ["example.com", "localhost", "a_b.example", "example.com.", "A"])
def test_a_name_is_what_resolvers_take(text: str) -> None:
    assert is_dns_name(text)


@pytest.mark.parametrize("text", ["", "..>_<..", "a..b", "-a", "a b", "1.2.3.4", "a" * 256, "ä"])
def test_what_is_no_name_is_none(text: str) -> None:
    assert not is_dns_name(text)


@pytest.mark.parametrize(
    ("hostname", "reasons"),
    [
        ("*", []),
        ("*.example.com", []),
        ("www-1.example.com", []),
        ("", ["invalid hostname"]),
        ("foo.example$.com", ["invalid hostname"]),
        ("Foo.com", ["invalid hostname"]),
        ("*.foo.*.example.com", ["invalid wildcard domain"]),
        ("*.", ["invalid wildcard domain"]),
        ("f" * 253, []),
        ("f" * 254, ["must be at most 253 characters"]),
        ("f" * 254 + ".", ["must be at most 253 characters", "invalid hostname"]),
        ("ä" * 127, ["must be at most 253 characters", "invalid hostname"]),
    ],
)
def test_a_hostname_may_start_with_a_wildcard(hostname: str, reasons: list[str]) -> None:
    assert hostname_reasons(hostname) == reasons


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("kibana:1234", ("kibana", "1234")),
        ("[::1]:80", ("::1", "80")),
        (":80", ("", "80")),
        ("host:", ("host", "")),
        ("host", None),
        ("a:b:c", None),
        ("[::1]", None),
        ("[::1]80", None),
        ("[::1]x:80", None),
        ("a]:80", None),
        ("", None),
    ],
)
def test_a_host_and_a_port_are_split(text: str, parts: tuple[str, str] | None) -> None:
    assert split_host_port(text) == parts


@pytest.mark.parametrize(
    ("host", "joined"), [("10.0.0.1", "10.0.0.1:80"), ("a.b", "a.b:80"), ("::1", "[::1]:80")]
)
def test_a_host_and_a_port_are_joined(host: str, joined: str) -> None:
    assert join_host_port(host, 80) == joined


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("http://zipkin.local:9411/v2/spans", "zipkin.local", "9411"),
        ("http://zipkin.local/v2/spans", "zipkin.local", ""),
        ("http://user:pw@host:80/", "host", "80"),
        ("http://[::1]:80/", "::1", "80"),
        ("http://[::1]/", "::1", ""),
        ("http://host:", "host", ""),
        ("/healthz", "", ""),
        ("//host:80/a", "", ""),
        ("/a?b=%zz", "", ""),
        ("*", "", ""),
        ("mailto:somebody", "", ""),
    ],
)
def test_a_uri_of_a_request_has_a_host_and_a_port(text: str, host: str, port: str) -> None:
    url = parse_request_uri(text)
    assert url is not None
    assert (url.host, url.port) == (host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "healthz",
        "8080/healthz",
        "://a",
        ":80",
        "/a%zz",
        "/a\n",
        "http://a b/",
        "http://host:port/",
        "http://host:١/",
        "http://[::1/",
        "http://[::1]80/",
        "http://a%zz@host/",
    ],
)
def test_what_is_no_uri_of_a_request_is_none(text: str) -> None:
    assert parse_request_uri(text) is None


@given(st.text())
def test_any_text_is_checked(text: str) -> None:
    url = parse_request_uri(text)
    assert url is None or url.port.isascii()
    assert split_host_port(text) is None or ":" in text
    assert not (is_ip(text) and is_dns_name(text))


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.1", "::", True),
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("127.0.0.1", "192.168.0.1", False),
        ("127.0.0.1", "localhost", False),
        ("127.0.0.1", "", False),
    ],
)
def test_listeners_meet_on_the_same_address_and_on_all(left: str, right: str, same: bool) -> None:
    assert is_same_ip(left, right) is same
