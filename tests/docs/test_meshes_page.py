"""The pages on meshes and their proxies are run: each section on a daemon of its own, from top to bottom."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, eventually, running
from support.staging.console_page import (
    DOCS,
    commands,
    files,
    fits,
    languages,
    put_kumactl,
    run,
    sections,
)

PAGES = ("meshes.md", "mtls.md", "explain.md", "services.md", "routing.md", "gateways.md")
SECTIONS = [(page, heading) for page in PAGES for heading in sections(page)]
API = "http://localhost:5681"
SOCKET = "/run/kong-mesh-cp/admission.sock"

_MADE_LAST = "inter-cp-ca"

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not shutil.which("curl"), reason="needs curl"),
]


def environment(section: str) -> dict[str, str]:
    """What the daemon is started with."""
    starts = [start for each in commands(section) if (start := each.start) is not None]
    assert len(starts) <= 1
    return {name: value for given, _ in starts for name, value in given.items()}


@pytest.mark.parametrize(("page", "heading"), SECTIONS)
def test_a_section_does_what_it_says(tmp_path: Path, page: str, heading: str) -> None:
    section = sections(page)[heading]
    home = tmp_path / "home"
    home.mkdir()
    put_kumactl(home)
    for name, content in files(section):
        (home / name).write_text(content)
    with running(tmp_path / "daemon", environment=environment(section)) as daemon:
        eventually("what a start makes", lambda: _MADE_LAST in global_secrets(daemon))
        places = {API: daemon.addresses["api"], SOCKET: str(daemon.socket)}
        run(home, f"kumactl config control-planes add --name here --address {API}", places)
        functions = ""
        for command in commands(section):
            if command.start is not None:
                continue
            if command.is_function:
                functions += command.line + "\n"
                continue
            said = run(home, functions + command.line, places)
            assert fits(said, command.said), f"$ {command.line}\n{said}"


def global_secrets(daemon: Daemon) -> str:
    return daemon.api("GET", "/global-secrets").body.decode()


@pytest.mark.parametrize("page", PAGES)
def test_every_section_runs_something_and_every_block_is_run(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert len(sections(page)) == text.count("\n## ")
    for heading, section in sections(page).items():
        assert any(each.said for each in commands(section)), heading
        assert languages(section) <= {"yaml", "console"}
    named = [name for name, _ in files(text)]
    assert sorted(named) == sorted(set(named))
    for name in named:
        assert any(name in each.line for each in commands(text)), name
