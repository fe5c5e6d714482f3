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
        assert daemon.api("GET", "/").json["capabilities"] == ["dryRun", "preview", "strict"]

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


def test_a_write_without_a_dry_run_refuses_to_be_tried_out_and_does_nothing(
    tmp_path: Path,
) -> None:
    """Every one that the document of the API names, so that none ignores the word in silence."""
    named = {"mesh": "default", "name": "x", "series": "user", "serial": "1", "token": "t"}
    with running(tmp_path) as daemon:
        keys = daemon.api("GET", "/signing-keys").json
        secrets = daemon.api("GET", "/meshes/default/secrets").json["total"]
        document = json.loads(daemon.api("GET", "/api-docs/openapi.json").body)
        asked: list[str] = []
        for path, methods in document["paths"].items():
            for method in methods.keys() & {"delete", "patch", "post", "put"}:
                takes = [each.get("$ref", "") for each in methods[method].get("parameters", ())]
                if any(each.endswith("/dryRunQuery") for each in takes):
                    continue
                target = path.format_map(named)
                answer = daemon.api(method.upper(), f"{target}?dryRun=true", JSON, b"{}")
                assert answer.status in {400, 405}, (method, path, answer)
                if answer.status == 400:
                    assert answer.json["invalid_parameters"] == [
                        {"field": "dryRun", "reason": "this request has no such parameter"}
                    ]
                    asked.append(path)
        assert {"/tokens/user", "/license/reload", "/sealing-key/rotate"} <= {*asked}
        assert daemon.api("GET", "/signing-keys").json == keys
        assert daemon.api("GET", "/meshes/default/secrets").json["total"] == secrets
        for other in ("dryrun=true", "dry-run=1", "strict=true"):
            answer = daemon.api("POST", f"/tokens/user?{other}", JSON, b'{"name":"a"}')
            assert answer.status == 400, other
