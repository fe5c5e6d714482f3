"""Finds and asks the daemon that runs on this machine, over its admission socket."""

from __future__ import annotations

import argparse
import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from kong_mesh_cp.commands import service
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import EX_UNAVAILABLE, ControlPlaneError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.settings.loading import load

if TYPE_CHECKING:
    from http import client
else:  # it brings the e-mail package along, and most commands ask no daemon
    client = lazy_import("http.client")

SOCKET_VARIABLE = "KMESH_ADMISSION_SOCKET"
ANSWER_SECONDS_MAX = 30.0  # of silence
ANSWER_BYTES_MAX = 1024 * 1024


class NoDaemonError(ControlPlaneError):
    """No daemon answers on the admission socket, or another program does."""

    exit_status = EX_UNAVAILABLE


@dataclass(frozen=True, slots=True)
class ControlAnswer:
    """What the daemon said: an HTTP status and a JSON object."""

    status: int
    body: dict[str, object]


def add_daemon_arguments(parser: argparse.ArgumentParser) -> None:
    """How a command line says which daemon it means."""
    parser.add_argument("--socket", metavar="PATH", help="its admission socket, if not the default")
    parser.add_argument("-c", "--config-file", metavar="FILE", help="its configuration file")


def _remedy() -> str:
    if service.is_installed():
        return f"See its state: systemctl status {service.UNIT}. --socket names another socket."
    return "Start it: kong-mesh-cp run. --socket names another socket."


def ask_daemon(arguments: argparse.Namespace, method: str, target: str) -> ControlAnswer:
    """One request to the daemon that `arguments` mean.

    Raises: NoDaemonError `daemon-not-running` or `daemon-not-understood`; UnknownError
    `service-closed` where this user may not ask.
    """
    path = socket_path(arguments)
    try:
        return _ask(path, method, target)
    except PermissionError as error:
        raise service.closed_to_user(path, "the admission socket of the daemon") from error
    except OSError as error:
        raise NoDaemonError(
            f"no daemon answers on {printable(path)}: {error.strerror or error}",
            code="daemon-not-running",
            hint=_remedy(),
        ) from error
    except ValueError as error:
        raise NoDaemonError(
            f"what answers on {printable(path)} is no kong-mesh-cp",
            code="daemon-not-understood",
            hint="Name the daemon's admission socket with --socket.",
        ) from error


def socket_path(arguments: argparse.Namespace) -> Path:
    """Where the daemon that `arguments` mean listens. Raises: SettingsRejectedError."""
    if arguments.socket is not None:
        return Path(arguments.socket)
    # A copy: taking the inline license out of the environment is for the daemon, which lives on.
    environ = dict(os.environ)  # noqa: TID251 (the same variables as the daemon's)
    if not arguments.config_file and not environ.get(SOCKET_VARIABLE) and service.is_installed():
        # systemd hands it over, whatever the settings of the service say.
        handed_over = service.socket_path()
        if handed_over is not None:
            return handed_over
    loaded = load(arguments={"--config-file": arguments.config_file}, environ=environ)
    return loaded.settings.admission.socket


def _ask(path: Path, method: str, target: str) -> ControlAnswer:
    """Raises: OSError when there is no answer, ValueError when it is no answer of ours."""
    connection = client.HTTPConnection("localhost")
    try:
        connection.sock = _connected(path)
        connection.request(method, target)
        response = connection.getresponse()
        body = json.loads(response.read(ANSWER_BYTES_MAX))
    except client.RemoteDisconnected as error:
        raise ConnectionResetError("it closed the connection without an answer") from error
    except (client.HTTPException, RecursionError) as error:
        raise ValueError(str(error)) from error
    finally:
        connection.close()
    if not isinstance(body, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 (as for every wrong answer)
    return ControlAnswer(response.status, body)


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWER_SECONDS_MAX)
    try:
        connection.connect(os.fspath(path))
    except ValueError as error:
        connection.close()
        raise FileNotFoundError(str(error)) from error  # a path with a NUL byte
    except OSError:
        connection.close()
        raise
    return connection
