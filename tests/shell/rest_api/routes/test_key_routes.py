"""Signing keys and the sealing key as clients of the API list, rotate and retire them."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.access import Grant, StaticAccess, Verb
from kong_mesh_cp.core.identity.key_series import USER_KEYS, ZONE_KEYS, dataplane_keys
from kong_mesh_cp.core.identity.roles import RoleAccess
from kong_mesh_cp.core.resources.kinds.access_role import (
    AccessRole,
    AccessRoleBinding,
    AccessRule,
    Subject,
)
from kong_mesh_cp.core.resources.labels import Deployment
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.shell.http.messages import Response
from kong_mesh_cp.shell.rest_api.routes.resource_routes import Writable
from kong_mesh_cp.usecases.ports.secrets import KeyRotation
from support.daemons.rest_api import Routes
from support.fakes.identity import pem
from support.fakes.sealing_key import FakeSealingKey

READS = ("/signing-keys", "/meshes/m/signing-keys", "/sealing-key")
CHANGES = [
    ("POST", "/signing-keys/user/rotate"),
    ("POST", "/signing-keys/zone/rotate"),
    ("POST", "/meshes/m/signing-keys/rotate"),
    ("DELETE", "/signing-keys/user/1"),
    ("DELETE", "/meshes/m/signing-keys/1"),
    ("PUT", "/signing-keys/user/revocations/an-id"),
    ("PUT", "/meshes/m/signing-keys/revocations/an-id"),
    ("POST", "/sealing-key/rotate"),
    ("POST", "/sealing-key/retire"),
]


async def with_keys(**given: Any) -> Routes:
    routes = Routes(**given)
    await routes.api.put("Mesh", "m")
    for number, series in enumerate((USER_KEYS, ZONE_KEYS, dataplane_keys("m")), start=1):
        await routes.secrets.delete(series.key(1))
        assert await routes.secrets.put(series.key(1), pem(number), expected=None)
    return routes


def states(document: Any) -> list[tuple[str, int, str]]:
    return [(each["series"], each["serial"], each["state"]) for each in document["items"]]


def said(answer: Response) -> tuple[int, str]:
    return answer.status, json.loads(answer.body).get("code", "")


async def test_keys_are_listed_without_the_keys() -> None:
    routes = await with_keys()
    document = await routes.json("/signing-keys")
    assert document["total"] == 2
    assert states(document) == [("user", 1, "signing"), ("zone", 1, "signing")]
    first = document["items"][0]
    assert set(first) == {"series", "serial", "name", "state", "creationTime"}
    assert first["name"] == "user-token-signing-key-1"
    of_mesh = await routes.json("/meshes/m/signing-keys")
    assert states(of_mesh) == [("dataplane", 1, "signing")]
    assert of_mesh["items"][0]["mesh"] == "m"


async def test_a_rotation_lets_a_new_key_sign_and_the_old_one_validate() -> None:
    routes = await with_keys()
    answer = await routes.ask("POST", "/signing-keys/user/rotate")
    assert answer.status == 200
    added = json.loads(answer.body)
    assert (added["serial"], added["state"]) == (2, "signing")
    assert states(await routes.json("/signing-keys"))[:2] == [
        ("user", 2, "signing"),
        ("user", 1, "validating"),
    ]
    assert (await routes.ask("POST", "/meshes/m/signing-keys/rotate")).status == 200
    of_mesh = states(await routes.json("/meshes/m/signing-keys"))
    assert of_mesh == [("dataplane", 2, "signing"), ("dataplane", 1, "validating")]


async def test_only_a_key_that_signs_no_more_is_retired() -> None:
    routes = await with_keys()
    refused = await routes.ask("DELETE", "/signing-keys/user/1")
    assert said(refused) == (409, "signing-key-in-use")
    await routes.ask("POST", "/signing-keys/user/rotate")
    assert said(await routes.ask("DELETE", "/signing-keys/user/2")) == (409, "signing-key-in-use")
    assert (await routes.ask("DELETE", "/signing-keys/user/1")).body == b"{}\n"
    assert said(await routes.ask("DELETE", "/signing-keys/user/1"))[0] == 404


async def test_a_newest_key_that_cannot_sign_may_go() -> None:
    routes = await with_keys()
    assert await routes.secrets.put(USER_KEYS.key(2), b"no key", expected=None)
    assert states(await routes.json("/signing-keys"))[:2] == [
        ("user", 2, "unusable"),
        ("user", 1, "signing"),
    ]
    assert (await routes.ask("DELETE", "/signing-keys/user/2")).status == 200


async def test_a_token_is_revoked_by_its_id() -> None:
    routes = await with_keys()
    for path in ("/signing-keys/user/revocations/a", "/meshes/m/signing-keys/revocations/b"):
        for _ in range(2):
            assert (await routes.ask("PUT", path)).status == 200
    assert await routes.secrets.get(USER_KEYS.revocations[0]) == b"a"
    assert await routes.secrets.get(dataplane_keys("m").revocations[0]) == b"b"
    answer = await routes.ask("PUT", "/signing-keys/user/revocations/a%2Cb")
    assert answer.status == 400
    assert json.loads(answer.body)["invalid_parameters"][0]["field"] == "id"


@pytest.mark.parametrize("path", ["/signing-keys/dataplane/rotate", "/signing-keys/other/rotate"])
async def test_other_kinds_of_key_there_are_none(path: str) -> None:
    assert (await (await with_keys()).ask("POST", path)).status == 404


@pytest.mark.parametrize("serial", ["x", "01", "-1", "9" * 30])
async def test_what_is_no_number_is_the_number_of_no_key(serial: str) -> None:
    assert (await (await with_keys()).ask("DELETE", f"/signing-keys/user/{serial}")).status == 404


async def test_a_mesh_that_does_not_exist_has_no_keys() -> None:
    routes = await with_keys()
    for method, path in (
        ("GET", "/meshes/gone/signing-keys"),
        ("POST", "/meshes/gone/signing-keys/rotate"),
        ("DELETE", "/meshes/gone/signing-keys/1"),
        ("PUT", "/meshes/gone/signing-keys/revocations/a"),
    ):
        answer = await routes.ask(method, path)
        assert (answer.status, json.loads(answer.body)["title"]) == (
            404,
            "Failed to retrieve Mesh",
        )


async def test_the_sealing_key_is_rotated_and_retired() -> None:
    routes = await with_keys()
    before = await routes.json("/sealing-key")
    assert before["items"] == [{"id": "key-1", "state": "sealing", "secrets": 0}]
    rotated = json.loads((await routes.ask("POST", "/sealing-key/rotate")).body)
    assert rotated == {"id": "key-2", "earlier": ["key-1"], "secrets": 0}
    retired = json.loads((await routes.ask("POST", "/sealing-key/retire")).body)
    assert retired == {"retired": ["key-1"], "kept": [], "secrets": 0}


async def test_a_sealing_key_that_others_need_is_a_conflict_and_a_failing_store_is_not() -> None:
    for code, status in (("secret-key-shared", 409), ("state-full", 500)):
        routes = await with_keys(sealing=_Refusing(code))
        assert (await routes.ask("POST", "/sealing-key/rotate")).status == status


@pytest.mark.parametrize(("method", "path"), [*(("GET", path) for path in READS), *CHANGES])
async def test_nobody_but_an_administrator_gets_at_keys(method: str, path: str) -> None:
    routes = await with_keys()
    answer = await routes.ask(method, path, local=False)
    assert (answer.status, json.loads(answer.body)["title"]) == (403, "Access Denied")
    foreign = {"origin": "https://evil.example"}
    answer = await routes.ask(method, path, headers=foreign)
    assert answer.status == 403
    assert (await routes.json("/signing-keys"))["total"] == 2
    assert isinstance(routes.sealing, FakeSealingKey)
    assert routes.sealing.ids == ["key-1"]


@pytest.mark.parametrize(
    ("access", "refused"),
    [
        (StaticAccess(admin_resources=Grant()), {path for _, path in CHANGES} | {*READS}),
        (
            StaticAccess(generate_user_token=Grant()),
            {path for _, path in CHANGES if path.startswith("/signing-keys/user")},
        ),
        (StaticAccess(generate_cp_token=Grant()), {"/signing-keys/zone/rotate"}),
        (
            StaticAccess(generate_dataplane_token=Grant()),
            {path for _, path in CHANGES if path.startswith("/meshes")},
        ),
    ],
)
async def test_by_lists_it_takes_the_right_to_secrets_and_to_every_token_of_the_kind(
    access: StaticAccess, refused: set[str]
) -> None:
    for method, path in [*(("GET", path) for path in READS), *CHANGES]:
        answer = await (await with_keys(access=access)).ask(method, path)
        assert (answer.status == 403) is (path in refused), path


WRITES = tuple(verb.value for verb in Verb)
EVERYTHING = (*WRITES, "GENERATE_USER_TOKEN", "GENERATE_DATAPLANE_TOKEN")


def by_role(*rules: AccessRule) -> RoleAccess:
    return RoleAccess(
        roles={"r": AccessRole(rules=rules)},
        bindings=(
            AccessRoleBinding(
                subjects=(Subject(type="User", name="mesh-system:admin"),), roles=("r",)
            ),
        ),
    )


@pytest.mark.parametrize(
    ("rule", "permitted"),
    [
        (AccessRule(access=EVERYTHING), {"user", "m", "sealing"}),
        (AccessRule(access=EVERYTHING, mesh="m"), {"m"}),
        (AccessRule(access=EVERYTHING, mesh="*"), {"m"}),
        (AccessRule(access=EVERYTHING, types=("GlobalSecret",)), {"user"}),
        (AccessRule(access=EVERYTHING, types=("GlobalSecret", "Secret")), {"user", "m", "sealing"}),
        (AccessRule(access=EVERYTHING, names=("user-token-signing-key-2",)), set()),
        (AccessRule(access=WRITES), {"sealing"}),
        (AccessRule(access=("GENERATE_USER_TOKEN", "GENERATE_DATAPLANE_TOKEN")), set()),
    ],
)
async def test_by_roles_it_takes_a_rule_that_covers_all_of_the_secrets(
    rule: AccessRule, permitted: set[str]
) -> None:
    routes = await with_keys(access=by_role(rule))
    found = {
        name
        for name, path in (
            ("user", "/signing-keys/user/rotate"),
            ("m", "/meshes/m/signing-keys/rotate"),
            ("sealing", "/sealing-key/rotate"),
        )
        if (await routes.ask("POST", path)).status == 200
    }
    assert found == permitted


async def test_where_secrets_cannot_be_written_their_keys_cannot_either() -> None:
    routes = Routes(writable=Writable(deployment=Deployment(), api_read_only=True))
    await routes.api.put("Mesh", "m")
    for path in ("/signing-keys/user/rotate", "/meshes/m/signing-keys/rotate"):
        answer = await routes.ask("POST", path)
        assert (answer.status, json.loads(answer.body)["title"]) == (405, "Method not allowed")
    # How they are sealed is nobody's business but this control plane's.
    assert (await routes.ask("POST", "/sealing-key/rotate")).status == 200


async def test_changes_are_logged_without_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    routes = await with_keys()
    for method, path in (
        ("POST", "/signing-keys/user/rotate"),
        ("DELETE", "/signing-keys/user/1"),
        ("PUT", "/meshes/m/signing-keys/revocations/a"),
        ("POST", "/sealing-key/rotate"),
    ):
        assert (await routes.ask(method, path)).status == 200
    told = [line.partition(",")[0] for line in caplog.messages if line.startswith("audit-")]
    assert told == [
        'audit-changed: CREATE GlobalSecret "user-token-signing-key-2"',
        'audit-changed: DELETE GlobalSecret "user-token-signing-key-1"',
        'audit-changed: UPDATE Secret "m/dataplane-token-revocations-m"',
        'audit-changed: CREATE SealingKey "key-2"',
    ]
    assert "PRIVATE KEY" not in caplog.text


def test_no_type_of_resource_has_these_paths() -> None:
    paths = {each.path for each in TYPES.values()}
    assert not paths & {"signing-keys", "sealing-key"}


class _Refusing(FakeSealingKey):
    """A store that does not take a new key."""

    def __init__(self, code: str) -> None:
        super().__init__()
        self._code = code

    async def rotate(self) -> KeyRotation:
        raise StateError("not now", code=self._code, hint="Later.")
