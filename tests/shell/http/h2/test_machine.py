"""h2 as it is used here."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from support.http2.grpc_peers import http2_client, serving_grpc


def test_h2_is_not_imported_before_the_first_connection() -> None:
    program = (
        "import sys, kong_mesh_cp.shell.grpc.server; "
        "print([each for each in sys.modules"
        " if each in {'h2', 'hpack', 'hyperframe'} or '.http.h2' in each])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert said.stdout == "[]\n"


async def test_no_header_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        call = await client.call("/test.Service/Echo", ("authorization", "Bearer secret"))
        await client.say(call, b"secret", ends=True)
        await client.answer(call)

    assert "secret" not in caplog.text
