"""What `kumactl apply -f` reads: files, folders, standard input, URLs; both forms."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from support.daemons.kuma_api import Asked, Plane, Reply, api
from support.daemons.kumactl_runs import User


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "payments.yaml"


def test_a_folder_is_applied_in_the_order_of_its_file_names(tmp_path: Path) -> None:
    folder = tmp_path / "meshes"
    folder.mkdir()
    (folder / "20.json").write_text('{"type": "Zone", "name": "two"}')
    (folder / "10.yaml").write_text("type: Zone\nname: one\n")
    (folder / "30.yml").write_text(
        "items:\n- type: Zone\n  name: three\n- type: Zone\n  name: four\n"
    )
    (folder / "notes.txt").write_text("not a resource")

    with api(Plane()) as server:
        ran = User(tmp_path, server.url).run("apply", "-f", str(folder))

    assert ran.out.split() == [
        *("zone/one", "created", "zone/two", "created"),
        *("zone/three", "created", "zone/four", "created"),
    ]


def test_standard_input_and_variables(tmp_path: Path) -> None:
    plane = Plane()
    document = b"type: GlobalSecret\nname: {{ who }}-key\ndata: {{{key}}}\n"

    with api(plane) as server:
        ran = User(tmp_path, server.url).run(
            *("apply", "-f", "-", "--var", "who=me,key=YQ=="), stdin=document
        )

    assert ran.out == "global-secret/me-key created\n"
    assert plane.resources["/global-secrets/me-key"]["data"] == "YQ=="


def test_a_document_may_lie_behind_a_url_and_its_redirect(tmp_path: Path) -> None:
    def pages(asked: Asked) -> Reply:
        if asked.path == "/moved.yaml":
            return Reply(302, b"", {"location": "/zone.yaml?raw=1"})
        return Reply(200, b"type: Zone\nname: east\n") if asked.query else Reply(404, b"gone")

    with api(Plane()) as server, api(pages) as site:
        user = User(tmp_path, server.url)
        found = user.run("apply", "-f", f"{site.url}/moved.yaml")
        lost = user.run("apply", "-f", f"{site.url}/lost.yaml")

    assert (found.status, found.out) == (0, "zone/east created\n")
    assert lost.status == 3
    assert "HTTP status 404" in lost.err
    assert not [asked for asked in site.asked if "authorization" in asked.headers]


@pytest.mark.parametrize(
    "answer",
    [Reply(404, b"gone"), Reply(200, b"a: b: c"), Reply(200, b"type: Zune"), Reply(302, b"")],
)
def test_no_secret_of_an_address_is_shown(answer: Reply, tmp_path: Path) -> None:
    with api(Plane()) as server, api(lambda _asked: answer) as site:
        address = f"{site.url.replace('//', '//me:canary-1@')}/zone.yaml?token=canary-2"
        ran = User(tmp_path, server.url).run("apply", "-f", address)

    assert ran.status in {2, 3}
    assert f"{site.url}/zone.yaml" in ran.err
    assert "canary" not in ran.err


def test_the_kubernetes_form_is_sent_as_the_universal_one(file: Path, tmp_path: Path) -> None:
    plane = Plane()
    file.write_text(
        "apiVersion: kuma.io/v1alpha1\n"
        "kind: Mesh\nmetadata:\n  name: payments\n  uid: x\nspec:\n  routing: {zoneEgress: true}\n"
        "---\n"
        "apiVersion: kuma.io/v1alpha1\nkind: MeshTimeout\n"
        "metadata:\n  name: slow\n  namespace: kong-mesh-system\n"
        "  labels: {kuma.io/mesh: payments, team: a}\n"
        "spec:\n  targetRef: {kind: Mesh}\n"
        "---\n"
        "apiVersion: v1\nkind: Secret\ntype: system.kuma.io/global-secret\n"
        "metadata: {name: key}\nstringData: {value: hello}\n"
    )

    with api(plane) as server:
        ran = User(tmp_path, server.url).run("apply", "-f", str(file))

    assert ran.status == 0, ran.err
    bodies = [asked.json for asked in server.asked if asked.method == "PUT" and not asked.query]
    assert bodies == [
        {"type": "Mesh", "name": "payments", "routing": {"zoneEgress": True}},
        {
            "type": "MeshTimeout",
            "mesh": "payments",
            "name": "slow",
            "labels": {"kuma.io/mesh": "payments", "team": "a"},
            "spec": {"targetRef": {"kind": "Mesh"}},
        },
        {"type": "GlobalSecret", "name": "key", "data": base64.b64encode(b"hello").decode()},
    ]


def test_the_mesh_of_a_document_wins_over_flag_context_and_default(
    file: Path, tmp_path: Path
) -> None:
    plane = Plane()
    file.write_text("type: Retry\nname: a\n---\ntype: Retry\nname: b\nmesh: own\n")

    with api(plane) as server:
        user = User(tmp_path, server.url)
        user.run("apply", "-f", str(file))
        user.run("apply", "-f", str(file), "--mesh", "flag")
        user.configure(
            user.config.read_text().replace(
                "name: here\ncontrolPlanes",
                "name: here\n  defaults: {mesh: context}\ncontrolPlanes",
            )
        )
        user.run("apply", "-f", str(file))

    assert sorted(plane.resources) == [
        "/meshes/context/retries/a",
        "/meshes/default/retries/a",
        "/meshes/flag/retries/a",
        "/meshes/own/retries/b",
    ]


def test_a_name_cannot_lead_out_of_its_collection(file: Path, tmp_path: Path) -> None:
    file.write_text("type: Zone\nname: ../global-secrets/x?y#z\n")

    with api(Plane()) as server:
        User(tmp_path, server.url).run("apply", "-f", str(file))

    assert server.lines()[0] == "GET /zones/..%2Fglobal-secrets%2Fx%3Fy%23z"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a", "it is not an object"),
        ("name: x", "type cannot be empty"),
        ("type: Mesh", "name cannot be empty"),
        ("type: Mesh\nname: 1", "name is not a text: put it between quotes"),
        (
            "type: Mehs\nmesh: 1",
            "unknown type 'Mehs'; did you mean \"Mesh\"?; name cannot be empty;",
        ),
        ("type: Mesh\nname: x\nName: y", "name is there twice, in another letter case"),
        ("type: Config\nname: x", "unknown type"),
        ("type: Retry\nname: x\nmesh: 1", "mesh is not a text"),
        ("kind: Deployment\napiVersion: apps/v1\nmetadata: {name: x}", "no resource of Kuma"),
        ("kind: Mesh\napiVersion: kuma.io/v1alpha1\nmetadata: {name: x}\nspec: 1", "spec is not"),
        (
            "kind: Mesh\napiVersion: kuma.io/v1alpha1\nmetadata: {name: x}\nspec: {name: y}",
            "spec must not hold name",
        ),
        (
            "kind: Secret\napiVersion: v1\ntype: Opaque\nmetadata: {name: x}",
            "unknown type 'Opaque': it is system.kuma.io/secret or system.kuma.io/global-secret",
        ),
        (
            "kind: Secret\napiVersion: v1\ntype: system.kuma.io/secret\nmetadata: {name: x}\ndata: {value: '*'}",
            "is not base64",
        ),
        ("a: b: c", "is not YAML: line 1"),
        ("a: {{ x }}", "neither a text nor a whole number"),
    ],
)
def test_a_document_that_is_no_resource_is_a_usage_error(
    text: str, problem: str, file: Path, tmp_path: Path
) -> None:
    file.write_text(text)

    ran = User(tmp_path, "http://127.0.0.1:9").run("apply", "-f", str(file))

    assert ran.status == 2
    assert problem in ran.err
    assert ran.err.startswith("Error: ")


@pytest.mark.parametrize("name", ["absent.yaml", "\x00", "empty", "binary.yaml"])
def test_a_file_that_cannot_be_read_is_a_usage_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\xfa")

    ran = User(tmp_path, "http://127.0.0.1:9").run("apply", "-f", f"{tmp_path}/{name}")

    assert ran.status == 2
    assert ran.err.startswith("Error: ")
    assert ran.err.count("\n") == 1


def test_the_identity_of_a_document_is_read_in_any_letter_case(file: Path, tmp_path: Path) -> None:
    plane = Plane()
    file.write_text("Type: Retry\nNAME: a\nMesh: m\nLabels: {team: a}\nconf: {}\n")

    with api(plane) as server:
        ran = User(tmp_path, server.url).run("apply", "-f", str(file))

    assert ran.out == "retry/a (mesh m) created\n"
    stored = plane.resources["/meshes/m/retries/a"]
    assert stored.items() >= {"name": "a", "labels": {"team": "a"}, "conf": {}}.items()


def test_every_file_that_is_wrong_is_named_in_one_run(tmp_path: Path) -> None:
    folder = tmp_path / "meshes"
    folder.mkdir()
    (folder / "10.yaml").write_text("type: Zone\nname: one\n---\ntype: Zune\nname: two\n")
    (folder / "20.yaml").write_text("a: b: c\n---\ntype: Zone\n")
    (folder / "30.yaml").write_bytes(b"type: Zone\nname: \xe4\n")
    plane = Plane()

    with api(plane) as server:
        argv = ("apply", "-f", str(folder), "-f", str(tmp_path / "absent"))
        ran = User(tmp_path, server.url).run(*argv)

    assert (ran.status, ran.out) == (2, "")
    assert [line.partition(": ")[2][:60] for line in ran.err.splitlines()] == [
        each[:60]
        for each in (
            f"{folder}/10.yaml, document 2 (line 4): unknown type 'Zune'",
            f"{folder}/20.yaml is not YAML: line 1, column 5",
            f"{folder}/20.yaml, document 2 (line 4): name cannot be empty",
            f"{folder}/30.yaml is not UTF-8 text: line 2, column 7",
            f"'{tmp_path}/absent' cannot be read: No such file",
            "nothing was applied; --keep-going applies what is right",
        )
    ]
    assert not plane.resources
