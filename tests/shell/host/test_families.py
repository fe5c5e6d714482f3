"""Which kinds of addresses a host has."""

from __future__ import annotations

import pytest

from kong_mesh_cp.shell.host.families import has_only_ipv4


@pytest.mark.parametrize("host", ["10.0.0.1", "::1", "localhost", "no-such-host.invalid", "a b"])
async def test_what_needs_no_look_up_or_has_no_answer_is_left_to_envoy(host: str) -> None:
    assert not await has_only_ipv4(host)
