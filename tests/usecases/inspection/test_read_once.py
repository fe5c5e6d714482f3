"""What was made of a resource is made once, for as long as the resource says the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.inspection.read_once import (
    ITEM_CHARACTERS,
    KEPT_ITEM_CHARACTERS_MAX,
    ReadOnce,
)
from kong_mesh_cp.usecases.ports.resource_store import StoredResource

AT = datetime(2026, 1, 1, tzinfo=UTC)
TEXT = "{}"
COST = len(TEXT) + ITEM_CHARACTERS
Value = tuple[str, str, tuple[tuple[str, str], ...]]


def resource(name: str, mesh: str = "m", spec: str = TEXT, version: int = 1) -> StoredResource:
    return StoredResource(
        key=ResourceKey("MeshTimeout", mesh, name),
        version=version,
        spec=spec,
        labels={"team": "a"},
        created_at=AT,
        modified_at=AT,
    )


def value_of(stored: StoredResource) -> Value:
    return stored.key.name, stored.spec, tuple(sorted(stored.labels.items()))


@dataclass
class Reader:
    """Notes the names that it reads."""

    names: list[str] = field(default_factory=list)

    def __call__(self, stored: StoredResource) -> Value:
        self.names.append(stored.key.name)
        return value_of(stored)

    def taken(self) -> list[str]:
        taken, self.names = self.names, []
        return taken


def room_for(items: int, *, meshes: int = 1) -> int:
    return items * COST + meshes * ITEM_CHARACTERS


def test_what_says_the_same_is_read_once() -> None:
    read = Reader()
    once = ReadOnce(read)
    found = [resource("a"), resource("b")]

    first = once.of_mesh("m", found)
    again = once.of_mesh("m", [replace(each, version=2) for each in found])

    assert first == again == [value_of(each) for each in found]
    assert read.taken() == ["a", "b"]


def test_another_text_and_another_label_are_read() -> None:
    read = Reader()
    once = ReadOnce(read)
    once.of_mesh("m", [resource("a"), resource("b"), resource("c")])
    read.taken()
    changed = [
        resource("a", spec="[]"),
        replace(resource("b"), labels={"team": "b"}),
        resource("c"),
    ]

    assert once.of_mesh("m", changed) == [value_of(each) for each in changed]
    assert read.taken() == ["a", "b"]


def test_what_is_made_anew_with_the_version_of_the_old_is_read() -> None:
    read = Reader()
    once = ReadOnce(read)
    once.of_mesh("m", [resource("a", version=1)])

    assert once.of_mesh("m", [resource("a", spec="[]", version=1)]) == [("a", "[]", LABELS)]


LABELS = (("team", "a"),)


def test_what_went_is_forgotten() -> None:
    read = Reader()
    once = ReadOnce(read)
    once.of_mesh("m", [resource("a"), resource("b")])
    once.of_mesh("m", [resource("b")])
    read.taken()

    once.of_mesh("m", [resource("a"), resource("b")])

    assert read.taken() == ["a"]


def test_a_passage_that_was_not_ended_changes_nothing() -> None:
    read = Reader()
    once = ReadOnce(read)
    once.of_mesh("m", [resource("a"), resource("b")])
    read.taken()

    assert once.passage("m").value(resource("b")) == value_of(resource("b"))
    once.of_mesh("m", [resource("a"), resource("b")])

    assert read.taken() == []


def test_of_a_mesh_that_is_too_large_the_first_are_kept() -> None:
    read = Reader()
    once = ReadOnce(read, room_for(2))
    found = [resource(name) for name in "abc"]
    once.of_mesh("m", found)
    read.taken()

    assert once.of_mesh("m", found) == [value_of(each) for each in found]
    assert read.taken() == ["c"]


def test_a_large_resource_takes_no_room() -> None:
    read = Reader()
    once = ReadOnce(read)
    large = resource("large", spec=" " * (KEPT_ITEM_CHARACTERS_MAX + 1))
    small = resource("small", spec=" " * KEPT_ITEM_CHARACTERS_MAX)
    once.of_mesh("m", [large, small])
    read.taken()

    once.of_mesh("m", [large, small])

    assert read.taken() == ["large"]


def test_the_mesh_that_was_looked_at_longest_ago_makes_room() -> None:
    read = Reader()
    once = ReadOnce(read, room_for(2, meshes=2))
    for mesh in ("one", "two", "one", "three"):
        once.of_mesh(mesh, [resource(mesh, mesh)])
    read.taken()

    for mesh in ("one", "three", "two"):
        once.of_mesh(mesh, [resource(mesh, mesh)])

    assert read.taken() == ["two"]


def test_meshes_without_any_resource_take_room_too() -> None:
    read = Reader()
    once = ReadOnce(read, room_for(1, meshes=2))
    once.of_mesh("m", [resource("a")])
    for mesh in ("one", "two"):
        once.of_mesh(mesh, [])
    read.taken()

    once.of_mesh("m", [resource("a")])

    assert read.taken() == ["a"]


passages = st.lists(
    st.tuples(
        st.sampled_from(["m", "n"]),
        st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["{}", "[]", '{"a":1}'])),
    ),
    max_size=8,
)


@given(passages=passages, room=st.integers(0, room_for(4)))
def test_whatever_is_kept_the_values_are_those_of_now(
    passages: Iterable[tuple[str, dict[str, str]]], room: int
) -> None:
    once = ReadOnce(value_of, room)
    for mesh, specs in passages:
        found = [resource(name, mesh, spec) for name, spec in specs.items()]
        assert once.of_mesh(mesh, found) == [value_of(each) for each in found]
