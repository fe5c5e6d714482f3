"""A write takes away nothing that the control plane has found out by itself.

Source: docs/wire/resource-api.md#writing
"""

from __future__ import annotations

from typing import Any

from support.daemons.resource_api import ResourceApi


async def api_with_mesh() -> ResourceApi:
    api = ResourceApi()
    await api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    return api


SEEN: dict[str, Any] = {
    "spec": {
        "state": "Available",
        "selector": {"dataplaneTags": {"kuma.io/service": "web"}},
        "ports": [{"port": 80, "targetPort": 8080, "appProtocol": "tcp"}],
        "identities": [{"type": "ServiceTag", "value": "web"}],
    },
    "status": {"vips": [{"ip": "241.0.0.7"}], "tls": {"status": "Ready"}, "dataplaneProxies": {}},
}


async def test_what_the_control_plane_sees_of_a_service_stays_where_a_write_says_nothing() -> None:
    api = await api_with_mesh()
    await api.put("MeshService", "web", mesh="m", **SEEN)
    before = await api.get("MeshService", "web", mesh="m")
    assert before["status"] == SEEN["status"]
    plain = {name: SEEN["spec"][name] for name in ("selector", "ports")}

    await api.put("MeshService", "web", mesh="m", spec=plain)

    assert await api.get("MeshService", "web", mesh="m") == before
    await api.put("MeshService", "web", mesh="m", spec={**plain, "ports": [{"port": 81}]})
    after = await api.get("MeshService", "web", mesh="m")
    assert after["status"] == SEEN["status"]
    assert after["spec"]["identities"] == SEEN["spec"]["identities"]
    assert [each["port"] for each in after["spec"]["ports"]] == [81]


async def test_what_a_write_says_of_it_is_stored() -> None:
    api = await api_with_mesh()
    await api.put("MeshService", "web", mesh="m", **SEEN)
    identities = [{"type": "ServiceTag", "value": "other"}]
    spec = {**SEEN["spec"], "state": "Unavailable", "identities": identities}

    await api.put("MeshService", "web", mesh="m", spec=spec, status={})

    after = await api.get("MeshService", "web", mesh="m")
    assert after["status"] == {"tls": {}, "dataplaneProxies": {}}
    assert after["spec"]["identities"] == identities
    assert after["spec"]["state"] == "Unavailable"
