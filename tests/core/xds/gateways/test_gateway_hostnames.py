"""Host names of listeners and routes (docs/wire/gateways.md#hosts)."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.xds.gateways.gateway_hostnames import covers, exactness, meets


@pytest.mark.parametrize(
    ("wider", "name", "expected"),
    [
        ("*", "a.example.com", True),
        ("", "a.example.com", True),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.com", "*.example.com", True),
        ("a.example.com", "a.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "a.example.org", False),
        ("*.example.com", "*.com", False),
        ("a.example.com", "*.example.com", False),
        ("a.com", "a.b.com", False),
        ("a.example.com", "", False),
    ],
)
def test_a_wildcard_covers_all_names_below_its_domain(
    wider: str, name: str, *, expected: bool
) -> None:
    assert covers(wider, name) is expected


def test_two_names_meet_where_one_covers_the_other() -> None:
    assert meets("a.example.com", ["b.example.org", "*.example.com"])
    assert meets("*.example.com", ["a.example.com"])
    assert not meets("a.example.com", ["b.example.com", "*.example.org"])
    assert not meets("a.example.com", [])


def test_the_more_exact_name_comes_first() -> None:
    names = ["*", "*.com", "b.com", "*.example.com", "a.example.com", "*.example.org"]
    assert sorted(names, key=exactness) == [
        "a.example.com",
        "b.com",
        "*.example.com",
        "*.example.org",
        "*.com",
        "*",
    ]
