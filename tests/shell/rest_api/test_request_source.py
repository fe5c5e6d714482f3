"""From where a request says that it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.shell.rest_api.request_source import source_of


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"host": "localhost", "user-agent": "curl"}, "127.0.0.1"),
        ({"x-forwarded-for": "9.9.9.9"}, '127.0.0.1 (x-forwarded-for "9.9.9.9")'),
        ({"forwarded": "for=x"}, '127.0.0.1 (forwarded "for=x")'),
        ({"x_real_ip": "9.9.9.9"}, "127.0.0.1 (passed on by a proxy)"),
        ({"origin": "null"}, '127.0.0.1 (origin "null")'),
        (
            {"referer": "http://localhost:3000/a?token=s3cret#s3cret"},
            '127.0.0.1 (page of "http://localhost:3000")',
        ),
        ({"sec-fetch-site": "cross-site"}, '127.0.0.1 (sec-fetch-site "cross-site")'),
        (
            {"via": "1.1 x", "origin": "http://[::1]"},
            '127.0.0.1 (passed on by a proxy, origin "http://[::1]")',
        ),
    ],
)
def test_what_proxies_and_browsers_say_is_reported(headers: dict[str, str], told: str) -> None:
    assert str(source_of("127.0.0.1", headers)) == told


@pytest.mark.parametrize("name", ["authorization", "proxy-authorization", "cookie", "referer"])
def test_no_credentials_are(name: str) -> None:
    assert "s3cret" not in str(source_of("127.0.0.1", {name: "Basic s3cret"}))


@given(st.sampled_from(["x-forwarded-for", "origin", "referer", "sec-fetch-site"]), st.text())
def test_it_stays_on_one_line(name: str, value: str) -> None:
    assert str(source_of("127.0.0.1", {name: value})).isprintable()
