"""Our `kuma-dp` from outside: it joins, serves, drains, ends, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.daemons.daemon import eventually
from support.data_plane.applications import Load, Place, application, ask
from support.data_plane.envoy_stage import Proxy, Stage, answers, staged
from support.data_plane.proxy_programs import KumaDp, is_running, kuma_dp, serving

pytestmark = pytest.mark.system

RESIDENT_KIB_MAX = 40 * 1024
THIS_MACHINE = "127.0.0.1"


@contextlib.contextmanager
def running(
    stage: Stage, proxy: Proxy, folder: Path, *flags: str, socket: bool = False, **environ: str
) -> Iterator[KumaDp]:
    """A proxy that serves, with its application."""
    with (
        application(proxy.name, proxy.behind),
        kuma_dp(stage, proxy, folder, *flags, socket=socket, **environ) as program,
    ):
        yield serving(program, proxy)


def seats(stage: Stage) -> list[dict[str, Any]]:
    items: Any = stage.daemon.local("GET", "/v1/admissions").json["items"]
    return list(items)


def readiness(program: KumaDp) -> tuple[int, str]:
    answer = ask(Place(THIS_MACHINE, int(program.environment["KUMA_READINESS_PORT"])), "/ready")
    return answer.status, answer.body.decode()


@pytest.mark.parametrize("socket", [False, True], ids=["token file", "admission socket"])
def test_two_services_reach_each_other_with_mutual_tls(tmp_path: Path, socket: bool) -> None:
    with staged(tmp_path) as stage:
        stage.mesh("STRICT")
        stage.permit()
        backend, web = (
            stage.proxy("backend-1", "backend"),
            stage.proxy("web-1", "web", to=("backend",)),
        )
        authority = ("--ca-cert-file", str(stage.daemon.state / "kuma-cp.crt"))
        with (
            running(stage, backend, tmp_path, *authority, socket=socket) as program,
            running(stage, web, tmp_path, *authority, socket=socket),
        ):
            eventually("it answers", lambda: answers(web.outbound("backend")))

            shown = ask(web.outbound("backend")).json
            assert shown["application"] == "backend-1"
            assert "spiffe://default/web" in str(shown["headers"])
            assert {each["seat"]["name"] for each in seats(stage)} == {"backend-1", "web-1"}
            eventually("it is online", lambda: stage.is_online(backend))
            assert program.status_text == "default/backend-1 serves"
            assert readiness(program) == (200, "READY")
            assert "control-plane-not-verified" not in program.codes()
            assert program.resident_kib <= RESIDENT_KIB_MAX


def test_it_is_ready_when_envoy_has_its_configuration_and_not_before(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        proxy = stage.proxy("backend-1", "backend")
        with kuma_dp(stage, proxy, tmp_path) as program:
            token = tmp_path / "backend-1-dp" / "token"
            token.write_text(stage.token().rpartition(".")[0] + ".c2lnbmF0dXJl")
            program.launch()
            eventually("it is refused", lambda: "dataplane-token-refused" in program.codes())

            assert "READY=1" not in program.notifications
            assert readiness(program) == (503, "STARTING")
            assert program.status_text.startswith("starting: dataplane-token-refused: ")
            assert program.stop() == 0


def _serves_alone(load: Load, name: str) -> bool:
    load.answered_by.clear()
    load.wait_for_more(20)
    return load.answered_by == {name}


def test_a_stop_fails_no_request(tmp_path: Path) -> None:
    quick = {"KUMA_DP_SERVER_HDS_INTERVAL": "200ms"}
    with staged(tmp_path, quick) as stage:
        first, second = stage.proxy("backend-1", "backend"), stage.proxy("backend-2", "backend")
        web = stage.proxy("web-1", "web", to=("backend",))
        with (
            running(stage, web, tmp_path),
            running(stage, second, tmp_path),
            running(stage, first, tmp_path, "--drain-time", "1h") as program,
        ):
            load = Load(web.outbound("backend"))
            eventually("it answers", lambda: answers(web.outbound("backend")))
            with load.running():
                eventually("both serve", lambda: load.answered_by == {"backend-1", "backend-2"})

                program.send_signal(signal.SIGTERM)
                eventually("it says so", lambda: readiness(program) == (503, "TERMINATING"))
                eventually("nobody comes any more", lambda: _serves_alone(load, "backend-2"))
                program.send_signal(signal.SIGTERM)

                assert program.exit_status() == 0
                load.wait_for_more()
            assert load.failures == []
            assert not is_running(program.envoy_pid)
            assert "STOPPING=1" in program.notifications


def test_a_second_signal_ends_the_wait(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        proxy = stage.proxy("backend-1", "backend")
        with running(stage, proxy, tmp_path, "--drain-time", "1h") as program:
            program.send_signal(signal.SIGTERM)
            eventually("it drains", lambda: "draining: connections have" in program.stderr)
            assert is_running(program.envoy_pid)

            program.send_signal(signal.SIGINT)

            assert program.exit_status() == 0
            assert not is_running(program.envoy_pid)


def test_a_start_that_waits_for_the_control_plane_can_be_stopped(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        proxy = stage.proxy("backend-1", "backend")
        with kuma_dp(stage, proxy, tmp_path) as program:
            stage.daemon.stop()
            program.launch()
            eventually("it waits", lambda: "control-plane-unreachable" in program.codes())

            assert program.stop() == 0
            assert "envoy-started" not in program.codes()


@pytest.mark.parametrize("socket", [False, True], ids=["token file", "admission socket"])
def test_nothing_is_left_of_one_that_is_killed(tmp_path: Path, socket: bool) -> None:
    environment = {"KUMA_XDS_DATAPLANE_DEREGISTRATION_DELAY": "100ms"}
    with staged(tmp_path, environment) as stage:
        proxy = stage.proxy("backend-1", "backend")
        with running(stage, proxy, tmp_path, socket=socket) as program:
            envoy = program.envoy_pid
            assert is_running(envoy)

            program.stop(signal.SIGKILL)

            eventually("Envoy has gone", lambda: not is_running(envoy))
            eventually("its seat is free", lambda: seats(stage) == [])
            eventually(
                "its Dataplane has gone",
                lambda: stage.daemon.api("GET", proxy.path).status == 404,
            )


def test_an_envoy_that_ends_ends_it_too(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        proxy = stage.proxy("backend-1", "backend")
        with running(stage, proxy, tmp_path, socket=True) as program:
            os.kill(program.envoy_pid, signal.SIGKILL)

            assert program.exit_status() == 70
            assert "kuma-dp: envoy-ended: Envoy has ended by signal 9" in program.stderr
            eventually("its seat is free", lambda: seats(stage) == [])


def test_traffic_goes_on_while_the_control_plane_restarts_and_the_seat_comes_back(
    tmp_path: Path,
) -> None:
    with staged(tmp_path) as stage:
        backend, web = (
            stage.proxy("backend-1", "backend"),
            stage.proxy("web-1", "web", to=("backend",)),
        )
        with (
            running(stage, backend, tmp_path, socket=True) as program,
            running(stage, web, tmp_path, socket=True),
        ):
            eventually("it answers", lambda: answers(web.outbound("backend")))
            (before,) = program.socket.parent.glob("kuma-dp-*/token")
            old, load = before.read_text(), Load(web.outbound("backend"))
            with load.running():
                load.wait_for_more()

                stage.daemon.stop()
                load.wait_for_more()
                stage.daemon.start()

                eventually("the seat is taken", lambda: "seat-taken" in program.codes())
                eventually(
                    "both doors are there",
                    lambda: (
                        all("peer" in each and "stream" in each for each in seats(stage))
                        and len(seats(stage)) == 2
                    ),
                )
                load.wait_for_more()
            assert load.failures == []
            assert before.read_text() != old
            eventually("the stream is up", backend.envoy.stream_is_up)
            assert "dataplane-token-refused" not in program.codes()


def test_a_token_of_the_socket_is_in_no_file_that_others_read(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        proxy = stage.proxy("backend-1", "backend")
        with running(stage, proxy, tmp_path, socket=True) as program:
            (folder,) = program.socket.parent.glob("kuma-dp-*")
            token = (folder / "token").read_text()
            assert token not in (folder / "bootstrap.yaml").read_text()
            assert token in (folder / "token.json").read_text()
            assert {each.stat().st_mode & 0o077 for each in folder.iterdir()} == {0}
            assert token not in program.stderr
            assert program.stop() == 0
            assert not folder.exists()


def test_a_dataplane_that_is_stored_is_named_and_waited_for(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        proxy = stage.proxy("backend-1", "backend")
        with kuma_dp(stage, proxy, tmp_path, KUMA_CONTROL_PLANE_RETRY_BACKOFF="50ms") as program:
            at = program.flags.index("--dataplane-file")
            named = ("--mesh", "default", "--name", "backend-1")
            program.flags = (*program.flags[:at], *named, *program.flags[at + 2 :])
            program.launch()
            eventually("it waits for it", lambda: "dataplane-absent" in program.codes())

            stage.put(proxy.path, proxy.resource)

            eventually("it is ready", lambda: "READY=1" in program.notifications)
            assert program.stop() == 0
