"""What reading documents costs grows as their length does, whatever stands in them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import pytest

from kumactl.documents.encodings import text_of
from kumactl.documents.templates import fill
from kumactl.documents.yaml_text import YamlDocument, read_documents, render
from kumactl.errors import UsageError
from support.suites.growth import GROWTH_MAX, growth
from support.suites.hostile_texts import HOSTILE_TEXTS

CHARACTERS: Final = 8 * 1024


def slow(work: Callable[[str], object]) -> list[str]:
    def work_of(text: Callable[[int], str], size: int) -> Callable[[], object]:
        return partial(work, text(size))

    return [
        shape
        for shape, text in HOSTILE_TEXTS.items()
        if growth(partial(work_of, text), CHARACTERS) > GROWTH_MAX
    ]


def read(around: str, text: str) -> None:
    for document in read_documents(around.replace("{}", text), "x"):
        if isinstance(document, YamlDocument):
            render(document.value)


@pytest.mark.parametrize(
    "around", ["{}", "a: {}", 'a: "{}"', "a: |\n  {}", "? {}", "[{}]", "--- {}"]
)
def test_yaml_costs_what_its_length_is(around: str) -> None:
    assert slow(partial(read, around)) == []


@pytest.mark.parametrize(
    "part",
    [
        "a: b\n---\n",
        "a: b: c\n---\n",
        "a: \u200bb\n---\n",
        "- a\n",
        "- &a b\n- *a\n",
        "- [a, b]\n",
        "- {a: b}\n",
    ],
)
def test_many_documents_and_elements_cost_what_they_are(part: str) -> None:
    def work_of(size: int) -> Callable[[], object]:
        return partial(read, "{}", part * (size // len(part)))

    assert growth(work_of, CHARACTERS) < GROWTH_MAX


@pytest.mark.parametrize("part", ["\ufeff", "\ufeff\n", "---\n\ufeff", "a: \ufeff\n", "\u00e4"])
def test_marks_of_byte_order_cost_what_they_are(part: str) -> None:
    def work_of(size: int) -> Callable[[], object]:
        return partial(text_of, (part * (size // len(part))).encode(), "x")

    assert growth(work_of, CHARACTERS) < GROWTH_MAX


@pytest.mark.parametrize("around", ["{}", "{{ {}", "{{{ {}", "{{{} }}", "{{a{}"])
def test_variables_cost_what_their_length_is(around: str) -> None:
    def filled(text: str) -> None:
        with suppress(UsageError):
            fill(around.replace("{}", text, 1), {"A": "b"}, "x")

    assert slow(filled) == []
