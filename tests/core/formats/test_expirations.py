from __future__ import annotations

from datetime import timedelta

import pytest

from kong_mesh_cp.core.formats.expirations import expiration_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10y", timedelta(days=3650)),
        ("2w", timedelta(days=14)),
        ("1d", timedelta(days=1)),
        ("5h", timedelta(hours=5)),
        ("5m", timedelta(minutes=5)),
        ("5s", timedelta(seconds=5)),
        ("500ms", timedelta(milliseconds=500)),
        ("0", timedelta()),
        ("", None),
        ("1", None),
        ("-1d", None),
        ("1.5d", None),
        ("999999999y", timedelta.max),
        (f"{'9' * 500}ms", timedelta.max),
        (f"{'0' * 500}1d", timedelta(days=1)),
    ],
)
def test_a_time_is_a_number_with_a_unit(text: str, expected: timedelta | None) -> None:
    assert expiration_of(text) == expected
