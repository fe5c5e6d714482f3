"""Each name keeps its address, and the stored text is Kuma's.

Source: docs/wire/virtual-addresses.md#addresses, docs/wire/virtual-addresses.md#stored-form
"""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.meshes.virtual_addresses import (
    HostKind,
    MalformedAddressesError,
    VirtualHost,
    VirtualPort,
    VirtualService,
    allocate,
    config_name,
    mesh_of_config,
    parse,
    render,
)

RANGE = ip_network("240.0.0.0/4")


def host(name: str, kind: HostKind = HostKind.SERVICE) -> VirtualHost:
    return VirtualHost(kind, name)


def ports(service: str, port: int = 0) -> tuple[VirtualPort, ...]:
    return (VirtualPort(port, {"kuma.io/service": service}, "service"),)


def wanted(*names: str) -> dict[VirtualHost, tuple[VirtualPort, ...]]:
    return {host(name): ports(name) for name in names}


def known(**addresses: str) -> dict[VirtualHost, VirtualService]:
    return {host(name): VirtualService(at, ports(name)) for name, at in addresses.items()}


def addresses(*names: str, of: dict[VirtualHost, VirtualService]) -> list[str]:
    return [of[host(name)].address for name in names]


def given_out(
    *names: str, before: dict[VirtualHost, VirtualService] | None = None, network: str = str(RANGE)
) -> dict[str, str]:
    found = allocate(wanted(*names), before or {}, ip_network(network), {})
    return {each.name: service.address for each, service in found.services.items()}


def test_names_that_come_together_get_addresses_in_their_order_from_the_first_one_on() -> None:
    assert given_out("web", "api") == {"api": "240.0.0.0", "web": "240.0.0.1"}


def test_services_come_before_hosts_and_these_before_full_names() -> None:
    names = {
        host("a", HostKind.FULL_NAME): ports("a"),
        host("b", HostKind.HOST): ports("b"),
        host("c"): ports("c"),
    }
    found = allocate(names, {}, RANGE, {})
    assert [(each.name, at.address) for each, at in found.services.items()] == [
        ("c", "240.0.0.0"),
        ("b", "240.0.0.1"),
        ("a", "240.0.0.2"),
    ]


def test_a_name_keeps_its_address_whatever_comes_and_goes() -> None:
    before = known(web="240.0.0.7", gone="240.0.0.0")
    assert given_out("web", "api", before=before) == {"api": "240.0.0.0", "web": "240.0.0.7"}


def test_an_address_waits_for_its_name_to_come_back() -> None:
    lately = {host("web"): "240.0.0.0"}
    alone = allocate(wanted("api"), {}, RANGE, lately)
    assert addresses("api", of=dict(alone.services)) == ["240.0.0.1"]
    both = allocate(wanted("api", "web"), dict(alone.services), RANGE, lately)
    assert addresses("api", "web", of=dict(both.services)) == ["240.0.0.1", "240.0.0.0"]


def test_an_exhausted_range_gives_what_waits_for_its_name_the_longest_gone_first() -> None:
    lately = {host("old"): "10.0.0.1", host("young"): "10.0.0.0"}
    found = allocate(wanted("api"), {}, ip_network("10.0.0.0/31"), lately)
    assert addresses("api", of=dict(found.services)) == ["10.0.0.1"]


def test_names_without_an_address_are_told_and_the_others_keep_theirs() -> None:
    found = allocate(wanted("a", "b", "c"), known(c="10.0.0.0"), ip_network("10.0.0.0/31"), {})
    assert addresses("a", "b", "c", of=dict(found.services)) == ["10.0.0.1", "", "10.0.0.0"]
    assert found.without == (host("b"),)


def test_a_name_without_an_address_gets_one_that_has_become_free() -> None:
    before = known(a="10.0.0.0") | {host("b"): VirtualService("", ports("b"))}
    assert given_out("b", before=before, network="10.0.0.0/32") == {"b": "10.0.0.0"}


def test_an_address_of_a_range_that_was_set_before_is_kept_and_told() -> None:
    found = allocate(wanted("new", "old"), known(old="240.0.0.3"), ip_network("250.0.0.0/16"), {})
    assert addresses("new", "old", of=dict(found.services)) == ["250.0.0.0", "240.0.0.3"]
    assert found.outside == (host("old"),)


def test_of_two_names_that_were_stored_with_one_address_the_second_gets_another() -> None:
    before = known(a="240.0.0.0", b="240.0.0.0")
    assert given_out("a", "b", before=before) == {"a": "240.0.0.0", "b": "240.0.0.1"}


def test_an_external_service_by_address_is_called_at_that_address() -> None:
    at = host("192.0.2.1", HostKind.HOST)
    found = allocate({at: ports("db", 5432)}, {}, RANGE, {})
    assert found.services[at].address == "192.0.2.1"
    assert found.outside == ()


def test_a_range_may_be_of_ipv6() -> None:
    assert given_out("a", network="fd00:1::/64") == {"a": "fd00:1::"}


NAMES = st.sets(st.sampled_from("abcdefgh"), max_size=8)


@given(st.lists(NAMES, max_size=12), st.sampled_from(["10.0.0.0/30", "10.0.0.0/29", "10.0.0.0/24"]))
def test_no_two_names_have_one_address_and_none_loses_its_own(
    steps: list[set[str]], network: str
) -> None:
    within = ip_network(network)
    before: dict[VirtualHost, VirtualService] = {}
    lately: dict[VirtualHost, str] = {}
    for names in steps:
        found = allocate(wanted(*names), before, within, lately)
        used = [each.address for each in found.services.values() if each.address]
        assert len(set(used)) == len(used)
        assert all(ip_address(each) in within for each in used)
        assert len(used) == min(len(names), within.num_addresses)
        for each, service in before.items():
            if each in found.services and service.address:
                assert found.services[each].address == service.address
            elif each not in found.services and service.address:
                lately[each] = service.address
        before = dict(found.services)


def test_the_stored_text_is_that_of_the_original() -> None:
    services = {
        host("web.mesh", HostKind.FULL_NAME): VirtualService(
            "240.0.0.1",
            (VirtualPort(80, {"version": "1", "kuma.io/service": "web"}, "virtual-outbound:v"),),
        ),
        host("web"): VirtualService("240.0.0.0", ports("web")),
        host("full"): VirtualService("", ports("full")),
    }
    assert render(services) == (
        '{"0:full":{"outbounds":[{"Port":0,"TagSet":{"kuma.io/service":"full"},"Origin":"service"}]},'
        '"0:web":{"address":"240.0.0.0","outbounds":'
        '[{"Port":0,"TagSet":{"kuma.io/service":"web"},"Origin":"service"}]},'
        '"2:web.mesh":{"address":"240.0.0.1","outbounds":[{"Port":80,'
        '"TagSet":{"kuma.io/service":"web","version":"1"},"Origin":"virtual-outbound:v"}]}}'
    )
    assert parse(render(services)) == services


def test_the_shorter_form_of_the_original_is_read_too() -> None:
    text = json.dumps(
        {
            "v": {
                "db": {
                    "oe": [
                        {
                            "ap": [
                                {"a": "240.0.0.2", "p": 5432, "o": "svc"},
                                {
                                    "a": "240.0.0.3",
                                    "d": "db.example",
                                    "p": 5432,
                                    "o": "external-service:es",
                                },
                            ]
                        }
                    ]
                },
                "web": {
                    "oe": [
                        {"t": {}, "ap": [{"a": "240.0.0.0", "o": "svc"}]},
                        {
                            "t": {"version": "1"},
                            "ap": [
                                {
                                    "a": "240.0.0.1",
                                    "d": "web.mesh",
                                    "p": 80,
                                    "o": "virtual-outbound:v",
                                }
                            ],
                        },
                    ]
                },
            }
        }
    )
    db, web = {"kuma.io/service": "db"}, {"kuma.io/service": "web"}
    assert parse(text) == {
        host("db"): VirtualService("240.0.0.2", (VirtualPort(5432, db, "service"),)),
        host("db.example", HostKind.HOST): VirtualService(
            "240.0.0.3", (VirtualPort(5432, db, "external-service:es"),)
        ),
        host("web"): VirtualService("240.0.0.0", (VirtualPort(0, web, "service"),)),
        host("web.mesh", HostKind.FULL_NAME): VirtualService(
            "240.0.0.1", (VirtualPort(80, {**web, "version": "1"}, "virtual-outbound:v"),)
        ),
    }


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"web":{"outbounds":[{}]}}',
        '{"7:web":{"outbounds":[{}]}}',
        '{"0:web":{}}',
        '{"0:web":[]}',
        '{"0:web":{"address":1,"outbounds":[{}]}}',
        '{"0:web":{"outbounds":[{"Port":"80"}]}}',
        '{"0:web":{"outbounds":[{"TagSet":{"a":1}}]}}',
        '{"v":{"web":{"oe":[{"ap":[{"a":1}]}]}}}',
        '{"v":7}',
    ],
)
def test_another_text_is_told(text: str) -> None:
    with pytest.raises(MalformedAddressesError):
        parse(text)


def test_an_empty_text_has_no_addresses() -> None:
    assert parse("") == {}
    assert parse("{}") == {}


def test_the_config_is_named_after_its_mesh() -> None:
    assert config_name("m") == "kuma-m-dns-vips"
    assert mesh_of_config("kuma-a-b-dns-vips") == "a-b"
    assert mesh_of_config("kuma-cluster-id") is None
    assert mesh_of_config("kuma--dns-vips") is None
