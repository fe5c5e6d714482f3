"""Our control plane and our kuma-dp, and those of Kuma 2.10, go together: what is true of one of the
four pairs is true of all.

`KMESH_TEST_KUMA_CP` and `KMESH_TEST_KUMA_DP` name the programs of Kuma; without them the pairs that
have one are skipped.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from support.daemons.daemon import eventually
from support.data_plane.applications import application, ask
from support.data_plane.envoy_binary import envoy_binary
from support.data_plane.envoy_stage import (
    Proxy,
    StagedMesh,
    answers,
    is_configured,
    staged,
)
from support.data_plane.proxy_programs import flags_of, running_program
from support.staging.kuma_control_plane import KumaControlPlane

pytestmark = pytest.mark.system

OURS, KUMA = "ours", "Kuma's"
NO_NAMES = ("--dns-enabled=false",)  # that of Kuma would need CoreDNS


def program_of_kuma(variable: str) -> str:
    named = os.environ.get(variable, "")
    if not named:
        pytest.skip(f"no program of Kuma here: {variable} names it")
    return named


@pytest.fixture(params=[OURS, KUMA])
def mesh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StagedMesh]:
    """The default mesh of a control plane."""
    if request.param == OURS:
        with staged(tmp_path) as stage:
            yield stage
        return
    envoy_binary()
    program = program_of_kuma("KMESH_TEST_KUMA_CP")
    with KumaControlPlane(program, tmp_path / "kuma-cp") as control_plane:
        yield StagedMesh(control_plane, control_plane.port, tmp_path)


@pytest.fixture(params=[OURS, KUMA])
def kuma_dp(request: pytest.FixtureRequest) -> Sequence[str]:
    """The program that starts proxies."""
    if request.param == OURS:
        return [sys.executable, "-m", "kuma_dp"]
    return [program_of_kuma("KMESH_TEST_KUMA_DP")]


@contextlib.contextmanager
def serving(mesh: StagedMesh, kuma_dp: Sequence[str], proxy: Proxy) -> Iterator[Proxy]:
    """It runs, with its application."""
    folder = proxy.envoy.folder
    with (
        application(proxy.name, proxy.behind),
        running_program(
            kuma_dp,
            flags_of(mesh, proxy, folder, *NO_NAMES),
            proxy.envoy,
            lambda: is_configured(proxy),
        ),
    ):
        yield proxy


@contextlib.contextmanager
def shop(mesh: StagedMesh, kuma_dp: Sequence[str]) -> Iterator[tuple[Proxy, Proxy]]:
    """A client, and the service that answers it."""
    with (
        serving(mesh, kuma_dp, mesh.proxy("backend-1", "backend")) as backend,
        serving(mesh, kuma_dp, mesh.proxy("web-1", "web", to=("backend",))) as web,
    ):
        eventually("it answers", lambda: answers(web.outbound("backend")))
        yield web, backend


def test_two_services_reach_each_other(mesh: StagedMesh, kuma_dp: Sequence[str]) -> None:
    with shop(mesh, kuma_dp) as (web, backend):
        assert ask(web.outbound("backend")).json["application"] == "backend-1"
        for proxy in (web, backend):
            eventually("it is online", lambda proxy=proxy: mesh.is_online(proxy))
            assert set(proxy.envoy.updates("rejected").values()) == {0}


def test_with_mutual_tls_the_service_knows_who_calls(
    mesh: StagedMesh, kuma_dp: Sequence[str]
) -> None:
    with shop(mesh, kuma_dp) as (web, _):
        mesh.permit()
        mesh.mesh("STRICT")

        def is_known() -> bool:
            answer = ask(web.outbound("backend"))
            return answer.status == 200 and "spiffe://default/web" in str(answer.json["headers"])

        eventually("it is called with a certificate", is_known)


def test_whom_a_permission_denies_gets_403(mesh: StagedMesh, kuma_dp: Sequence[str]) -> None:
    with shop(mesh, kuma_dp) as (web, _):
        mesh.permit()
        mesh.mesh("STRICT")
        eventually("it answers", lambda: answers(web.outbound("backend")))
        mesh.permit("Deny", "web")

        eventually("it is denied", lambda: answers(web.outbound("backend"), 403))


def test_what_a_stopped_proxy_served_is_not_called_any_more(
    mesh: StagedMesh, kuma_dp: Sequence[str]
) -> None:
    with serving(mesh, kuma_dp, mesh.proxy("web-1", "web", to=("backend",))) as web:
        with serving(mesh, kuma_dp, mesh.proxy("backend-1", "backend")) as backend:
            eventually("it answers", lambda: answers(web.outbound("backend")))
        eventually("it is offline", lambda: not mesh.is_online(backend))

        eventually("nobody is there", lambda: answers(web.outbound("backend"), 503))
