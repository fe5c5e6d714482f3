"""Addresses are given one after another, and each again only when the range was gone through.

Source: docs/wire/services.md#virtual-addresses
"""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from kong_mesh_cp.core.meshes.services.service_addresses import next_address, parse, render

RANGE = ip_network("241.0.0.0/30")


def test_the_first_one_is_the_first_of_the_range() -> None:
    assert next_address(RANGE, None, ()) == "241.0.0.0"


def test_one_that_is_free_again_is_not_given_again_at_once() -> None:
    assert next_address(RANGE, "241.0.0.1", {"241.0.0.0"}) == "241.0.0.2"


def test_behind_the_last_one_it_begins_anew() -> None:
    assert next_address(RANGE, "241.0.0.3", {"241.0.0.0"}) == "241.0.0.1"


def test_a_range_that_is_taken_has_none() -> None:
    assert next_address(RANGE, None, {f"241.0.0.{number}" for number in range(4)}) is None


@pytest.mark.parametrize("last", ["10.0.0.1", "fd00::1", "nonsense", ""])
def test_the_last_one_of_another_range_says_nothing(last: str) -> None:
    assert next_address(RANGE, last, ()) == "241.0.0.0"


def test_a_range_may_be_of_ipv6() -> None:
    assert next_address(ip_network("fd00::/64"), "fd00::ff", ()) == "fd00::100"


def test_what_is_stored_is_read_back() -> None:
    last = {"242.0.0.0/8": "242.0.0.9", "241.0.0.0/8": "241.0.0.1"}
    assert parse(render(last)) == last


@pytest.mark.parametrize("text", ["", "[]", "{", '{"241.0.0.0/8": 7}', "[" * 100_000])
def test_what_cannot_be_read_is_as_nothing(text: str) -> None:
    assert parse(text) == {}
