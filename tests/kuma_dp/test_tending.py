"""A running Envoy is looked after; shells stand in for it, and say what it would say."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.shell.host.systemd import ServiceManager
from kuma_dp.envoy.admin import Admin
from kuma_dp.envoy.process import EnvoyProcess
from kuma_dp.tending import Tending

NO_ADMIN = Admin("127.0.0.1", 0)
HEAD = "[2026-11-30 11:10:26.664][1]"
REFUSED = (
    f"{HEAD}[warning][config] [a:1] StreamAggregatedResources gRPC config stream to ads_cluster"
    " closed: 2, token is revoked"
)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceManager]:
    """One that somebody listens to."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with ServiceManager() as manager:
            yield manager


async def tended(
    script: str,
    folder: Path,
    manager: ServiceManager,
    *signals: signal.Signals,
    renew: Callable[[], bool] = lambda: False,
    drain_seconds: float = 600,
) -> int:
    """The exit status of a run with a shell in place of Envoy, which is sent `signals`."""
    process = EnvoyProcess("/bin/sh", ["-c", script], str(folder))

    send, sent = trio.open_memory_channel[int](len(signals) + 1)
    for number in signals:
        send.send_nowait(number)
    try:
        tending = Tending(
            process, NO_ADMIN, manager, "m/n", drain_seconds=drain_seconds, renew=renew
        )
        return await tending.until_ended(sent, None)
    finally:
        send.close()
        sent.close()
        await process.close()


async def test_one_that_ends_with_0_ends_it_so(tmp_path: Path, manager: ServiceManager) -> None:
    assert await tended("exit 0", tmp_path, manager) == 0


async def test_one_that_fails_is_told_with_the_worst_it_has_said(
    tmp_path: Path, manager: ServiceManager
) -> None:
    script = f"echo '{HEAD}[critical][main] [a:1] no such thing.' >&2; exit 1"

    with pytest.raises(ControlPlaneError) as error:
        await tended(script, tmp_path, manager)

    assert (error.value.code, error.value.exit_status) == ("envoy-ended", 70)
    assert error.value.message == "Envoy has ended with status 1: [main] no such thing"


async def test_one_whose_port_is_taken_is_told_so_and_may_be_tried_again(
    tmp_path: Path, manager: ServiceManager
) -> None:
    bind = "cannot bind '\\''127.0.0.1:9901'\\'': Address already in use"
    script = f"echo '{HEAD}[critical][main] [a:1] {bind}' >&2; exit 1"

    with pytest.raises(ControlPlaneError) as error:
        await tended(script, tmp_path, manager)

    assert (error.value.code, error.value.exit_status) == ("port-taken", 69)
    assert "127.0.0.1:9901" in error.value.message


async def test_a_stop_ends_it_and_is_no_failure(tmp_path: Path, manager: ServiceManager) -> None:
    assert await tended("exec sleep 600", tmp_path, manager, signal.SIGTERM) == 0
    assert await tended("exec sleep 600", tmp_path, manager, signal.SIGUSR2, signal.SIGINT) == 0


async def test_a_refusal_is_told_once_however_often_it_comes(
    tmp_path: Path, manager: ServiceManager, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await tended(f"for i in 1 2 3; do echo '{REFUSED}' >&2; done", tmp_path, manager)

    told = [line for line in caplog.messages if line.startswith("dataplane-token-refused: ")]
    assert len(told) == 1
    assert sum("token is revoked" in line for line in caplog.messages) == 4


async def test_where_a_token_can_be_renewed_a_refused_one_is_no_failure(
    tmp_path: Path, manager: ServiceManager, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[int] = []

    def renew() -> bool:
        asked.append(1)
        return len(asked) == 1

    script = f"echo '{REFUSED}' >&2; sleep 0; echo '{REFUSED}' >&2"
    await tended(script, tmp_path, manager, renew=renew)

    assert len(asked) == 2
    told = [line for line in caplog.messages if line.startswith("dataplane-token-refused: ")]
    assert len(told) == 1  # the second: the new one is refused as well


async def test_what_it_writes_to_standard_output_is_passed_on(
    tmp_path: Path, manager: ServiceManager, capfd: pytest.CaptureFixture[str]
) -> None:
    await tended("printf 'GET / 200\\n\\001'", tmp_path, manager)

    assert capfd.readouterr().out == "GET / 200\n\x01"
