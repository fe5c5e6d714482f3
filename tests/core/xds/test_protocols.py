"""What services speak (docs/wire/envoy-names.md#protocols)."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.xds.protocols import common_protocol, protocol_of

KNOWN = ("tcp", "http", "http2", "grpc", "kafka", "tls", "mysql")


@pytest.mark.parametrize(
    ("value", "expected"),
    [*((each, each) for each in KNOWN), ("GRPC", "grpc"), ("sctp", ""), ("", ""), (None, "")],
)
def test_a_tag_names_a_protocol_in_letters_of_any_case(value: str | None, expected: str) -> None:
    assert protocol_of(value) == expected


@pytest.mark.parametrize(
    ("spoken", "common"),
    [
        ([], ""),
        (["http"], "http"),
        (["grpc", "http2"], "http2"),
        (["http", "http2"], "tcp"),
        (["kafka", "grpc"], "tcp"),
        (["tcp", "http"], "tcp"),
        (["http", ""], ""),
        (["tls", "tcp"], ""),
        (["tls", "mysql"], ""),
        (["grpc", "http2", "http"], "tcp"),
    ],
)
def test_a_service_speaks_what_all_its_instances_understand(spoken: list[str], common: str) -> None:
    assert {common_protocol(each) for each in permutations(spoken)} == {common}


@given(spoken=st.lists(st.sampled_from(("", *KNOWN)), min_size=1, max_size=5))
def test_how_often_something_is_spoken_does_not_count(spoken: list[str]) -> None:
    assert common_protocol(spoken) == common_protocol([each for each in spoken for _ in "12"])
