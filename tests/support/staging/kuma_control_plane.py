"""A control plane of Kuma 2.10 for tests that compare with it: one zone, its store in memory."""

from __future__ import annotations

import http.client
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from support.daemons.daemon import Answer, answer_of, eventually, free_port
from support.suites.patience import HANG_SECONDS

HOST: Final = "127.0.0.1"
KEY: Final = "/meshes/default/secrets/dataplane-token-signing-key-default-1"
# Each of its ports that is listened at, by the variable that says which.
PORTS: Final = (
    "KUMA_API_SERVER_HTTP_PORT",
    "KUMA_API_SERVER_HTTPS_PORT",
    "KUMA_DIAGNOSTICS_SERVER_PORT",
    "KUMA_DP_SERVER_PORT",
    "KUMA_MONITORING_ASSIGNMENT_SERVER_PORT",
    "KUMA_INTER_CP_SERVER_PORT",
)


class KumaControlPlane:
    """`program run` in `folder`. It runs inside of `with`, and has its default mesh there."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        self._ports = {name: free_port() for name in PORTS}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """That proxies come to."""
        return self._ports["KUMA_DP_SERVER_PORT"]

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        environment = {
            "PATH": os.environ["PATH"],
            "KUMA_GENERAL_WORK_DIR": str(self._folder),
            "KUMA_INTER_CP_CATALOG_INSTANCE_ADDRESS": HOST,
            "KUMA_XDS_SERVER_DATAPLANE_STATUS_FLUSH_INTERVAL": "1s",
            **{name: str(port) for name, port in self._ports.items()},
        }
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._program, "run"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        eventually("the mesh and its key", self._has_its_key)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(HANG_SECONDS)

    def _has_its_key(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        try:
            # Which it has later than the mesh.
            return self.api("GET", KEY).status == http.HTTPStatus.OK
        except OSError:
            return False

    def api(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        port = self._ports["KUMA_API_SERVER_HTTP_PORT"]
        connection = http.client.HTTPConnection(HOST, port, timeout=HANG_SECONDS)
        return answer_of(connection, method, path, body, headers or {})
