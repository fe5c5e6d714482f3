"""Where a setting of a transparent proxy may be given, in which forms, and what goes first."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from kumactl.errors import UsageError
from kumactl.transparent_proxy.settings import BY_FIELD, ROWS, Settings, gathered

# A value for every setting, as a text and as what it means.
GIVEN: dict[str, tuple[str, Any]] = {
    "user": ("proxy", "proxy"),
    "inbound": ("false", False),
    "inbound_port": ("77", 77),
    "inbound_included_ports": ("80, 81", (80, 81)),
    "inbound_excluded_ports": ("22,443", (22, 443)),
    "inbound_excluded_addresses": ("10.0.0.1,fd00::/8", ("10.0.0.1", "fd00::/8")),
    "inbound_inserted": ("true", True),
    "outbound": ("0", False),
    "outbound_port": ("65535", 65535),
    "outbound_included_ports": ("1", (1,)),
    "outbound_excluded_ports": ("", ()),
    "outbound_excluded_uids": ("tcp:22,80:1-2", ("tcp:22,80:1-2",)),
    "outbound_excluded_addresses": ("10.0.0.0/8", ("10.0.0.0/8",)),
    "outbound_inserted": ("1", True),
    "dns": ("true", True),
    "dns_all": ("TRUE", True),
    "dns_port": ("53", 53),
    "dns_no_zones": ("t", True),
    "resolv_conf": ("/x/resolv.conf", "/x/resolv.conf"),
    "networks": ("br+:10.0.0.0/8,i:fd00::1/64", (("br+", "10.0.0.0/8"), ("i", "fd00::1/64"))),
    "drop_invalid": ("true", True),
    "logs": ("true", True),
    "log_level": ("4", 4),
    "wait_seconds": ("0", 0),
    "wait_interval_microseconds": ("100", 100),
    "retries": ("0", 0),
    "retry_nanoseconds": ("1m", 60_000_000_000),
    "firewalld": ("true", True),
    "executables": ("iptables:/a,ip6tables-save:/b", {"iptables": "/a", "ip6tables-save": "/b"}),
    "no_comments": ("true", True),
    "family_mode": ("IPv4", "ipv4"),
    "verbose": ("true", True),
    "dry_run": ("true", True),
    "ebpf": ("true", True),
    "cni": ("true", True),
}
# The original's names that follow no rule.
VARIABLES = {
    "user": "KUMA_TRANSPARENT_PROXY_KUMA_DP_USER",
    "inbound_excluded_addresses": "KUMA_TRANSPARENT_PROXY_REDIRECT_INBOUND_EXCLUDE_PORTS_FOR_IPS",
    "outbound_excluded_uids": "KUMA_TRANSPARENT_PROXY_REDIRECT_OUTBOUND_EXCLUDE_PORTS_FOR_UIDS",
    "family_mode": "KUMA_TRANSPARENT_PROXY_IP_FAMILY_MODE",
    "dns_no_zones": "KUMA_TRANSPARENT_PROXY_REDIRECT_DNS_SKIP_CONNTRACK_ZONE_SPLIT",
    "executables": "KUMA_TRANSPARENT_PROXY_IPTABLES_EXECUTABLES",
    "cni": "KUMA_TRANSPARENT_PROXY_CNI_MODE",
    "retries": "KUMA_TRANSPARENT_PROXY_RETRY_MAX_RETRIES",
}


def _nested(path: str, value: object) -> dict[str, Any]:
    document: dict[str, Any] = {}
    place = document
    *above, last = path.split(".")
    for name in above:
        place = place.setdefault(name, {})
    place[last] = value
    return document


def test_every_setting_has_a_row_and_is_tried_here() -> None:
    names = [each.name for each in fields(Settings)]

    assert [row.field for row in ROWS] == names
    assert set(GIVEN) == set(names)


@pytest.mark.parametrize("name", GIVEN)
def test_every_setting_is_read_from_all_its_places(name: str) -> None:
    row, (text, meant) = BY_FIELD[name], GIVEN[name]

    from_document = gathered(_nested(row.path, text), {}, {})
    from_variable = gathered({}, {row.variable_name: text}, {})
    from_flag = gathered({}, {}, {name: text})

    assert getattr(from_document, name) == meant
    assert getattr(from_flag, name) == meant
    if text:
        assert getattr(from_variable, name) == meant


@pytest.mark.parametrize(("name", "variable"), VARIABLES.items())
def test_variables_have_the_names_of_the_original(name: str, variable: str) -> None:
    assert BY_FIELD[name].variable_name == variable


def test_flags_go_before_variables_and_those_before_the_document() -> None:
    row = BY_FIELD["inbound_port"]
    document, variables = _nested(row.path, 1), {row.variable_name: "2"}

    assert gathered(document, {}, {}).inbound_port == 1
    assert gathered(document, variables, {}).inbound_port == 2
    assert gathered(document, variables, {"inbound_port": "3"}).inbound_port == 3


def test_programs_of_several_places_are_joined() -> None:
    document = {"iptablesExecutables": {"iptables": "/a", "iptables-save": "/b"}}

    settings = gathered(document, {}, {"executables": "iptables-restore:/c,iptables:/d"})

    assert settings.executables == {
        "iptables": "/d",
        "iptables-save": "/b",
        "iptables-restore": "/c",
    }


@pytest.mark.parametrize(
    ("value", "meant"),
    [([22, "443"], (22, 443)), (22, (22,)), ("22", (22,)), ([], ()), (["22,23"], (22, 23))],
)
def test_ports_in_yaml_are_numbers_texts_or_lists(value: object, meant: tuple[int, ...]) -> None:
    document = _nested("redirect.inbound.excludePorts", value)

    assert gathered(document, {}, {}).inbound_excluded_ports == meant


def test_members_are_read_in_any_case_and_nulls_are_left_out() -> None:
    document = {"REDIRECT": {"Inbound": {"PORT": 9, "excludePorts": None}}, "ebpf": None}

    settings = gathered(document, {}, {})

    assert (settings.inbound_port, settings.inbound_excluded_ports) == (9, ())


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            {"redirect": {"inbuond": {"port": 1}}},
            'has no member redirect.inbuond.port; did you mean "redirect.inbound.port"?',
        ),
        ({"redirect": {"inbound": {"port": 0}}}, "redirect.inbound.port: value '0' is not"),
        ({"redirect": {"inbound": {"port": True}}}, "redirect.inbound.port: value 'True'"),
        ({"redirect": {"inbound": {"enabled": "yes"}}}, "expected true or false"),
        ({"wait": -1}, "wait: expected a whole number"),
        ({"retry": {"sleepBetweenRetries": "2d"}}, 'time: unknown unit "d"'),
        ({"iptablesExecutables": {"nft": "/x"}}, "unsupported executable name 'nft'"),
        ({"redirect": {"vnet": {"networks": ["a b:10.0.0.0/8"]}}}, "invalid virtual network"),
        ({"redirect": {"vnet": {"networks": ["-j:10.0.0.0/8"]}}}, "invalid virtual network"),
        ({"redirect": {"vnet": {"networks": ["a:10.0.0.1"]}}}, "invalid CIDR definition"),
        ({"redirect": {"vnet": {"networks": ["a\nCOMMIT:10.0.0.0/8"]}}}, "invalid virtual"),
        ({"log": {"level": 8}}, "from 0 to 7"),
    ],
)
def test_what_is_wrong_in_a_document_is_named_with_its_place(
    document: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as error:
        gathered(document, {}, {})

    assert said in error.value.message


def test_what_is_wrong_in_a_flag_or_variable_is_named_with_it() -> None:
    with pytest.raises(UsageError) as of_flag:
        gathered({}, {}, {"inbound_port": "70000"})
    with pytest.raises(UsageError) as of_variable:
        gathered({}, {"KUMA_TRANSPARENT_PROXY_WAIT": "x"}, {})

    assert of_flag.value.message == (
        'invalid argument "70000" for "--redirect-inbound-port" flag: value \'70000\' is not a'
        " valid port (uint16 in the range [1, 65535])"
    )
    assert of_variable.value.message.startswith("KUMA_TRANSPARENT_PROXY_WAIT: expected a whole")
