"""Which pages may read answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.origin_patterns import OriginPatternError
from kong_mesh_cp.shell.http.origins import ORIGIN_CHARACTERS_MAX
from kong_mesh_cp.shell.rest_api.allowed_origins import (
    AllowedOrigins,
    answer_headers,
    is_preflight,
    preflight_headers,
)
from kong_mesh_cp.shell.rest_api.localhost import is_localhost

GUI = "https://gui.example.com"
ASKS_TO_GET = {"access-control-request-method": "GET"}


@pytest.mark.parametrize(
    ("domains", "origin", "allowed"),
    [
        ((".*",), GUI, True),
        ((), GUI, False),
        ((GUI,), GUI, True),
        ((GUI,), GUI.upper(), True),
        ((GUI,), f"{GUI}.evil.example", False),
        ((r"https://.*[.]example[.]com",), GUI, True),
        ((r"https://.*[.]example[.]com",), "https://example.com", False),
        (("https://a.example", GUI), GUI, True),
        ((".*",), "x" * (ORIGIN_CHARACTERS_MAX + 1), False),
        ((".*",), "https://" + "x" * (ORIGIN_CHARACTERS_MAX + 1), False),
        ((".*",), "https://a\x00b", False),
        ((".*",), "null", False),
        ((".*",), "file://", False),
        ((".*",), "tauri://localhost", False),
        ((".*",), f"{GUI}/", False),
        ((".*",), f"{GUI}, {GUI}", False),
    ],
)
def test_an_origin_is_allowed_as_a_whole(
    domains: tuple[str, ...], origin: str, allowed: bool
) -> None:
    assert (origin in AllowedOrigins(domains)) is allowed


@pytest.mark.parametrize(
    ("domains", "everybody"),
    [((), False), ((GUI,), False), ((".*",), True), ((GUI, "https?://.+"), True)],
)
def test_patterns_for_every_origin_are_known_as_such(
    domains: tuple[str, ...], everybody: bool
) -> None:
    allowed = AllowedOrigins(domains)
    assert allowed.everybody is everybody
    assert bool(allowed) is bool(domains)


def test_what_is_no_expression_is_refused() -> None:
    with pytest.raises(OriginPatternError):
        AllowedOrigins(["("])


@given(origin=st.text(max_size=600))
def test_no_allowed_origin_can_break_an_answer(origin: str) -> None:
    if origin in AllowedOrigins([".*"]):
        assert all((name + value).isprintable() for name, value in answer_headers(origin))


@given(origin=st.from_regex(r"https?://[a-z]{1,20}\.example(:[0-9]{1,4})?", fullmatch=True))
def test_an_allowed_origin_of_elsewhere_is_no_administrator(origin: str) -> None:
    assert origin in AllowedOrigins([".*"])
    assert not is_localhost("127.0.0.1", {"host": "localhost", "origin": origin})


def test_a_preflight_is_an_options_that_names_a_method() -> None:
    assert is_preflight("OPTIONS", ASKS_TO_GET)
    assert not is_preflight("OPTIONS", {})
    assert not is_preflight("GET", ASKS_TO_GET)


def test_a_preflight_hears_which_methods_the_path_takes() -> None:
    assert preflight_headers(GUI, ASKS_TO_GET, ("GET", "PUT")) == (
        ("Access-Control-Allow-Methods", "GET,PUT"),
        ("Access-Control-Allow-Origin", GUI),
        ("Access-Control-Expose-Headers", "Access-Control-Allow-Origin"),
        ("Vary", "Origin"),
    )


@pytest.mark.parametrize(
    "wanted",
    [
        {"access-control-request-method": "DELETE"},
        {**ASKS_TO_GET, "access-control-request-headers": "authorization"},
    ],
)
def test_a_preflight_that_asks_for_more_is_allowed_nothing(wanted: dict[str, str]) -> None:
    assert preflight_headers(GUI, wanted, ("GET",)) == (("Vary", "Origin"),)
