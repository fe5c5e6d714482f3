"""Daemons that have not said that they are ready, and what is asked of those that have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.daemons.daemon import Daemon, free_port
from support.specs.sound_resources import SOUND

TIMEOUT = {"type": "MeshTimeout", "mesh": "default", "name": "t", **SOUND["MeshTimeout"]}


@contextmanager
def launched(directory: Path, **environment: str) -> Iterator[Daemon]:
    """A daemon that starts, at known addresses."""
    api, diagnostics = free_port(), free_port()
    ports = {
        "KUMA_API_SERVER_HTTP_PORT": str(api),
        "KUMA_DIAGNOSTICS_SERVER_PORT": str(diagnostics),
        "KUMA_API_SERVER_HTTPS_ENABLED": "false",
    }
    with Daemon(directory, environment={**ports, **environment}) as daemon:
        daemon.addresses = {
            "api": f"http://127.0.0.1:{api}",
            "diagnostics": f"http://127.0.0.1:{diagnostics}",
        }
        yield daemon.launch()


def found(daemon: Daemon) -> list[int]:
    """What a script asks for that has waited until the service is ready."""
    body = {"Content-Type": "application/json"}
    token = json.dumps({"mesh": "default", "name": "backend-1", "validFor": "1h"}).encode()
    policy = json.dumps(TIMEOUT).encode()
    return [
        daemon.api("GET", "/meshes/default").status,
        daemon.api("PUT", "/meshes/default/meshtimeouts/t", body, policy).status,
        daemon.api("POST", "/tokens/dataplane", body, token).status,
        daemon.api("GET", "/global-secrets/admin-user-token").status,
        daemon.api("GET", "/global-secrets/zone-token-signing-key-1").status,
    ]
