"""No door shows a secret of a resource to somebody who may not read secrets."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from kong_mesh_cp.core.resources.inline_secrets import MASK, MASK_IN_BASE64
from support.daemons.resource_api import inbound, networking
from support.daemons.rest_api import Routes

CANARY = "canary-of-a-key"
IN_BASE64 = base64.b64encode(CANARY.encode()).decode()
CERTIFICATE = {"inline": base64.b64encode(b"certificate").decode()}
KEY = {"inline": IN_BASE64}

BODIES: dict[str, dict[str, Any]] = {
    "/meshes/m": {
        "type": "Mesh",
        "skipCreatingInitialPolicies": ["*"],
        "mtls": {
            "enabledBackend": "ca",
            "skipValidation": True,  # they are no pair
            "backends": [
                {"name": "ca", "type": "provided", "conf": {"cert": CERTIFICATE, "key": KEY}}
            ],
        },
    },
    "/meshes/m/external-services/x": {
        "type": "ExternalService",
        "tags": {"kuma.io/service": "x", "kuma.io/protocol": "tcp"},
        "networking": {
            "address": "example.com:443",
            "tls": {"enabled": True, "clientCert": CERTIFICATE, "clientKey": KEY},
        },
    },
    "/meshes/m/meshexternalservices/x": {
        "type": "MeshExternalService",
        "spec": {
            "match": {"type": "HostnameGenerator", "port": 443, "protocol": "tcp"},
            "endpoints": [{"address": "example.com", "port": 443}],
            "tls": {
                "enabled": True,
                "verification": {"clientCert": CERTIFICATE, "clientKey": {"inlineString": CANARY}},
            },
        },
    },
    "/meshes/m/meshgateways/x": {
        "type": "MeshGateway",
        "selectors": [{"match": {"kuma.io/service": "edge"}}],
        "conf": {
            "listeners": [
                {
                    "port": 443,
                    "protocol": "HTTPS",
                    "tls": {"mode": "TERMINATE", "certificates": [KEY]},
                }
            ]
        },
    },
    "/meshes/m/meshproxypatches/x": {
        "type": "MeshProxyPatch",
        "spec": {
            "targetRef": {"kind": "Mesh"},
            "default": {
                "appendModifications": [
                    {
                        "cluster": {
                            "operation": "Add",
                            "value": f"name: a\nprivate_key: {{inline_string: {CANARY}}}",
                        }
                    },
                    {
                        "cluster": {
                            "operation": "Patch",
                            "jsonPatches": [
                                {
                                    "op": "add",
                                    "path": "/privateKey",
                                    "value": {"inlineString": CANARY},
                                }
                            ],
                        }
                    },
                ]
            },
        },
    },
    "/meshes/m/proxytemplates/x": {
        "type": "ProxyTemplate",
        "selectors": [{"match": {"kuma.io/service": "*"}}],
        "conf": {
            "modifications": [
                {
                    "cluster": {
                        "operation": "patch",
                        "value": f"private_key: {{inline_string: {CANARY}}}",
                    }
                }
            ]
        },
    },
    "/meshes/m/dataplanes/web": {"type": "Dataplane", "networking": networking(inbound("web"))},
    "/meshes/m/dataplanes/edge": {
        "type": "Dataplane",
        "networking": networking(gateway={"type": "BUILTIN", "tags": {"kuma.io/service": "edge"}}),
    },
}
WITH_SECRETS = [path for path, body in BODIES.items() if body["type"] != "Dataplane"]


async def populated() -> Routes:
    routes = Routes()
    for path, body in BODIES.items():
        mesh = {"mesh": "m"} if path.count("/") > 2 else {}
        answer = await routes.put(path, **mesh, name=path.rpartition("/")[2], **body)
        assert answer.status == 201, answer.body
        assert ("warnings" in json.loads(answer.body)) == (path in WITH_SECRETS)
    return routes


def targets(routes: Routes) -> list[str]:
    """Everything that can be got, of the resources that are there."""
    found = set()
    for route in routes.routes:
        if route.method != "GET":
            continue
        for name in ("x", "web", "edge", "m"):
            path = route.path.replace("{mesh}", "m").replace("{name}", name)
            for type_path in ("meshexternalservices", "meshservices"):
                found.add(path.replace("{type}", type_path))
    return sorted({*found, *(f"{each}?format=k8s" for each in BODIES)})


async def test_nobody_without_the_right_to_secrets_sees_one_through_any_door() -> None:
    routes = await populated()
    asked = targets(routes)
    assert len(asked) > 200
    shown_masks = 0
    for target in asked:
        answer = await routes.ask("GET", target, local=False)
        assert CANARY.encode() not in answer.body, target
        assert IN_BASE64.encode() not in answer.body, target
        shown_masks += MASK.encode() in answer.body or MASK_IN_BASE64.encode() in answer.body
    # One, as Kubernetes has it, and in the lists of the mesh and of all.
    assert shown_masks >= 4 * len(WITH_SECRETS)


@pytest.mark.parametrize("view", ["_rules", "rules"])
async def test_the_rules_of_a_proxy_have_masks_for_who_may_not_read_secrets(view: str) -> None:
    routes = await populated()
    target = f"/meshes/m/dataplanes/web/{view}"
    for_others = (await routes.ask("GET", target, local=False)).body
    for_admins = (await routes.ask("GET", target)).body
    assert CANARY.encode() in for_admins
    assert CANARY.encode() not in for_others and MASK.encode() in for_others


async def test_who_may_read_secrets_sees_what_was_stored() -> None:
    routes = await populated()
    for path in WITH_SECRETS:
        for target in (path, f"{path}?format=k8s", path.rpartition("/")[0]):
            body = (await routes.ask("GET", target)).body
            assert CANARY.encode() in body or IN_BASE64.encode() in body, target
            assert MASK.encode() not in body and MASK_IN_BASE64.encode() not in body


async def test_a_page_of_another_origin_sees_none_whoever_asks_through_it() -> None:
    routes = await populated()
    page = {"origin": "http://localhost:3000", "authorization": "Bearer of-an-administrator"}
    for target in targets(routes):
        body = (await routes.ask("GET", target, headers=page)).body
        assert CANARY.encode() not in body and IN_BASE64.encode() not in body, target
    answer = await routes.ask("GET", "/meshes/m", headers=page)
    assert MASK_IN_BASE64.encode() in answer.body


@pytest.mark.parametrize("path", WITH_SECRETS)
async def test_what_was_read_masked_cannot_be_put_back(path: str) -> None:
    routes = await populated()
    masked = json.loads((await routes.ask("GET", path, local=False)).body)
    answer = await routes.put(path, **masked)
    assert answer.status == 400
    (parameter, *_) = json.loads(answer.body)["invalid_parameters"]
    assert "mask of a secret" in parameter["reason"]
    assert CANARY.encode() in (await routes.ask("GET", path)).body or (
        IN_BASE64.encode() in (await routes.ask("GET", path)).body
    )


async def test_the_warning_names_the_field_and_the_way_out() -> None:
    routes = Routes()
    body = BODIES["/meshes/m"]
    answer = await routes.put("/meshes/m", name="m", **body)
    (warning,) = json.loads(answer.body)["warnings"]
    assert warning.startswith("mtls.backends[0].conf.key.inline: ")
    assert "Secret" in warning
    assert CANARY not in warning and IN_BASE64 not in warning
