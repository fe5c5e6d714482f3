"""Who writes a resource that names Secrets is told which of them are not there."""

from __future__ import annotations

from typing import Any

import pytest

from support.daemons.resource_api import ResourceApi


def gateway(*names: str) -> dict[str, Any]:
    certificates = [{"secret": name} for name in names]
    tls = {"mode": "TERMINATE", "certificates": certificates}
    listener = {"port": 443, "protocol": "HTTPS", "tls": tls}
    return {
        "selectors": [{"match": {"kuma.io/service": "edge"}}],
        "conf": {"listeners": [listener]},
    }


def external(name: str) -> dict[str, Any]:
    tls = {"enabled": True, "caCert": {"secret": name}}
    return {
        "tags": {"kuma.io/service": "x"},
        "networking": {"address": "example.com:443", "tls": tls},
    }


def mesh_external(name: str) -> dict[str, Any]:
    verification = {"caCert": {"secret": name}}
    return {
        "spec": {
            "match": {"type": "HostnameGenerator", "port": 443, "protocol": "tcp"},
            "endpoints": [{"address": "example.com", "port": 443}],
            "tls": {"enabled": True, "verification": verification},
        }
    }


async def api() -> ResourceApi:
    made = ResourceApi()
    for mesh in ("m", "other"):
        await made.put("Mesh", mesh, skipCreatingInitialPolicies=["*"])
    await made.put("Secret", "there", mesh="m", data="eA==")
    await made.put("Secret", "elsewhere", mesh="other", data="eA==")
    return made


@pytest.mark.parametrize(
    ("type_name", "body", "at"),
    [
        ("MeshGateway", gateway, "conf.listeners[0].tls.certificates[0].secret"),
        ("ExternalService", external, "networking.tls.caCert.secret"),
        ("MeshExternalService", mesh_external, "spec.tls.verification.caCert.secret"),
    ],
)
async def test_a_secret_that_is_not_there_is_named_with_its_place(
    type_name: str, body: Any, at: str
) -> None:
    made = await api()
    assert (await made.put(type_name, "x", mesh="m", **body("there"))).warnings == ()
    for name in ("missing", "elsewhere"):
        assert (await made.put(type_name, "x", mesh="m", **body(name))).warnings == (
            (
                f'{at}: there is no Secret "{name}" in mesh "m" yet; until it is made, nothing works'
                " that needs it"
            ),
        )


async def test_a_secret_that_is_made_later_is_not_told_any_more() -> None:
    made = await api()
    assert len((await made.put("MeshGateway", "x", mesh="m", **gateway("a"))).warnings) == 1
    await made.put("Secret", "a", mesh="m", data="eA==")
    assert (await made.put("MeshGateway", "x", mesh="m", **gateway("a"))).warnings == ()
