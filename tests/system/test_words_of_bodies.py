"""Dry runs, strictness and names in any case, asked of a running daemon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.daemons.daemon import Answer, Daemon, running

pytestmark = pytest.mark.system

JSON = {"Content-Type": "application/json"}
DENY: dict[str, Any] = {
    "type": "MeshTrafficPermission",
    "mesh": "m",
    "name": "deny-db",
    "spec": {
        "targetref": {"kind": "MeshSubset", "tags": {"kuma.io/service": "db"}},
        "from": [{"targetRef": {"kind": "Mesh"}, "default": {"action": "Deny"}}],
    },
}
PATH = "/meshes/m/meshtrafficpermissions/deny-db"
SLIP = {"type": "Mesh", "name": "web", "mTLS": {"enabledBackend": "ca"}}


def put(daemon: Daemon, path: str, body: dict[str, Any]) -> Answer:
    return daemon.api("PUT", path, JSON, json.dumps(body).encode())


def test_what_the_index_promises_is_kept(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        assert daemon.api("GET", "/").json["capabilities"] == ["dryRun", "strict"]

        assert put(daemon, "/meshes/m", {"type": "Mesh", "name": "m"}).status == 201
        assert put(daemon, f"{PATH}?dryRun=true", DENY).status == 201
        assert daemon.api("GET", PATH).status == 404
        assert put(daemon, PATH, DENY).status == 201
        shown = daemon.api("GET", PATH).json
        assert shown["spec"]["targetRef"]["tags"] == {"kuma.io/service": "db"}  # type: ignore[index]

        assert daemon.api("DELETE", f"{PATH}?dryRun=true").status == 200
        assert daemon.api("GET", PATH).json == shown

        assert put(daemon, "/meshes/web?strict=true", SLIP).status == 400
        assert daemon.api("GET", "/meshes/web").status == 404
        told = put(daemon, "/meshes/web?dryRun=true", SLIP)
        assert (told.status, told.json["warnings"]) == (
            201,
            ['unknown member mTLS: it has no effect; did you mean "mtls"?'],
        )
        # No key was made for it, and nothing is left of it.
        assert daemon.api("GET", "/meshes/web/secrets").status == 404


def test_a_setting_refuses_unknown_members_of_everybody(tmp_path: Path) -> None:
    environment = {"KMESH_API_SERVER_REFUSE_UNKNOWN_MEMBERS": "true", "KUMA_STORE_TYPE": "memory"}
    with running(tmp_path, environment=environment) as daemon:
        refused = put(daemon, "/meshes/web", SLIP)
        assert refused.status == 400
        assert refused.json["invalid_parameters"] == [
            {"field": "mTLS", "reason": 'unknown member; did you mean "mtls"?'}
        ]
        assert put(daemon, "/meshes/m", {"type": "Mesh", "name": "m"}).status == 201
        assert put(daemon, PATH, DENY).status == 201
