"""Which ways out there are, and in which order (docs/wire/envoy-passthrough.md#ways)."""

from __future__ import annotations

from kong_mesh_cp.core.policy.kinds.mesh_passthrough import Conf, Match
from kong_mesh_cp.core.xds.policies.passthrough_ways import Ways, ways_of


def ways(*matches: tuple[str, str, str, int]) -> Ways:
    """Of matches by type, value, protocol and port; 0: none."""
    return ways_of(
        Conf(
            append_match=tuple(
                Match(type=type_, value=value, protocol=protocol, port=port or None)
                for type_, value, protocol, port in matches
            )
        )
    )


def order(*matches: tuple[str, str, str, int]) -> list[tuple[str, str, int]]:
    return [(each.protocol, each.value, each.port) for each in ways(*matches).ways]


def test_tls_comes_first_then_tcp_then_http() -> None:
    found = order(
        ("IP", "192.0.2.1", "grpc", 4),
        ("IP", "192.0.2.1", "http", 2),
        ("IP", "192.0.2.1", "http2", 3),
        ("IP", "192.0.2.1", "tcp", 1),
        ("IP", "192.0.2.1", "tls", 1),
    )
    assert [protocol for protocol, _, _ in found] == ["tls", "tcp", "http", "http2", "grpc"]


def test_the_closer_a_match_says_what_it_means_the_earlier_it_stands() -> None:
    found = order(
        ("Domain", "*.example.com", "tls", 443),
        ("Domain", "example.com", "tls", 443),
        ("Domain", "api.example.com", "tls", 443),
        ("CIDR", "192.0.2.0/24", "tls", 443),
        ("CIDR", "192.0.2.128/25", "tls", 443),
        ("CIDR", "fd00::/8", "tls", 443),
        ("IP", "192.0.2.1", "tls", 443),
        ("IP", "fd00::1", "tls", 443),
        ("IP", "192.0.2.1", "tls", 8443),
    )
    assert [(value, port) for _, value, port in found] == [
        ("fd00::1", 443),
        ("192.0.2.1", 8443),
        ("192.0.2.1", 443),
        ("fd00::/8", 443),
        ("192.0.2.128/25", 443),
        ("192.0.2.0/24", 443),
        ("api.example.com", 443),
        ("example.com", 443),
        ("*.example.com", 443),
    ]


def test_each_version_of_ip_has_the_domains_and_its_own_addresses() -> None:
    found = ways(
        ("Domain", "example.com", "tls", 443),
        ("IP", "192.0.2.1", "tcp", 1),
        ("CIDR", "fd00::/8", "tcp", 1),
    )
    assert [each.value for each in found.of(ipv6=False)] == ["example.com", "192.0.2.1"]
    assert [each.value for each in found.of(ipv6=True)] == ["example.com", "fd00::/8"]


def test_domains_by_http_share_one_way_with_those_for_all_ports() -> None:
    found = ways(
        ("Domain", "b.example.com", "http", 80),
        ("Domain", "*.example.com", "http", 80),
        ("Domain", "a.example.com", "http", 0),
    )
    hosts = {each.port: [host.domain for host in each.hosts] for each in found.ways}
    assert hosts == {
        80: ["a.example.com", "b.example.com", "*.example.com"],
        0: ["a.example.com"],
    }


def test_what_is_for_all_ports_is_there_for_each_that_is_named() -> None:
    assert order(("IP", "192.0.2.1", "tcp", 0), ("Domain", "example.com", "tls", 443)) == [
        ("tls", "example.com", 443),
        ("tcp", "192.0.2.1", 443),
        ("tcp", "192.0.2.1", 0),
    ]


def test_of_two_kinds_of_http_on_one_port_the_first_counts() -> None:
    found = ways(
        ("Domain", "a.example.com", "http2", 0),
        ("Domain", "b.example.com", "http", 0),
        ("Domain", "c.example.com", "tls", 0),
    )
    assert [each.protocol for each in found.ways] == ["tls", "http2"]
    assert found.left_out == (
        "http to b.example.com: you cannot configure http, http2, grpc on the same port 0",
    )


def test_a_match_for_its_port_goes_before_one_for_all_ports() -> None:
    found = ways(
        ("Domain", "a.example.com", "http", 0),
        ("Domain", "b.example.com", "grpc", 9000),
    )
    assert [(each.protocol, each.port) for each in found.ways] == [("http", 0), ("grpc", 9000)]
    assert len(found.left_out) == 1
    assert found.left_out[0].startswith("http to a.example.com on port 9000: ")


def test_two_spellings_of_one_range_are_one_way() -> None:
    found = ways(("CIDR", "192.0.2.0/24", "tcp", 0), ("CIDR", "192.0.2.9/24", "tcp", 0))
    assert len(found.ways) == len(found.left_out) == 1


def test_mysql_is_told_from_nothing_else_to_its_address() -> None:
    found = ways(("IP", "192.0.2.1", "tcp", 0), ("IP", "192.0.2.1", "mysql", 3306))
    assert [(each.protocol, each.port) for each in found.ways] == [("mysql", 3306), ("tcp", 0)]
    assert found.silent_ports == (3306,)
