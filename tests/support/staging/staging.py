"""A place to get something wrong in: a daemon, its license, and what the daemon says to it.

Each scenario is a way to get it wrong, called as `docs/operations.md` calls it. What differs from
machine to machine (paths, process ids, today) is shown as the page shows it, and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from kong_mesh_cp.core.license.term import instant
from support.daemons.daemon import Daemon, eventually
from support.licenses.licenses import keyring_json, license_document

if TYPE_CHECKING:
    from support.daemons.postgres import PostgresServer

NOW_SHOWN = "2026-11-21T22:40:00Z"
PID_SHOWN = "812"
DAEMON_USER = "kong-mesh-cp"
INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@dataclass(frozen=True)
class Said:
    """What came of it: the line, as the page shows it, and whether the daemon serves."""

    line: str
    outcome: str  # `Exit status 78.`, or `It runs on (ERROR).` with the level of the line

    def at(self, pattern: str, shown: str) -> Said:
        """The same with `shown` in place of an instant that only the daemon knew: its group 1."""
        found = re.search(pattern, self.line)
        assert found, self.line
        assert re.fullmatch(INSTANT, found[1]), found[1]
        return replace(self, line=self.line.replace(found[1], shown))


def _no_postgres() -> NoReturn:
    raise AssertionError("this stage has no PostgreSQL")


STARTING = "starting or stopping"


class Stage:
    """A daemon that is not started yet, with a license in `etc/license.json` if one is put there.

    Everything is below `directory`. Resource handling: whoever made it calls `close`.
    """

    def __init__(
        self, directory: Path, postgres: Callable[[], PostgresServer] = _no_postgres
    ) -> None:
        """`postgres` is asked where a scenario needs a server."""
        self.directory = directory
        self.etc = directory / "etc"
        self.etc.mkdir()
        self.license = self.etc / "license.json"
        self.keyring = directory / "keyring.json"
        self.keyring.write_bytes(keyring_json())
        self.daemon = Daemon(directory / "d", "--license-keyring", os.fspath(self.keyring))
        self.open = contextlib.ExitStack()
        self.open.enter_context(self.daemon)
        self.postgres = postgres
        self._shown = {
            os.fspath(self.etc): "/etc/kong-mesh",
            os.fspath(self.daemon.state): "/var/lib/kong-mesh-cp",
            os.fspath(self.daemon.socket.parent): "/run/kong-mesh-cp",
        }

    def close(self) -> None:
        self.open.close()

    def set(self, **variables: str) -> None:
        """Variables of the environment file."""
        self.daemon.environment.update(variables)

    def show(self, what: str, shown: str) -> None:
        """`what` differs from machine to machine: the page has `shown`."""
        self._shown[what] = shown

    def put_license(self, document: bytes | None = None, *, set_path: bool = True) -> None:
        """The file /etc/kong-mesh/license.json, named in KMESH_LICENSE_PATH; as good by default."""
        self.license.write_bytes(license_document() if document is None else document)
        self.license.chmod(0o640)
        if set_path:
            self.set(KMESH_LICENSE_PATH=os.fspath(self.license))

    def hand_over_license(self) -> None:
        """The file /etc/kong-mesh/license.json as systemd hands it over in the package."""
        self.put_license(set_path=False)
        copy = self.directory / "credentials" / "license"
        copy.parent.mkdir()
        shutil.copyfile(self.license, copy)
        self.set(
            CREDENTIALS_DIRECTORY=os.fspath(copy.parent),
            LICENSE_CREDENTIAL_ORIGIN=os.fspath(self.license),
        )

    def write_state(self, name: str, **fields: str | float) -> None:
        """A file of the state directory, as an earlier run has left it."""
        self.daemon.state.mkdir(parents=True)
        (self.daemon.state / name).write_text(json.dumps({"version": 1, **fields}))

    def set_clock_back(self, *, days: int) -> None:
        """As after that: the state directory remembers a later time, from another boot."""
        seen = datetime.now(UTC) + timedelta(days=days)
        self.write_state(
            "clock.json",
            seen=instant(seen),
            boot_id="another boot",
            boottime_seconds=1.0,
            ahead_seconds=0.0,
            lead_seconds=0.0,
        )

    def write_config(self, text: str) -> Path:
        """The file /etc/kong-mesh/kong-mesh-cp.toml."""
        path = self.etc / "kong-mesh-cp.toml"
        path.write_text(text, encoding="utf-8")
        self.daemon.flags += ("--config-file", os.fspath(path))
        return path

    def without_privileges(self) -> None:
        """As the service: no capability, so that a file's mode and owner count. Skips if not root."""
        if os.geteuid() != 0:
            pytest.skip("only root can give a file to somebody else")
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv: apt-get install util-linux")
        # Still root by name: the interpreter may lie where no other user may look.
        self.daemon.wrapper = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")

    def is_refused(self) -> Said:
        """The start fails: its last line and its status."""
        status = self.daemon.launch().exit_status()
        lines = self.daemon.stderr.splitlines()
        assert lines, f"no line, status {status}"
        assert "Traceback" not in self.daemon.stderr
        prefix, _, line = lines[-1].partition(": ")
        assert prefix == "kong-mesh-cp", lines
        return Said(self.as_shown(line), f"Exit status {status}.")

    def start(self) -> Daemon:
        return self.daemon.start()

    def says(self, code: str, *, ready: bool = True, why: str = "") -> Said:
        """The last line with `code` of the daemon, which runs on; `ready`: and serves.

        `why`: what `/ready` says, where it is not the line's own code.
        """
        pattern = re.compile(rf"^{INSTANT} (\w+) +({code}: .*)$", re.MULTILINE)
        eventually(f"the line {code}", lambda: pattern.search(self.daemon.stderr))
        level, line = pattern.findall(self.daemon.stderr)[-1]
        if ready:
            eventually("ready", lambda: self.daemon.diagnostics("/ready").status == 200)
            return Said(self.as_shown(line), f"It runs on ({level}).")
        eventually("not ready", lambda: self.daemon.diagnostics("/ready").status == 503)
        answer = self.daemon.diagnostics("/ready")
        said = f"not ready: {why or _code_of(line)}\n".encode()
        assert (answer.status, answer.body) == (503, said)
        begins = "starting: " if why == STARTING else "NOT READY: "
        eventually("it says so", lambda: self.daemon.status_text.startswith(begins))
        return Said(self.as_shown(line), f"It runs on and is not ready ({level}).")

    def as_shown(self, line: str) -> str:
        """`line` as the page shows it."""
        whats = sorted(self._shown, key=len, reverse=True)
        return re.sub("|".join(map(re.escape, whats)), lambda found: self._shown[found[0]], line)


def _code_of(line: str) -> str:
    """What `/ready` says of a line."""
    code = line.partition(":")[0]
    return "socket-path-taken" if code == "admission-socket-gone" else code


Scenario = Callable[[Stage], Said]


class Scenarios(dict[str, Scenario]):
    """By the heading that the page gives them."""

    def called(self, heading: str) -> Callable[[Scenario], Scenario]:
        def add(scenario: Scenario) -> Scenario:
            assert heading not in self, heading
            self[heading] = scenario
            return scenario

        return add


def user_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def command_name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
