"""The console's files over HTTP."""

from __future__ import annotations

import gzip
import re
import socket
from dataclasses import replace

import pytest

from kong_mesh_cp.shell.console.beside_api import with_console
from kong_mesh_cp.shell.console.pages import CONTENT_SECURITY_POLICY, FILES, Console
from kong_mesh_cp.shell.console.place import Place
from kong_mesh_cp.shell.http.messages import Request, Response, StreamingResponse
from kong_mesh_cp.shell.listening.peer import Peer

PLACE = Place(base_path="/gui", root_url="", api_path="/")
_NOBODY = socket.socket()
_NOBODY.close()
PEER = Peer(_NOBODY, address=("192.0.2.1", 4711))
COMPRESSED_BYTES_MAX = 40 * 1024
BYTES_MAX = 120 * 1024


def asked(path: str, method: str = "GET", **headers: str) -> Request:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, path, {}, given, b"", PEER)


async def build_of(console: Console) -> str:
    (build,) = set(
        re.findall(r"/gui/([0-9a-f]{16})/", (await console(asked("/gui"))).body.decode())
    )
    return str(build)


def header(answer: Response, name: str) -> str | None:
    return dict(answer.headers).get(name)


async def test_every_path_that_is_no_file_is_the_page() -> None:
    console = Console(PLACE)
    page = await console(asked("/gui"))
    for path in ("/gui/", "/gui/meshes", "/gui/meshes/default/data-planes/a.b", "/gui/robots.txt"):
        answer = await console(asked(path))
        assert (answer.status, answer.body) == (200, page.body), path
    assert page.content_type == "text/html; charset=utf-8"
    assert page.caching == "no-store"


async def test_the_page_names_its_files_by_their_build_and_they_are_kept_for_ever() -> None:
    console = Console(PLACE)
    build = await build_of(console)
    for path in FILES.iterdir():
        answer = await console(asked(f"/gui/{build}/{path.name}"))
        if path.name == "index.html":
            assert answer.status == 404
            continue
        assert (answer.status, answer.body) == (200, path.read_bytes()), path.name
        assert answer.caching == "public, max-age=31536000, immutable"


async def test_another_builds_files_are_not_there() -> None:
    console = Console(PLACE)
    await build_of(console)
    answer = await console(asked("/gui/0123456789abcdef/console.js"))
    assert (answer.status, answer.caching) == (404, "no-store")


@pytest.mark.parametrize("name", ["..", "../pages.py", "%2e%2e", "", "a/b.js", "index.html"])
async def test_nothing_but_the_files_lies_below_the_build(name: str) -> None:
    console = Console(PLACE)
    build = await build_of(console)
    assert (await console(asked(f"/gui/{build}/{name}"))).status == 404


async def test_the_page_says_where_the_api_is_as_text() -> None:
    page = await Console(replace(PLACE, api_path="/mesh"))(asked("/gui"))
    assert b'data-api="/mesh"' in page.body


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip, deflate, br, zstd", True),
        ("GZIP", True),
        ("*", True),
        ("br, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("br", False),
        ("", False),
    ],
)
async def test_what_takes_gzip_gets_it(accepted: str, *, is_compressed: bool) -> None:
    console = Console(PLACE)
    plain = await console(asked("/gui"))
    answer = await console(asked("/gui", accept_encoding=accepted))
    assert header(answer, "Vary") == "Accept-Encoding"
    assert header(answer, "Content-Encoding") == ("gzip" if is_compressed else None)
    body = gzip.decompress(answer.body) if is_compressed else answer.body
    assert body == plain.body


async def test_every_answer_forbids_what_the_console_does_not_need() -> None:
    console = Console(PLACE)
    build = await build_of(console)
    for path in ("/gui", f"/gui/{build}/console.js", f"/gui/{build}/console.css"):
        answer = await console(asked(path))
        assert header(answer, "Content-Security-Policy") == CONTENT_SECURITY_POLICY
        assert header(answer, "Referrer-Policy") == "no-referrer"
    for needed in ("default-src 'none'", "frame-ancestors 'none'", "trusted-types 'none'"):
        assert needed in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize(
    ("host", "secure", "policy"),
    [
        ("localhost:5681", False, "same-origin"),
        ("127.0.0.1:5681", False, "same-origin"),
        ("mesh.example.com:5682", True, "same-origin"),
        ("mesh.example.com:5681", False, None),
    ],
)
async def test_browsers_keep_other_windows_away_where_they_can(
    host: str, policy: str | None, *, secure: bool
) -> None:
    request = asked("/gui", host=host)
    request.peer = replace(PEER, secure=secure)
    assert header(await Console(PLACE)(request), "Cross-Origin-Opener-Policy") == policy


async def test_the_console_is_only_read() -> None:
    answer = await Console(PLACE)(asked("/gui", "POST"))
    assert (answer.status, header(answer, "Allow")) == (405, "GET, HEAD")


async def test_all_files_together_are_small() -> None:
    bodies = [path.read_bytes() for path in FILES.iterdir()]
    assert sum(map(len, bodies)) <= BYTES_MAX
    assert sum(len(gzip.compress(body)) for body in bodies) <= COMPRESSED_BYTES_MAX


def test_no_file_names_another_host_or_makes_elements_of_text() -> None:
    for path in FILES.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(
            r"https?://|innerHTML|outerHTML|insertAdjacent|document\.write", text
        ), path
        assert not re.search(r"\beval\(|new Function", text), path


async def test_the_console_lies_beside_the_api() -> None:
    async def api(request: Request) -> Response | StreamingResponse:
        return Response(200, request.path.encode())

    handler = with_console(api, PLACE)
    for path in ("/", "/meshes", "/guide", "/mesh/gui"):
        answer = await handler(asked(path))
        assert isinstance(answer, Response)
        assert answer.body == path.encode()
    for path in ("/gui", "/gui/", "/gui/x"):
        answer = await handler(asked(path))
        assert isinstance(answer, Response)
        assert b"<!doctype html>" in answer.body
