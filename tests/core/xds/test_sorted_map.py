"""A mapping that is never changed, sorted by key, and small in what its next one copies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.xds.sorted_map import CHUNK_ITEMS, SortedMap

NAMES = st.text("abc", max_size=4)
STEPS = st.lists(st.tuples(NAMES, st.none() | st.integers(0, 9)), max_size=300)


@given(items=st.dictionaries(NAMES, st.integers()), steps=STEPS)
def test_it_is_like_a_dictionary_that_is_sorted_by_name(
    items: dict[str, int], steps: list[tuple[str, int | None]]
) -> None:
    found, model = SortedMap(items), dict(items)
    for name, value in steps:
        before, told = found, dict(found)
        if value is None:
            found = found.without(name)
            model.pop(name, None)
        else:
            found = found.with_item(name, value)
            model[name] = value
        assert dict(before) == told
    assert list(found.items()) == sorted(model.items())
    assert found == model
    assert found == SortedMap(model)
    assert len(found) == len(model)
    assert all(found.get(name) == model.get(name) for name in ("", "a", "abc", "zzz"))


def test_it_holds_thousands_that_came_one_by_one() -> None:
    names = [f"{number * 7919 % 5000:04}" for number in range(5000)]
    found: SortedMap[str, int] = SortedMap()
    for name in names:
        found = found.with_item(name, int(name))
    assert list(found) == sorted(names)
    for name in names[:4990]:
        found = found.without(name)
    assert list(found) == sorted(names[4990:])


def test_the_next_one_shares_all_but_one_part_with_it() -> None:
    before = SortedMap({f"{number:05}": number for number in range(10_000)})

    after = before.with_item("05000", -1)

    shared = {id(each) for each in before._chunks} & {id(each) for each in after._chunks}
    assert len(shared) == len(before._chunks) - 1
    assert max(len(each) for each in after._chunks) <= 2 * CHUNK_ITEMS
    assert before["05000"] == 5000
