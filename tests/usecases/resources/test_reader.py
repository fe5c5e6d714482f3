"""Getting and listing.

Source: docs/wire/resource-api.md#lists, docs/wire/resource-api.md#one-resource,
docs/wire/resource-api.md#overviews
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.identity.refusals import AccessDeniedError
from kong_mesh_cp.core.identity.users import ADMIN, ANONYMOUS
from kong_mesh_cp.core.resources.inline_secrets import MASK
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, Inbound, Networking
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.usecases.ports.resource_store import Put
from kong_mesh_cp.usecases.resources.queries import GatewayFilter, Listing, ListQuery, page_of
from kong_mesh_cp.usecases.resources.reader import LARGE_SPEC_CHARACTERS
from kong_mesh_cp.usecases.resources.resource_refusals import Fault, ResourceRefusedError
from support.daemons.resource_api import ResourceApi, inbound, networking


async def populated() -> ResourceApi:
    api = ResourceApi()
    for mesh in ("a", "b"):
        await api.put("Mesh", mesh, skipCreatingInitialPolicies=["*"])
        await api.put("Dataplane", "web", mesh=mesh, networking=networking(inbound("web")))
    two = networking(inbound("api", version="1"), inbound("api", 81, version="2"))
    await api.put("Dataplane", "api", mesh="a", networking=two, labels={"team": "x"})
    delegated = networking(gateway={"tags": {"kuma.io/service": "edge"}})
    await api.put("Dataplane", "edge", mesh="a", networking=delegated)
    builtin = networking(gateway={"type": "BUILTIN", "tags": {"kuma.io/service": "in"}})
    await api.put("Dataplane", "inner", mesh="a", networking=builtin)
    return api


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["api", "edge", "inner", "web"]),
        ({"name": "e"}, ["edge", "inner", "web"]),
        ({"labels": {"team": "x"}}, ["api"]),
        ({"labels": {"team": "x", "kuma.io/mesh": "b"}}, []),
        ({"tags": {"kuma.io/service": "we"}}, ["web"]),
        ({"tags": {"kuma.io/service": "api", "version": "2"}}, ["api"]),
        ({"tags": {"kuma.io/service": "web", "version": "2"}}, []),
        ({"tags": {"kuma.io/service": "*", "version": "*"}}, ["api"]),
        ({"tags": {"service": "api"}}, []),
        ({"tags": {"kuma": "api"}}, []),
        ({"tags": {"version": ""}}, ["api"]),
        ({"gateway": GatewayFilter.ANY}, ["edge", "inner"]),
        ({"gateway": GatewayFilter.NONE}, ["api", "web"]),
        ({"gateway": GatewayFilter.BUILTIN}, ["inner"]),
        ({"gateway": GatewayFilter.DELEGATED, "name": "ed"}, ["edge"]),
    ],
)
async def test_a_list_shows_what_all_filters_let_through(
    query: dict[str, object], names: list[str]
) -> None:
    api = await populated()
    assert await api.names("Dataplane", "a", **query) == names


async def test_a_list_of_all_meshes_is_sorted_by_mesh_and_name() -> None:
    listing = await (await populated()).page("Dataplane", size=3, offset=2)
    assert [(each["mesh"], each["name"]) for each in listing.items] == [
        ("a", "inner"),
        ("a", "web"),
        ("b", "web"),
    ]
    assert (listing.total, listing.next_offset) == (5, None)


async def test_the_mesh_of_a_list_has_to_exist() -> None:
    with pytest.raises(ResourceRefusedError) as error:
        await ResourceApi().page("Dataplane", "gone")
    assert error.value.title == "Failed to retrieve Mesh"


async def test_secrets_are_read_by_administrators_only() -> None:
    api = ResourceApi()
    await api.put("Mesh", "m")
    with pytest.raises(AccessDeniedError):
        await api.page("Secret", "m", user=ANONYMOUS)
    with pytest.raises(AccessDeniedError):
        await api.get("GlobalSecret", "gone", user=ANONYMOUS)
    assert (await api.page("MeshRetry", "m", user=ANONYMOUS)).total == 1


async def test_what_is_not_there_is_not_found() -> None:
    with pytest.raises(ResourceRefusedError) as error:
        await ResourceApi().get("Mesh", "m")
    assert (error.value.fault, error.value.title) == (
        Fault.NOT_FOUND,
        "Could not retrieve a resource",
    )


async def test_an_overview_has_the_insight_where_there_is_one() -> None:
    api = await populated()
    insight = {"subscriptions": [{"id": "1"}]}
    key = ResourceKey("DataplaneInsight", "a", "web")
    await api.store.apply([Put(key=key, spec=json.dumps(insight), at=api.now)])

    resource_type = TYPES["Dataplane"]
    page: Listing[Any] = await api.reading.page(
        ADMIN, resource_type, "a", ListQuery(name="e"), overview=True
    )
    assert [each["type"] for each in page.items] == ["DataplaneOverview"] * 3
    assert [each.get("dataplaneInsight") for each in page.items] == [None, None, insight]
    one = await api.reading.overview(ADMIN, resource_type, "a", "web")
    assert one == page.items[2]
    without = await api.reading.overview(ADMIN, resource_type, "a", "edge")
    assert without == {**page.items[0], "dataplaneInsight": {}}
    assert list(one)[-2:] == ["dataplane", "dataplaneInsight"]


@given(
    items=st.lists(st.integers(), max_size=30),
    size=st.integers(1, 12),
)
def test_pages_put_together_are_the_whole_list(items: list[int], size: int) -> None:
    everything: list[dict[str, object]] = [{"name": str(number)} for number in items]
    collected: list[dict[str, object]] = []
    offset: int | None = 0
    while offset is not None:
        page = page_of(everything, ListQuery(offset=offset, size=size))
        assert page.total == len(everything)
        assert len(page.items) <= size
        collected += page.items
        offset = page.next_offset
    assert collected == everything


KEYS = st.sampled_from(["kuma.io/service", "version", "team"])
TAGS = st.dictionaries(KEYS, st.sampled_from(["a", "ab", "b", "bc"]), max_size=3)


@given(sets=st.lists(TAGS, min_size=1, max_size=3), wanted=TAGS)
def test_a_dataplane_has_the_tags_when_one_of_its_sets_has_all(
    sets: list[dict[str, str]], wanted: dict[str, str]
) -> None:
    spec = Dataplane(networking=Networking(inbound=tuple(Inbound(tags=each) for each in sets)))
    expected = any(all(wanted[key] in each.get(key, "-") for key in wanted) for each in sets)
    assert ListQuery(tags=wanted).selects(spec) == (expected or not wanted)


async def test_a_large_spec_is_masked_in_a_thread_and_a_small_one_at_once() -> None:
    api = ResourceApi()
    await api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    for name, filler in (("small", ""), ("large", "#" * LARGE_SPEC_CHARACTERS)):
        value = f"name: a\nprivate_key: {{inline_string: a-key}} {filler}"
        mods = [{"cluster": {"operation": "Add", "value": value}}]
        spec = {"targetRef": {"kind": "Mesh"}, "default": {"appendModifications": mods}}
        await api.put("MeshProxyPatch", name, mesh="m", spec=spec)
        shown = await api.get("MeshProxyPatch", name, mesh="m", user=ANONYMOUS)
        (masked,) = shown["spec"]["default"]["appendModifications"]
        assert masked["cluster"]["value"] == MASK
    for item in (await api.page("MeshProxyPatch", "m", user=ANONYMOUS)).items:
        assert "a-key" not in json.dumps(item)
