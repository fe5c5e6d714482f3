"""What a body costs grows as its length does, whatever is in it.

Each place of each type where clients write text is tried with texts that are known to cost much
where something goes back over what it has read; each list and map with many elements.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from time import process_time
from typing import Any, Final

import pytest
import trio

from kong_mesh_cp.core.formats import strict_json
from kong_mesh_cp.core.formats.go.go_json import syntax_fault
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.resource_refusals import ResourceRefusedError
from kong_mesh_cp.usecases.resources.sent_bodies import LARGE_VALUES, holds_more
from support.daemons.resource_api import ResourceApi
from support.specs.sound_resources import SOUND
from support.suites.growth import GROWTH_MAX, growth
from support.suites.hostile_texts import HOSTILE_TEXTS
from support.suites.text_fields import Field, list_fields, text_fields

CHARACTERS: Final = 8 * 1024  # of a first look
LOOK_SECONDS: Final = 0.004  # what takes more at a first look is looked at closely
CLOSER: Final = 4  # times as large
ELEMENTS: Final = 2 * LARGE_VALUES  # so that both sizes are judged in a thread

API: Final = ResourceApi()


def judge(field: Field, document: Any) -> None:
    """All that is done with a body before anything is looked up for it."""
    resource_type = TYPES[field.type]
    key = ResourceKey(resource_type.name, "default" if resource_type.is_mesh_scoped else "", "a")
    judging = partial(API.applying.validate, key, document)
    try:
        if holds_more(document, LARGE_VALUES):
            trio.run(judging)
        else:
            finish_at_once(judging())
    except ResourceRefusedError:
        return
    kind = KINDS[resource_type.name]
    spec = kind.parse(document)
    kind.warnings(spec)
    kind.render(spec)


def finish_at_once(work: Coroutine[object, None, object]) -> None:
    """What waits for nothing needs no event loop, which would cost more than it."""
    with suppress(StopIteration):
        work.send(None)


def judging(field: Field, filling: Callable[[int], Any], size: int) -> Callable[[], None]:
    return partial(judge, field, copy.deepcopy(field.filled(filling(size))))


def is_quick(work: Callable[[], object]) -> bool:
    begun = process_time()
    work()
    return process_time() - begun < LOOK_SECONDS


def numbered(element: Any, number: int) -> Any:
    """An element as `element` that is another one, where a text or a number can make it so."""
    match element:
        case str():
            return f"{element}{number}"
        case dict():
            return {key: numbered(value, number) for key, value in element.items()}
        case list():
            return [numbered(value, number) for value in element]
        case _:
            return element


def elements(field: Field, element: Any, size: int) -> Any:
    if field.is_map:
        return {f"key-{number}": element for number in range(size)}
    return [element] * size


def distinct(field: Field, element: Any, size: int) -> Any:
    several = [numbered(element, number) for number in range(size)]
    return {f"key-{n}": each for n, each in enumerate(several)} if field.is_map else several


@pytest.mark.parametrize("name", SOUND)
def test_a_text_costs_what_its_length_is(name: str) -> None:
    slow = [
        f"{field} {shape}"
        for field in text_fields(name)
        for shape, text in HOSTILE_TEXTS.items()
        if not is_quick(partial(judge, field, field.filled(text(CHARACTERS))))
        and growth(partial(judging, field, text), CHARACTERS * CLOSER) > GROWTH_MAX
    ]
    assert slow == []


@pytest.mark.parametrize("name", SOUND)
def test_a_list_costs_what_its_length_is(name: str) -> None:
    slow = [
        f"{field} {fill.__name__} {element}"
        for field in list_fields(name)
        for element in field.elements
        for fill in (elements, distinct)
        if growth(partial(judging, field, partial(fill, field, element)), ELEMENTS) > GROWTH_MAX
    ]
    assert slow == []


@pytest.mark.parametrize("shape", HOSTILE_TEXTS)
@pytest.mark.parametrize("around", ['{{"a":"{}"}}', "{}", '{{"a":{}}}', "[{}]", '{{"{}":1}}'])
def test_the_text_of_a_body_costs_what_its_length_is(around: str, shape: str) -> None:
    def reading(size: int) -> Callable[[], object]:
        body = around.format(HOSTILE_TEXTS[shape](size)).encode()
        return partial(read, body)

    assert growth(reading, CHARACTERS * CLOSER) < GROWTH_MAX


def read(body: bytes) -> object:
    try:
        return strict_json.parse(body)
    except strict_json.StrictJsonError:
        return syntax_fault(body)
