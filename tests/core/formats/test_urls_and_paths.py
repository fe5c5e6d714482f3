"""URLs, paths and networks as Kuma's library takes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.urls_and_paths import (
    URL_CHARACTERS_MAX,
    is_cidr,
    is_file_path,
    is_url,
)


@pytest.mark.parametrize(
    "text",
    [
        "http://logs.com",
        "127.0.0.1:5000",
        "otel-collector:4317",
        "google.com",
        "http://jaeger-collector.mesh-observability:9411/api/v2/spans",
        "https://user:secret@host/a?b#c",
        "http://[::1]:80/",
        "http://host",
    ],
)
def test_urls(text: str) -> None:
    assert is_url(text)


@pytest.mark.parametrize(
    "text",
    ["", "abc", "asdasd123", "not_valid_url", ".com.", "a..b", "http://", "a b.c", "host:123456"],
)
def test_what_is_no_url(text: str) -> None:
    assert not is_url(text)


def test_a_url_has_an_end() -> None:
    start = "http://a.b/"

    assert is_url(start + "x" * (URL_CHARACTERS_MAX - len(start)))
    assert not is_url(start + "x" * (URL_CHARACTERS_MAX - len(start) + 1))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("10.0.0.1/8", True),
        ("10.0.0.0/32", True),
        ("10.0.0.0/33", False),
        ("::/128", True),
        ("::/129", False),
        ("10.0.0.0", False),
        ("10.0.0.0/", False),
        ("10.0.0.0/08", False),
        ("10.0.0.0/255.0.0.0", False),
        ("fe80::1%eth0/64", False),
    ],
)
def test_networks(text: str, answer: bool) -> None:
    assert is_cidr(text) is answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("/tmp/access.log", True),
        ("/", True),
        ("C:\\logs\\a.log", True),
        ("relative", False),
        ("", False),
        ("#not_valid", False),
        ("/a\0b", False),
    ],
)
def test_file_paths(text: str, answer: bool) -> None:
    assert is_file_path(text) is answer


@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    assert isinstance(is_url(text), bool)
    assert isinstance(is_cidr(text), bool)
    assert isinstance(is_file_path(text), bool)
