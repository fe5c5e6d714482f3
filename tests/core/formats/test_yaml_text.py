"""YAML that says what the JSON of the same document says."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.yaml_text import yaml_text

DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(
        ["yes", "No", "1e3", "0o17", "~", "a: b", "- a", "#a", "", "2026-01-01", "="]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner)
    ),
    max_leaves=12,
)


@given(document=DOCUMENTS)
@example(document=1e21)
@example(document=-1e-7)
def test_what_is_written_is_read_as_the_same_document(document: object) -> None:
    assert yaml.safe_load(yaml_text(document)) == document


def test_it_is_written_in_blocks_and_in_order() -> None:
    document = {"b": {"a": [1, {"x": "yo", "z": []}, [True, None]]}, "a": "two words", "200": {}}

    assert yaml_text(document).decode() == (
        "b:\n  a:\n    - 1\n    - x: yo\n      z: []\n    - - true\n      - null\n"
        'a: "two words"\n"200": {}\n'
    )


@pytest.mark.parametrize(
    "text", ["1e3", "0o17", "0x1f", "12", ".5", "yes", "ON", "null", "~", "a b"]
)
def test_a_text_that_some_version_of_yaml_takes_for_something_else_is_in_quotes(text: str) -> None:
    assert yaml_text([text]).decode() == f'- "{text}"\n'


def test_no_byte_of_it_is_one_that_yaml_wants_escaped() -> None:
    written = yaml_text(["\x00\x7f\x85\u2028\ufeff"]).decode()

    assert re.fullmatch(r'- "[\x20-\x7e]+"\n', written)
