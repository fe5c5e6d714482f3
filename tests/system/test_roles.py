"""Who may do what by roles (`KUMA_ACCESS_TYPE=rbac`), from outside. A Host header of another name
makes a request of this machine a remote one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support.daemons.daemon import Answer, Daemon, eventually, running

pytestmark = pytest.mark.system

RBAC = {"KUMA_ACCESS_TYPE": "rbac"}
FOR_ADMINS = {**RBAC, "KMESH_ACCESS_RBAC_DEFAULT_ADMIN_ROLE_GROUPS": "mesh-system:admin"}
REMOTE = {"Host": "mesh.example"}
BINDING = "/access-role-bindings/default"
MADE_LAST = "saving generated Admin User Token"
ADMINS = 'user "mesh-system:admin/mesh-system:admin,mesh-system:authenticated"'
ANONYMOUS = 'user "mesh-system:anonymous/mesh-system:unauthenticated"'


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with running(tmp_path, environment=FOR_ADMINS) as started:
        eventually("what a start makes", lambda: MADE_LAST in started.stderr)
        yield started


def send(
    daemon: Daemon,
    method: str,
    path: str,
    body: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    given = {} if body is None else {"Content-Type": "application/json"}
    content = None if body is None else json.dumps(body).encode()
    return daemon.api(method, path, {**given, **(headers or {})}, content)


def put_mesh(daemon: Daemon, name: str, headers: Mapping[str, str] | None = None) -> int:
    body = {"type": "Mesh", "name": name}
    return send(daemon, "PUT", f"/meshes/{name}", body, headers).status


def bind(daemon: Daemon, name: str, role: str, *groups: str) -> Answer:
    subjects = [{"type": "Group", "name": group} for group in groups]
    body = {"type": "AccessRoleBinding", "name": name, "subjects": subjects, "roles": [role]}
    return send(daemon, "PUT", f"/access-role-bindings/{name}", body)


def token_of(daemon: Daemon, name: str, *groups: str) -> dict[str, str]:
    asked = {"name": name, "groups": list(groups), "validFor": "1h"}
    answer = send(daemon, "POST", "/tokens/user", asked)
    assert answer.status == 200, answer.body
    return {**REMOTE, "Authorization": f"Bearer {answer.body.decode()}"}


def test_out_of_the_box_everybody_may_do_everything_and_the_log_says_so(tmp_path: Path) -> None:
    with running(tmp_path, environment=RBAC) as daemon:
        eventually("what a start makes", lambda: MADE_LAST in daemon.stderr)
        assert put_mesh(daemon, "m", REMOTE) == 201
        assert "access-role-made: default AccessRole created, " in daemon.stderr
        assert "access-role-made: default AccessRoleBinding created, " in daemon.stderr
        assert daemon.stderr.count("access-open-to-all: ") == 1


def test_those_who_are_named_may_and_nobody_else(daemon: Daemon) -> None:
    assert put_mesh(daemon, "m") == 201
    assert put_mesh(daemon, "n", REMOTE) == 403
    assert daemon.api("GET", "/meshes", REMOTE).status == 200
    assert daemon.api("GET", "/global-secrets", REMOTE).status == 403
    assert "access-open-to-all" not in daemon.stderr


def test_a_change_of_roles_is_in_force_for_the_next_request(daemon: Daemon) -> None:
    team = token_of(daemon, "john", "team-a")
    rules = [{"access": ["CREATE", "DELETE"], "types": ["Mesh"], "names": ["johns"]}]
    role = {"type": "AccessRole", "name": "johns", "rules": rules}
    assert send(daemon, "PUT", "/access-roles/johns", role).status == 201
    for _ in range(20):
        assert put_mesh(daemon, "johns", team) == 403
        assert bind(daemon, "johns", "johns", "team-a").status == 201
        assert put_mesh(daemon, "johns", team) == 201
        assert put_mesh(daemon, "others", team) == 403
        assert send(daemon, "DELETE", "/meshes/johns", headers=team).status == 200
        assert send(daemon, "DELETE", "/access-role-bindings/johns").status == 200


def test_every_decision_is_a_line(daemon: Daemon) -> None:
    put_mesh(daemon, "m")
    put_mesh(daemon, "n", REMOTE)
    token_of(daemon, "john")
    daemon.api("GET", "/meshes", REMOTE)
    for line in (
        f'access-allowed: {ADMINS}, action CREATE, resource Mesh "m"',
        f'access-denied: {ANONYMOUS}, action CREATE, resource Mesh "n"',
        f'access-allowed: {ADMINS}, action GENERATE_USER_TOKEN, resource user "john"',
    ):
        eventually(line, lambda line=line: f" INFO    {line}\n" in daemon.stderr)
    assert "READ, resource Mesh" not in daemon.stderr


def test_only_the_verdicts_that_are_wanted_are_logged(tmp_path: Path) -> None:
    denied = {**FOR_ADMINS, "KMESH_ACCESS_RBAC_LOG_ACTIONS": "denied"}
    with running(tmp_path, environment=denied) as daemon:
        eventually("what a start makes", lambda: MADE_LAST in daemon.stderr)
        put_mesh(daemon, "m")
        put_mesh(daemon, "n", REMOTE)
        eventually("the refusal", lambda: "access-denied: " in daemon.stderr)
        assert "access-allowed: " not in daemon.stderr


def test_a_restart_gives_nothing_back(daemon: Daemon) -> None:
    assert bind(daemon, "ops", "admin", "mesh-system:admin").status == 201
    assert send(daemon, "DELETE", BINDING).status == 200
    daemon.stop()
    daemon.environment.update(RBAC)
    daemon.environment.pop("KMESH_ACCESS_RBAC_DEFAULT_ADMIN_ROLE_GROUPS")
    daemon.start()
    assert daemon.api("GET", BINDING).status == 404
    assert put_mesh(daemon, "n", REMOTE) == 403
    assert put_mesh(daemon, "n") == 201


def test_who_has_locked_everybody_out_comes_back_by_the_lists(daemon: Daemon) -> None:
    """As docs/access.md tells it."""
    assert send(daemon, "DELETE", BINDING).status == 200
    assert put_mesh(daemon, "m") == 403
    assert bind(daemon, "default", "admin", "mesh-system:admin").status == 403
    eventually("the warning", lambda: "access-nobody-writes: " in daemon.stderr)
    daemon.stop()
    daemon.environment["KUMA_ACCESS_TYPE"] = "static"
    daemon.start()
    assert bind(daemon, "default", "admin", "mesh-system:admin").status == 201
    daemon.stop()
    daemon.environment["KUMA_ACCESS_TYPE"] = "rbac"
    daemon.start()
    assert put_mesh(daemon, "m") == 201
    assert put_mesh(daemon, "n", REMOTE) == 403


def test_roles_may_be_written_before_they_decide(tmp_path: Path) -> None:
    """An operator who prepares them with the lists never has a moment of everybody's rights."""
    with running(tmp_path) as daemon:
        eventually("what a start makes", lambda: MADE_LAST in daemon.stderr)
        rules = [{"access": ["CREATE"], "types": ["Mesh"]}]
        role = {"type": "AccessRole", "name": "meshes", "rules": rules}
        assert send(daemon, "PUT", "/access-roles/meshes", role).status == 201
        assert bind(daemon, "ops", "meshes", "mesh-system:admin").status == 201
        daemon.stop()
        daemon.environment.update(RBAC)
        daemon.start()
        assert put_mesh(daemon, "m", REMOTE) == 403
        assert put_mesh(daemon, "m") == 201
        assert "access-role-made" not in daemon.stderr


def test_a_setting_lets_a_start_make_none(tmp_path: Path) -> None:
    skipped = {**RBAC, "KMESH_ACCESS_RBAC_SKIP_ADMIN_ROLE_CREATION": "true"}
    with running(tmp_path, environment=skipped) as daemon:
        eventually("what a start makes", lambda: MADE_LAST in daemon.stderr)
        assert put_mesh(daemon, "m") == 403
        assert daemon.api("GET", "/access-roles").json["total"] == 0
        assert daemon.stderr.count("access-nobody-writes: ") == 1


CONDITION = {"destinations": {"match": {"kuma.io/service": "web"}}}
FORGED = {"destinations": [{"match": {"kuma.io/service": "web"}}]}
TARGET = {"kind": "MeshService", "name": "web"}


def give(daemon: Daemon, *rules: Mapping[str, object]) -> dict[str, str]:
    """John of team-a has these rules; the headers of a request of his."""
    role = {"type": "AccessRole", "name": "johns", "rules": list(rules)}
    assert send(daemon, "PUT", "/access-roles/johns", role).status in {200, 201}
    assert bind(daemon, "johns", "johns", "team-a").status in {200, 201}
    return token_of(daemon, "john", "team-a")


@pytest.mark.parametrize("when", [CONDITION, {"targetRef": TARGET}])
def test_a_member_that_a_type_does_not_have_makes_nobody_an_administrator(
    daemon: Daemon, when: Mapping[str, object]
) -> None:
    john = give(daemon, {"access": ["CREATE", "UPDATE", "DELETE"], "when": [when]})
    forged = {**FORGED, "spec": {"targetRef": TARGET}, "targetRef": TARGET}
    subjects = [{"type": "User", "name": "john"}]
    for path, body in (
        ("access-role-bindings/evil", {"type": "AccessRoleBinding", "roles": ["admin"]}),
        ("access-roles/johns", {"type": "AccessRole", "rules": [{"access": ["CREATE"]}]}),
        ("global-secrets/user-token-signing-key-9", {"type": "GlobalSecret", "data": "eA=="}),
        ("meshes/default/secrets/s", {"type": "Secret", "mesh": "default", "data": "eA=="}),
        ("meshes/evil", {"type": "Mesh"}),
        ("zones/evil", {"type": "Zone"}),
    ):
        name = path.rpartition("/")[2]
        whole = {**forged, "subjects": subjects, **body, "name": name}
        assert send(daemon, "PUT", f"/{path}", whole, john).status == 403, path
        assert send(daemon, "DELETE", f"/{path}", headers=john).status == 403, path
    asked = {"name": "z", "groups": ["mesh-system:admin"], "validFor": "1h"}
    assert send(daemon, "POST", "/tokens/user", asked, john).status == 403


def test_a_role_for_every_mesh_writes_nothing_that_is_in_none(daemon: Daemon) -> None:
    writes = ["CREATE", "UPDATE", "DELETE"]
    tokens = ["GENERATE_USER_TOKEN", "GENERATE_ZONE_TOKEN", "GENERATE_ZONE_CP_TOKEN"]
    john = give(daemon, {"access": [*writes, *tokens], "mesh": "*"})
    assert put_mesh(daemon, "johns", john) == 201
    secret = {"type": "GlobalSecret", "name": "user-token-signing-key-9", "data": "eA=="}
    path = "/global-secrets/user-token-signing-key-9"
    assert send(daemon, "PUT", path, secret, john).status == 403
    assert daemon.api("GET", "/global-secrets", john).status == 403
    for kind in ("user", "zone"):
        asked = {"name": "z", "zone": "z", "scope": ["ingress"], "validFor": "1h"}
        assert send(daemon, "POST", f"/tokens/{kind}", asked, john).status == 403


def test_who_could_write_nothing_is_refused_whatever_they_send(daemon: Daemon) -> None:
    """What is no resource at all is refused for who sends it."""
    john = give(daemon, {"access": ["CREATE"], "types": ["MeshTimeout"], "mesh": "default"})
    given = {"Content-Type": "application/json"}
    for path in ("/meshes/default/meshretries/x", "/meshes/x", "/tokens/user", "/tokens/zone"):
        method = "POST" if path.startswith("/tokens") else "PUT"
        for headers in (john, REMOTE):
            assert daemon.api(method, path, {**given, **headers}, b"{").status == 403, path
    readable = "/meshes/default/meshtimeouts/x"
    assert daemon.api("PUT", readable, {**given, **john}, b"{").status == 400
    line = f'access-denied: {ANONYMOUS}, action CREATE, resource MeshRetry "default/x"'
    eventually(line, lambda: line in daemon.stderr)


def test_a_role_that_leads_to_more_is_warned_of(daemon: Daemon) -> None:
    assert "access-role-leads-to-more" not in daemon.stderr
    give(daemon, {"access": ["UPDATE"]})
    eventually("the warning", lambda: "access-role-leads-to-more: " in daemon.stderr)
