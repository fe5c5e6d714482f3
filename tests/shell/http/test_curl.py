"""The client that the documentation uses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.shell.http.messages import HeldStream, Request, StreamingResponse
from support.daemons.http_peers import Served, serving

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")


async def curl(server: Served, *arguments: str) -> str:
    command = ["curl", "-sS", "--max-time", "10", "--unix-socket", str(server.path), *arguments]
    return (await trio.run_process(command, capture_stdout=True)).stdout.decode()


async def test_curl_posts_small_and_large_bodies(tmp_path: Path) -> None:
    large = tmp_path / "body"
    large.write_text("x" * 500_000)
    async with serving(tmp_path) as server:
        assert await curl(server, "http://localhost/a", "-d", "body") == "POST /a body"
        answer = await curl(
            server, "http://localhost/a", "-d", f"@{large}", "-H", "Expect: 100-continue"
        )
        assert answer == "POST /a " + "x" * 500_000
        chunks = ["-T", str(large), "-H", "Transfer-Encoding: chunked"]
        assert await curl(server, "http://localhost/a", *chunks) == "PUT /a " + "x" * 500_000


async def test_curl_reuses_its_connection(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        urls = ["http://localhost/a", "http://localhost/b"]
        counts = await curl(server, "-w", " %{num_connects};", *urls)

    assert counts == "GET /a  1;GET /b  0;"


@pytest.mark.parametrize("version", ["--http1.1", "--http1.0"])
async def test_curl_follows_a_held_answer_to_its_end(tmp_path: Path, version: str) -> None:
    async def hold(stream: HeldStream) -> None:
        stream.send_line(b"second\n")

    async def handler(_: Request) -> StreamingResponse:
        return StreamingResponse(b"first\n", hold, lambda: None)

    async with serving(tmp_path, handler) as server:
        assert await curl(server, version, "-N", "http://localhost/") == "first\nsecond\n"
