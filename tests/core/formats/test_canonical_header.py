"""Names of headers are written as Go writes them."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.formats.go.canonical_header import canonical_header


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x-request-id", "X-Request-Id"),
        ("ETAG", "Etag"),
        ("x-add_b", "X-Add_b"),
        ("-x--y", "-X--Y"),
        ("", ""),
        # What is no name of a header stays as it is.
        ("not a header", "not a header"),
        (":authority", ":authority"),
        ("x-Größe", "x-Größe"),
    ],
)
def test_each_part_of_a_name_begins_with_a_capital_letter(name: str, expected: str) -> None:
    assert canonical_header(name) == expected
