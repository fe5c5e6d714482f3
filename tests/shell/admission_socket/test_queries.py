"""Queries of calls that have none: what was meant as a question is not done."""

from __future__ import annotations

from pathlib import Path

from kong_mesh_cp.core.identity.audit import Source
from kong_mesh_cp.shell.admission_socket.routes import KEY_CALLS
from kong_mesh_cp.shell.http.messages import Request, Response
from support.daemons.admission_socket import open_socket, problem_of
from support.daemons.http_peers import get


async def test_what_cannot_be_tried_out_takes_no_query_and_does_nothing(tmp_path: Path) -> None:
    asked: list[str] = []

    async def answer(name: str, _: Request, source: Source) -> Response:  # noqa: ARG001
        asked.append(name)
        return Response(200, b"{}")

    async with open_socket(tmp_path, uid=0) as opened:
        opened.admission.serve_keys(answer)
        changes = [(path, method) for path, method, _ in KEY_CALLS if method != "GET"]
        for path, method in [*changes, ("/v1/license/reload", "POST")]:
            target = path.format(mesh="m", series="user", serial="1", token="t")
            request = get(f"{target}?dryRun=true").replace(b"GET", method.encode(), 1)
            told = await opened.ask(request)
            assert (told.status, problem_of(told)["code"]) == (400, "malformed-request")
        read = await opened.ask(get("/v1/signing-keys?x=y"))

    assert read.status == 200
    assert asked == ["list"]
    assert not opened.reloads
