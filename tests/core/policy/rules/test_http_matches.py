"""The hash that stands for the matches of an HTTP rule (`httpMatches`).

Source: docs/wire/policies.md#hashes-of-matches
"""

from __future__ import annotations

import base64
import hashlib

import pytest

from kong_mesh_cp.core.policy.rules.http_matches import matches_hash


@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        (
            [{"path": {"value": "/", "type": "Exact"}}],
            "JNNc6//C3P17nUsOJm5f4kqG+U3v8pXhS0od9C3+oss=",
        ),
        (
            [{"path": {"value": "/v1", "type": "PathPrefix"}}, {"method": "POST"}],
            "OTqJZOueoDIMeYnpSETLYoaD2htefPQ7CcHHRBgrODk=",
        ),
    ],
)
def test_the_hash_is_the_one_clients_know(matches: object, expected: str) -> None:
    assert matches_hash(matches) == expected


def test_the_order_of_members_does_not_matter_but_that_of_matches_does() -> None:
    one = {"path": {"type": "Exact", "value": "/"}, "method": "GET"}
    same = {"method": "GET", "path": {"value": "/", "type": "Exact"}}

    assert matches_hash([one]) == matches_hash([same])
    assert matches_hash([one, {}]) != matches_hash([{}, same])


def test_every_member_counts() -> None:
    header = {"name": "x-v", "value": "1", "type": "Exact"}
    different: tuple[object, ...] = (
        None,
        [],
        [{}],
        [{"headers": [header]}],
        [{"headers": [{**header, "type": "Prefix"}]}],
        [{"queryParams": [header]}],
    )

    assert len({matches_hash(matches) for matches in different}) == len(different)


def test_what_is_unsafe_in_html_is_escaped_as_the_original_does() -> None:
    canonical = '[{"path":{"value":"/a\\u0026b\\u003cü","type":"Exact"}}]'
    expected = base64.b64encode(hashlib.sha256(canonical.encode()).digest()).decode()

    assert matches_hash([{"path": {"value": "/a&b<ü", "type": "Exact"}}]) == expected
