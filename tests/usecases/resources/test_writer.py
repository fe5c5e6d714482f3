"""Writing resources: what is checked, in which order, and what is stored.

Source: docs/wire/resource-api.md#writing, docs/wire/resource-api.md#labels,
docs/wire/resource-api.md#deleting, docs/wire/meshes.md#deletion, docs/wire/meshes.md#membership,
docs/wire/meshes.md#secrets
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
import trio

from kong_mesh_cp.core.identity.refusals import AccessDeniedError
from kong_mesh_cp.core.identity.secrets_at_rest import SECRET_BYTES_MAX, SecretKeys
from kong_mesh_cp.core.identity.users import ADMIN, ANONYMOUS, AUTHENTICATED, User
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.dataplane_rules import INBOUNDS_MAX
from kong_mesh_cp.core.resources.labels import Deployment
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.schema.violations import VIOLATIONS_MAX
from kong_mesh_cp.shell.store.sealed_resources import SealedResources
from kong_mesh_cp.shell.store.secret_key import new_secret_key
from kong_mesh_cp.usecases.ports.resource_store import Put
from kong_mesh_cp.usecases.resources.resource_refusals import Fault, ResourceRefusedError
from kong_mesh_cp.usecases.resources.write_rules import WriteRules
from kong_mesh_cp.usecases.resources.writer import ResourceWriter
from support.daemons.resource_api import ResourceApi, inbound, networking
from support.fakes.fake_resources import FakeResourceStore

SOMEBODY = User("john", (AUTHENTICATED,))


async def api_with_mesh(name: str = "m", **spec: Any) -> ResourceApi:
    api = ResourceApi()
    await api.put("Mesh", name, skipCreatingInitialPolicies=["*"], **spec)
    return api


def fields(error: pytest.ExceptionInfo[ResourceRefusedError]) -> list[tuple[str, str]]:
    return [(each.field, each.message) for each in error.value.violations]


async def test_the_first_write_creates_and_the_next_one_updates() -> None:
    api = await api_with_mesh()
    first = await api.put("Dataplane", "dp", mesh="m", networking=networking())
    second = await api.put("Dataplane", "dp", mesh="m", networking=networking(inbound(port=81)))

    assert (first.created, second.created) == (True, False)
    shown = await api.get("Dataplane", "dp", mesh="m")
    assert shown["networking"]["inbound"][0]["port"] == 81
    assert shown["creationTime"] < shown["modificationTime"]


async def test_a_write_of_what_is_there_leaves_its_time() -> None:
    api = await api_with_mesh()
    body: dict[str, Any] = {"networking": networking(), "labels": {"team": "a"}}
    await api.put("Dataplane", "dp", mesh="m", **body)
    before = await api.get("Dataplane", "dp", mesh="m")

    again = await api.put("Dataplane", "dp", mesh="m", **body)

    assert again.created is False
    assert await api.get("Dataplane", "dp", mesh="m") == before


async def test_a_label_that_is_gone_is_a_change() -> None:
    api = await api_with_mesh()
    await api.put("Dataplane", "dp", mesh="m", networking=networking(), labels={"team": "a"})
    before = await api.get("Dataplane", "dp", mesh="m")

    await api.put("Dataplane", "dp", mesh="m", networking=networking())

    after = await api.get("Dataplane", "dp", mesh="m")
    assert "team" not in after["labels"]
    assert before["modificationTime"] < after["modificationTime"]


@pytest.mark.parametrize(
    ("given", "changes"), [({}, False), ({"kuma.io/mesh": "m"}, True), ({"team": "a"}, True)]
)
async def test_only_a_label_that_is_given_changes_what_has_none(
    given: dict[str, str], *, changes: bool
) -> None:
    api = ResourceApi()
    await api.put("Mesh", "m")
    born = ("MeshTimeout", "mesh-timeout-all-m")
    before = await api.get(*born, mesh="m")
    assert "labels" not in before

    await api.put(*born, mesh="m", spec=before["spec"], labels=given)

    after = await api.get(*born, mesh="m")
    assert (after != before) is changes
    assert (before["modificationTime"] < after["modificationTime"]) is changes


async def test_labels_are_computed_from_the_body_of_each_write() -> None:
    api = await api_with_mesh()
    await api.put("Dataplane", "dp", mesh="m", networking=networking(), labels={"team": "a"})
    await api.put("Dataplane", "dp", mesh="m", networking=networking())

    assert (await api.get("Dataplane", "dp", mesh="m"))["labels"] == {
        "kuma.io/env": "universal",
        "kuma.io/mesh": "m",
        "kuma.io/origin": "zone",
        "kuma.io/proxy-type": "sidecar",
        "kuma.io/zone": "default",
    }


async def test_a_mesh_that_is_not_there_is_found_before_the_body_is_read() -> None:
    with pytest.raises(ResourceRefusedError) as error:
        await ResourceApi().send("Dataplane", "dp", b"{", mesh="gone")
    assert (error.value.fault, error.value.title) == (Fault.NOT_FOUND, "Failed to retrieve Mesh")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a":1,"a":2}', b"[1]", b'"text"'])
async def test_what_is_no_object_is_a_bad_request(body: bytes) -> None:
    api = await api_with_mesh()
    with pytest.raises(ResourceRefusedError) as error:
        await api.send("Dataplane", "dp", body, mesh="m")
    assert (error.value.fault, error.value.title) == (Fault.UNREADABLE, "Bad Request")
    assert error.value.detail.startswith('invalid Dataplane object: "')


async def test_a_secret_that_is_too_large_to_be_sealed_is_refused_with_its_field() -> None:
    keys = SecretKeys((new_secret_key(),))
    store = FakeResourceStore()
    api = ResourceApi(store=SealedResources(store, keys))
    data = "A" * SECRET_BYTES_MAX

    with pytest.raises(ResourceRefusedError) as error:
        await api.put("GlobalSecret", "s", data=data)

    assert (error.value.fault, error.value.title) == (Fault.INVALID, "Could not create a resource")
    size = SECRET_BYTES_MAX + len('{"data":""}')
    reason = f"is too long: the document has {size} bytes in the store, and may have {1 << 20}"
    assert fields(error) == [("data", reason)]
    assert not store.resources


async def test_of_very_many_faults_the_first_are_listed_and_that_there_are_more() -> None:
    api = await api_with_mesh()
    labels = {f"NOT A LABEL {number}": "v" for number in range(VIOLATIONS_MAX + 2)}

    with pytest.raises(ResourceRefusedError) as error:
        await api.put("Dataplane", "dp", mesh="m", labels=labels, networking=networking())

    *told, last = fields(error)
    assert len(told) == VIOLATIONS_MAX
    assert last == ("", f"there is more, these are the first {VIOLATIONS_MAX}")


async def test_while_a_large_body_is_read_others_are_served() -> None:
    api = await api_with_mesh()
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    inbounds = [inbound(port=port) for port in range(1, INBOUNDS_MAX + 1)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        await api.put("Dataplane", "dp", mesh="m", networking=networking(*inbounds))
        nursery.cancel_scope.cancel()

    # Of the other steps none has more than a few checkpoints.
    assert turns > 50
    assert (
        len((await api.get("Dataplane", "dp", mesh="m"))["networking"]["inbound"]) == INBOUNDS_MAX
    )


async def test_all_mismatches_with_the_url_are_reported_at_once() -> None:
    api = await api_with_mesh()
    body = {"type": "Dataplane", "mesh": "other", "name": "b", "networking": networking()}
    with pytest.raises(ResourceRefusedError) as error:
        await api.send("Dataplane", "a", json.dumps(body).encode(), mesh="m")
    assert error.value.title == "Could not process a resource"
    assert fields(error) == [
        ("name", "name from the URL has to be the same as in body"),
        ("mesh", "mesh from the URL has to be the same as in body"),
    ]


async def test_what_a_schema_refuses_outside_of_the_spec_has_no_field() -> None:
    api = await api_with_mesh("default")
    body = json.dumps({"type": "Other", "name": "a", "spec": {"targetRef": {"kind": "Mesh"}}})
    with pytest.raises(ResourceRefusedError) as error:
        await api.send("MeshTrafficPermission", "a", body.encode(), mesh="default")
    assert fields(error) == [("", "type in body should be one of [MeshTrafficPermission]")]


async def test_a_name_that_is_no_dns_label_is_warned_of() -> None:
    written = await ResourceApi().put("Mesh", "aa.a")
    assert written.warnings[0].startswith("Invalid Mesh resource name: 'aa.a'.")


async def test_putting_back_a_default_policy_warns_of_from() -> None:
    api = ResourceApi()
    await api.put("Mesh", "m")
    policy = await api.get("MeshTimeout", "mesh-timeout-all-m", mesh="m")
    written = await api.send("MeshTimeout", policy["name"], json.dumps(policy).encode(), mesh="m")
    assert written.warnings == ("'from' field is deprecated, use 'rules' instead",)


@pytest.mark.parametrize(
    ("type_name", "user", "allowed"),
    [
        ("MeshGateway", ANONYMOUS, False),
        ("MeshGateway", SOMEBODY, True),
        ("Secret", SOMEBODY, False),
    ],
)
async def test_a_known_user_may_write_what_is_no_secret(
    type_name: str, user: User, *, allowed: bool
) -> None:
    api = await api_with_mesh()
    if allowed:
        await api.put(type_name, "a", mesh="m", user=user, **GATEWAY)
        return
    body = GATEWAY if type_name == "MeshGateway" else {"data": "eA=="}
    with pytest.raises(
        AccessDeniedError, match=f'cannot access the resource of type "{type_name}"'
    ):
        await api.put(type_name, "a", mesh="m", user=user, **body)
    assert await api.names(type_name, "m") in ([], ["dataplane-token-signing-key-m-1"])


GATEWAY: dict[str, Any] = {
    "selectors": [{"match": {"kuma.io/service": "edge"}}],
    "conf": {"listeners": [{"port": 80, "protocol": "HTTP"}]},
}


async def test_a_dataplane_gets_the_zone_tag_and_has_to_fit_the_constraints() -> None:
    rules = {"requirements": [{"tags": {"kuma.io/zone": "default", "team": "*"}}]}
    api = await api_with_mesh(constraints={"dataplaneProxy": rules})

    with pytest.raises(ResourceRefusedError) as error:
        await api.put("Dataplane", "dp", mesh="m", networking=networking())
    assert (error.value.fault, error.value.detail) == (Fault.INTERNAL, "Internal Server Error")
    assert await api.names("Dataplane") == []

    await api.put("Dataplane", "dp", mesh="m", networking=networking(inbound(team="pay")))
    shown = await api.get("Dataplane", "dp", mesh="m")
    assert shown["networking"]["inbound"][0]["tags"]["kuma.io/zone"] == "default"


async def test_what_the_log_says_of_no_member_is_short_and_no_more_than_it_may_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rules = {"requirements": [{"tags": {"team": "a"}}]}
    api = await api_with_mesh(constraints={"dataplaneProxy": rules})
    asked: list[str] = []

    def twice(who: str) -> bool:
        asked.append(who)
        return len(asked) <= 2

    writer = ResourceWriter(
        api.store, api.access, api.births, api.rules, lambda: api.now, may_be_told=twice
    )
    tags = {f"tag-{number}": "x" * 60 for number in range(500)}
    body = {
        "type": "Dataplane",
        "mesh": "m",
        "name": "dp",
        "networking": networking({"port": 80, "tags": {"kuma.io/service": "web", **tags}}),
    }
    for _ in range(4):
        with pytest.raises(ResourceRefusedError):
            await writer.put(ADMIN, TYPES["Dataplane"], "m", "dp", json.dumps(body).encode())

    assert asked == [str(ADMIN)] * 4
    told = [record.message for record in caplog.records if "not-a-member" in record.message]
    assert len(told) == 2
    assert max(map(len, told)) < 600


async def test_existing_members_stay_when_constraints_change() -> None:
    api = await api_with_mesh()
    await api.put("Dataplane", "dp", mesh="m", networking=networking())
    rules = {"restrictions": [{"tags": {"kuma.io/service": "*"}}]}
    await api.put("Mesh", "m", constraints={"dataplaneProxy": rules})

    assert await api.names("Dataplane", "m") == ["dp"]
    with pytest.raises(ResourceRefusedError):
        await api.put("Dataplane", "dp", mesh="m", networking=networking())


async def test_a_mesh_with_dataplanes_stays_unless_deletes_are_unsafe() -> None:
    api = await api_with_mesh()
    await api.put("Dataplane", "dp", mesh="m", networking=networking())
    with pytest.raises(ResourceRefusedError) as error:
        await api.delete("Mesh", "m")
    assert error.value.title == "Could not delete a resource"
    assert fields(error) == [
        ("mesh", "unable to delete mesh, there are still some dataplanes attached")
    ]

    unsafe = ResourceApi(api.store, WriteRules(deployment=Deployment(), unsafe_delete=True))
    await unsafe.delete("Mesh", "m")
    assert await unsafe.names("Dataplane") == []


async def test_deleting_a_mesh_takes_all_of_it() -> None:
    api = ResourceApi()
    await api.put("Mesh", "m")
    await api.delete("Mesh", "m")
    assert api.store.resources == {}  # type: ignore[attr-defined]


async def test_what_is_not_there_cannot_be_deleted() -> None:
    with pytest.raises(ResourceRefusedError) as error:
        await ResourceApi().delete("Mesh", "m")
    assert (error.value.fault, error.value.title) == (
        Fault.NOT_FOUND,
        "Could not delete a resource",
    )


async def test_a_secret_that_the_enabled_authority_needs_stays() -> None:
    mtls = {"enabledBackend": "ca-1", "backends": [{"name": "ca-1", "type": "builtin"}]}
    api = await api_with_mesh(mtls=mtls)
    with pytest.raises(ResourceRefusedError) as error:
        await api.delete("Secret", "m.ca-builtin-cert-ca-1", mesh="m")
    ((field, reason),) = fields(error)
    assert field == "name"
    assert 'currently in use in Mesh "m" in mTLS backend "ca-1"' in reason
    await api.delete("Secret", "dataplane-token-signing-key-m-1", mesh="m")


async def test_a_connected_zone_stays() -> None:
    api = ResourceApi()
    await api.put("Zone", "east")
    insight = {"subscriptions": [{"id": "1", "connectTime": "2026-01-01T00:00:00Z"}]}
    key = ResourceKey("ZoneInsight", "", "east")
    await api.store.apply([Put(key=key, spec=json.dumps(insight), at=api.now)])
    with pytest.raises(ResourceRefusedError) as error:
        await api.delete("Zone", "east")
    assert fields(error)[0][0] == "zone"


@pytest.mark.parametrize(
    ("type_name", "mesh", "name"),
    [
        ("GlobalSecret", "", "user-token-revocations"),
        ("Secret", "m", "dataplane-token-revocations-m"),
    ],
)
async def test_a_list_of_void_tokens_that_would_void_nothing_is_refused(
    type_name: str, mesh: str, name: str
) -> None:
    api = await api_with_mesh()
    twice = b64encode(b64encode(b"4ff2511f-7627-44e4-8075-672d09c527d3")).decode()
    with pytest.raises(ResourceRefusedError) as error:
        await api.put(type_name, name, mesh=mesh, data=twice)
    assert [field for field, _ in fields(error)] == ["data"]
    await api.put(type_name, name, mesh=mesh, data=b64encode(b"a-1\na-2\n").decode())
    await api.put(type_name, "another", mesh=mesh, data=twice)
