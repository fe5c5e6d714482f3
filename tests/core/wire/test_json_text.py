from __future__ import annotations

import math

import pytest

from kong_mesh_cp.core.wire.json_text import json_text


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
