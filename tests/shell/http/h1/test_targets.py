from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.shell.http.h1.targets import split_target

PRINTABLE = st.text(max_size=20).filter(str.isprintable)


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", {}),
        ("*", "*", {}),
        ("/a?", "/a", {}),
        ("/a?b", "/a", {"b": ""}),
        ("/a?b=c=d&&=e&b=f", "/a", {"b": "c=d"}),
        ("/a?b=c+d%26", "/a", {"b": "c d&"}),
        ("/a+b%2Fc", "/a+b/c", {}),
        ("http://host", "/", {}),
        ("http://host?a=b", "/", {"a": "b"}),
        ("HTTPS://user@host:1/a?b=/c", "/a", {"b": "/c"}),
        ("//host/a", "//host/a", {}),
    ],
)
def test_a_target_is_split(target: str, path: str, query: dict[str, str]) -> None:
    assert split_target(target) == (path, query)


@pytest.mark.parametrize(
    "target", ["", "a", "ftp://h/", "h:1", "/a#b", "/%00", "/%0a", "/%ff", "/?%ff"]
)
def test_anything_else_is_an_error(target: str) -> None:
    with pytest.raises(ValueError, match=r"target|path|decode"):
        split_target(target)


@given(path=PRINTABLE, query=st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=5)))
def test_what_was_quoted_comes_back(path: str, query: dict[str, str]) -> None:
    target = f"/{quote(path)}?{urlencode(query)}"

    assert split_target(target) == ("/" + path, query)


@given(st.lists(st.sampled_from(["a", "b", "=", "&", "+", "%20", "%26", "?", ";"])).map("".join))
def test_queries_are_read_as_the_standard_library_reads_them(query: str) -> None:
    first: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name:
            first.setdefault(name, value)

    assert split_target("/?" + query)[1] == first
