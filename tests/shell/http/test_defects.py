"""Where errors of this program itself are caught."""

from __future__ import annotations

import pytest
import trio

from kong_mesh_cp.shell.http.defects import DefectsLogged


def test_an_error_is_logged_with_its_traceback_and_ends_the_block_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with DefectsLogged("a handler of the control plane"):
        raise ZeroDivisionError

    (record,) = caplog.records
    assert record.message == "request-failed: a handler of the control plane has a defect"
    assert record.exc_info is not None


async def test_a_cancellation_passes(caplog: pytest.LogCaptureFixture) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        with DefectsLogged("a handler"):
            await trio.lowlevel.checkpoint()
        raise AssertionError

    assert scope.cancelled_caught
    assert not caplog.records
