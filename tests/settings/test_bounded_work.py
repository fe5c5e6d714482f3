"""What reading settings costs grows as their length does, whatever stands in them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from kong_mesh_cp.settings.documents import DOCUMENT_BYTES_MAX, parse_document
from kong_mesh_cp.settings.forms import Form, MalformedError, UnsupportedError
from kong_mesh_cp.settings.model import rows
from kong_mesh_cp.settings.options import Row
from kong_mesh_cp.settings.problems import SettingsRejectedError
from support.suites.growth import GROWTH_MAX, growth
from support.suites.hostile_texts import HOSTILE_TEXTS

CHARACTERS: Final = DOCUMENT_BYTES_MAX // 64
FORMS: Final = {id(row.option.form): row for row in rows()}  # one setting for each form


def slow(work_of: Callable[[str], Callable[[], object]], size: int = CHARACTERS) -> list[str]:
    def work(text: Callable[[int], str], length: int) -> Callable[[], object]:
        return work_of(text(length))

    return [
        shape
        for shape, text in HOSTILE_TEXTS.items()
        if growth(partial(work, text), size) > GROWTH_MAX
    ]


@pytest.mark.parametrize("row", FORMS.values(), ids=lambda row: row.path)
def test_a_value_costs_what_its_length_is(row: Row) -> None:
    form: Form[object] = row.option.form

    def read(text: str) -> None:
        with suppress(MalformedError, UnsupportedError):
            form.read(text)

    assert slow(lambda text: partial(read, text)) == []


@pytest.mark.parametrize("around", ["{}", "a = {}", 'a = "{}"', "{} = 1", "[{}]", "# {}"])
@pytest.mark.parametrize("kuma", [False, True])
def test_a_file_costs_what_its_length_is(around: str, kuma: bool) -> None:
    def read(text: str) -> None:
        try:
            document = parse_document(around.replace("{}", text), path=Path("/x"), kuma=kuma)
        except (SettingsRejectedError, RecursionError):
            return
        document.line_of(["no", "such", "key"])

    assert slow(lambda text: partial(read, text)) == []
