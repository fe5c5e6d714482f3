"""Bodies that nobody means well by."""

from __future__ import annotations

import json

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from support.fakes.admission import body, gateway_body, open_desk
from support.fakes.peers import FakePeer
from support.suites.turns import share_of_loop

SHAPE_CODES = {
    RefusalCode.MALFORMED_REQUEST,
    RefusalCode.INVALID_DATAPLANE,
    RefusalCode.MESH_NOT_FOUND,
}
VALID = [body(), body("gw", mesh="other", team="payments"), gateway_body()]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid body with some bytes overwritten, cut out, doubled or put in."""
    data = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 6)))
        piece = draw(st.binary(max_size=6) | st.just(bytes(data[start:end]) * 2))
        data[start:end] = piece
    return bytes(data)


@given(st.lists(damaged() | st.binary(max_size=80), min_size=1, max_size=20))
@settings(max_examples=300, deadline=None)
def test_any_bytes_get_a_line_of_json_or_a_refusal_of_the_closed_set(bodies: list[bytes]) -> None:
    async def ask() -> None:
        async with open_desk(refuses=False) as desk:
            for asked in bodies:
                answer = await desk.admitting.try_out(asked, FakePeer())
                if isinstance(answer, Refused):
                    assert answer.code in SHAPE_CODES
                    assert answer.reason
                    assert answer.hint
                else:
                    assert answer.count(b"\n") == 1
                    assert json.loads(answer)["decision"] == "admitted"
            assert desk.seating.active == 0

    trio.run(ask)


LARGE = {
    "inbounds without anything": {"inbound": [{}] * 8000},
    "inbounds with tags that are none": {"inbound": [{"tags": {"": ""}}] * 3000},
    "outbounds without anything": {
        "inbound": [{"port": 1, "tags": {"a": "b"}}],
        "outbound": [{}] * 8000,
    },
}


@pytest.mark.parametrize("what", LARGE)
async def test_others_have_their_turns_while_a_large_dataplane_is_checked(what: str) -> None:
    dataplane = {"type": "Dataplane", "mesh": "default", "name": "a", "networking": LARGE[what]}

    async with open_desk(refuses=False) as desk:

        async def ask() -> None:
            asked = json.dumps({"dataplane": dataplane}).encode()
            answer = await desk.admitting.try_out(asked, FakePeer())
            assert isinstance(answer, Refused)
            assert answer.code is RefusalCode.INVALID_DATAPLANE

        assert await share_of_loop(ask) < 0.5
