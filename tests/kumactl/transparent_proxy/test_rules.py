"""The rules for a family of addresses: which, in which order, in which chain."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from kumactl.transparent_proxy.exclusions import by_uid
from kumactl.transparent_proxy.restore_text import restore_text
from kumactl.transparent_proxy.rules import Family, tables
from kumactl.transparent_proxy.settings import Settings

PLAIN = Settings()


def _family(settings: Settings = PLAIN, **known: Any) -> Family:
    unsaid: dict[str, Any] = {"ipv6": False, "uid": "5678", "loopback": "lo"}
    return Family(settings=settings, **{**unsaid, **known})


def _lines(family: Family, chain: str, table: str = "nat") -> list[str]:
    """The rules of one chain, without comments."""
    text = restore_text(tables(family), comments=False, verbose=False)
    for section in text.split("* ")[1:]:
        name, *lines = section.splitlines()
        if name == table:
            return [line for line in lines if line.split()[1:2] == [chain] and line[1] in "AI"]
    return []


def test_without_any_setting_all_tcp_goes_through_the_proxy_but_its_own() -> None:
    assert restore_text(tables(_family()), comments=False, verbose=False) == (
        "* nat\n"
        "-N KUMA_MESH_INBOUND\n"
        "-N KUMA_MESH_OUTBOUND\n"
        "-N KUMA_MESH_INBOUND_REDIRECT\n"
        "-N KUMA_MESH_OUTBOUND_REDIRECT\n"
        "-A PREROUTING -p tcp -j KUMA_MESH_INBOUND\n"
        "-A OUTPUT -p tcp -j KUMA_MESH_OUTBOUND\n"
        "-A KUMA_MESH_INBOUND -p tcp -j KUMA_MESH_INBOUND_REDIRECT\n"
        "-A KUMA_MESH_OUTBOUND -s 127.0.0.6/32 -o lo -j RETURN\n"
        "-A KUMA_MESH_OUTBOUND -p tcp -o lo ! -d 127.0.0.1/32 -m owner --uid-owner 5678"
        " -j KUMA_MESH_INBOUND_REDIRECT\n"
        "-A KUMA_MESH_OUTBOUND -p tcp -o lo -m owner ! --uid-owner 5678 -j RETURN\n"
        "-A KUMA_MESH_OUTBOUND -m owner --uid-owner 5678 -j RETURN\n"
        "-A KUMA_MESH_OUTBOUND -d 127.0.0.1/32 -j RETURN\n"
        "-A KUMA_MESH_OUTBOUND -j KUMA_MESH_OUTBOUND_REDIRECT\n"
        "-A KUMA_MESH_INBOUND_REDIRECT -p tcp -j REDIRECT --to-ports 15006\n"
        "-A KUMA_MESH_OUTBOUND_REDIRECT -p tcp -j REDIRECT --to-ports 15001\n"
        "COMMIT\n"
    )


def test_ipv6_has_addresses_of_its_own() -> None:
    lines = _lines(_family(ipv6=True, loopback="lo0"), "KUMA_MESH_OUTBOUND")

    assert lines[0] == "-A KUMA_MESH_OUTBOUND -s ::6/128 -o lo0 -j RETURN"
    assert "! -d ::1/128" in lines[1]
    assert lines[4] == "-A KUMA_MESH_OUTBOUND -d ::1/128 -j RETURN"


@pytest.mark.parametrize(
    ("settings", "chain", "expected"),
    [
        ({"inbound": False}, "KUMA_MESH_INBOUND", ["-p tcp -j RETURN"]),
        ({"outbound": False}, "KUMA_MESH_OUTBOUND", ["-p tcp -j RETURN"]),
        ({"inbound_port": 77}, "KUMA_MESH_INBOUND_REDIRECT", ["-p tcp -j REDIRECT --to-ports 77"]),
        (
            {"outbound_port": 88},
            "KUMA_MESH_OUTBOUND_REDIRECT",
            ["-p tcp -j REDIRECT --to-ports 88"],
        ),
        (
            {"inbound_excluded_ports": (22, 443)},
            "KUMA_MESH_INBOUND",
            [
                "-p tcp --dport 22 -j RETURN",
                "-p tcp --dport 443 -j RETURN",
                "-p tcp -j KUMA_MESH_INBOUND_REDIRECT",
            ],
        ),
        (
            # Where ports are named that are meant, those that are not need no naming.
            {"inbound_included_ports": (80, 81), "inbound_excluded_ports": (22,)},
            "KUMA_MESH_INBOUND",
            [
                "-p tcp --dport 80 -j KUMA_MESH_INBOUND_REDIRECT",
                "-p tcp --dport 81 -j KUMA_MESH_INBOUND_REDIRECT",
            ],
        ),
    ],
)
def test_what_is_meant_by_ports_and_switches(
    settings: dict[str, Any], chain: str, expected: list[str]
) -> None:
    lines = _lines(_family(Settings(**settings)), chain)

    assert lines == [f"-A {chain} {each}" for each in expected]


def test_excluded_outbound_ports_come_first_and_included_ones_last() -> None:
    excluded = _lines(_family(Settings(outbound_excluded_ports=(22,))), "KUMA_MESH_OUTBOUND")
    included = _lines(
        _family(Settings(outbound_included_ports=(90,), outbound_excluded_ports=(22,))),
        "KUMA_MESH_OUTBOUND",
    )

    assert excluded[0] == "-A KUMA_MESH_OUTBOUND -p tcp --dport 22 -j RETURN"
    assert excluded[-1] == "-A KUMA_MESH_OUTBOUND -j KUMA_MESH_OUTBOUND_REDIRECT"
    assert included[-1] == (
        "-A KUMA_MESH_OUTBOUND -p tcp --dport 90 -j KUMA_MESH_OUTBOUND_REDIRECT"
    )
    assert not [line for line in included if "--dport 22" in line]


def test_addresses_that_are_left_alone_come_before_all_else() -> None:
    family = _family(
        inbound_addresses=("10.0.0.1", "192.168.0.0/24"), outbound_addresses=("10.0.0.2",)
    )

    assert _lines(family, "KUMA_MESH_INBOUND")[:2] == [
        "-A KUMA_MESH_INBOUND -s 10.0.0.1 -j RETURN",
        "-A KUMA_MESH_INBOUND -s 192.168.0.0/24 -j RETURN",
    ]
    assert _lines(family, "OUTPUT") == [
        "-I OUTPUT 1 -d 10.0.0.2 -j RETURN",
        "-A OUTPUT -p tcp -j KUMA_MESH_OUTBOUND",
    ]


def test_users_that_are_left_alone_come_before_addresses_and_dns() -> None:
    family = _family(
        Settings(dns=True, dns_all=True),
        dns=True,
        outbound_uids=by_uid(["tcp:22,80-90:1001", "7"]),
        outbound_addresses=("10.0.0.2",),
    )

    assert _lines(family, "OUTPUT") == [
        "-I OUTPUT 1 -m multiport -p tcp --dport 22,80:90 -m owner --uid-owner 1001 -j RETURN",
        "-I OUTPUT 2 -m multiport -p tcp --dport 1:65535 -m owner --uid-owner 7 -j RETURN",
        "-I OUTPUT 3 -m multiport -p udp --dport 1:65535 -m owner --uid-owner 7 -j RETURN",
        "-I OUTPUT 4 -d 10.0.0.2 -j RETURN",
        "-I OUTPUT 5 -p udp --dport 53 -m owner --uid-owner 5678 -j RETURN",
        "-I OUTPUT 6 -p udp --dport 53 -j REDIRECT --to-ports 15053",
        "-A OUTPUT -p tcp -j KUMA_MESH_OUTBOUND",
    ]


def test_dns_to_certain_servers_is_redirected_over_udp_and_tcp() -> None:
    family = _family(
        Settings(dns=True, dns_port=99), dns=True, dns_servers=("10.0.0.2", "10.0.0.3")
    )

    assert _lines(family, "OUTPUT") == [
        "-I OUTPUT 1 -p udp --dport 53 -m owner --uid-owner 5678 -j RETURN",
        "-I OUTPUT 2 -d 10.0.0.2 -p udp --dport 53 -j REDIRECT --to-ports 99",
        "-I OUTPUT 3 -d 10.0.0.3 -p udp --dport 53 -j REDIRECT --to-ports 99",
        "-A OUTPUT -p tcp -j KUMA_MESH_OUTBOUND",
    ]
    outbound = _lines(family, "KUMA_MESH_OUTBOUND")
    assert outbound[1].startswith("-A KUMA_MESH_OUTBOUND -p tcp ! --dport 53 -o lo ! -d ")
    assert outbound[2].startswith("-A KUMA_MESH_OUTBOUND -p tcp ! --dport 53 -o lo -m owner !")
    assert outbound[4:6] == [
        f"-A KUMA_MESH_OUTBOUND -d {server} -p tcp --dport 53 -j REDIRECT --to-ports 99"
        for server in ("10.0.0.2", "10.0.0.3")
    ]
    assert _lines(family, "OUTPUT", "raw") == []


def test_dns_of_the_proxy_goes_where_docker_answers_it() -> None:
    family = _family(Settings(dns_all=True), dns=True, docker_output=True)

    assert _lines(family, "OUTPUT")[0].endswith("--uid-owner 5678 -j DOCKER_OUTPUT")


def test_connection_tracking_is_split_for_certain_servers() -> None:
    family = _family(
        Settings(dns=True), dns=True, zones=True, dns_servers=("127.0.0.11", "10.0.0.2")
    )

    assert _lines(family, "PREROUTING", "raw") == [
        "-A PREROUTING -s 127.0.0.11 -p udp --sport 53 -j CT --zone 1",
        "-A PREROUTING -s 10.0.0.2 -p udp --sport 53 -j CT --zone 1",
    ]
    assert _lines(family, "OUTPUT", "raw") == [
        "-A OUTPUT -p udp --dport 53 -m owner --uid-owner 5678 -j CT --zone 1",
        "-A OUTPUT -p udp --sport 15053 -m owner --uid-owner 5678 -j CT --zone 2",
        "-A OUTPUT -d 127.0.0.11 -p udp --dport 53 -j CT --zone 2",
        "-A OUTPUT -s 127.0.0.11 -d 127.0.0.1/32 -p udp -j CT --zone 1",
        "-A OUTPUT -d 10.0.0.2 -p udp --dport 53 -j CT --zone 2",
    ]


def test_connection_tracking_is_split_for_all_dns() -> None:
    family = _family(Settings(dns_all=True), dns=True, zones=True)

    assert _lines(family, "PREROUTING", "raw") == ["-A PREROUTING -p udp --sport 53 -j CT --zone 1"]
    assert _lines(family, "OUTPUT", "raw")[-1] == "-A OUTPUT -p udp --dport 53 -j CT --zone 2"


def test_virtual_networks_send_tcp_and_dns_to_the_proxy() -> None:
    family = _family(networks=(("docker0", "172.17.0.0/16"), ("br+", "172.18.0.0/16")))

    assert _lines(family, "PREROUTING") == [
        "-I PREROUTING 1 -i br+ -m udp -p udp --dport 53 -j REDIRECT --to-ports 15053",
        "-I PREROUTING 2 ! -d 172.18.0.0/16 -i br+ -p tcp -j REDIRECT --to-ports 15001",
        "-I PREROUTING 3 -i docker0 -m udp -p udp --dport 53 -j REDIRECT --to-ports 15053",
        "-I PREROUTING 4 ! -d 172.17.0.0/16 -i docker0 -p tcp -j REDIRECT --to-ports 15001",
        "-I PREROUTING 5 -p tcp -j KUMA_MESH_INBOUND",
    ]


def test_rules_can_come_before_those_that_are_there() -> None:
    family = _family(Settings(inbound_inserted=True, outbound_inserted=True))

    assert _lines(family, "PREROUTING") == ["-I PREROUTING 1 -p tcp -j KUMA_MESH_INBOUND"]
    assert _lines(family, "OUTPUT") == ["-I OUTPUT 1 -p tcp -j KUMA_MESH_OUTBOUND"]


def test_packets_can_be_logged_and_dropped() -> None:
    family = _family(Settings(logs=True, log_level=4), drop_invalid=True)

    assert _lines(family, "PREROUTING")[0] == (
        "-A PREROUTING -j LOG --log-prefix PREROUTING: --log-level 4"
    )
    assert _lines(family, "OUTPUT")[0] == ("-I OUTPUT 1 -j LOG --log-prefix OUTPUT: --log-level 4")
    assert _lines(family, "PREROUTING", "mangle") == [
        "-A PREROUTING -m conntrack --ctstate INVALID -j DROP"
    ]


def test_every_rule_has_a_comment_that_fits_and_is_found_again() -> None:
    family = _family(
        Settings(dns_all=True, logs=True, inbound_excluded_ports=(22,)),
        dns=True,
        zones=True,
        drop_invalid=True,
        networks=(("a" * 15, "10.0.0.0/8"),),
        outbound_addresses=("10.0.0.2",),
    )

    text = restore_text(tables(family), comments=True, verbose=False)
    rules = [line for line in text.splitlines() if line.startswith(("-A", "-I"))]
    for rule in rules:
        comment = rule.split('"')[1]
        assert comment.startswith("kuma/mesh/transparent/proxy/")
        assert len(comment) <= 255  # the room that the kernel has
    assert len(rules) > 15


def test_long_names_of_options_say_the_same() -> None:
    family = _family(dataclasses.replace(PLAIN, inbound_inserted=True, verbose=True))
    text = restore_text(tables(family), comments=True, verbose=True)

    assert text.startswith("* nat\n\n# Custom Chains:\n--new-chain KUMA_MESH_INBOUND\n")
    assert text.endswith("\n\nCOMMIT\n")
    assert (
        '\n\n# Rules:\n--insert PREROUTING 1 --match comment --comment "kuma/mesh/transparent/proxy/'
        'inbound TCP" --protocol tcp --jump KUMA_MESH_INBOUND\n'
    ) in text
    assert (
        "--protocol tcp --out-interface lo ! --destination 127.0.0.1/32 --match owner"
        " --uid-owner 5678 --jump KUMA_MESH_INBOUND_REDIRECT\n"
    ) in text
