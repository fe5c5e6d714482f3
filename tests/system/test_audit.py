"""What the log of a daemon tells of who got, saw or changed what gives rights."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kong_mesh_cp.core.identity.refusal_bounds import API
from support.daemons.daemon import Daemon, eventually, running

pytestmark = pytest.mark.system

JSON = {"Content-Type": "application/json"}
ELSEWHERE = {"X-Forwarded-For": "9.9.9.9"}
ADMIN = '"mesh-system:admin/mesh-system:admin,mesh-system:authenticated"'
DATA = "VmVyeVNlY3JldA=="


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with running(tmp_path / "d") as started:
        made = "/global-secrets/admin-user-token"
        eventually("the first token", lambda: started.api("GET", made).status == 200)
        yield started


def told(daemon: Daemon, pattern: str) -> str:
    """The first such line; what is logged may still be on its way."""
    compiled = re.compile(rf"^\S+ \w+ +({pattern}.*)$", re.MULTILINE)
    eventually(pattern, lambda: compiled.search(daemon.stderr))
    found = compiled.search(daemon.stderr)
    assert found is not None
    return found[1]


def count(daemon: Daemon, code: str) -> int:
    return len(re.findall(rf"^\S+ \w+ +{code}: ", daemon.stderr, re.MULTILINE))


def test_it_tells_who_got_which_token_for_whom_and_never_the_token(daemon: Daemon) -> None:
    tokens = []
    for kind, asked, whom in (
        (
            "user",
            {"name": "mary", "groups": ["team-a"], "validFor": "1h"},
            'for user "mary" of groups "team-a"',
        ),
        (
            "dataplane",
            {"name": "b", "mesh": "default", "tags": {"kuma.io/service": ["web"]}},
            'for dataplane "b" of mesh "default" with tags "kuma.io/service=web"',
        ),
        (
            "zone",
            {"zone": "east", "scope": ["ingress"], "validFor": "1h"},
            'for zone "east" of scope "ingress"',
        ),
    ):
        issued = daemon.api("POST", f"/tokens/{kind}", JSON, json.dumps(asked).encode())
        assert issued.status == 200
        tokens.append(issued.body.decode())
        line = told(daemon, f"token-issued: .*{re.escape(whom)}")
        assert re.search(
            r"^token-issued: 'mesh-system:admin/.*' got token [0-9a-f-]{36}, signed by \S+-1, for",
            line,
        )
        assert line.endswith(f"{whom}, from 127.0.0.1")
    for token in tokens:
        for part in token.split("."):
            assert part not in daemon.stderr


def test_it_tells_who_changed_secrets_and_roles_and_never_the_secret(daemon: Daemon) -> None:
    secret = {"type": "GlobalSecret", "name": "s", "data": DATA}
    role = {"type": "AccessRole", "name": "r", "rules": [{"access": ["CREATE"]}]}
    binding = {
        "type": "AccessRoleBinding",
        "name": "b",
        "subjects": [{"type": "User", "name": "u"}],
        "roles": ["r"],
    }
    for path, body in (
        ("/global-secrets/s", secret),
        ("/meshes/default/secrets/s", {**secret, "type": "Secret", "mesh": "default"}),
        ("/access-roles/r", role),
        ("/access-role-bindings/b", binding),
    ):
        what = f'{body["type"]} "{"default/" if "mesh" in body else ""}{body["name"]}"'
        content = json.dumps(body).encode()
        assert daemon.api("PUT", path, JSON, content).status == 201
        line = told(daemon, f"audit-changed: CREATE {what}")
        assert line == f"audit-changed: CREATE {what}, by {ADMIN}, from 127.0.0.1"
        assert daemon.api("PUT", path, JSON, content).status == 200
        told(daemon, f"audit-changed: UPDATE {what}")
        assert daemon.api("DELETE", path).status == 200
        told(daemon, f"audit-changed: DELETE {what}")
    assert DATA not in daemon.stderr
    assert "VerySecret" not in daemon.stderr
    assert daemon.api("POST", "/license/reload").status == 200
    told(daemon, "audit-reloaded: the license")


def test_it_tells_every_kind_of_refusal_with_reason_and_origin(daemon: Daemon) -> None:
    assert daemon.api("GET", "/global-secrets?x=s3cret", ELSEWHERE).status == 403
    anonymous = '"mesh-system:anonymous/mesh-system:unauthenticated"'
    assert told(daemon, "audit-refused: 403") == (
        f'audit-refused: 403 GET "/global-secrets", for {anonymous}, '
        f'from 127.0.0.1 (x-forwarded-for "9.9.9.9"): user {anonymous} '
        'cannot access the resource of type "GlobalSecret"'
    )
    token = {**ELSEWHERE, "Authorization": "Bearer s3cret.s3cret.s3cret"}
    assert daemon.api("GET", "/no-such-path", token).status == 401
    assert told(daemon, "audit-refused: 401").startswith(
        'audit-refused: 401 GET "/no-such-path", for nobody known, '
        'from 127.0.0.1 (x-forwarded-for "9.9.9.9"): token-'
    )
    page = {"Origin": "http://localhost:3000"}
    assert daemon.api("POST", "/license/reload", page).status == 403
    told(daemon, r'audit-refused: 403 POST .*origin "http://localhost:3000"')
    assert "s3cret" not in daemon.stderr


def test_a_flood_of_refusals_is_a_few_lines_and_a_number(daemon: Daemon) -> None:
    for _ in range(200):
        assert daemon.api("GET", "/global-secrets", ELSEWHERE).status == 403
    daemon.stop()
    untold = re.findall(
        r"audit-refusals-untold: (\d+) more at the API within 60 s: \1 from 127.0.0.1 \(403\)$",
        daemon.stderr,
        re.MULTILINE,
    )
    assert untold
    lines = count(daemon, "audit-refused")
    assert lines <= API.source_lines_max * (len(untold) + 1)  # a slow machine takes more windows
    assert lines + sum(map(int, untold)) == 200
