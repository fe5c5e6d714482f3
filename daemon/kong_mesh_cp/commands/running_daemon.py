"""Finds and asks the daemon that runs on this machine, over its admission socket."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from kong_mesh_cp.commands.control_socket import ControlAnswer, ask
from kong_mesh_cp.core.errors import EX_UNAVAILABLE, ControlPlaneError
from kong_mesh_cp.settings.loading import load


class NoDaemonError(ControlPlaneError):
    """Nobody answers on the admission socket."""

    exit_status = EX_UNAVAILABLE


def add_daemon_arguments(parser: argparse.ArgumentParser) -> None:
    """How a command is told which daemon it means."""
    parser.add_argument("--socket", metavar="PATH", help="its admission socket, if not the default")
    parser.add_argument("-c", "--config-file", metavar="FILE", help="its configuration file")


def ask_daemon(arguments: argparse.Namespace, method: str, target: str) -> ControlAnswer:
    """One request to the daemon that `arguments` mean.

    Raises: NoDaemonError `daemon-not-running` or `daemon-not-understood`.
    """
    path = _socket_path(arguments)
    try:
        return ask(path, method, target)
    except OSError as error:
        raise NoDaemonError(
            f"no daemon answers on {path}: {error.strerror or error}",
            code="daemon-not-running",
            hint="See its state: systemctl status kong-mesh-cp. --socket names another socket",
        ) from error
    except (ValueError, TypeError) as error:
        raise NoDaemonError(
            f"what answers on {path} is no kong-mesh-cp",
            code="daemon-not-understood",
            hint="Name the daemon's admission socket with --socket",
        ) from error


def _socket_path(arguments: argparse.Namespace) -> Path:
    if arguments.socket is not None:
        return Path(arguments.socket)
    # A copy: taking the inline license out of the environment is for the daemon, which lives on.
    environ = dict(os.environ)  # noqa: TID251 (the same variables as the daemon's)
    loaded = load(arguments={"--config-file": arguments.config_file}, environ=environ)
    return loaded.settings.admission.socket
