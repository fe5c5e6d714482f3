"""The API before the control plane is ready."""

from __future__ import annotations

import json
import socket

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from kong_mesh_cp.shell.http.messages import Request, Response, StreamingResponse
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.rest_api.opening import WAIT_SECONDS, Opening


def a_request() -> Request:
    with socket.socket() as nobody:
        return Request("GET", "/meshes", {}, {}, b"", Peer(nobody, address=("127.0.0.1", 4711)))


async def _found(_: Request) -> Response:
    return Response(200, b"found")


async def test_a_request_that_comes_too_early_is_answered_when_all_is_there() -> None:
    opening = Opening()
    answers: list[Response | StreamingResponse] = []

    async def ask() -> None:
        answers.append(await opening.before(_found)(a_request()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        assert answers == []
        opening.open()
    assert [answer.status for answer in answers] == [200]
    assert (await opening.before(_found)(a_request())).status == 200


async def test_who_has_waited_long_enough_hears_that_it_starts(autojump_clock: MockClock) -> None:
    del autojump_clock
    begun = trio.current_time()
    answer = await Opening().before(_found)(a_request())
    assert isinstance(answer, Response)
    assert trio.current_time() - begun == WAIT_SECONDS
    assert (answer.status, answer.headers) == (503, (("Retry-After", "1"),))
    told = json.loads(answer.body)
    assert (told["code"], told["status"]) == ("starting", 503)
    assert "defaults-not-made" in told["hint"]
