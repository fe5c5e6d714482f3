"""`kumactl explain`: what who is on call reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kong_mesh_cp.core.xds.explaining.explanation import Wanted, explained
from kong_mesh_cp.core.xds.parts import Parts
from kumactl.tables.explanation import LEFT_ASIDE_MAX, VALUE_CHARACTERS_MAX, explanation_text
from support.daemons.kuma_api import INDEX, Asked, Reply, api
from support.daemons.kumactl_runs import User
from support.specs.sidecars import (
    NOTHING_ELSE,
    ROUTE_ALL,
    inbound,
    instance,
    older,
    outbound,
    policy,
    to_mesh,
    to_service,
    web,
)
from support.specs.transparent_proxies import view_of

MESH_WIDE = policy(
    "MeshTimeout", "everywhere", to=to_mesh(connectionTimeout="5s", http={"requestTimeout": "9s"})
)
MINE = policy(
    "MeshTimeout",
    "mine",
    targetRef={"kind": "Dataplane", "name": "web-1"},
    to=to_service("pay", http={"requestTimeout": "2s"}),
)


def answer(*policies: Any, **wanted: Any) -> Any:
    own = web(inbound("web", 8080, "http"), to=(outbound(10001, "pay"),))
    view = view_of(own, instance("pay", "http"), *policies, metadata=NOTHING_ELSE)
    return explained(view, Parts(), Wanted(**wanted))


def test_a_setting_shows_its_policy_who_lost_and_why() -> None:
    text = explanation_text(answer(MESH_WIDE, MINE, outbound="pay"))
    assert text == (
        "Dataplane web-1 of mesh m\n"
        "\n"
        "OUTBOUND pay at 127.0.0.1:10001 (http)\n"
        "  listener outbound:127.0.0.1:10001\n"
        "  cluster  pay\n"
        "\n"
        "  MeshTimeout\n"
        "    SETTING                      VALUE    FROM               AT ENVOY\n"
        "    connectionTimeout            5s       everywhere to[0]   nothing\n"
        "    http.requestTimeout          2s       mine to[0]         listener\n"
        "      lost                       9s       everywhere to[0]   "
        "less specific targetRef: Mesh, against Dataplane\n"
        "    idleTimeout                  1h0m0s   default\n"
        "    http.streamIdleTimeout       30m0s    default\n"
        "    http.requestHeadersTimeout   0s       default\n"
        "    http.maxStreamDuration       0s       default\n"
        "    http.maxConnectionDuration   0s       default\n"
        "\n"
        "  MeshRetry\n"
        "    SETTING                      VALUE    FROM               AT ENVOY\n"
        "    http.numRetries              0        default\n"
    )


def test_clients_are_told_apart_by_their_tags() -> None:
    permission = policy(
        "MeshTrafficPermission",
        from_=[
            *to_mesh(action="Deny"),
            {
                "targetRef": {"kind": "MeshSubset", "tags": {"team": "a"}},
                "default": {"action": "Allow"},
            },
        ],
    )
    lines = explanation_text(answer(permission, inbound=8080)).splitlines()
    assert "  MeshTrafficPermission, of clients with team=a" in lines
    assert "  MeshTrafficPermission, of clients without team=a" in lines


def test_long_values_are_cut_and_what_could_not_be_made_stands_first() -> None:
    shown = answer(outbound="pay")
    shown["complaints"] = [{"about": "pay", "reason": "no such thing"}]
    long = "x" * VALUE_CHARACTERS_MAX * 2
    shown["outbounds"][0]["policies"][0]["settings"][0]["value"] = long
    lines = explanation_text(shown).splitlines()
    assert lines[1] == "NOT MADE: pay: no such thing"
    (cut,) = (line for line in lines if "x…" in line)
    assert f"{'x' * (VALUE_CHARACTERS_MAX - 1)}…" in cut


def test_policies_of_the_older_generation_are_told_with_those_that_lost() -> None:
    conf = {"http": {"requestTimeout": "2s"}}
    mine = older("Timeout", "mine", to="pay", conf=conf)
    lines = explanation_text(
        answer(ROUTE_ALL, mine, older("Timeout", "all", conf=conf), outbound="pay")
    ).splitlines()
    start = lines.index("  Timeout")
    assert lines[start : start + 4] == [
        "  Timeout",
        "    SETTING                       VALUE   FROM   AT ENVOY",
        "    http.requestTimeout           2s      mine   listener",
        "      lost                                all    0 tags of it are exact, against 1",
    ]


def test_more_outbounds_than_an_answer_has_are_told() -> None:
    text = explanation_text({**answer(), "leftOut": {"outbounds": 7}})
    assert text.endswith("\n7 more outbounds: ask for one by --outbound SERVICE\n")


def test_policies_that_do_not_count_are_told_last_and_only_a_few_of_them() -> None:
    elsewhere = policy("MeshTimeout", "elsewhere", to=to_service("tcp", connectionTimeout="1s"))
    others = [
        policy(
            "MeshTimeout",
            f"other-{index:02}",
            targetRef={"kind": "Dataplane", "name": "pay-2"},
            to=to_mesh(connectionTimeout="1s"),
        )
        for index in range(LEFT_ASIDE_MAX + 1)
    ]
    lines = explanation_text(answer(elsewhere, *others, outbound="pay")).splitlines()
    assert "    say nothing here: elsewhere" in lines
    assert lines[-LEFT_ASIDE_MAX - 2 : -LEFT_ASIDE_MAX] == [
        "NOT ABOUT THIS PROXY",
        "  MeshTimeout other-00   its targetRef means other Dataplanes",
    ]
    assert lines[-1] == "  and 1 more policies: -o json"


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ([], ""),
        (["--outbound", "pay"], "?outbound=pay"),
        (["--inbound", "8080", "--shadow"], "?inbound=8080&shadow=true"),
    ],
)
def test_the_control_plane_is_asked_for_what_is_wanted(
    words: list[str], query: str, tmp_path: Path
) -> None:
    def reply(asked: Asked) -> Reply:
        return Reply(body=INDEX if asked.path == "/" else answer())

    with api(reply) as server:
        ran = User(tmp_path, server.url).run(
            "explain", "dataplane", "web-1", "-m", "m", "-o", "json", *words
        )
        assert server.lines() == [f"GET /meshes/m/dataplanes/web-1/_explain{query}"]
    assert json.loads(ran.out)["resource"]["name"] == "web-1"


@pytest.mark.parametrize(
    ("is_there", "status", "said"),
    [
        (False, 4, 'there is no Dataplane with name "web-2"; did you mean "web-1"?'),
        (True, 4, "Page Not Found"),
    ],
)
def test_a_proxy_that_is_not_there_is_told_from_a_control_plane_that_explains_nothing(
    is_there: bool, status: int, said: str, tmp_path: Path
) -> None:
    def reply(asked: Asked) -> Reply:
        path = asked.path.partition("?")[0]
        if path == "/":
            return Reply(body=INDEX)
        if path == "/meshes/m/dataplanes":
            return Reply(body={"items": [{"name": "web-1"}], "total": 1})
        if path == "/meshes/m/dataplanes/web-2" and is_there:
            return Reply(body={"name": "web-2"})
        return Reply(404, {"title": "Page Not Found", "detail": "no such path"})

    with api(reply) as server:
        ran = User(tmp_path, server.url).run("explain", "dataplane", "web-2", "-m", "m")
    assert ran.status == status
    assert said in ran.err


@pytest.mark.parametrize(
    "words", [["--inbound", "http"], ["--inbound", "0"], ["--inbound", "1", "--outbound", "x"]]
)
def test_what_cannot_be_asked_for_is_a_wrong_command_line(words: list[str], tmp_path: Path) -> None:
    ran = User(tmp_path, "http://127.0.0.1:1").run("explain", "dataplane", "web-1", *words)
    assert ran.status == 2


def test_answers_of_any_shape_are_shown_as_far_as_they_go() -> None:
    assert explanation_text({"inbounds": [{"policies": [{"settings": [{}]}]}], "proxy": 7})
