"""Proxies installed from packages on a machine: a service behind one, a client behind another."""

from __future__ import annotations

from support.packages.installed import Machine
from support.packages.packages import NEWER, Packages

CONFIGURATION = "/etc/kong-mesh/dp"
ENVOY = "/usr/lib/kong-mesh-envoy/envoy"
BACKEND, WEB = "backend", "web"
OUTBOUND = "http://127.0.0.1:10000"
ANSWERED_MAX = 20  # requests between two looks at what was counted

# Each names its ports, since both are on one machine.
_BACKEND = """\
type: Dataplane
mesh: default
name: backend
networking:
  address: 127.0.0.1
  inbound:
  - port: 80
    servicePort: 18080
    tags: {kuma.io/service: backend, kuma.io/protocol: http}
  admin: {port: 9901}
"""
_WEB = """\
type: Dataplane
mesh: default
name: web
networking:
  address: 127.0.0.1
  inbound:
  - port: 8081
    servicePort: 18081
    tags: {kuma.io/service: web, kuma.io/protocol: http}
  outbound:
  - port: 10000
    tags: {kuma.io/service: backend}
  admin: {port: 9911}
"""
_MTLS = """\
type: MeshTrafficPermission
mesh: default
name: everybody
spec:
  targetRef: {kind: Mesh}
  from:
  - targetRef: {kind: Mesh}
    default: {action: Allow}
---
type: Mesh
name: default
mtls:
  enabledBackend: ca-1
  backends:
  - {name: ca-1, type: builtin}
"""
_APPLICATION = """\
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        body = (ANSWER).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer((HOST, 18080), Handler).serve_forever()
"""
# With whom its own proxy says that it heard.
_HEARD = '"heard: " + self.headers.get("x-forwarded-client-cert", "nobody")'
# Asks until it is told to end; then says how many were answered, and what was not.
_LOAD = """\
import pathlib, urllib.request

answered, failed = 0, []
while not pathlib.Path("/run/load.over").exists():
    try:
        with urllib.request.urlopen("http://127.0.0.1:10000", timeout=60) as answer:
            answer.read()
        answered += 1
    except OSError as error:
        failed.append(repr(error))
    pathlib.Path("/run/load.count").write_text(str(answered))
pathlib.Path("/run/load.failed").write_text("\\n".join(failed))
"""


def start_application(machine: Machine, host: str, answer: str) -> None:
    """It listens on port 18080; `answer` is what its handler says, an expression of Python."""
    program = _APPLICATION.replace("ANSWER", answer).replace("HOST", repr(host))
    machine.write("/root/application.py", program)
    machine.sh("systemd-run --quiet --unit=application python3 /root/application.py")


class Mesh:
    """The control plane and two proxies of one machine."""

    def __init__(self, machine: Machine, proxy: Packages, envoy: Packages) -> None:
        self.machine, self.box, self.sh = machine, machine.box, machine.sh
        self._proxy, self._envoy = proxy, envoy

    def install(self) -> None:
        """All three packages in one command, without a network; nothing runs yet."""
        files = [f"/packages/{each.deb.name}" for each in (self._proxy, self._envoy)]
        files.append(f"/packages/kong-mesh-cp_{self._proxy.version}_amd64.deb")
        self.sh(f"apt-get install -y {' '.join(files)}")

    def configure(self) -> None:
        self.machine.write(f"{CONFIGURATION}/backend.yaml", _BACKEND, mode=0o600)
        self.machine.write(f"{CONFIGURATION}/web.yaml", _WEB, mode=0o600)
        drain = "KUMA_DATAPLANE_DRAIN_TIME=1s\n"
        self.machine.write(f"{CONFIGURATION}/backend.env", drain, mode=0o600)
        self.machine.write(
            f"{CONFIGURATION}/web.env", f"{drain}KUMA_READINESS_PORT=9912\n", mode=0o600
        )
        self.machine.write("/root/mtls.yaml", _MTLS)
        start_application(self.machine, "127.0.0.1", _HEARD)

    def start(self) -> None:
        """The control plane, then both proxies; they are started when they serve."""
        self.machine.start()
        for name in (BACKEND, WEB):
            started = self.box.run("systemctl", "start", unit(name))
            assert started.status == 0, started.text + self.log(name)
        self.box.wait_for("traffic", lambda: self.ask().startswith("heard: "))

    def ask(self) -> str:
        """What web's application is answered by backend's."""
        return self.box.run("curl", "-sS", "--max-time", "60", OUTBOUND).text

    def log(self, name: str) -> str:
        return self.box.journal(unit(name))

    def main_pid(self, name: str) -> int:
        return int(self.box.property(unit(name), "MainPID"))

    def envoy_pid(self, name: str) -> int:
        """Of the one Envoy of the unit; 0 while there is none."""
        group = self.box.property(unit(name), "ControlGroup")
        members = self.box.run("cat", f"/sys/fs/cgroup{group}/cgroup.procs").stdout.split()
        found = [pid for pid in self.envoys() if str(pid) in members]
        return found[0] if len(found) == 1 else 0

    def envoys(self) -> list[int]:
        """Of the machine, whoever's they are."""
        shown = self.sh("for each in /proc/[0-9]*; do echo $each $(readlink $each/exe || :); done")
        lines = (line.split() for line in shown.splitlines())
        return [int(line[0].removeprefix("/proc/")) for line in lines if line[1:] == [ENVOY]]

    def upgrade_proxies(self) -> str:
        return self.sh(f"apt-get install -y /packages/{self._proxy.name}_{NEWER}_amd64.deb 2>&1")


class Load:
    """Requests at the outbound, one after the other."""

    def __init__(self, machine: Machine) -> None:
        self._box, self._sh = machine.box, machine.sh
        machine.write("/root/load.py", _LOAD)

    def start(self) -> None:
        self._sh("systemd-run --quiet --unit=load python3 /root/load.py")
        self.more()

    def more(self) -> None:
        """Return when more was answered than was now."""
        until = self._answered() + ANSWERED_MAX
        self._box.wait_for("answers", lambda: self._answered() >= until)

    def _answered(self) -> int:
        counted = self._box.run("cat", "/run/load.count").stdout
        return int(counted) if counted else 0

    def end(self) -> str:
        """What failed of it: nothing, as a rule."""
        self.more()
        self._sh("touch /run/load.over")
        self._box.wait_for(
            "its end", lambda: self._box.run("test", "-e", "/run/load.failed").status == 0
        )
        return self._sh("cat /run/load.failed")


def unit(name: str) -> str:
    return f"kong-mesh-dp@{name}.service"
