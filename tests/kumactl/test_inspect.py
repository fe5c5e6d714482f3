"""`kumactl inspect` beyond the recorded cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kumactl.tables.insight_tables import dataplane_status
from support.daemons.kuma_api import INDEX, Asked, Reply, api
from support.daemons.kumactl_runs import User

ONLINE: dict[str, Any] = {
    "subscriptions": [
        {
            "connectTime": "2026-01-01T08:00:00Z",
            "disconnectTime": "2026-01-01T09:00:00Z",
            "status": {"total": {"responsesSent": "10", "responsesRejected": "1"}},
        },
        {
            "connectTime": "2026-01-01T10:00:00Z",
            "status": {
                "lastUpdateTime": "2026-01-01T11:59:00Z",
                "total": {"responsesSent": "20", "responsesRejected": "2"},
            },
            "version": {
                "kumaDp": {"version": "2.10.11"},
                "envoy": {"version": "1.33.2"},
                "dependencies": {"coredns": "1.11.1"},
            },
        },
    ],
    "mTLS": {
        "issuedBackend": "ca-1",
        "supportedBackends": ["ca-1", "ca-2"],
        "certificateRegenerations": 3,
        "lastCertificateRegeneration": "2025-12-31T12:00:00Z",
    },
}


def _serving(document: object) -> Any:
    def answer(asked: Asked) -> Reply:
        return Reply(body=INDEX if asked.path == "/" else document)

    return answer


def _page(*items: dict[str, Any]) -> dict[str, Any]:
    return {"total": len(items), "items": list(items), "next": None}


def _columns(table: str) -> list[dict[str, str]]:
    """The rows of a table by header; columns are where the headers stand."""
    head, *lines = table.splitlines()
    names = [name for name in head.split("   ") if name.strip()]
    starts = [head.index(name) for name in names]
    ends = [*starts[1:], None]
    return [
        {n.strip(): line[a:b].strip() for n, a, b in zip(names, starts, ends, strict=True)}
        for line in lines
    ]


def test_dataplanes_show_status_counts_certificate_and_versions(tmp_path: Path) -> None:
    overview = {
        "mesh": "default",
        "name": "web-1",
        "dataplane": {"networking": {"inbound": [{"tags": {"kuma.io/service": "web"}}]}},
        "dataplaneInsight": ONLINE,
    }
    bare = {"mesh": "default", "name": "web-2", "dataplane": {}}

    with api(_serving(_page(overview, bare))) as server:
        ran = User(tmp_path, server.url).run("inspect", "dataplanes", "--tag", "a=b", "--gateway")

    path = "/meshes/default/dataplanes/_overview?tag=a%3Ab&gateway=true&size=1000&offset=0"
    assert server.lines() == [f"GET {path}"]
    first, second = _columns(ran.out)
    assert first == {
        "MESH": "default",
        "NAME": "web-1",
        "TAGS": "kuma.io/service=web",
        "STATUS": "Online",
        "LAST CONNECTED AGO": "2h",
        "LAST UPDATED AGO": "1m",
        "TOTAL UPDATES": "30",
        "TOTAL ERRORS": "3",
        "CERT REGENERATED AGO": "1d",
        "CERT EXPIRATION": "-",
        "CERT REGENERATIONS": "3",
        "CERT BACKEND": "ca-1",
        "SUPPORTED CERT BACKENDS": "ca-1,ca-2",
        "KUMA-DP VERSION": "2.10.11",
        "ENVOY VERSION": "1.33.2",
        "DEPENDENCIES VERSIONS": "coredns: 1.11.1",
        "NOTES": "",
    }
    assert second["STATUS"] == "Offline"
    assert second["LAST CONNECTED AGO"] == "never"
    assert second["CERT BACKEND"] == "-"


READY: dict[str, Any] = {"port": 1, "tags": {"kuma.io/service": "a"}}
NOT_READY = {"port": 2, "tags": {"kuma.io/service": "b"}, "state": "NotReady"}
UNHEALTHY = {"port": 3, "tags": {"kuma.io/service": "c"}, "health": {}}
NOTE_2 = "inbound[port=2,svc=b] is not ready"
NOTE_3 = "inbound[port=3,svc=c] is not ready"


@pytest.mark.parametrize(
    ("networking", "online", "status"),
    [
        ({"inbound": [READY]}, True, ("Online", [])),
        ({"inbound": [READY]}, False, ("Offline", [])),
        ({"inbound": [{**READY, "health": {"ready": True}}]}, True, ("Online", [])),
        ({"inbound": [READY, NOT_READY]}, True, ("Partially degraded", [NOTE_2])),
        ({"inbound": [UNHEALTHY, NOT_READY]}, True, ("Offline", [NOTE_3, NOTE_2])),
        ({"inbound": [UNHEALTHY], "gateway": {}}, True, ("Online", [])),
        ({}, True, ("Online", [])),
    ],
)
def test_a_proxy_is_as_online_as_its_inbounds(
    networking: dict[str, Any], *, online: bool, status: tuple[str, list[str]]
) -> None:
    insight = ONLINE if online else {"subscriptions": ONLINE["subscriptions"][:1]}
    overview = {"dataplane": {"networking": networking}, "dataplaneInsight": insight}

    assert dataplane_status(overview) == status


def test_meshes_show_how_many_proxies_are_online(tmp_path: Path) -> None:
    insight = {
        "name": "default",
        "dataplanes": {"total": 3, "online": 2},
        "policies": {"TrafficLog": {"total": 7}},
    }

    with api(_serving(_page(insight))) as server:
        row = _columns(User(tmp_path, server.url).run("inspect", "meshes").out)[0]

    assert (row["MESH"], row["DATAPLANES"], row["TRAFFIC LOGS"], row["RATE LIMITS"]) == (
        *("default", "2/3"),
        *("7", "0"),
    )


def test_services_show_their_status_in_words(tmp_path: Path) -> None:
    items = [
        {"name": "web", "status": "partially_degraded", "dataplanes": {"total": 2, "online": 1}},
        {"name": "db", "status": "offline", "dataplanes": {}},
    ]

    with api(_serving(_page(*items))) as server:
        ran = User(tmp_path, server.url).run("inspect", "services", "-m", "m")

    assert server.lines() == ["GET /meshes/m/service-insights?size=1000&offset=0"]
    assert ran.out == (
        "SERVICE   STATUS               DATAPLANES\n"
        "web       Partially degraded   1/2\n"
        "db        Offline              0/0\n"
    )


def test_zones_show_the_version_and_the_store_of_their_control_plane(tmp_path: Path) -> None:
    subscription = {
        "connectTime": "2026-01-01T11:00:00Z",
        "version": {"kumaCp": {"version": "2.10.1"}},
        "config": json.dumps({"store": {"type": "postgres"}}),
    }
    online = {"name": "east", "zone": {}, "zoneInsight": {"subscriptions": [subscription]}}
    disabled = {**online, "name": "west", "zone": {"enabled": False}}

    with api(_serving(_page(online, disabled))) as server:
        rows = _columns(User(tmp_path, server.url).run("inspect", "zones").out)

    assert [row["STATUS"] for row in rows] == ["Online", "Offline"]
    assert rows[0]["ZONE-CP VERSION"] == "2.10.1"
    assert rows[0]["BACKEND"] == "postgres"
    assert server.lines() == ["GET /zones/_overview?size=1000&offset=0"]


@pytest.mark.parametrize(
    ("word", "path", "member"),
    [
        ("zone-ingresses", "/zone-ingresses/_overview", "zoneIngressInsight"),
        ("zoneegresses", "/zoneegresses/_overview", "zoneEgressInsight"),
    ],
)
def test_zone_proxies_show_their_versions(
    word: str, path: str, member: str, tmp_path: Path
) -> None:
    with api(_serving(_page({"name": "one", member: ONLINE}))) as server:
        rows = _columns(User(tmp_path, server.url).run("inspect", word).out)

    assert rows[0]["STATUS"] == "Online"
    assert rows[0]["ENVOY VERSION"] == "1.33.2"
    assert server.lines() == [f"GET {path}?size=1000&offset=0"]


def test_all_pages_are_gathered(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        offset = int(dict(asked.query).get("offset", "0"))
        following = f"http://x/zones/_overview?offset={offset + 1}&size=1" if offset < 2 else None
        return Reply(body={"total": 3, "items": [{"name": f"z{offset}"}], "next": following})

    with api(answer) as server:
        ran = User(tmp_path, server.url).run("inspect", "zones", "-o", "json")

    assert [item["name"] for item in json.loads(ran.out)["items"]] == ["z0", "z1", "z2"]
    assert json.loads(ran.out)["total"] == 3


@pytest.mark.parametrize(
    ("argv", "target"),
    [
        ("dataplane d", "/meshes/default/dataplanes/d/policies"),
        ("dataplane d --type config-dump", "/meshes/default/dataplanes/d/xds?include_eds=false"),
        ("dataplane d --config-dump", "/meshes/default/dataplanes/d/xds?include_eds=false"),
        (
            "dataplane d --type config-dump --include-eds",
            "/meshes/default/dataplanes/d/xds?include_eds=true",
        ),
        ("dataplane d --type stats -m x", "/meshes/x/dataplanes/d/stats"),
        ("dataplane d --type clusters", "/meshes/default/dataplanes/d/clusters"),
        ("dataplane d --type config", "/meshes/default/dataplanes/d/_config?shadow=false"),
        (
            "dataplane d --type config --shadow --include diff",
            "/meshes/default/dataplanes/d/_config?shadow=true&include=diff",
        ),
        ("zone-ingress i --type stats", "/zoneingresses/i/stats"),
        ("zoneingress i --type clusters", "/zoneingresses/i/clusters"),
        ("zoneingress i --include-eds", "/zoneingresses/i/xds?include_eds=true"),
        ("zoneegress e", "/zoneegresses/e/xds?include_eds=false"),
        ("zoneegress e --include-eds -o yaml", "/zoneegresses/e/xds?include_eds=true"),
        ("meshgateway g", "/meshes/default/meshgateways/g/dataplanes"),
        ("meshtimeout t", "/meshes/default/meshtimeouts/t/dataplanes"),
        ("healthcheck h", "/meshes/default/health-checks/h/dataplanes"),
        (
            "meshtimeout t --new-api --size 5 --offset 10",
            "/meshes/default/meshtimeouts/t/_resources/dataplanes?size=5&offset=10",
        ),
        ("meshtimeout t --new-api", "/meshes/default/meshtimeouts/t/_resources/dataplanes"),
    ],
)
def test_each_question_goes_to_its_path(argv: str, target: str, tmp_path: Path) -> None:
    with api(_serving({})) as server:
        ran = User(tmp_path, server.url).run("inspect", *argv.split())

    assert (ran.status, ran.err) == (0, "")
    assert server.lines() == [f"GET {target}"]


@pytest.mark.parametrize(
    ("argv", "tags"),
    [
        ("--tag kuma.io/service=web,version=1", ["kuma.io/service:web", "version:1"]),
        ("--tag kuma.io/service=web --tag version=1", ["kuma.io/service:web", "version:1"]),
        ("--tag a=1,b=2 --tag c=3", ["a:1", "b:2", "c:3"]),
        ("--tag a=", ["a:"]),
        ("--tag=a=b=c", ["a:b=c"]),
    ],
)
def test_every_tag_is_a_condition_of_its_own(argv: str, tags: list[str], tmp_path: Path) -> None:
    with api(_serving(_page())) as server:
        ran = User(tmp_path, server.url).run("inspect", "dataplanes", *argv.split())

    assert ran.status == 0
    assert [value for key, value in server.asked[-1].query if key == "tag"] == tags


@pytest.mark.parametrize("tags", ["web", "a=1,web", "a=1,", ",", "=1", "a=1,=2", ""])
def test_what_is_no_tag_is_refused_and_nothing_is_asked(tags: str, tmp_path: Path) -> None:
    with api(_serving(_page())) as server:
        ran = User(tmp_path, server.url).run("inspect", "dataplanes", "--tag", tags)

    assert (ran.status, server.asked) == (2, [])
    assert 'for "--tag" flag: that is not of the form key=value' in ran.err


def test_ingresses_are_asked_for_by_their_flag(tmp_path: Path) -> None:
    with api(_serving(_page())) as server:
        User(tmp_path, server.url).run("inspect", "dataplanes", "--ingress")

    assert ("ingress", "true") in server.asked[-1].query


@pytest.mark.parametrize(
    "argv", ["dataplane d", "dataplane d --type stats", "zoneegress e --type clusters"]
)
def test_endpoints_are_a_part_of_a_configuration_only(argv: str, tmp_path: Path) -> None:
    with api(_serving({})) as server:
        ran = User(tmp_path, server.url).run("inspect", *argv.split(), "--include-eds")

    assert (ran.status, server.lines()) == (2, [])
    assert ran.err == "Error: flag '--include-eds' can be used only when '--type=config-dump'\n"


@pytest.mark.parametrize(
    "argv",
    [
        "meshtimeout t -o json",
        "-o json meshtimeout t",
        "meshtimeout t --new-api -o json",
        "dataplane d -o json",
        "meshgateway g -o json",
        "-o json zones",
    ],
)
def test_every_answer_can_be_had_as_json(argv: str, tmp_path: Path) -> None:
    answer = _page({"type": "Zone", "name": "z"})

    with api(_serving(answer)) as server:
        ran = User(tmp_path, server.url).run("inspect", *argv.split())

    assert (ran.status, json.loads(ran.out)) == (0, answer)


def test_what_envoy_has_is_printed_as_it_is_but_obeyed_by_no_terminal(tmp_path: Path) -> None:
    with api(_serving(b"cluster.a\ttotal: 1\n\n\x1b[2J\xff")) as server:
        ran = User(tmp_path, server.url).run("inspect", "dataplane", "d", "--type", "stats")

    assert ran.out == "cluster.a\ttotal: 1\n\n\\x1b[2J\ufffd"


def test_shadow_needs_the_type_config(tmp_path: Path) -> None:
    ran = User(tmp_path, "http://127.0.0.1:9").run("inspect", "dataplane", "d", "--shadow")

    assert ran.status == 2
    assert "only when --type=config" in ran.err


def test_the_policies_of_a_sidecar_stand_under_where_they_attach(tmp_path: Path) -> None:
    attached = {
        "type": "inbound",
        "name": "127.0.0.1:10010:10011",
        "service": "backend",
        "matchedPolicies": {"TrafficPermission": [{"name": "a"}, {"name": "b"}], "Retry": []},
    }
    answer = {"kind": "SidecarDataplane", "items": [{"type": "dataplane"}, attached]}

    with api(_serving(answer)) as server:
        ran = User(tmp_path, server.url).run("inspect", "dataplane", "d")

    assert ran.out == (
        "DATAPLANE:\n"
        "\n"
        "INBOUND 127.0.0.1:10010:10011(backend):\n"
        "  Retry\n"
        "  TrafficPermission\n"
        "    a\n"
        "    b\n"
        "\n"
    )


def test_the_proxies_that_a_policy_selects_are_a_table(tmp_path: Path) -> None:
    items = [{"type": "Dataplane", "mesh": "default", "name": name} for name in ("foo", "bar")]

    with api(_serving({"items": items, "total": 2})) as server:
        ran = User(tmp_path, server.url).run("inspect", "meshtrafficpermission", "p", "--new-api")

    assert ran.out == (
        "Type        Mesh      Name\n"
        "Dataplane   default   foo\n"
        "Dataplane   default   bar\n"
        "\n"
        "Total: 2\n"
    )
