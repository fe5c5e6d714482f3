"""`kumactl apply` against a real server that stores what it gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.daemons.kuma_api import INDEX, Asked, Plane, Reply, api, not_found, refusal
from support.daemons.kumactl_runs import User

PAYMENTS = """\
type: Mesh
name: payments
mtls:
  enabledBackend: ca-1
  backends:
  - name: ca-1
    type: builtin
constraints:
  dataplaneProxy:
    requirements:
    - tags:
        team: {team}
"""
SLOW = """\
type: MeshTimeout
mesh: payments
name: slow
spec:
  targetRef:
    kind: Mesh
  to:
  - targetRef:
      kind: Mesh
    default:
      idleTimeout: {idle}
"""


class MeshMaker(Plane):
    """Makes what a control plane makes together with a Mesh."""

    def __call__(self, asked: Asked) -> Reply:
        reply = super().__call__(asked)
        if asked.method == "PUT" and reply.status == 201 and asked.path.startswith("/meshes/"):
            name = asked.json["name"]
            for kind, policy in (
                ("MeshTimeout", f"mesh-gateways-timeout-all-{name}"),
                ("MeshTimeout", f"mesh-timeout-all-{name}"),
                ("MeshCircuitBreaker", f"mesh-circuit-breaker-all-{name}"),
                ("MeshRetry", f"mesh-retry-all-{name}"),
                ("Secret", f"dataplane-token-signing-key-{name}-1"),
                ("Secret", f"{name}.ca-builtin-cert-ca-1"),
                ("Secret", f"{name}.ca-builtin-key-ca-1"),
            ):
                self.put({"type": kind, "mesh": name, "name": policy, "data": "c2VjcmV0"})
        return reply


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "payments.yaml"


def test_a_new_mesh_is_reported_with_its_initial_policies(file: Path, tmp_path: Path) -> None:
    file.write_text(PAYMENTS.format(team='"*"'))

    with api(MeshMaker()) as server:
        ran = User(tmp_path, server.url).run("apply", "-f", str(file))

    assert (ran.status, ran.err) == (0, "")
    assert ran.out == "mesh/payments created: 4 default policies, CA ca-1, signing key\n"


def test_no_secret_crosses_the_wire_to_tell_what_was_born(file: Path, tmp_path: Path) -> None:
    plane = MeshMaker()
    sent: list[bytes] = []

    def answer(asked: Asked) -> Reply:
        reply = plane(asked)
        sent.append(reply.content)
        return reply

    file.write_text(PAYMENTS.format(team='"*"'))

    with api(answer) as server:
        User(tmp_path, server.url).run("apply", "-f", str(file))

    assert not [content for content in sent if b"c2VjcmV0" in content]


@pytest.mark.parametrize(
    "silence", [refusal(403, "Access Denied", "no"), not_found(), Reply(body=b"\x00"), Reply()]
)
def test_a_server_that_tells_less_gets_a_shorter_line(
    silence: Reply, file: Path, tmp_path: Path
) -> None:
    plane = Plane()

    def answer(asked: Asked) -> Reply:
        return silence if asked.path.count("/") > 2 else plane(asked)

    file.write_text(PAYMENTS.format(team='"*"'))

    with api(answer) as server:
        ran = User(tmp_path, server.url).run("apply", "-f", str(file))

    assert (ran.status, ran.out, ran.err) == (0, "mesh/payments created\n", "")


def test_applying_again_tells_whether_anything_changed(file: Path, tmp_path: Path) -> None:
    with api(Plane()) as server:
        user = User(tmp_path, server.url)
        lines = []
        for team in ("a", "a", "b"):
            file.write_text(PAYMENTS.format(team=team))
            lines.append(user.run("apply", "-f", str(file)).out)

    assert lines == [
        "mesh/payments created\n",
        "mesh/payments unchanged\n",
        "mesh/payments updated\n",
    ]


def test_an_apply_asks_for_the_item_and_puts_it_with_the_headers_of_a_client(
    file: Path, tmp_path: Path
) -> None:
    file.write_text(SLOW.format(idle="1h"))

    with api(Plane()) as server:
        User(tmp_path, server.url).run("apply", "-f", str(file))

    item = "/meshes/payments/meshtimeouts/slow"
    assert server.lines() == [f"GET {item}", f"PUT {item}"]
    put = server.asked[-1]
    assert put.headers["content-type"] == put.headers["accept"] == "application/json"
    assert put.headers["user-agent"].startswith("kumactl/2.10.11 (linux; ")
    assert list(put.json) == ["type", "mesh", "name", "spec"]


def test_a_dry_run_shows_the_field_that_would_change_and_changes_nothing(
    file: Path, tmp_path: Path
) -> None:
    plane = Plane()
    with api(plane) as server:
        user = User(tmp_path, server.url)
        file.write_text(PAYMENTS.format(team='"*"'))
        user.run("apply", "-f", str(file))
        before = dict(plane.resources)
        file.write_text(PAYMENTS.format(team="payments"))

        ran = user.run("apply", "-f", str(file), "--dry-run")

    assert ran.status == 0
    assert ran.out == (
        "mesh/payments would change: "
        'constraints.dataplaneProxy.requirements[0].tags.team: "*" -> "payments"\n'
    )
    assert plane.resources == before


def test_a_dry_run_does_not_mind_what_the_server_adds_or_writes_another_way(
    file: Path, tmp_path: Path
) -> None:
    plane = Plane()
    stored: dict[str, Any] = {
        "type": "MeshTimeout",
        "mesh": "payments",
        "name": "slow",
        "creationTime": "2026-01-01T00:00:00Z",
        "modificationTime": "2026-01-01T00:00:00Z",
        "labels": {"kuma.io/mesh": "payments", "kuma.io/origin": "zone"},
        "spec": {
            "targetRef": {"kind": "Mesh"},
            "to": [{"targetRef": {"kind": "Mesh"}, "default": {"idleTimeout": "1h0m0s"}}],
        },
    }
    plane.put(stored)
    file.write_text(SLOW.format(idle="60m"))

    with api(plane) as server:
        ran = User(tmp_path, server.url).run("apply", "-f", str(file), "--dry-run")

    assert ran.out == "meshtimeout/slow (mesh payments) unchanged\n"


def test_a_dry_run_of_several_changes_and_of_new_resources(file: Path, tmp_path: Path) -> None:
    plane = Plane()
    plane.put({"type": "Zone", "name": "east", "enabled": True, "labels": {"a": "1", "b": "2"}})
    file.write_text("type: Zone\nname: east\nlabels: {a: '2'}\n---\ntype: Zone\nname: west\n---\n")

    with api(plane) as server:
        ran = User(tmp_path, server.url).run("apply", "-f", str(file), "--dry-run")

    assert ran.out.splitlines() == [
        "zone/east would change:",
        '  labels.a: "1" -> "2"',
        '  labels.b: "2" -> (none)',
        "  enabled: true -> (none)",
        "zone/west would be created",
    ]


def test_what_the_server_refuses_is_reported_field_by_field(file: Path, tmp_path: Path) -> None:
    fields = {
        'networking.inbound[0].tags["kuma.io/service"]': "tag has to exist",
        "networking.address": "address can't be empty",
    }

    def answer(asked: Asked) -> Reply:
        if asked.path == "/":
            return Reply(body=INDEX)
        if asked.method == "PUT":
            return refusal(400, "Could not process a resource", "Resource is not valid", **fields)
        return not_found()

    file.write_text("type: Dataplane\nname: d\nnetworking: {}\n")

    with api(answer) as server:
        ran = User(tmp_path, server.url).run("apply", "-f", str(file))

    assert (ran.status, ran.out) == (1, "")
    assert ran.err == (
        f"Error: {file}, dataplane/d (mesh default):"
        " Could not process a resource (Resource is not valid)\n"
        '* networking.inbound[0].tags["kuma.io/service"]: tag has to exist\n'
        "* networking.address: address can't be empty\n"
    )


def test_warnings_of_the_server_are_shown_beside_the_result(file: Path, tmp_path: Path) -> None:
    plane = Plane()
    plane.warnings = ["'from' field is deprecated, use 'rules' instead"]
    file.write_text(SLOW.format(idle="1h"))

    with api(plane) as server:
        ran = User(tmp_path, server.url).run("apply", "-f", str(file))

    assert ran.err == "Warning: 'from' field is deprecated, use 'rules' instead\n"
    assert ran.out == "meshtimeout/slow (mesh payments) created\n"


@pytest.mark.parametrize(
    ("documents", "status", "out"),
    [
        (SLOW, 4, ""),
        (
            f"{SLOW}---\ntype: Mesh\nname: payments\n",
            0,
            "mesh/payments would be created\nmeshtimeout/slow (mesh payments) would be created\n",
        ),
    ],
)
def test_a_dry_run_minds_whether_the_mesh_will_be_there(
    documents: str, status: int, out: str, file: Path, tmp_path: Path
) -> None:
    plane = Plane()
    plane.put({"type": "Mesh", "name": "payment"})

    def answer(asked: Asked) -> Reply:
        inside = asked.path.startswith("/meshes/payments/")
        return not_found("Failed to retrieve Mesh") if inside else plane(asked)

    file.write_text(documents.format(idle="1h"))

    with api(answer) as server:
        ran = User(tmp_path, server.url).run("apply", "--dry-run", "-f", str(file))

    assert (ran.status, ran.out) == (status, out)
    assert ran.err == (
        ""
        if status == 0
        else f"Error: {file}, meshtimeout/slow (mesh payments): Failed to retrieve Mesh (Not found):"
        ' mesh "payments"; there is payment; did you mean "payment"?\n'
    )
