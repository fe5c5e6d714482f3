from __future__ import annotations

import pytest

from kong_mesh_cp.shell.rest_api.localhost import is_localhost


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:5681",
        "127.0.0.1",
        "127.0.0.1:5681",
        "127.1.2.3",
        "[::1]",
        "[::1]:5681",
    ],
)
def test_this_machine_is_localhost(peer: str, host: str) -> None:
    assert is_localhost(peer, {"host": host})


@pytest.mark.parametrize(
    "peer", [None, "10.0.0.1", "::2", "::ffff:10.0.0.1", "128.0.0.1", "localhost", ""]
)
def test_another_machine_is_not(peer: str | None) -> None:
    assert not is_localhost(peer, {"host": "localhost:5681"})


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example",
        "localhost.example",
        "localhost.",
        "example@localhost",
        "localhost@127.0.0.1",
        "localhost:port",
        "localhost:99999",
        "localhost/",
        "localhost?a",
        "localhost#a",
        "[127.0.0.1",
        "[127.0.0.1]",
        "[::1]x",
        "a[::1]",
        "[::1%lo]",
        "[::1%25lo]:5681",
        "localhost:+5681",
        "localhost:56_81",
        "localhost:５６８１",
        "ｌocalhost",
        "x" * 600,
        "::1",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "",
    ],
)
def test_a_name_for_another_machine_is_not(host: str) -> None:
    assert not is_localhost("127.0.0.1", {"host": host})


def test_a_request_without_host_is_not() -> None:
    assert not is_localhost("127.0.0.1", {})


@pytest.mark.parametrize("header", ["forwarded", "via", "x_forwarded_for", "true-client-ip"])
def test_what_a_proxy_passed_on_is_not(header: str) -> None:
    assert not is_localhost("127.0.0.1", {"host": "localhost", header: ""})


def test_a_page_that_this_listener_served_is() -> None:
    page = {"host": "localhost:5681", "origin": "http://localhost:5681"}
    assert is_localhost("127.0.0.1", page)
    secure = {"host": "localhost:5682", "origin": "https://localhost:5682"}
    assert is_localhost("127.0.0.1", secure, secure=True)


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:3000",
        "http://localhost",
        "https://localhost:5681",
        "http://127.0.0.1:5681",
        "http://[::1]:5681",
        "tauri://localhost:5681",
        "https://evil.example",
        "null",
        "",
    ],
)
def test_any_other_page_of_this_machine_is_not(origin: str) -> None:
    assert not is_localhost("127.0.0.1", {"host": "localhost:5681", "origin": origin})
