"""Which requests a browser sends for a page of another origin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.shell.http.origins import (
    ORIGIN_CHARACTERS_MAX,
    REFERER_CHARACTERS_MAX,
    Origin,
    is_foreign_page,
    is_from_browser,
)

OWN = "http://localhost:5681"
HOST = {"host": "localhost:5681"}


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        (OWN, Origin("http", "localhost", 5681)),
        ("HTTP://LOCALHOST:5681", Origin("http", "localhost", 5681)),
        ("http://localhost", Origin("http", "localhost", 80)),
        ("https://cp.example.com", Origin("https", "cp.example.com", 443)),
        ("https://[0:0::1]:5682", Origin("https", "::1", 5682)),
    ],
)
def test_an_origin_is_scheme_host_and_port(text: str, origin: Origin) -> None:
    assert Origin.parse(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "localhost:5681",
        "//localhost:5681",
        "tauri://localhost",
        "file://",
        "http:/localhost",
        "http://",
        "http://localhost/",
        "http://localhost:5681/x",
        "http://localhost?x",
        "http://localhost#x",
        "http://user@localhost",
        "http://localhost:5681, http://localhost:5681",
        "http://localhost:99999",
        "http://localhost:-1",
        "http://localhost:5681:5681",
        "http://[::1",
        "http://[::1]5681",
        "http://[localhost]",
        "http://local\thost",
        "http://xn--\u00e9",
        "http://" + "a" * ORIGIN_CHARACTERS_MAX,
    ],
)
def test_what_is_more_or_less_is_no_origin(text: str) -> None:
    assert Origin.parse(text) is None


@pytest.mark.parametrize(
    "says",
    [
        {"origin": OWN},
        {"origin": "HTTP://LocalHost:5681"},
        {"referer": f"{OWN}/meshes?name=x#y"},
        {"referer": f"{OWN}/"},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-user": "?1"},
        {"sec-fetch-site": "same-origin", "origin": OWN, "referer": f"{OWN}/"},
    ],
)
def test_our_own_page_is_not_foreign(says: dict[str, str]) -> None:
    assert is_from_browser({**HOST, **says})
    assert not is_foreign_page({**HOST, **says}, secure=False)


@pytest.mark.parametrize(
    "says",
    [
        {"origin": "http://localhost:3000"},
        {"origin": "https://localhost:5681"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": f"{OWN}, {OWN}"},
        {"referer": "http://localhost:3000/index.html"},
        {"referer": "https://localhost:5681/"},
        {"referer": f"{OWN}@evil.example/"},
        {"referer": f"{OWN}.evil.example/"},
        {"referer": f"{OWN}\\@evil.example/"},
        {"referer": "about:blank"},
        {"referer": ""},
        {"referer": f"{OWN}/" + "x" * REFERER_CHARACTERS_MAX},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": ""},
        {"sec-fetch-site": "None"},
        {"sec-fetch-site": "same-origin, cross-site"},
        {"sec-fetch-site": "none, none"},
        {"sec-fetch-mode": "navigate"},
        {"sec-fetch-dest": "iframe"},
        {"origin": OWN, "sec-fetch-site": "same-site"},
        {"origin": OWN, "referer": "http://localhost:3000/"},
        {"access-control-request-method": "GET"},
        {"origin": OWN, "access-control-request-private-network": "true"},
    ],
    ids=str,
)
def test_whatever_else_a_browser_says_is_foreign(says: dict[str, str]) -> None:
    assert is_from_browser({**HOST, **says})
    assert is_foreign_page({**HOST, **says}, secure=False)


def test_over_tls_our_own_page_has_the_scheme_https() -> None:
    assert not is_foreign_page({**HOST, "origin": "https://localhost:5681"}, secure=True)
    assert is_foreign_page({**HOST, "origin": OWN}, secure=True)


@pytest.mark.parametrize("host", [{}, {"host": ""}, {"host": "a b"}])
def test_a_browser_that_does_not_say_its_origin_has_no_own_page(host: dict[str, str]) -> None:
    assert is_foreign_page({**host, "origin": "http://"}, secure=False)


def test_a_program_that_is_no_browser_is_no_page() -> None:
    headers = {**HOST, "user-agent": "curl/8.5.0", "accept": "*/*"}
    assert not is_from_browser(headers)
    assert not is_foreign_page(headers, secure=False)


@given(text=st.text(max_size=60), secure=st.booleans())
def test_an_origin_is_our_own_only_when_it_is_written_so(text: str, secure: bool) -> None:
    for origin in (text, f"http://{text}", f"{OWN}{text}", f"{text}{OWN}"):
        if not is_foreign_page({**HOST, "origin": origin}, secure=secure):
            scheme = "https" if secure else "http"
            port = origin.rpartition(":")[2].lstrip("0")
            assert (origin.lower().rpartition(":")[0], port) == (f"{scheme}://localhost", "5681")
