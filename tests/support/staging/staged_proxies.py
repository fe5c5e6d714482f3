"""What goes wrong at `kuma-dp`: with what it is given, at the control plane, with its Envoy."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from pathlib import Path

from support.daemons.daemon import eventually, free_port
from support.daemons.tls_peers import pair
from support.data_plane.ads_clients import dataplane, token
from support.data_plane.envoy_binary import envoy_binary
from support.data_plane.proxy_programs import KumaDp
from support.staging.staging import INSTANT, Said, Scenarios, Stage

PROXIES = Scenarios()

SEATS = 5  # of the pre-bundled license


class Machine:
    """A machine with a control plane, if it is started, and a `kuma-dp` that is not.

    Its Envoy is a script that says which version it is, unless the real one is asked for.
    """

    def __init__(self, stage: Stage, *, envoy: str = "1.40.0", real: bool = False) -> None:
        self.stage = stage
        self.folder = stage.directory / "kuma-dp"
        self.folder.mkdir()
        self.port = free_port()
        stage.set(KUMA_DP_SERVER_PORT=str(self.port))
        stage.show(str(self.folder), "/etc/kuma-dp")
        stage.show(str(self.port), "5678")
        self._envoy = envoy_binary() if real else self._script(envoy)
        stage.show(str(self._envoy), "/usr/bin/envoy")
        self.readiness = free_port()
        stage.show(str(self.readiness), "9902")

    def _script(self, version: str) -> Path:
        path = self.folder / "envoy"
        path.write_text(f"#!/bin/sh\necho 'envoy  version: a/{version}/Clean/RELEASE/BoringSSL'\n")
        path.chmod(0o755)
        return path

    def file(self, name: str, content: str) -> str:
        path = self.folder / name
        path.write_text(content)
        return str(path)

    def token(self) -> tuple[str, ...]:
        """A good one, from the control plane that runs."""
        return ("--dataplane-token-file", self.file("token", token(self.stage.daemon)))

    def dataplane(self, **networking: object) -> tuple[str, ...]:
        """A good one, unless something else is said of its networking."""
        document = dict(dataplane("backend-1"))
        document["networking"] = {**document["networking"], **networking}  # type: ignore[dict-item]
        return ("--dataplane-file", self.file("dataplane.yaml", json.dumps(document)))

    def kuma_dp(self, *flags: str, **environ: str) -> KumaDp:
        """One that asks this control plane and gives up soon, unless flags say something else."""
        near = ("--cp-address", f"https://localhost:{self.port}")
        environment = {
            "KUMA_READINESS_PORT": str(self.readiness),
            "KUMA_CONTROL_PLANE_RETRY_MAX_DURATION": "1ms",
            "KUMA_CONTROL_PLANE_RETRY_BACKOFF": "20ms",
            **environ,
        }
        said = (*near, "--binary-path", str(self._envoy), "--concurrency", "1", *flags)
        program = KumaDp(self.stage.directory / "p", *said, environment=environment)
        return self.stage.open.enter_context(program)

    def refused(self, *flags: str, **environ: str) -> Said:
        """It ends by itself: its last line and its status."""
        return self.ended(self.kuma_dp(*flags, **environ).launch())

    def ended(self, program: KumaDp) -> Said:
        status = program.exit_status()
        assert "Traceback" not in program.stderr
        prefix, _, line = program.stderr.splitlines()[-1].partition(": ")
        assert prefix == "kuma-dp", program.stderr
        return Said(self.stage.as_shown(line), f"Exit status {status}.")

    def says(self, program: KumaDp, code: str) -> Said:
        """It runs on, and has a line with `code`."""
        pattern = re.compile(rf"^{INSTANT} (\w+) +({code}: .*)$", re.MULTILINE)
        eventually(f"the line {code}", lambda: pattern.search(program.stderr))
        level, line = pattern.findall(program.stderr)[-1]
        assert program.process is not None
        assert program.process.poll() is None
        return Said(self.stage.as_shown(line), f"It runs on ({level}).")


@PROXIES.called("A proxy that nobody named")
def _(stage: Stage) -> Said:
    return Machine(stage).refused("--mesh", "default")


@PROXIES.called("A Dataplane that is not there")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    return machine.refused("--dataplane-file", str(machine.folder / "dataplane.yaml"))


@PROXIES.called("A Dataplane with a variable that has no value")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    text = (
        "type: Dataplane\nmesh: default\nname: {{ name }}\nnetworking: {address: {{ address }}}\n"
    )
    file = machine.file("dataplane.yaml", text)
    return machine.refused("--dataplane-file", file, "--dataplane-var", "name=backend-1")


@PROXIES.called("Another resource in place of the Dataplane")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    return machine.refused(
        "--dataplane-file", machine.file("mesh.yaml", "type: Mesh\nname: default\n")
    )


@PROXIES.called("A name beside a Dataplane of another name")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    return machine.refused(*machine.dataplane(), "--name", "backend-2")


@PROXIES.called("A token that is not there")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    file = str(machine.folder / "token")
    return machine.refused(*machine.dataplane(), "--dataplane-token-file", file)


@PROXIES.called("Something else in place of the token")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    file = machine.file("token", "/etc/kuma-dp/token\n")
    return machine.refused(*machine.dataplane(), "--dataplane-token-file", file)


@PROXIES.called("A token beside the admission socket")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    file = machine.file("token", "")
    socket_flags = ("--admission-socket", str(stage.daemon.socket))
    return machine.refused(*machine.dataplane(), *socket_flags, "--dataplane-token-file", file)


@PROXIES.called("A duration without a unit")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    return machine.refused(*machine.dataplane(), KUMA_DATAPLANE_DRAIN_TIME="30")


@PROXIES.called("An address of the control plane without TLS")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    return machine.refused(*machine.dataplane(), "--cp-address", "http://localhost:5678")


@PROXIES.called("A file of the authority that holds none")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    file = machine.file("kuma-cp.crt", "no certificate\n")
    return machine.refused(*machine.dataplane(), "--ca-cert-file", file)


@PROXIES.called("A machine without Envoy")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    nowhere = str(machine.folder / "empty")
    return machine.refused(*machine.dataplane(), "--binary-path", "envoy", PATH=nowhere)


@PROXIES.called("An Envoy that is too old")
def _(stage: Stage) -> Said:
    machine = Machine(stage, envoy="1.22.0")
    return machine.refused(*machine.dataplane())


@PROXIES.called("A folder that cannot be made")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    taken = machine.file("taken", "")
    return machine.refused(*machine.dataplane(), "--config-dir", taken)


@PROXIES.called("No control plane at the address")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    return machine.refused(*machine.dataplane())


@PROXIES.called("The port of the API in place of that for proxies")
def _(stage: Stage) -> Said:
    return _sent_to(stage, "api", "5681")


@PROXIES.called("The port of the API with TLS in place of that for proxies")
def _(stage: Stage) -> Said:
    return _sent_to(stage, "api-https", "5682")


def _sent_to(stage: Stage, listener: str, usual_port: str) -> Said:
    machine = Machine(stage)
    port = stage.start().addresses[listener].rpartition(":")[2]
    stage.show(port, usual_port)
    return machine.refused(*machine.dataplane(), "--cp-address", f"https://localhost:{port}")


@PROXIES.called("The authority of another control plane")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    stage.start()
    file = machine.file("kuma-cp.crt", pair("elsewhere").certificate.decode())
    return machine.refused(*machine.dataplane(), "--ca-cert-file", file)


@PROXIES.called("An address that the certificate is not for")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    stage.start()
    elsewhere = ("--cp-address", f"https://127.0.0.9:{machine.port}")
    authority = ("--ca-cert-file", str(stage.daemon.state / "kuma-cp.crt"))
    return machine.refused(*machine.dataplane(), *elsewhere, *authority)


@PROXIES.called("No token")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    stage.start()
    return machine.refused(*machine.dataplane())


@PROXIES.called("A Dataplane that is not stored yet")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    stage.start()
    return machine.refused("--mesh", "default", "--name", "backend-1", *machine.token())


@PROXIES.called("A Dataplane that is wrong")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    stage.start()
    inbound = {"port": 80, "tags": {"team": "payments"}}
    return machine.refused(*machine.dataplane(inbound=[inbound]), *machine.token())


@PROXIES.called("A mesh that is not there")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    stage.start()
    text = json.dumps(dataplane("backend-1", "shop"))
    return machine.refused(
        "--dataplane-file", machine.file("dataplane.yaml", text), *machine.token()
    )


@PROXIES.called("A license without a seat for the proxy")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    daemon = stage.start()
    for number in range(SEATS):
        stage.open.enter_context(daemon.seat(f"other-{number}"))
    return machine.refused(*machine.dataplane(), *machine.token())


@PROXIES.called("An admission socket that nobody serves")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    path = "/run/kong-mesh-cp/admission.sock"
    assert not Path(path).exists()
    return machine.refused(*machine.dataplane(), "--admission-socket", path)


@PROXIES.called("A mesh that the admission socket does not know")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    stage.start()
    named = ("--mesh", "shop", "--name", "backend-1")
    return machine.refused(*named, "--admission-socket", str(stage.daemon.socket))


@PROXIES.called("A readiness port that is taken")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    stage.start()
    stage.open.enter_context(socket.create_server(("127.0.0.1", machine.readiness)))
    return _whoever_has_it(machine.refused(*machine.dataplane(), *machine.token()))


def _whoever_has_it(said: Said) -> Said:
    """`said` without the process that has the port: it is that of the test."""
    return Said(re.sub(r"taken by .*?\. Stop", "taken. Stop", said.line), said.outcome)


@PROXIES.called("A second proxy with the admin port of the first")
def _(stage: Stage) -> Said:
    machine = Machine(stage, real=True)
    stage.start()
    admin = stage.open.enter_context(socket.create_server(("127.0.0.1", 0)))
    port: int = admin.getsockname()[1]
    stage.show(str(port), "9901")
    return machine.refused(*machine.dataplane(admin={"port": port}), *machine.token())


@PROXIES.called("An inbound whose port somebody else has")
def _(stage: Stage) -> Said:
    machine = Machine(stage, real=True)
    stage.start()
    taken = stage.open.enter_context(socket.create_server(("127.0.0.1", 0)))
    port: int = taken.getsockname()[1]
    stage.show(str(port), "8080")
    inbound = {"port": port, "tags": {"kuma.io/service": "backend"}}
    flags = machine.dataplane(admin={"port": free_port()}, inbound=[inbound])
    program = machine.kuma_dp(*flags, *machine.token()).launch()
    return machine.says(program, "port-taken")


@PROXIES.called("A token of another proxy")
def _(stage: Stage) -> Said:
    machine = Machine(stage, real=True)
    stage.start()
    asked = json.dumps({"mesh": "default", "name": "frontend-1", "validFor": "1h"}).encode()
    json_type = {"Content-Type": "application/json"}
    answer = stage.daemon.api("POST", "/tokens/dataplane", json_type, asked)
    file = machine.file("token", answer.body.decode())
    flags = machine.dataplane(admin={"port": free_port()})
    program = machine.kuma_dp(*flags, "--dataplane-token-file", file).launch()
    return machine.says(program, "dataplane-token-refused")


@PROXIES.called("An Envoy that is killed")
def _(stage: Stage) -> Said:
    machine = Machine(stage, real=True)
    stage.start()
    flags = machine.dataplane(admin={"port": free_port()})
    program = machine.kuma_dp(*flags, *machine.token()).start()
    os.kill(program.envoy_pid, signal.SIGKILL)
    return machine.ended(program)


@PROXIES.called("An option that is given twice")
def _(stage: Stage) -> Said:
    return _remark(
        stage, "setting-given-twice", "--concurrency", "1", KUMA_DATAPLANE_RUNTIME_CONCURRENCY="2"
    )


@PROXIES.called("A variable of kuma-dp that is misspelt")
def _(stage: Stage) -> Said:
    return _remark(stage, "variable-unknown", KUMA_DATAPLANE_DRAINTIME="30s")


@PROXIES.called("A second proxy with the DNS port of the first")
def _(stage: Stage) -> Said:
    machine = Machine(stage)
    stage.start()
    taken = stage.open.enter_context(socket.create_server(("127.0.0.1", 0)))
    port = f"{taken.getsockname()[1]}"
    stage.show(port, "15053")
    redirecting = {"redirectPortInbound": 15006, "redirectPortOutbound": 15001}
    flags = machine.dataplane(transparentProxying=redirecting)
    return _whoever_has_it(machine.refused(*flags, *machine.token(), KUMA_DNS_CORE_DNS_PORT=port))


@PROXIES.called("An option for what this kuma-dp does not have")
def _(stage: Stage) -> Said:
    return _remark(stage, "setting-without-effect", "--dns-coredns-path", "/usr/bin/coredns")


def _remark(stage: Stage, code: str, *flags: str, **environ: str) -> Said:
    machine = Machine(stage)
    with socket.create_server(("127.0.0.1", machine.port)):  # takes connections, says nothing
        program = machine.kuma_dp(*machine.dataplane(), *flags, **environ).launch()
        return machine.says(program, code)
