"""The configuration of a proxy, for whoever asks (docs/wire/inspection.md#configuration)."""

from __future__ import annotations

import base64
import json
from typing import Any

from kong_mesh_cp.core.xds.names import CLUSTER, LISTENER, SECRET
from support.daemons.resource_api import networking
from support.daemons.rest_api import Routes

CONFIG = "/meshes/m/dataplanes/a/_config"
SHADOW = {"kuma.io/effect": "shadow"}


async def populated(**mesh: Any) -> Routes:
    routes = Routes()
    await routes.api.put("Mesh", "m", skipCreatingInitialPolicies=["*"], **mesh)
    await routes.api.put("Dataplane", "a", mesh="m", networking=networking())
    return routes


async def with_shadow_timeout() -> Routes:
    routes = await populated()
    conf = {"connectionTimeout": "77s"}
    spec = {"targetRef": {"kind": "Mesh"}, "rules": [{"default": conf}]}
    await routes.api.put("MeshTimeout", "t", mesh="m", labels=SHADOW, spec=spec)
    return routes


def timeouts(shown: Any) -> set[str]:
    return {each["connectTimeout"] for each in shown["xds"][CLUSTER].values()}


async def test_it_is_shown_by_type_and_name_though_nobody_is_connected() -> None:
    routes = await populated()
    shown = await routes.json(f"{CONFIG}?shadow=false")
    assert set(shown) == {"xds"}
    assert set(shown["xds"]) == {CLUSTER, LISTENER}
    for named in shown["xds"].values():
        assert all(resource["name"] == name for name, resource in named.items())


async def test_shadow_policies_count_where_they_are_asked_for() -> None:
    routes = await with_shadow_timeout()
    assert timeouts(await routes.json(f"{CONFIG}?shadow=false")) == {"5s"}
    assert timeouts(await routes.json(f"{CONFIG}?shadow=true")) == {"77s"}


async def test_the_difference_is_what_they_change() -> None:
    routes = await with_shadow_timeout()
    shown = await routes.json(f"{CONFIG}?shadow=true&include=diff")
    removed, added = shown["diff"]
    assert (removed["op"], removed["value"]) == ("remove", "5s")
    assert (added["op"], added["value"]) == ("add", "77s")
    assert removed["path"] == added["path"]
    assert removed["path"].endswith("/connectTimeout")
    assert (await routes.json(f"{CONFIG}?shadow=false&include=diff"))["diff"] == []


async def test_certificates_are_only_named() -> None:
    backend = {"name": "ca", "type": "builtin"}
    routes = await populated(mtls={"enabledBackend": "ca", "backends": [backend]})
    secrets = (await routes.json(f"{CONFIG}?shadow=false"))["xds"][SECRET]
    assert set(secrets) == {"identity_cert:secret:m", "mesh_ca:secret:m"}
    # CERT, KEY and CA, in the form that bytes have in JSON.
    pair = secrets["identity_cert:secret:m"]["tlsCertificate"]
    assert pair["certificateChain"] == {"inlineBytes": "Q0VSVA=="}
    assert pair["privateKey"] == {"inlineBytes": "S0VZ"}


async def test_keys_for_services_outside_are_for_those_who_may_read_secrets() -> None:
    routes = await populated()
    outbound = {"port": 10001, "tags": {"kuma.io/service": "out"}}
    calling = {**networking(), "outbound": [outbound]}
    await routes.api.put("Dataplane", "a", mesh="m", networking=calling)
    tls = {
        "enabled": True,
        "clientCert": {"inlineString": "CERT"},
        "clientKey": {"inlineString": "swordfish"},
    }
    await routes.api.put(
        "ExternalService",
        "out",
        mesh="m",
        tags={"kuma.io/service": "out"},
        networking={"address": "out.example:443", "tls": tls},
    )
    key = base64.b64encode(b"swordfish")
    assert key in (await routes.ask("GET", f"{CONFIG}?shadow=false")).body
    seen = await routes.ask("GET", f"{CONFIG}?shadow=true&include=diff", local=False)
    assert (seen.status, key in seen.body) == (200, False)
    assert b"out.example" in seen.body


async def test_a_proxy_that_is_not_there_has_none() -> None:
    routes = await populated()
    answer = await routes.ask("GET", "/meshes/m/dataplanes/gone/_config?shadow=false")
    assert answer.status == 404
    assert json.loads(answer.body)["title"] == "Failed to inspect proxy config"


EXPLAIN = "/meshes/m/dataplanes/a/_explain"


async def with_patch() -> Routes:
    routes = await populated()
    step = {"op": "add", "path": "/x/password", "value": {"inlineString": "swordfish"}}
    patch = {"cluster": {"operation": "Patch", "jsonPatches": [step]}}
    spec = {"targetRef": {"kind": "Mesh"}, "default": {"appendModifications": [patch]}}
    await routes.api.put("MeshProxyPatch", "p", mesh="m", spec=spec)
    return routes


async def test_it_is_explained_by_settings_and_who_says_them() -> None:
    routes = await populated()
    rules = [{"default": {"connectionTimeout": "7s"}}]
    await routes.api.put("MeshTimeout", "t", mesh="m", spec={"rules": rules})
    shown = await routes.json(EXPLAIN)
    (place,) = shown["inbounds"]
    (timeouts,) = (each for each in place["policies"] if each["type"] == "MeshTimeout")
    (said,) = (each for each in timeouts["settings"] if each["source"] == "policy")
    assert (said["member"], said["value"], said["from"]["name"]) == ("connectionTimeout", "7s", "t")
    assert said["envoy"] == [{"type": "cluster", "name": "localhost:80"}]


async def test_secrets_in_policies_are_for_those_who_may_read_secrets() -> None:
    routes = await with_patch()
    assert b"swordfish" in (await routes.ask("GET", EXPLAIN)).body
    seen = await routes.ask("GET", EXPLAIN, local=False)
    assert (seen.status, b"swordfish" in seen.body) == (200, False)


async def test_a_proxy_that_is_not_there_is_not_explained() -> None:
    routes = await populated()
    answer = await routes.ask("GET", "/meshes/m/dataplanes/gone/_explain")
    assert answer.status == 404
    assert json.loads(answer.body)["title"] == "Could not explain the data plane proxy"


async def test_a_place_that_a_proxy_has_not_is_told_with_those_that_it_has() -> None:
    routes = await populated()
    answer = await routes.ask("GET", f"{EXPLAIN}?inbound=1")
    (wrong,) = json.loads(answer.body)["invalid_parameters"]
    assert wrong == {"field": "inbound", "reason": "the proxy has no such one; it has 80"}
