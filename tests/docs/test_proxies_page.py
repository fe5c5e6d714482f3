"""The page on proxies: its commands join a proxy, from the page; its figures are the program's."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from kuma_dp.command_line import parser
from support.daemons.daemon import eventually, free_port, running
from support.data_plane.envoy_binary import envoy_binary
from support.data_plane.proxy_programs import KumaDp
from support.staging.console_page import DOCS, commands, files, fits, put_kumactl, run, sections

PAGE = "proxies.md"
OURS = "Our kuma-dp"
SOCKET = "/run/kong-mesh-cp/admission.sock"
API = "http://localhost:5681"
STOP = "kill -TERM $(pgrep -x kuma-dp)"


def put_kuma_dp(home: Path) -> None:
    tool = home / "bin" / "kuma-dp"
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m kuma_dp "$@"\n')
    tool.chmod(0o755)


@pytest.mark.system
@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_commands_of_the_page_join_a_proxy(tmp_path: Path) -> None:
    section, home = sections(PAGE)[OURS], tmp_path / "home"
    home.mkdir()
    put_kumactl(home)
    put_kuma_dp(home)
    admin, proxies, ready = free_port(), free_port(), free_port()
    for name, content in files(section):
        (home / name).write_text(content.replace("9901", str(admin)))
    environment = {"KUMA_DP_SERVER_PORT": str(proxies)}
    with running(tmp_path / "daemon", environment=environment) as daemon:
        places = {
            API: daemon.addresses["api"],
            SOCKET: str(daemon.socket),
            "localhost:9902": f"127.0.0.1:{ready}",
        }
        run(home, f"kumactl config control-planes add --name here --address {API}", places)
        program = KumaDp(
            home,
            environment={
                "KUMA_READINESS_PORT": str(ready),
                "KUMA_CONTROL_PLANE_URL": f"https://localhost:{proxies}",
                "KUMA_DATAPLANE_RUNTIME_BINARY_PATH": str(envoy_binary()),
                "KUMA_DATAPLANE_RUNTIME_CONCURRENCY": "1",
                "KUMA_DATAPLANE_DRAIN_TIME": "100ms",
            },
        )
        with program:
            for each in commands(section):
                if each.line.endswith(" &"):
                    words = each.line.removesuffix(" &").replace(SOCKET, str(daemon.socket))
                    program.flags = tuple(words.removeprefix("kuma-dp run ").split())
                    program.start()
                elif each.line == STOP:
                    assert program.stop() == 0
                else:
                    said = run(home, each.line, places)
                    assert fits(said.rstrip("\n"), each.said.rstrip("\n")), said
            eventually("it has left", lambda: daemon.api("GET", "/dataplanes").json["total"] == 0)


def test_the_exit_statuses_of_the_page_are_those_of_help() -> None:
    told = re.search(r"^It ends with (.+)$", (DOCS / PAGE).read_text(), re.MULTILINE)
    assert told
    shown = parser().epilog or ""
    numbers = re.findall(r"\b\d+\b", shown)
    assert numbers == ["0", "2", "69", "70", "78"]
    assert re.findall(r"\b\d+\b", told[1])[: len(numbers)] == numbers
