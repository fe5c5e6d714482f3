"""The queries of lists (docs/wire/resource-api.md#lists)."""

from __future__ import annotations

import socket
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.shell.http.h1.targets import split_target
from kong_mesh_cp.shell.http.messages import Request
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.rest_api.list_queries import list_query, next_page, service_types
from kong_mesh_cp.usecases.resources.queries import GatewayFilter, Listing, ListQuery
from kong_mesh_cp.usecases.resources.resource_refusals import ResourceRefusedError

ROUTE = "/meshes/{mesh}/dataplanes"
NOBODY = Peer(socket.socket.__new__(socket.socket))


def request(query: str) -> Request:
    target = f"/meshes/m/dataplanes?{query}"
    path, first = split_target(target)
    return Request("GET", path, first, {"host": "127.0.0.1:5681"}, b"", NOBODY, raw_query=query)


def query_of(query: str, type_name: str = "Dataplane") -> ListQuery:
    return list_query(request(query), ROUTE, type_name)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ListQuery()),
        ("size=7&offset=3", ListQuery(size=7, offset=3)),
        ("size=0", ListQuery()),
        ("size=1000&offset=", ListQuery(size=1000)),
        ("name=a%20b", ListQuery(name="a b")),
        ("gateway=Builtin", ListQuery(gateway=GatewayFilter.BUILTIN)),
        ("tag=a:b:c&tag=d:e&tag=none&tag=d:f", ListQuery(tags={"a": "b:c", "d": "f"})),
        (
            "filter[labels.k8s.kuma.io/ns]=x&filter[labels.a]=1&filter[labels.a]=2",
            ListQuery(labels={"k8s.kuma.io/ns": "x", "a": "2"}),
        ),
    ],
)
def test_a_query_says_what_to_list(query: str, expected: ListQuery) -> None:
    assert query_of(query) == expected


def test_only_types_with_tags_are_filtered_by_them() -> None:
    assert query_of("tag=a:b&gateway=x", "MeshTimeout") == ListQuery()


@pytest.mark.parametrize(
    ("query", "detail", "field", "reason"),
    [
        ("size=abc", "Invalid page size", "size", "invalid format"),
        ("size=-1", "Invalid page size", "size", "invalid format"),
        (
            "size=2000",
            "Invalid page size",
            "size",
            "invalid page size of 2000. Maximum page size is 1000",
        ),
        ("offset=abc", "Invalid offset", "offset", "Invalid format"),
        ("offset=99999999999999999999", "Invalid offset", "offset", "Invalid format"),
        (
            "gateway=x",
            "Resource is not valid",
            f"{ROUTE}.gateway",
            "shoud use `true`, `false`, 'builtin' or 'delegated' instead of x",
        ),
        (
            "filter[foo]=x",
            "Resource is not valid",
            f"{ROUTE}.filter[foo]",
            "filters are only supported on labels",
        ),
        (
            "gateway=MesH",
            "Resource is not valid",
            f"{ROUTE}.gateway",
            "shoud use `true`, `false`, 'builtin' or 'delegated' instead of mesh",
        ),
        (
            "filter[foo][eq]=x",
            "Resource is not valid",
            f"{ROUTE}.filter[foo][eq]",
            "filters are only supported on labels",
        ),
        *(
            (
                f"{name}=x",
                "Resource is not valid",
                f"{ROUTE}.{name}",
                "advanced filters are not supported",
            )
            for name in ("filter[labels.a][eq]", "filter[labels.a")
        ),
    ],
)
def test_what_cannot_be_asked_is_reported_by_field(
    query: str, detail: str, field: str, reason: str
) -> None:
    with pytest.raises(ResourceRefusedError) as error:
        query_of(query)
    (violation,) = error.value.violations
    assert error.value.title == "Could not retrieve resources"
    assert (error.value.detail, violation.field, violation.message) == (detail, field, reason)


def test_an_unknown_type_of_service_is_a_bad_request() -> None:
    assert [each.name for each in service_types(request("type=internal,%20External"))] == [
        "internal",
        "external",
    ]
    with pytest.raises(ResourceRefusedError) as error:
        service_types(request("type=none"))
    assert error.value.detail == "bad request: unsupported service type"


def test_the_next_page_keeps_the_query_with_sorted_names() -> None:
    listing: Listing[object] = Listing(items=(), total=9, next_offset=4)
    address = next_page(request("size=2&name=x&offset=2"), listing)
    assert address == "http://127.0.0.1:5681/meshes/m/dataplanes?name=x&offset=4&size=2"
    assert next_page(request(""), Listing(items=(), total=9, next_offset=None)) is None


def test_the_next_page_is_where_the_first_one_was_asked_for() -> None:
    asked = request("")
    asked.peer = replace(NOBODY, secure=True)
    address = next_page(asked, Listing(items=(), total=9, next_offset=4))
    assert address == "https://127.0.0.1:5681/meshes/m/dataplanes?offset=4"


def test_the_next_page_has_the_path_as_go_writes_it() -> None:
    asked = request("")
    asked.path = "/meshes/m/dataplanes+insights/a b(c)"
    address = next_page(asked, Listing(items=(), total=9, next_offset=4))
    assert address == "http://127.0.0.1:5681/meshes/m/dataplanes+insights/a%20b%28c%29?offset=4"


NAMES = st.sampled_from(["tag", "name", "size", "filter[labels.a]"])


@given(
    pairs=st.lists(st.tuples(NAMES, st.text(st.characters(codec="utf-8"), max_size=6)), max_size=5),
    offset=st.integers(1, 10_000),
)
def test_the_next_page_asks_the_same_but_for_the_offset(
    pairs: list[tuple[str, str]], offset: int
) -> None:
    asked = request(urlencode([*pairs, ("offset", "0")]))
    address = next_page(asked, Listing(items=(), total=20_000, next_offset=offset))
    assert address is not None
    found = parse_qsl(urlsplit(address).query, keep_blank_values=True)
    assert sorted(found) == sorted([*pairs, ("offset", str(offset))])
    assert [name for name, _ in found] == sorted(name for name, _ in found)
