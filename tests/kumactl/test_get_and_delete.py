"""`kumactl get` and `kumactl delete` beyond the recorded cases."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.daemons.kuma_api import Asked, Plane, Reply, api, not_found, refusal
from support.daemons.kumactl_runs import User


def _plane(*documents: dict[str, Any]) -> Plane:
    plane = Plane()
    for document in documents:
        plane.put({"creationTime": "2026-01-01T11:59:50Z", **document})
    return plane


DEFAULT = {"type": "Mesh", "name": "default", "modificationTime": "2026-01-01T11:59:50Z"}
BACKEND = {
    "type": "Dataplane",
    "mesh": "default",
    "name": "backend",
    "modificationTime": "2026-01-01T10:00:00Z",
    "networking": {
        "address": "10.0.0.1",
        "advertisedAddress": "192.0.2.1",
        "gateway": {"tags": {"kuma.io/service": "edge"}},
    },
}


@pytest.mark.parametrize("word", ["meshes", "m", "MESHES", "Meshes"])
def test_meshes_are_listed_with_their_age(word: str, tmp_path: Path) -> None:
    with api(_plane(DEFAULT)) as server:
        ran = User(tmp_path, server.url).run("get", word)

    assert ran.out == (
        "NAME      mTLS   METRICS   LOGGING   TRACING   LOCALITY   ZONEEGRESS   AGE\n"
        "default   off    off       off       off       off        off          10s\n"
    )


def test_initial_policies_of_a_mesh_are_told_from_others(tmp_path: Path) -> None:
    policies = [
        {**DEFAULT, "type": "MeshRetry", "mesh": "default", "name": name}
        for name in ("mesh-retry-all-default", "mesh-retry-all-other")
    ]
    with api(_plane(*policies)) as server:
        ran = User(tmp_path, server.url).run("get", "meshretries")

    assert ran.out == (
        "MESH      NAME                     BORN WITH MESH   AGE\n"
        "default   mesh-retry-all-default   yes              10s\n"
        "default   mesh-retry-all-other     no               10s\n"
    )


def test_a_table_that_is_asked_for_has_the_columns_of_the_original(tmp_path: Path) -> None:
    with api(_plane(DEFAULT)) as server:
        ran = User(tmp_path, server.url).run("get", "meshes", "-otable")

    assert ran.out == (
        "NAME      mTLS   LOCALITY   ZONEEGRESS   AGE\n"
        "default   off    off        off          10s\n"
    )


def test_a_mesh_shows_what_it_observes(tmp_path: Path) -> None:
    mesh = {
        **DEFAULT,
        "metrics": {"enabledBackend": "p", "backends": [{"name": "p", "type": "prometheus"}]},
        "logging": {"backends": [{"name": "f", "type": "file"}, {"name": "t", "type": "tcp"}]},
        "tracing": {"backends": [{"name": "z", "type": "zipkin"}]},
    }
    with api(_plane(mesh)) as server:
        ran = User(tmp_path, server.url).run("get", "mesh", "default")

    (_, line) = ran.out.splitlines()
    assert (
        line
        == "default   off    prometheus/p   file/f, tcp/t   zipkin/z   off        off          10s"
    )


def test_a_dataplane_shows_its_advertised_address_and_the_tags_of_its_gateway(
    tmp_path: Path,
) -> None:
    with api(_plane(BACKEND)) as server:
        ran = User(tmp_path, server.url).run("get", "dp", "backend")

    assert ran.out.splitlines()[1].split() == [
        *("default", "backend", "kuma.io/service=edge", "192.0.2.1", "2h")
    ]


@pytest.mark.parametrize(
    ("argv", "target"),
    [
        (("get", "meshes"), "/meshes"),
        (("get", "mesh", "a b"), "/meshes/a%20b"),
        (("get", "healthchecks", "-m", "x/y"), "/meshes/x%2Fy/health-checks"),
        (("get", "zi", "one"), "/zone-ingresses/one"),
        (("get", "mt", "slow", "--mesh=m"), "/meshes/m/meshtimeouts/slow"),
        (("get", "meshtimeouts", "slow"), "/meshes/default/meshtimeouts/slow"),
        (("get", "access-roles"), "/access-roles"),
        (("get", "mesh-insights"), "/mesh-insights"),
        (("get", "zones", "--size", "7", "--offset", "3"), "/zones?size=7&offset=3"),
    ],
)
def test_the_words_lead_to_the_paths_of_the_api(
    argv: tuple[str, ...], target: str, tmp_path: Path
) -> None:
    with api(Plane()) as server:
        User(tmp_path, server.url).run(*argv)

    assert server.lines() == [f"GET {target}"]


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (("get", "mesh"), "a name is missing: kumactl get mesh NAME"),
        (("get", "gadgets"), 'unknown resource type "gadgets"'),
        (("get", "configs"), 'unknown resource type "configs"'),
        (("get", "meshes", "-o", "xml"), "xml"),
        (("get",), "TYPE"),
        ((), "COMMAND"),
        (("get", "meshes", "--size", "many"), "--size"),
        (("get", "meshes", "--api-timeout", "5"), "missing unit in duration"),
        (("get", "meshes", "--api-timeout", "0s"), "more than 0s"),
        (("get", "meshes", "--sise", "1"), "--sise"),
        (("delete", "mesh", ""), "'' is no name"),
        (("delete", "zone", ".."), "'..' is no name"),
        (("get", "mesh", "\udcff"), "is not UTF-8 text"),
        (("get", "dataplane", "d", "-m", "."), "'.' is no name"),
    ],
)
def test_a_wrong_command_line_ends_with_status_2(
    argv: tuple[str, ...], problem: str, tmp_path: Path
) -> None:
    ran = User(tmp_path, "http://127.0.0.1:9").run(*argv)

    assert ran.status == 2
    assert problem in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("get", "mesh", "x"), "Error: No resources found\n"),
        (("get", "retry", "x", "-m", "m"), "Error: No resources found in m mesh\n"),
        (("delete", "mesh", "x"), 'Error: there is no Mesh with name "x"\n'),
        (("delete", "meshtimeout", "x"), 'Error: there is no MeshTimeout with name "x"\n'),
    ],
)
def test_what_is_not_there_ends_with_status_4(
    argv: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    with api(Plane()) as server:
        ran = User(tmp_path, server.url).run(*argv)

    assert (ran.status, ran.err) == (4, said)


def test_a_list_in_a_mesh_that_is_not_there_says_so(tmp_path: Path) -> None:
    with api(lambda _asked: not_found("Failed to retrieve Mesh")) as server:
        ran = User(tmp_path, server.url).run("get", "retries")

    assert (ran.status, ran.err) == (
        4,
        'Error: Failed to retrieve Mesh (Not found): mesh "default"\n',
    )


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], "; there is none"),
        (["default"], "; there is default"),
        (["default", "payments"], '; there are default, payments; did you mean "payments"?'),
        (
            [f"m{number:02}" for number in range(12)],
            "; there are m00, m01, m02, m03, m04, m05, m06, m07, m08, m09 and 2 others",
        ),
    ],
)
@pytest.mark.parametrize("command", ["get", "delete"])
def test_a_mesh_that_is_not_there_is_named_with_those_there_are(
    command: str, names: list[str], told: str, tmp_path: Path
) -> None:
    plane = _plane(*({"type": "Mesh", "name": name} for name in names))

    def answer(asked: Asked) -> Reply:
        inside = asked.path.startswith("/meshes/paymnets/")
        return not_found("Failed to retrieve Mesh") if inside else plane(asked)

    with api(answer) as server:
        argv = (command, "meshtimeout", "slow", "--mesh", "paymnets")
        ran = User(tmp_path, server.url).run(*argv)

    assert (ran.status, ran.out) == (4, "")
    assert ran.err == f'Error: Failed to retrieve Mesh (Not found): mesh "paymnets"{told}\n'


@pytest.mark.parametrize("command", ["get", "delete"])
@pytest.mark.parametrize(
    ("word", "meant"),
    [("meshs", "meshes"), ("MeshTimout", "meshtimeout"), ("dataplnes", "dataplanes")],
)
def test_a_type_that_is_misspelt_comes_with_the_one_that_was_meant(
    command: str, word: str, meant: str, tmp_path: Path
) -> None:
    ran = User(tmp_path, "http://127.0.0.1:9").run(command, word, "x")

    assert ran.status == 2
    assert f'unknown resource type "{word}"; did you mean "{meant}"?' in ran.err


def test_a_name_that_is_misspelt_comes_with_the_one_that_is_there(tmp_path: Path) -> None:
    with api(_plane(DEFAULT, BACKEND)) as server:
        ran = User(tmp_path, server.url).run("delete", "dataplane", "bakend")

    assert (ran.status, ran.out) == (4, "")
    assert ran.err == ('Error: there is no Dataplane with name "bakend"; did you mean "backend"?\n')


def test_what_only_the_control_plane_writes_cannot_be_deleted(tmp_path: Path) -> None:
    ran = User(tmp_path, "http://127.0.0.1:9").run("delete", "mesh-insights", "default")

    assert (ran.status, ran.out) == (2, "")
    assert ran.err == "Error: TYPE: mesh-insights is readOnly, can't use it for write action\n"


@pytest.mark.parametrize(
    ("proxies", "told"),
    [
        (1, "1 Dataplane in it: d0. Stop the proxies, then: kumactl delete dataplane d0"),
        (
            7,
            (
                "7 Dataplanes in it: d0, d1, d2, d3, d4 and 2 others. Stop the proxies, then:"
                " kumactl delete dataplane NAME"
            ),
        ),
    ],
)
def test_a_mesh_with_proxies_is_refused_with_their_number_and_names(
    proxies: int, told: str, tmp_path: Path
) -> None:
    plane = _plane(DEFAULT, *({**BACKEND, "name": f"d{number}"} for number in range(proxies)))
    reason = "unable to delete mesh, there are still some dataplanes attached"

    def answer(asked: Asked) -> Reply:
        if asked.method == "DELETE":
            return refusal(400, "Could not delete a resource", "Not valid", mesh=reason)
        return plane(asked)

    with api(answer) as server:
        ran = User(tmp_path, server.url).run("delete", "mesh", "default")

    assert ran.status == 1
    assert ran.err == (
        f"Error: Could not delete a resource (Not valid): {told} --mesh default\n* mesh: {reason}\n"
    )


def test_delete_says_what_is_gone(tmp_path: Path) -> None:
    plane = _plane(DEFAULT, BACKEND)
    with api(plane) as server:
        user = User(tmp_path, server.url)
        mesh = user.run("delete", "mesh", "default")
        dataplane = user.run("delete", "dataplane", "backend")

    assert mesh.out == 'deleted Mesh "default"\n'
    assert dataplane.out == 'deleted Dataplane "backend"\n'
    assert not plane.resources


def test_a_delete_that_is_refused_says_why(tmp_path: Path) -> None:
    reason = "unable to delete mesh, there are still some dataplanes attached"
    said = refusal(400, "Could not delete a resource", "Resource is not valid", mesh=reason)

    with api(lambda _asked: said) as server:
        ran = User(tmp_path, server.url).run("delete", "mesh", "payments")

    assert ran.status == 1
    assert ran.err == (
        f"Error: Could not delete a resource (Resource is not valid)\n* mesh: {reason}\n"
    )


def test_the_errors_of_an_old_server_are_read_too(tmp_path: Path) -> None:
    old = {"title": "Could not", "details": "why", "causes": [{"field": "a", "message": "bad"}]}

    with api(lambda _asked: Reply(400, old)) as server:
        ran = User(tmp_path, server.url).run("get", "meshes")

    assert ran.err == "Error: Could not (why)\n* a: bad\n"


def test_json_keeps_the_order_of_the_server_and_yaml_sorts(tmp_path: Path) -> None:
    stored = {"type": "Zone", "name": "z", "labels": {"b": "ü", "a": "1"}, "enabled": False}
    with api(_plane(stored)) as server:
        user = User(tmp_path, server.url)
        as_json = user.run("get", "zone", "z", "-o", "json").out
        as_yaml = user.run("get", "zone", "z", "--output", "yaml").out

    assert list(json.loads(as_json)) == ["creationTime", "type", "name", "labels", "enabled"]
    assert yaml.safe_load(as_yaml)["labels"] == {"a": "1", "b": "ü"}
    assert "ü" in as_json
    assert as_yaml.index("a:") < as_yaml.index("b:")


def test_a_terminal_obeys_no_name_of_a_resource(tmp_path: Path) -> None:
    evil = {"type": "Zone", "name": "a\x1b[2Jb\nc\u202e", "modificationTime": "\x07"}
    page = {"total": 1, "items": [evil], "next": None}

    with api(lambda _asked: Reply(body=page)) as server:
        user = User(tmp_path, server.url)
        table = user.run("get", "zones").out
        text = user.run("get", "zones", "-oyaml").out

    assert table.splitlines()[1] == "a\\x1b[2Jb\\nc\\u202e   unknown"
    assert not [c for c in table + text if c != "\n" and not c.isprintable()]


def test_the_age_is_that_of_the_last_change(tmp_path: Path) -> None:
    with api(_plane(DEFAULT)) as server:
        later = datetime(2029, 1, 1, tzinfo=UTC)
        ran = User(tmp_path, server.url).run("get", "mesh", "default", now=later)

    assert ran.out.split()[-1] == "3y"
