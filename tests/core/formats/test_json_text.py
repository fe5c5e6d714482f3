from __future__ import annotations

import json
import math
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats import json_text as json_text_module
from kong_mesh_cp.core.formats.json_text import json_pieces, json_text


def test_a_document_reads_as_gos_encoder_writes_it() -> None:
    document = {"b": "<a & é>", "a": [1, {"c": None}], "empty": [], "demo": False}

    assert json_text(document).decode() == (
        "{\n"
        ' "b": "<a & é>",\n'
        ' "a": [\n'
        "  1,\n"
        "  {\n"
        '   "c": null\n'
        "  }\n"
        " ],\n"
        ' "empty": [],\n'
        ' "demo": false\n'
        "}\n"
    )


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_json_cannot_say_is_an_error(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_text({"value": value})


class Word(StrEnum):
    ZONE = "zone"


ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(Word)
)
DOCUMENTS = st.recursive(
    ATOMS,
    lambda below: (
        st.lists(below)
        | st.lists(below).map(tuple)
        | st.dictionaries(st.text() | st.just(Word.ZONE), below)
    ),
)


@given(document=DOCUMENTS)
def test_it_is_the_text_of_the_standard_library_letter_for_letter(document: object) -> None:
    expected = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    try:
        encoded = expected.encode()
    except UnicodeEncodeError:
        with pytest.raises(UnicodeEncodeError):  # a lone surrogate
            json_text(document)
    else:
        assert json_text(document) == encoded + b"\n"


@pytest.mark.parametrize("document", [{1: "a"}, {"a": {1}}, object()])
def test_what_is_no_json_is_an_error(document: object) -> None:
    with pytest.raises(TypeError):
        json_text(document)


@given(DOCUMENTS, st.integers(min_value=0, max_value=9))
def test_pieces_are_the_same_text_and_no_piece_holds_more_values_than_one_may(
    document: object, most: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(json_text_module, "PIECE_VALUES_MAX", most)
        pieces = [*json_pieces(document)]
    expected = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    assert "".join(pieces) == f"{expected}\n"
    # Each value begins a line, and what holds some ends with another one.
    assert all(piece.count("\n") <= 2 * most + 2 for piece in pieces)


def test_a_small_document_is_one_piece() -> None:
    assert len([*json_pieces({"items": [{"name": "web"}] * 50})]) == 1


@pytest.mark.parametrize("value", [math.nan, object()])
def test_pieces_refuse_what_json_cannot_say(value: object) -> None:
    with pytest.raises((ValueError, TypeError), match="JSON"):
        [*json_pieces({"value": value})]
