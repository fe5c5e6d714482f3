"""The mesh of the demo: control plane, proxies, and the questions that are put to them."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kong_mesh_demo import services
from kong_mesh_demo.processes import DemoError, Programs, free_ports
from kong_mesh_demo.services import HERE, Said, ask

BIN: Final = Path(sys.executable).parent
MANIFESTS: Final = Path(__file__).parent / "manifests"
DRAIN: Final = "2s"  # what a proxy of the demo gives its connections at the end
COMMAND_SECONDS_MAX: Final = 60.0
_PEER: Final = re.compile(r"By=(spiffe://[^;,]+)")
_TIMES: Final = "last_updated"


@dataclass(frozen=True, slots=True)
class Place:
    """Where things are, for the demo and for whoever looks at it."""

    folder: Path
    api: int
    proxies: int
    admin: dict[str, int]  # of Envoys, by service
    frontend: int  # the application

    def kumactl(self, *arguments: str) -> str:
        """What kumactl prints. Raises: DemoError."""
        done = subprocess.run(
            [str(self.folder / "bin" / "kumactl"), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS_MAX,
        )
        if done.returncode != 0:
            raise DemoError(f"kumactl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def through_the_mesh(self) -> Said | None:
        """What the frontend was answered by the backend; None while it cannot be asked."""
        try:
            return ask(self.frontend)
        except (OSError, http.client.HTTPException):
            return None

    def milliseconds_to_envoy(self, path: str) -> float:
        """From the last write of a resource to the last thing that an Envoy has taken since."""
        written = _instant(_json(self.api, path)["modificationTime"])
        taken = [
            _instant(time)
            for port in self.admin.values()
            for time in _all_times(_json(port, "/config_dump"))
        ]
        return (max(taken) - written).total_seconds() * 1000


@contextlib.contextmanager
def running(folder: Path, envoy: str) -> Iterator[tuple[Place, Programs]]:
    """Start all of it; end all of it. Raises: DemoError."""
    programs = Programs(folder)
    api, proxies, diagnostics, outbound, *ports = free_ports(10)
    with (
        services.backend() as backend,
        services.frontend(outbound) as frontend,
        programs.ended_at_exit(),
    ):
        admin = dict(zip(("frontend", "backend"), ports[:2], strict=True))
        place = Place(folder, api, proxies, admin, frontend)
        _put_tools(place)
        _start_control_plane(place, programs, diagnostics)
        inbounds = {"frontend": (ports[2], frontend), "backend": (ports[3], backend)}
        for number, (service, (inbound, application)) in enumerate(inbounds.items()):
            given = {
                "inbound": inbound,
                "application": application,
                "admin": admin[service],
                "backend": outbound,
            }
            _start_proxy(place, programs, service, given, ready=ports[4 + number], envoy=envoy)
        yield place, programs


def peer(said: Said) -> str:
    """Who answered, as its certificate says; "" where there was none."""
    with contextlib.suppress(ValueError):
        found = _PEER.search(json.loads(said.text)["certificates"])
        return found[1] if found else ""
    return ""


def _put_tools(place: Place) -> None:
    """A kumactl that asks this control plane, and a file that puts it into a shell's PATH."""
    folder = place.folder / "bin"
    folder.mkdir()
    tool = folder / "kumactl"
    settings = place.folder / "kumactl-config"
    tool.write_text(f'#!/bin/sh\nexec "{BIN}/kumactl" --config-file "{settings}" "$@"\n')
    tool.chmod(0o755)
    (place.folder / "env").write_text(
        f'export PATH="{folder}:$PATH" DEMO="{place.folder}" MANIFESTS="{MANIFESTS}"'
        f" FRONTEND=http://{HERE}:{place.frontend} API=http://{HERE}:{place.api}\n"
    )


def _start_control_plane(place: Place, programs: Programs, diagnostics: int) -> None:
    sockets = place.folder / "run"
    sockets.mkdir(mode=0o750)
    programs.start(
        "control-plane",
        str(BIN / "kong-mesh-cp"),
        "run",
        environment={
            "KUMA_GENERAL_WORK_DIR": str(place.folder / "state"),
            "KMESH_ADMISSION_SOCKET": str(sockets / "admission.sock"),
            "KUMA_API_SERVER_HTTP_INTERFACE": HERE,
            "KUMA_API_SERVER_HTTP_PORT": str(place.api),
            "KUMA_API_SERVER_HTTPS_ENABLED": "false",
            "KUMA_DP_SERVER_PORT": str(place.proxies),
            "KUMA_DIAGNOSTICS_SERVER_PORT": str(diagnostics),
            "KMESH_MONITORING_ASSIGNMENT_SERVER_INTERFACE": HERE,
            "KUMA_MONITORING_ASSIGNMENT_SERVER_PORT": "0",
            "KUMA_XDS_SERVER_DATAPLANE_STATUS_FLUSH_INTERVAL": "1s",
        },
    )
    programs.wait_for("the default mesh", lambda: _answered(place.api, "/meshes/default"))
    programs.wait_for("its certificate", lambda: _file(place.folder / "state" / "kuma-cp.crt"))
    address = f"http://{HERE}:{place.api}"
    place.kumactl("config", "control-planes", "add", "--name", "demo", "--address", address)


def _start_proxy(
    place: Place, programs: Programs, service: str, given: dict[str, int], *, ready: int, envoy: str
) -> None:
    token = place.folder / f"{service}.token"
    token.touch(mode=0o600)
    token.write_text(
        place.kumactl(
            *("generate", "dataplane-token", "--mesh", "default", "--name", f"{service}-1"),
            *("--valid-for", "24h"),
        )
    )
    programs.start(
        service,
        *(str(BIN / "kuma-dp"), "run", "--cp-address", f"https://localhost:{place.proxies}"),
        *("--ca-cert-file", str(place.folder / "state" / "kuma-cp.crt")),
        *("--dataplane-file", str(MANIFESTS / f"{service}.yaml")),
        *(f"--dataplane-var={name}={value}" for name, value in given.items()),
        *("--dataplane-token-file", str(token)),
        *("--binary-path", envoy, "--drain-time", DRAIN, "--concurrency", "1"),
        environment={"KUMA_READINESS_PORT": str(ready)},
    )
    programs.wait_for(f"{service}'s proxy", lambda: _answered(ready, "/ready"))


def _answered(port: int, path: str) -> Said | None:
    try:
        said = ask(port, path)
    except (OSError, http.client.HTTPException):
        return None
    return said if said.status == 200 else None


def _file(path: Path) -> Path | None:
    return path if path.exists() else None


def _json(port: int, path: str) -> Any:
    said = ask(port, path)
    if said.status != 200:
        raise DemoError(f"port {port} answered {path} with {said.status}: {said.text}")
    return json.loads(said.text)


def _instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _all_times(document: object) -> Iterator[str]:
    """When the parts of a configuration dump were taken."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name == _TIMES:
                yield value
            else:
                yield from _all_times(value)
    elif isinstance(document, list):
        for each in document:
            yield from _all_times(each)
