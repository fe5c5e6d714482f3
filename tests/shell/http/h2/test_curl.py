"""The client that the documentation uses, over HTTP/2."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import trio

from support.daemons.tls_peers import ServedTls
from support.http2.grpc_peers import http2_client, serving_grpc

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")


async def curl(folder: Path, server: ServedTls, *arguments: str) -> str:
    command = ["curl", "-sS", "--max-time", "600", "--http2", "--cacert"]
    command += [str(folder / "server.crt"), *arguments]
    command += ["-w", " HTTP/%{http_version} %{num_connects};"]
    urls = [f"https://localhost:{server.port}/{name}" for name in ("a", "b")]
    address = ["--resolve", f"localhost:{server.port}:127.0.0.1"]
    run = await trio.run_process([*command, *address, *urls], capture_stdout=True)
    return run.stdout.decode()


async def test_curl_asks_twice_on_one_connection(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server:
        said = await curl(tmp_path, server, "-d", "body")

    assert said == "POST /a body HTTP/2 1;POST /b body HTTP/2 0;"


async def test_curl_posts_a_large_body_that_was_asked_for(tmp_path: Path) -> None:
    large = tmp_path / "body"
    large.write_text("x" * 500_000)
    async with serving_grpc(tmp_path) as server:
        said = await curl(tmp_path, server, "-d", f"@{large}", "-H", "Expect: 100-continue")

    assert said.count("x" * 500_000) == 2


async def test_curl_speaks_http_1_1_where_it_is_told_to(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server:
        said = await curl(tmp_path, server, "--http1.1", "-d", "body")

    assert said == "POST /a body HTTP/1.1 1;POST /b body HTTP/1.1 0;"


async def test_another_expectation_is_refused(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        answer = await client.answer(await client.request("/", ("expect", "miracles"), body=b"x"))

    assert (answer.status, answer.body) == (417, b"unknown-expectation")
