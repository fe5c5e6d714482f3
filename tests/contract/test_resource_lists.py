"""Lists of resources: their order, their pages, their filters."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, Selection
from support.fakes.resources import ResourceOpening, policy, put

LABELS = {"kuma.io/mesh": "default", "team": "a", "": "empty key"}


async def selected(store: ResourceStore, selection: Selection) -> list[tuple[str, str]]:
    page = await store.list(selection)
    assert page.total == len(page.items)
    return [(one.key.mesh, one.key.name) for one in page.items]


async def test_a_list_is_sorted_by_mesh_and_name_as_code_points(opening: ResourceOpening) -> None:
    keys = [
        (mesh, name)
        for mesh in ["", "A", "a", "a-b", "ab", "é"]
        for name in ["", "B", "a", "a.b", "a-b", "a_b", "aB", "é", "z", "𝕏", "\ufb01"]
    ]
    async with opening() as store:
        await store.apply([put(policy(name, mesh)) for mesh, name in reversed(keys)])

        assert await selected(store, Selection(type="MeshTimeout")) == sorted(keys)


async def test_a_list_holds_one_type_and_one_mesh(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply(
            [put(ResourceKey(type_, mesh, "x")) for type_ in "TU" for mesh in ("", "m", "mm")]
        )

        assert await selected(store, Selection(type="T", mesh="m")) == [("m", "x")]
        assert await selected(store, Selection(type="T", mesh="")) == [("", "x")]
        assert await selected(store, Selection(type="T")) == [("", "x"), ("m", "x"), ("mm", "x")]
        assert await selected(store, Selection(type="V")) == []
        assert await selected(store, Selection(type="t")) == []


@pytest.mark.parametrize(
    ("offset", "limit", "expected"),
    [
        (0, 3, "abc"),
        (3, 3, "def"),
        (6, 3, "g"),
        (7, 3, ""),
        (10**9, 3, ""),
        (0, 0, ""),
        (5, None, "fg"),
        (0, 10**9, "abcdefg"),
    ],
)
async def test_a_page_is_a_part_and_knows_the_whole(
    opening: ResourceOpening, offset: int, limit: int | None, expected: str
) -> None:
    async with opening() as store:
        await store.apply([put(policy(name)) for name in "abcdefg"])
        page = await store.list(Selection(type="MeshTimeout", offset=offset, limit=limit))

        assert [one.key.name for one in page.items] == list(expected)
        assert (page.total, page.revision) == (7, 7)


@pytest.mark.parametrize(
    ("bytes_max", "offset", "limit", "expected"),
    [
        (1000, 0, None, "abc"),
        (300, 0, None, "abc"),
        (299, 0, None, "ab"),
        (100, 1, None, "b"),
        (1, 0, None, "a"),
        (0, 2, 5, "c"),
        (1000, 0, 2, "ab"),
        (1000, 3, None, ""),
    ],
)
async def test_a_page_has_so_many_bytes_but_one_resource_at_least(
    opening: ResourceOpening, bytes_max: int, offset: int, limit: int | None, expected: str
) -> None:
    spec = '{"a":"' + 92 * "x" + '"}'
    assert len(spec) == 100
    async with opening() as store:
        await store.apply([put(policy(name), spec) for name in "abc"])
        page = await store.list(
            Selection(type="MeshTimeout", offset=offset, limit=limit, bytes_max=bytes_max)
        )

        assert [one.key.name for one in page.items] == list(expected)
        assert page.total == 3


async def test_a_page_holds_whole_resources(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply([put(policy("a"), '{"x":1}', labels=LABELS)])
        await store.apply([put(policy("b"), owner=policy("a"))])
        page = await store.list(Selection(type="MeshTimeout"))

        got = await store.get_many([policy("a"), policy("b")])
        assert page.items == (got[policy("a")], got[policy("b")])


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("", ["a%b", "ab", "aB", "b_a", "éa"]),
        ("a", ["a%b", "ab", "aB", "b_a", "éa"]),
        ("b", ["a%b", "ab", "b_a"]),
        ("B", ["aB"]),
        ("%", ["a%b"]),
        ("_", ["b_a"]),
        ("\\", []),
        ("é", ["éa"]),
        ("E", []),
        ("'", []),
    ],
)
async def test_a_name_is_filtered_by_any_part_of_it_to_the_letter(
    opening: ResourceOpening, part: str, expected: list[str]
) -> None:
    async with opening() as store:
        await store.apply([put(policy(name)) for name in ["a%b", "ab", "aB", "b_a", "éa"]])

        found = await selected(store, Selection(type="MeshTimeout", name_contains=part))
        assert [name for _, name in found] == sorted(expected)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, "abc"),
        ({"team": "a"}, "ab"),
        ({"team": "a", "kuma.io/mesh": "default"}, "a"),
        ({"team": "A"}, ""),
        ({"Team": "a"}, ""),
        ({"team": ""}, ""),
        ({"": "empty key"}, "a"),
        ({"tea": "a"}, ""),
        ({"odd \"'key\\.$[0]": "\0%"}, "c"),
        ({"none": "x"}, ""),
    ],
)
async def test_labels_are_filtered_by_all_that_is_asked_for(
    opening: ResourceOpening, labels: dict[str, str], expected: str
) -> None:
    async with opening() as store:
        await store.apply(
            [
                put(policy("a"), labels=LABELS),
                put(policy("b"), labels={"team": "a"}),
                put(policy("c"), labels={"odd \"'key\\.$[0]": "\0%", "number": "1"}),
            ]
        )

        found = await selected(store, Selection(type="MeshTimeout", labels=labels))
        assert [name for _, name in found] == list(expected)


async def test_filters_and_pages_go_together(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply(
            [
                put(policy(f"{kind}-{n}", mesh), labels={"even": str(n % 2 == 0)})
                for mesh in ("m", "n")
                for kind in ("x", "y")
                for n in range(6)
            ]
        )
        page = await store.list(
            Selection(
                type="MeshTimeout",
                mesh="n",
                name_contains="y-",
                labels={"even": "True"},
                offset=1,
                limit=1,
            )
        )

        assert [one.key for one in page.items] == [policy("y-2", "n")]
        assert page.total == 3
