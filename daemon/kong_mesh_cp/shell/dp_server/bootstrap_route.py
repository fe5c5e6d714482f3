"""`POST /bootstrap`: what kuma-dp asks before it starts Envoy.

Source: docs/wire/bootstrap.md#answer
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from typing import Final

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.addresses import split_host_port
from kong_mesh_cp.core.formats.yaml_text import yaml_text
from kong_mesh_cp.core.xds.bootstrap.bootstrap_request import (
    NoBootstrapRequestError,
    read_bootstrap_request,
)
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.usecases.data_plane.bootstrapping import (
    Bootstrap,
    Bootstrapping,
    BootstrapRefusedError,
    Reason,
    Sidecar,
)

JSON: Final = "application/json"
YAML: Final = "text/x-yaml"
TEXT: Final = "text/plain; charset=utf-8"
LOGGED_CHARACTERS_MAX: Final = 300  # of a refusal

_STATUSES: Final = {
    Reason.UNFIT: 400,
    Reason.FULL: 403,
    Reason.ABSENT: 404,
    Reason.INVALID: 422,
    Reason.IMPOSSIBLE: 500,
}

log = logging.getLogger(__name__)


class BootstrapRoute:
    """The handler of the path."""

    def __init__(self, bootstrapping: Bootstrapping, may_be_told: Callable[[str], bool]) -> None:
        """`may_be_told`: whether the log has room for another line about this client."""
        self._bootstrapping = bootstrapping
        self._may_be_told = may_be_told

    async def handle(self, request: Request) -> Response:
        try:
            asked = read_bootstrap_request(request.body)
        except NoBootstrapRequestError as error:
            self._tell(request, "bootstrap-unreadable", f"{error}", "")
            return Response(400, content_type="")
        try:
            made = await self._bootstrapping.bootstrap(asked, _host_of(request))
        except BootstrapRefusedError as error:
            self._tell(request, error.code, f"{asked.node_id}: {error.message}", error.hint)
            content = error.text.encode()
            return Response(_STATUSES[error.reason], content, TEXT if content else "")
        except StateError as error:
            return Response(500, content_type="", failure=error)
        if request.headers.get("accept") == JSON:
            return Response(200, _json(made), JSON)
        return Response(200, yaml_text(made.envoy), YAML)

    def _tell(self, request: Request, code: str, said: str, hint: str) -> None:
        address = request.peer.address
        client = f"address {address[0]}" if address else "no address"
        if self._may_be_told(client):
            if len(said) > LOGGED_CHARACTERS_MAX:
                said = f"{said[:LOGGED_CHARACTERS_MAX]} [...]"
            line = f"{said.rstrip('.')}. {hint}" if hint else said
            line = line.encode("unicode_escape").decode("ascii")
            log.warning("%s: %s (%s)", code, line, client)


def _host_of(request: Request) -> str:
    """By which name or address the client has found this server."""
    host = request.headers.get("host", "")
    parts = split_host_port(host)
    return parts[0] if parts is not None else host.removeprefix("[").removesuffix("]")


def _json(made: Bootstrap) -> bytes:
    document = {
        "bootstrap": base64.b64encode(yaml_text(made.envoy)).decode(),
        "kumaSidecarConfiguration": _sidecar(made.sidecar),
    }
    return json.dumps(document, ensure_ascii=False).encode()


def _sidecar(sidecar: Sidecar) -> dict[str, object]:
    return {
        "networking": {
            "isUsingTransparentProxy": sidecar.transparent_proxy,
            "corefileTemplate": None
            if sidecar.corefile is None
            else base64.b64encode(sidecar.corefile).decode(),
            "address": sidecar.address,
        },
        "metrics": {
            "aggregate": [
                {
                    "name": each.name,
                    "address": each.address or sidecar.address,
                    "port": each.port,
                    "path": each.path,
                }
                for each in sidecar.aggregates
            ]
        },
    }
