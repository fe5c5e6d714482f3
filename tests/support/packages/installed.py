"""The product on a machine: what an operator does there, and what the operator sees."""

from __future__ import annotations

import json
import re

from support.packages.box import Box, Outcome
from support.packages.packages import NEWER, VERSION

SOCKET = "/run/kong-mesh-cp/admission.sock"
LICENSE = "/etc/kong-mesh/license.json"
ENVIRONMENT = "/etc/kong-mesh/kong-mesh-cp.env"
UNIT = "kong-mesh-cp.service"
SOCKET_UNIT = "kong-mesh-cp-admission.socket"


class Machine:
    """A booted system that sees the packages in the folder `packages`."""

    def __init__(self, box: Box, packages: str) -> None:
        self.box = box
        self.sh = box.sh
        self.write = box.write
        self._packages = packages

    def install(self, version: str = VERSION) -> Outcome:
        """apt-get, without a network; what the administrator changed stays."""
        done = self.box.run(
            "apt-get", "install", "-y", "-o", "Dpkg::Options::=--force-confold",
            f"{self._packages}/kong-mesh-cp_{version}_amd64.deb",
        )  # fmt: skip
        assert done.status == 0, done.text
        return done

    def upgrade(self) -> Outcome:
        return self.install(NEWER)

    def start(self) -> None:
        started = self.box.run("systemctl", "start", "kong-mesh-cp")
        assert started.status == 0, started.text + self.log()

    def systemctl(self, verb: str) -> Outcome:
        return self.box.run("systemctl", verb, "kong-mesh-cp")

    def put_license(self, document: bytes, path: str = LICENSE, mode: int = 0o600) -> None:
        self.write(path, document.decode(), mode=mode)

    def set_environment(self, *lines: str) -> None:
        self.write(ENVIRONMENT, "".join(f"{line}\n" for line in lines), mode=0o640)

    def log(self) -> str:
        return self.box.journal(UNIT)

    def said(self, pattern: str) -> str:
        """The line that the daemon wrote to the journal and that `pattern` matches as a whole."""
        lines: list[str] = re.findall(r"kong-mesh-cp\[\d+\]: (.*)", self.log())
        matching = [line for line in lines if re.fullmatch(pattern, line)]
        assert matching, f"no line {pattern!r} in:\n{self.log()}"
        return matching[-1]

    @property
    def active(self) -> str:
        return self.box.property(UNIT, "ActiveState")

    @property
    def status_text(self) -> str:
        return self.box.property(UNIT, "StatusText")

    @property
    def pid(self) -> int:
        return int(self.box.property(UNIT, "MainPID"))

    @property
    def restarts(self) -> int:
        return int(self.box.property(UNIT, "NRestarts"))

    def ask(self, path: str, *curl: str, user: str = "root") -> Outcome:
        """curl on the admission socket, as `user`."""
        url = f"http://localhost{path}"
        as_user = [] if user == "root" else ["runuser", "-u", user, "--"]
        return self.box.run(
            *as_user, "curl", "-sS", "--max-time", "60", "--unix-socket", SOCKET, url, *curl
        )

    def get(self, path: str) -> dict[str, object]:
        answer = self.ask(path)
        assert answer.status == 0, answer.text
        decoded = json.loads(answer.stdout)
        assert isinstance(decoded, dict)
        return decoded

    def join(self, name: str, *, unit: str = "", user: str = "root") -> dict[str, object]:
        """Have a service of the machine take a seat and hold it. Returns the first line."""
        unit = unit or f"proxy-{name}.service"
        body = json.dumps({"mesh": "default", "name": name})
        self.sh(
            f"systemd-run --quiet --collect --unit={unit} --uid={user} -p StandardOutput=file:/run/{unit}.answer "
            f"curl -sS -N --unix-socket {SOCKET} http://localhost/v1/admissions -d '{body}'"
        )

        def first_line() -> str:
            return self.box.run("sh", "-c", f"head -n 1 /run/{unit}.answer").stdout

        self.box.wait_for(f"an answer to {name}", lambda: first_line().endswith("\n"))
        decoded = json.loads(first_line())
        assert isinstance(decoded, dict)
        return decoded
