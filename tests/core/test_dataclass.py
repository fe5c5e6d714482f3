"""Frozen dataclasses of this program are those of the standard library, to whoever uses them."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kong_mesh_cp.core.dataclass import dataclass

Made = Callable[[type], type]

OURS = dataclass(frozen=True, slots=True, kw_only=True)
STANDARD = dataclasses.dataclass(frozen=True, slots=True, kw_only=True)


def point(make: Made) -> Any:
    class Point:
        """A place."""

        x: int
        y: int = 0
        label: str = dataclasses.field(default="", compare=False)
        secret: str = dataclasses.field(default="", repr=False)
        unhashed: tuple[int, ...] = dataclasses.field(default=(), hash=False)

    return make(Point)


def single(make: Made) -> Any:
    class Single:
        """One thing."""

        of: object

    return make(Single)


def empty(make: Made) -> Any:
    class Empty:
        """Nothing."""

    return make(Empty)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What can be found under its name, as pickles need it."""

    number: int
    more: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Derived(Kept):
    """With a field more."""

    last: int = 0


@pytest.mark.parametrize("make", [OURS, STANDARD], ids=["ours", "standard"])
@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ({"x": 1}, {"x": 1}, True),
        ({"x": 1}, {"x": 2}, False),
        ({"x": 1, "label": "a"}, {"x": 1, "label": "b"}, True),
        ({"x": 1, "secret": "a"}, {"x": 1, "secret": "b"}, False),
        ({"x": 1, "unhashed": (1,)}, {"x": 1, "unhashed": (2,)}, False),
        ({"x": 1}, {"x": 1.0}, True),
    ],
)
def test_equal_is_what_has_equal_fields(
    make: Made, left: dict[str, Any], right: dict[str, Any], equal: bool
) -> None:
    kind = point(make)

    assert (kind(**left) == kind(**right)) is equal
    assert (kind(**left) != kind(**right)) is not equal
    if equal:
        assert hash(kind(**left)) == hash(kind(**right))


@pytest.mark.parametrize("make", [OURS, STANDARD], ids=["ours", "standard"])
def test_another_class_with_equal_fields_is_not_equal(make: Made) -> None:
    assert point(make)(x=1) != point(make)(x=1)
    assert point(make)(x=1) != (1, 0, "", "", ())


def test_what_is_derived_compares_all_its_fields_and_not_with_its_base() -> None:
    assert Derived(number=1, last=2) == Derived(number=1, last=2)
    assert Derived(number=1, last=2) != Derived(number=1, last=3)
    assert Derived(number=1) != Kept(number=1)
    assert repr(Derived(number=1)) == "Derived(number=1, more=(), last=0)"


@pytest.mark.parametrize("of", [0, "text", None, (1, 2), ((),)])
def test_hashes_are_those_of_the_standard_library(of: object) -> None:
    assert hash(single(OURS)(of=of)) == hash(single(STANDARD)(of=of))
    assert hash(empty(OURS)()) == hash(empty(STANDARD)())
    own, other = point(OURS)(x=1, unhashed=(1,)), point(OURS)(x=1, unhashed=(2,))
    assert hash(own) == hash(other) == hash(point(STANDARD)(x=1))


def test_a_field_that_cannot_be_hashed_is_refused() -> None:
    with pytest.raises(TypeError, match="unhashable type: 'list'"):
        hash(single(OURS)(of=[]))


def test_what_is_printed_is_that_of_the_standard_library() -> None:
    given = {"x": 1, "label": 'a"b', "secret": "hidden"}
    assert repr(point(OURS)(**given)) == repr(point(STANDARD)(**given))
    assert "hidden" not in repr(point(OURS)(**given))
    assert repr(empty(OURS)()) == repr(empty(STANDARD)())


def test_what_holds_itself_is_printed_once() -> None:
    holder: list[object] = []
    it = single(OURS)(of=holder)
    holder.append(it)

    assert repr(it).endswith("Single(of=[...])")


def test_nothing_can_be_set_or_deleted() -> None:
    it = point(OURS)(x=1)

    with pytest.raises(dataclasses.FrozenInstanceError):
        it.x = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        del it.x
    assert it.x == 1


def test_the_tools_of_the_standard_library_take_it() -> None:
    it = Kept(number=1, more=(2,))

    assert dataclasses.is_dataclass(Kept)
    assert [each.name for each in dataclasses.fields(Kept)] == ["number", "more"]
    assert dataclasses.replace(it, number=3) == Kept(number=3, more=(2,))
    assert dataclasses.asdict(it) == {"number": 1, "more": (2,)}
    assert pickle.loads(pickle.dumps(it)) == it
    assert copy.deepcopy(it) == it
    match it:
        case Kept(number=number):
            assert number == 1


@pytest.mark.parametrize("make", [OURS, STANDARD], ids=["ours", "standard"])
def test_methods_that_a_class_has_are_its_own(make: Made) -> None:
    class Odd:
        """Whose instances are all equal."""

        x: int

        def __eq__(self, other: object) -> bool:
            return True

        def __repr__(self) -> str:
            return "odd"

        def __hash__(self) -> int:
            return 7

    kind: Any = make(Odd)
    assert kind(x=1) == kind(x=2) == "anything"
    assert (repr(kind(x=1)), hash(kind(x=1))) == ("odd", 7)


@pytest.mark.parametrize("make", [OURS, STANDARD], ids=["ours", "standard"])
def test_a_class_with_a_comparison_of_its_own_alone_can_be_hashed(make: Made) -> None:
    class Loose:  # noqa: PLW1641 (that is the case)
        """Which compares one of its fields."""

        x: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Loose)

    kind: Any = make(Loose)
    assert hash(kind(x=1)) == hash((1,))


def test_without_comparison_each_is_only_itself() -> None:
    @dataclass(frozen=True, slots=True, eq=False)
    class Place:
        """Somewhere."""

        x: int

    it = Place(1)
    assert it == it  # noqa: PLR0124
    assert it != Place(1)
    assert repr(it).endswith("Place(x=1)")
    assert hash(it) == object.__hash__(it)


@pytest.mark.parametrize("make", [OURS, STANDARD], ids=["ours", "standard"])
def test_an_instance_is_made_of_what_is_given_and_of_defaults(make: Made) -> None:
    class Parcel:
        """What is sent."""

        to: str
        weight: int = 1
        parts: list[str] = dataclasses.field(default_factory=list)
        stamps: list[str] = dataclasses.field(default_factory=lambda: ["first"], init=False)
        state: str = dataclasses.field(default="new", init=False)

        def __post_init__(self) -> None:
            self.stamps.append(f"to {self.to}")

    kind: Any = make(Parcel)
    one, other = kind(to="a"), kind(to="b", weight=2, parts=["x"])
    assert (one.weight, one.parts, one.stamps, one.state) == (1, [], ["first", "to a"], "new")
    assert (other.weight, other.parts, other.stamps) == (2, ["x"], ["first", "to b"])
    assert one.parts is not kind(to="a").parts


@pytest.mark.parametrize("make", [OURS, STANDARD], ids=["ours", "standard"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "__init__() missing 1 required"),
        ({"x": 1, "nope": 2}, "got an unexpected keyword argument 'nope'"),
    ],
)
def test_what_is_missing_or_too_much_is_refused_by_name(
    make: Made, given: dict[str, Any], said: str
) -> None:
    kind = point(make)
    for _ in range(2):  # at the first instance, which compiles it, and later
        with pytest.raises(TypeError, match=re.escape(said)):
            kind(**given)


def test_fields_by_position_come_in_their_order_and_others_only_by_name() -> None:
    @dataclass(frozen=True)
    class Pair:
        """Two and a name."""

        left: int
        right: int
        name: str = dataclasses.field(default="", kw_only=True)

    assert Pair(1, 2, name="a") == Pair(left=1, right=2, name="a")
    with pytest.raises(TypeError, match="positional arguments"):
        Pair(1, 2, "a")  # type: ignore[call-arg]


def test_a_derived_class_may_have_attributes_but_not_change_its_fields() -> None:
    class Named(Kept):
        """With something that is no field."""

        def __init__(self, number: int) -> None:
            super().__init__(number=number)
            self.note = "mine"

    it = Named(1)
    it.note = "changed"
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'number'"):
        it.number = 2  # type: ignore[misc]
    assert (it.number, it.note) == (1, "changed")


def test_several_threads_may_make_the_first_instance() -> None:
    @dataclass(frozen=True, slots=True)
    class Shared:
        """A number."""

        x: int

    ready = threading.Barrier(8)

    def first(x: int) -> Shared:
        ready.wait()
        return Shared(x)

    with ThreadPoolExecutor(8) as pool:
        assert [each.x for each in pool.map(first, range(8))] == list(range(8))


def test_what_can_change_is_the_standard_librarys() -> None:
    @dataclass(slots=True)
    class Counter:
        """A number that grows."""

        count: int = 0

    it = Counter()
    it.count += 1
    assert it == Counter(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(it)


def test_a_class_without_a_docstring_has_its_name_for_one() -> None:
    @dataclass(frozen=True, slots=True)
    class Nameless:
        x: int

    assert Nameless.__doc__ == "Nameless"
