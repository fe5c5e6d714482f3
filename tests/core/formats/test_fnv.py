"""Known hashes of the reference implementation."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.formats.fnv import fnv64a


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", 0xCBF29CE484222325),
        (b"a", 0xAF63DC4C8601EC8C),
        (b"foobar", 0x85944171F73967E8),
    ],
)
def test_hashes_are_those_of_the_reference(text: bytes, expected: int) -> None:
    assert fnv64a(text) == expected
