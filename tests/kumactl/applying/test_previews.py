"""`apply --preview`: what proxies would be told, before anything is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kumactl.tables.preview import MEMBERS_MAX, NAMES_MAX, proxies_text
from support.daemons.kuma_api import INDEX, KUMA_INDEX, Api, Asked, Reply, api
from support.daemons.kumactl_runs import Ran, User

TWO = """\
type: MeshTimeout
mesh: default
name: t
spec: {to: []}
---
type: MeshTimeout
name: wrong
spec: {}
"""
CLUSTER: dict[str, Any] = {
    "type": "cluster",
    "name": "pay",
    "change": "changed",
    "members": [{"path": "/connectTimeout", "before": "5s", "after": "7s"}],
}


def proxy(name: str, *resources: Any, connected: bool = False, **more: Any) -> Any:
    return {"name": name, "connected": connected, "resources": [*resources], **more}


def mesh(*proxies: Any, **more: Any) -> Any:
    counts = {"changed": len(proxies), "dataplanes": 9, "lookedAt": 9, "notLookedAt": 0}
    return {"mesh": "default", **counts, "proxies": [*proxies], **more}


ANSWER: dict[str, Any] = {
    "resources": [
        {"type": "MeshTimeout", "mesh": "default", "name": "t", "outcome": "created"},
        {
            "type": "MeshTimeout",
            "mesh": "default",
            "name": "wrong",
            "outcome": "refused",
            "refusal": {
                "code": "resource-invalid",
                "title": "Could not process a resource",
                "detail": "Resource is not valid",
                "hint": "Correct the fields named.",
                "violations": [{"field": "spec", "reason": "at least one of: to, from"}],
            },
        },
    ],
    "meshes": [mesh(proxy("web-1", CLUSTER, connected=True))],
}


@pytest.fixture
def server() -> Iterator[Api]:
    with api(lambda asked: Reply(body=INDEX if asked.path == "/" else ANSWER)) as found:
        yield found


def previewed(server: Api, tmp_path: Path, *words: str, text: str = TWO) -> Ran:
    user = User(tmp_path, server.url)
    return user.run("apply", "--preview", "-f", "-", *words, stdin=text.encode())


def test_it_shows_what_would_change_and_what_would_be_refused(server: Api, tmp_path: Path) -> None:
    ran = previewed(server, tmp_path)
    assert ran.out == (
        "meshtimeout/t (mesh default) would be created\n"
        "\n"
        "Mesh default: 1 of 9 proxies would be told something else, 1 of them connected\n"
        "\n"
        "web-1 (connected)\n"
        "  ~ cluster pay\n"
        "      connectTimeout   5s -> 7s\n"
    )
    assert ran.status == 1
    assert "meshtimeout/wrong (mesh default): Could not process a resource" in ran.err
    assert "at least one of: to, from" in ran.err


def test_all_is_asked_for_at_once_and_nothing_else_is_sent(server: Api, tmp_path: Path) -> None:
    previewed(server, tmp_path, "--strict")
    (posted,) = (each for each in server.asked if each.method != "GET")
    assert (posted.method, posted.target) == ("POST", "/_preview?strict=true")
    body = posted.json
    assert [each["name"] for each in body["resources"]] == ["t", "wrong"]
    assert {each["mesh"] for each in body["resources"]} == {"default"}
    assert body["deletions"] == []


def test_programs_get_the_answer_itself(server: Api, tmp_path: Path) -> None:
    assert json.loads(previewed(server, tmp_path, "-o", "json").out) == ANSWER


def test_what_is_pruned_is_foretold_as_a_deletion(tmp_path: Path) -> None:
    old = {
        "type": "MeshTimeout",
        "mesh": "default",
        "name": "old",
        "labels": {"kumactl/apply-set": "shop"},
    }

    def answer(asked: Asked) -> Reply:
        if asked.method == "POST":
            gone = {"type": "MeshTimeout", "mesh": "default", "name": "old", "outcome": "deleted"}
            return Reply(body={"resources": [ANSWER["resources"][0], gone], "meshes": []})
        items = [old, {**old, "name": "t"}] if asked.path == "/meshtimeouts" else []
        page = {"total": len(items), "items": items, "next": None}
        return Reply(body=INDEX if asked.path == "/" else page)

    with api(answer) as server:
        text = TWO.partition("---")[0]
        ran = previewed(server, tmp_path, "--apply-set", "shop", "--prune", text=text)
        (posted,) = (each for each in server.asked if each.method != "GET")
        assert posted.json["deletions"] == [
            {"type": "MeshTimeout", "mesh": "default", "name": "old"}
        ]
    assert ran.out.splitlines()[:2] == [
        "meshtimeout/t (mesh default) would be created",
        "meshtimeout/old (mesh default) would be deleted",
    ]


def test_a_control_plane_without_previews_is_not_asked_for_one(tmp_path: Path) -> None:
    with api(lambda _: Reply(body=KUMA_INDEX)) as server:
        ran = previewed(server, tmp_path)
        assert {each.method for each in server.asked} == {"GET"}
    assert (ran.status, "--dry-run" in ran.err) == (2, True)


@pytest.mark.parametrize("words", [["--dry-run"], []])
def test_flags_that_do_not_go_together_are_refused(words: list[str], tmp_path: Path) -> None:
    user = User(tmp_path, "http://127.0.0.1:1")
    given = ["--preview", *words] if words else ["-o", "json"]
    assert user.run("apply", "-f", "-", *given, stdin=TWO.encode()).status == 2


def test_proxies_of_which_the_same_becomes_stand_together() -> None:
    many = [proxy(f"web-{index}", CLUSTER) for index in range(NAMES_MAX + 2)]
    lines = proxies_text({"meshes": [mesh(*many)]}).splitlines()
    assert lines[3].endswith(f"web-{NAMES_MAX - 1} and 2 more")
    assert sum("connectTimeout" in line for line in lines) == 1


def test_what_was_left_out_is_told() -> None:
    (member,) = CLUSTER["members"]
    long = {**CLUSTER, "members": [member] * (MEMBERS_MAX + 1), "notShown": 4}
    hidden = {"type": "cluster", "name": "s", "change": "changed", "members": [], "hidden": True}
    complaint = {"about": "pay", "reason": "no such thing"}
    text = proxies_text(
        {
            "meshes": [
                mesh(
                    proxy("web-1", long, hidden, notShown=3, complaints=[complaint]),
                    notLookedAt=11,
                )
            ],
            "leftOut": {"resources": 5, "meshes": 2},
        }
    )
    for line in (
        "; 11 more were not looked at\n",
        "  NOT MADE: pay: no such thing\n",
        "      and 5 more members\n",
        "  ~ cluster s   something that may be a secret\n",
        "  and 3 more resources\n",
        "5 more resources would change\n",
        "2 more meshes were not looked at\n",
    ):
        assert line in text


def test_added_and_removed_members_and_resources_are_told_apart() -> None:
    members = [
        {"path": f"/{'deep/' * 30}timeout", "after": {"a": 1}},
        {"path": "/x", "before": "y" * 99},
    ]
    changed = {"type": "listener", "name": "l", "change": "changed", "members": members}
    added = {"type": "cluster", "name": "new", "change": "added", "after": {}}
    removed = {"type": "cluster", "name": "old", "change": "removed", "before": {}}
    lines = proxies_text({"meshes": [mesh(proxy("p", changed, added, removed))]}).splitlines()
    assert lines[5].strip().startswith("…")
    assert lines[5].endswith('deep/timeout   (nothing) -> {"a": 1}')
    assert lines[6].endswith("… -> (nothing)")
    assert lines[7:] == ["  + cluster new", "  - cluster old"]


def test_answers_of_any_shape_are_shown_as_far_as_they_go() -> None:
    assert proxies_text({}) == "\nNo proxy would be told anything else\n"
    assert proxies_text({"meshes": [{"proxies": [{"resources": [{"members": [{}]}]}]}]})
