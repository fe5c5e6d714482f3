"""MeshHTTPRoutes decide where the requests of real Envoys go, and what becomes of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import pytest

from support.daemons.daemon import eventually
from support.data_plane.shop import Shop, shop, to_rules

pytestmark = pytest.mark.system

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("shop")) as found:
        yield found


@pytest.fixture
def stage(running: Shop) -> Iterator[Shop]:
    with running.restored():
        yield running


def rule(
    *matches: Mapping[str, object],
    filters: tuple[Mapping[str, object], ...] = (),
    backends: tuple[Mapping[str, object], ...] = (),
) -> dict[str, object]:
    default: dict[str, object] = {"filters": list(filters)} if filters else {}
    if backends:
        default["backendRefs"] = list(backends)
    whole = matches or ({"path": {"type": "PathPrefix", "value": "/"}},)
    return {"matches": list(whole), "default": default}


def version(name: str, weight: int = 1) -> dict[str, object]:
    tags = {"version": name}
    return {"kind": "MeshServiceSubset", "name": "pool", "tags": tags, "weight": weight}


def test_requests_go_where_the_first_rule_that_they_match_sends_them(stage: Shop) -> None:
    rules = to_rules(
        "pool",
        rule({"path": {"type": "Exact", "value": "/one"}}, backends=(version("v1"),)),
        rule({"path": {"type": "PathPrefix", "value": "/two"}}, backends=(version("v2"),)),
        rule(backends=({"kind": "MeshService", "name": "backend"},)),
    )
    with stage.policy("MeshHTTPRoute", "web", to=rules):

        def answered(path: str) -> object:
            return stage.ask(path, "pool").json.get("application")

        eventually("the rest goes to backend", lambda: answered("/three") == "backend-1")
        assert {answered("/one") for _ in range(10)} == {"pool-1"}
        assert {answered("/two/more") for _ in range(10)} == {"pool-2"}
        assert answered("/one/more") == "backend-1"
        assert answered("/twofold") == "backend-1"


def test_headers_are_changed_on_both_ways(stage: Shop) -> None:
    changes = {
        "set": [{"name": "x-set", "value": "here"}],
        "add": [{"name": "x-add", "value": "more"}],
    }
    filters = (
        {"type": "RequestHeaderModifier", "requestHeaderModifier": changes},
        {
            "type": "ResponseHeaderModifier",
            "responseHeaderModifier": {**changes, "remove": ["server"]},
        },
    )
    with stage.policy("MeshHTTPRoute", "web", to=to_rules("backend", rule(filters=filters))):
        eventually("it hears of it", lambda: "x-set" in stage.headers())
        assert (stage.headers()["x-set"], stage.headers()["x-add"]) == ("here", "more")
        answer = stage.ask()
        assert (answer.headers["x-set"], answer.headers["x-add"]) == ("here", "more")


def test_a_request_is_sent_elsewhere(stage: Shop) -> None:
    redirect = {"scheme": "https", "hostname": "shop.test", "port": 8443, "statusCode": 301}
    filters = ({"type": "RequestRedirect", "requestRedirect": redirect},)
    with stage.policy("MeshHTTPRoute", "web", to=to_rules("backend", rule(filters=filters))):
        eventually("it is sent away", lambda: stage.ask("/a?b=c").status == 301)
        assert stage.ask("/a?b=c").headers["location"] == "https://shop.test:8443/a?b=c"


def test_the_prefix_of_a_path_is_replaced(stage: Shop) -> None:
    # The slash behind the prefix is replaced with it.
    path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/v2/"}
    filters = ({"type": "URLRewrite", "urlRewrite": {"hostname": "new.test", "path": path}},)
    api = rule({"path": {"type": "PathPrefix", "value": "/api"}}, filters=filters)

    def heard(path: str) -> object:
        return stage.ask(path).json.get("path")

    with stage.policy("MeshHTTPRoute", "web", to=to_rules("backend", api)):
        eventually("it is replaced", lambda: heard("/api/shop?all") == "/v2/shop?all")
        assert heard("/api") == "/v2/"
        assert heard("/apis") == "/apis"
        assert stage.headers("/api")["host"] == "new.test"


def test_a_copy_of_each_request_arrives_elsewhere(stage: Shop) -> None:
    mirror = {"percentage": 100, "backendRef": {"kind": "MeshService", "name": "pool"}}
    filters = ({"type": "RequestMirror", "requestMirror": mirror},)
    with stage.policy("MeshHTTPRoute", "web", to=to_rules("backend", rule(filters=filters))):
        stage.web_has("request_mirror_policies")
        path = f"/copied/{next(NUMBERS)}"
        assert stage.ask(path).json["application"] == "backend-1"
        pool = [stage.scripts[name] for name in ("pool-1", "pool-2")]
        eventually("a copy is there", lambda: sum(each.asked[path] for each in pool) == 1)


def test_a_timeout_of_a_route_is_about_this_route_alone(stage: Shop) -> None:
    slow = rule({"path": {"type": "Exact", "value": "/held/short"}})
    target = {"kind": "MeshHTTPRoute", "name": "meshhttproute-web"}
    path = "/meshes/default/meshtimeouts/of-a-route"
    spec = {
        "targetRef": target,
        "to": [
            {
                "targetRef": {"kind": "Mesh"},
                "default": {"http": {"requestTimeout": "300ms", "streamIdleTimeout": "0s"}},
            }
        ],
    }
    script = stage.scripts["backend-1"]
    with stage.policy("MeshHTTPRoute", "web", to=to_rules("backend", slow)):
        document = {"type": "MeshTimeout", "mesh": "default", "name": "of-a-route", "spec": spec}
        stage.stage.put(path, document)
        try:
            stage.web_has("0.300s")
            assert stage.ask("/held/short").status == 504
            script.released.set()
            assert stage.ask("/held/long").status == 200
        finally:
            stage.stage.delete(path)
            script.released.clear()
