"""Where browsers find the console and the API."""

from __future__ import annotations

import pytest

from kong_mesh_cp.shell.console.place import Place


@pytest.mark.parametrize(
    ("base_path", "root_url", "api_path", "shown", "shown_api"),
    [
        ("/gui", "", "/", "/gui", ""),
        ("/gui", "", "/mesh", "/gui", "/mesh"),
        ("/gui", "https://mesh.example.com/gui", "/", "/gui", ""),
        ("/gui", "https://mesh.example.com/east/gui", "/", "/east/gui", "/east"),
        ("/gui", "https://mesh.example.com/east/gui", "/mesh", "/east/gui", "/east/mesh"),
        ("/gui", "/east/gui", "/", "/east/gui", "/east"),
        ("/gui", "https://console.example.com", "/", "", ""),
        ("/ui/a", "https://mesh.example.com/b", "/mesh", "/b", "/mesh"),
    ],
)
def test_what_a_proxy_puts_before_the_console_is_before_the_api_too(
    base_path: str, root_url: str, api_path: str, shown: str, shown_api: str
) -> None:
    place = Place(base_path=base_path, root_url=root_url, api_path=api_path)
    assert (place.shown_path, place.shown_api_path) == (shown, shown_api)
