"""What texts of rows are looked at for: once where they repeat, and each time where they are bad."""

from __future__ import annotations

import weakref

import pytest

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.store.unsound import (
    NEVER_LEFT_OUT,
    SHORT_CHARACTERS_MAX,
    UnsoundRowError,
    labels_of,
    require_object,
)

KEY = ResourceKey("MeshTimeout", "m", "t")
LONG = " " * SHORT_CHARACTERS_MAX  # what makes a text a long one


class Text(str):
    """One that a weak reference can point at."""

    __slots__ = ("__weakref__",)


@pytest.mark.parametrize("rest", ["", LONG])
@pytest.mark.parametrize("text", ["[1]", "7", "null", "{", '{"a":NaN}', '{"a":1e999}'])
def test_a_bad_text_is_refused_each_time(text: str, rest: str) -> None:
    for _ in range(2):
        with pytest.raises(UnsoundRowError):
            require_object(KEY, "spec", text + rest)
        with pytest.raises(UnsoundRowError):
            labels_of(KEY, text + rest)


@pytest.mark.parametrize("value", [None, 7, b"{}"])
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(UnsoundRowError):
        require_object(KEY, "spec", value)
    with pytest.raises(UnsoundRowError):
        labels_of(KEY, value)


@pytest.mark.parametrize("rest", ["", LONG])
def test_labels_of_one_text_are_each_reader_s_own(rest: str) -> None:
    first = labels_of(KEY, '{"b":"2","a":"1"}' + rest)
    assert isinstance(first, dict)
    first["c"] = "3"

    assert list(labels_of(KEY, '{"b":"2","a":"1"}' + rest).items()) == [("b", "2"), ("a", "1")]


@pytest.mark.parametrize("type_name", NEVER_LEFT_OUT)
def test_the_text_of_a_secret_is_not_kept(type_name: str) -> None:
    text = Text('{"data":"c2VjcmV0"}')
    kept = weakref.ref(text)

    require_object(ResourceKey(type_name, "m", "s"), "spec", text)
    del text

    assert kept() is None
