"""The page on access is run: each section on a daemon of its own, from top to bottom.

`localhost` is what it says, `cp.example.com` an address of this machine on the network.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, eventually
from support.daemons.remote import EVERYWHERE, Remote, needs_network
from support.staging.console_page import (
    DOCS,
    Command,
    commands,
    files,
    fits,
    languages,
    put_daemon_command,
    put_kumactl,
    run,
    sections,
)

PAGE = (DOCS / "access.md").read_text(encoding="utf-8")
SECTIONS = sections("access.md")
ADD = "kumactl config control-planes add --name here --address http://localhost:5681"
# Where there are no tokens of users, nothing of theirs is made.
WITHOUT_TOKENS = re.compile(r"adminClientCerts|enableIssuer = false")

pytestmark = [
    pytest.mark.system,
    needs_network,
    pytest.mark.skipif(
        not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq"
    ),
]


class Reader:
    """Somebody who types what a section says."""

    def __init__(self, folder: Path, section: str) -> None:
        self.section = section
        self.home = folder / "home"
        self.home.mkdir()
        put_kumactl(self.home)
        self.daemon = Daemon(folder / "daemon", environment=EVERYWHERE)
        put_daemon_command(self.home, self.daemon.socket)
        self._environment = dict(self.daemon.environment)
        for name, content in files(section):
            (self.home / name).write_text(content.replace("/etc/kong-mesh", str(self.home)))

    def start(self, command: Command) -> None:
        """A daemon that goes on with the state of the one before."""
        assert command.start is not None
        given, flags = command.start
        self.daemon.stop()
        here = {name: self._here(value) for name, value in given.items()}
        self.daemon.environment = {**self._environment, **here}
        self.daemon.flags = tuple(self._here(flag) for flag in flags)
        self.daemon.start()
        eventually("what a start makes", self._is_made)

    def _is_made(self) -> bool:
        secrets = self.daemon.api("GET", "/global-secrets").body.decode()
        last = "inter-cp-ca" if WITHOUT_TOKENS.search(self.section) else "admin-user-token"
        return last in secrets

    def type(self, command: Command) -> str:
        return run(self.home, command.line, dict(self._places()))

    def _here(self, text: str) -> str:
        return text.replace("/etc/kong-mesh", str(self.home))

    def _places(self) -> Iterator[tuple[str, str]]:
        yield "/etc/kong-mesh", str(self.home)
        if self.daemon.addresses:
            remote = Remote(self.daemon)
            secure = self.daemon.addresses["api-https"].replace("127.0.0.1", "localhost")
            yield "http://localhost:5681", self.daemon.addresses["api"]
            yield "https://localhost:5682", secure
            yield "http://cp.example.com:5681", remote.url()
            yield "https://cp.example.com:5682", remote.url("api-https")
            yield "/var/lib/kong-mesh-cp", str(self.daemon.state)
            yield "journalctl -u kong-mesh-cp", f"cat {self.home / 'journal'}"
            (self.home / "journal").write_text(self.daemon.stderr)


@pytest.mark.parametrize("heading", [name for name in SECTIONS if commands(SECTIONS[name])])
def test_a_section_does_what_it_says(tmp_path: Path, heading: str) -> None:
    reader = Reader(tmp_path, SECTIONS[heading])
    typed = commands(reader.section)
    if not any(each.start for each in typed):
        typed.insert(0, Command("kong-mesh-cp run", ""))
    with reader.daemon:
        for command in typed:
            if command.start is not None:
                reader.start(command)
                assert fits("", command.said), command
                reader.type(Command(f"{ADD} --overwrite", ""))
                continue
            if "journalctl" in command.line:  # what was logged may still be on its way
                eventually(command.line, lambda typed=command: fits(reader.type(typed), typed.said))
                continue
            said = reader.type(command)
            assert fits(said, command.said), f"$ {command.line}\n{said}"


def test_every_block_is_run() -> None:
    assert len(SECTIONS) == PAGE.count("\n## ")
    for section in SECTIONS.values():
        assert languages(section) <= {"yaml", "toml", "console"}
        for name, _ in files(section):
            assert any(name in each.line for each in commands(section)), name


def test_what_the_page_names_is_there() -> None:
    from kong_mesh_cp.core.identity.access import Verb
    from kong_mesh_cp.core.resources.kinds.access_role import ACCESSES
    from kong_mesh_cp.settings.model import rows

    variables = {row.option.environment for row in rows()}
    named = set(re.findall(r"\bK(?:MESH|UMA)_[A-Z_]+[A-Z](?!_)\b", PAGE))
    assert named and named <= variables
    paths = {row.path for row in rows()}
    settings = set(re.findall(r"`((?:access|apiServer|dpServer)\.[\w.]+\w)`", PAGE))
    sections_of = {path.rsplit(".", depth)[0] for path in paths for depth in (1, 2, 3)}
    assert settings and settings <= paths | sections_of
    grants = {row.attributes[2] for row in rows() if row.path.startswith("access.static.")}
    assert len(grants) == 9
    for access in (*ACCESSES, *Verb):
        assert f"`{access}`" in PAGE, access
