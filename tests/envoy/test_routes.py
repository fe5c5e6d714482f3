"""Real Envoys route requests as MeshHTTPRoutes say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from support.daemons.daemon import Answer, eventually
from support.data_plane.applications import ask
from support.data_plane.envoy_stage import Proxy, Stage, staged

pytestmark = pytest.mark.system

REQUESTS = 400
SHARE = 0.2
SAMPLES = 3  # each of which is off by chance once in 370 times
JSON = dict[str, Any]


def prefix(value: str, **more: object) -> JSON:
    return {"path": {"type": "PathPrefix", "value": value}, **more}


def version(name: str, weight: int = 1) -> JSON:
    return {
        "kind": "MeshServiceSubset",
        "name": "backend",
        "tags": {"version": name},
        "weight": weight,
    }


def rule(match: JSON, *filters: JSON, to: tuple[JSON, ...] = ()) -> JSON:
    default: JSON = {"filters": list(filters)} if filters else {}
    return {"matches": [match], "default": {**default, **({"backendRefs": [*to]} if to else {})}}


def named(kind: str, member: str, **conf: object) -> JSON:
    return {"type": kind, member: conf}


V1, V2 = version("v1"), version("v2")
RULES = (
    rule(prefix("/split"), to=(version("v1", 80), version("v2", 20))),
    rule(
        prefix("/mirror"),
        named("RequestMirror", "requestMirror", backendRef={"kind": "MeshService", "name": "copy"}),
        to=(V1,),
    ),
    rule(
        prefix("/moved"),
        named(
            "RequestRedirect",
            "requestRedirect",
            hostname="elsewhere.example",
            port=8443,
            scheme="https",
            statusCode=308,
            path={"type": "ReplacePrefixMatch", "replacePrefixMatch": "/there/"},
        ),
    ),
    rule(
        prefix("/old"),
        named(
            "URLRewrite",
            "urlRewrite",
            hostname="new.example",
            path={"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"},
        ),
    ),
    rule(
        prefix("/whole"),
        named(
            "URLRewrite", "urlRewrite", path={"type": "ReplaceFullPath", "replaceFullPath": "/n"}
        ),
    ),
    rule(
        prefix("/headers"),
        named(
            "RequestHeaderModifier",
            "requestHeaderModifier",
            set=[{"name": "x-set", "value": "ours"}],
            add=[{"name": "x-add", "value": "ours"}],
            remove=["x-secret"],
        ),
        named(
            "ResponseHeaderModifier",
            "responseHeaderModifier",
            set=[{"name": "content-type", "value": "text/x-changed"}],
            add=[{"name": "x-answered", "value": "yes"}],
        ),
    ),
    rule(prefix("/api", headers=[{"name": "x-canary", "value": "yes"}]), to=(V2,)),
    rule(
        prefix("/api", queryParams=[{"type": "RegularExpression", "name": "v", "value": "2.*"}]),
        to=(V2,),
    ),
    rule(prefix("/api/long"), to=(V2,)),
    rule({"path": {"type": "Exact", "value": "/exact"}}, to=(V2,)),
    rule({"path": {"type": "RegularExpression", "value": "/r[0-9]+"}}, to=(V2,)),
    rule(prefix("/api"), to=(V1,)),
    rule(prefix("/exact"), to=(V1,)),
)


class Shop:
    """A client, two versions of what it calls, and a service that nobody calls."""

    def __init__(self, stage: Stage) -> None:
        for each in ("v1", "v2"):
            stage.start(stage.proxy(f"backend-{each}", "backend", tags={"version": each}))
        self.copy = stage.start(stage.proxy("copy-1", "copy"))
        self.web: Proxy = stage.start(stage.proxy("web-1", "web", to=("backend",)))
        entry = {"targetRef": {"kind": "MeshService", "name": "backend"}, "rules": [*RULES]}
        route = {
            "type": "MeshHTTPRoute",
            "mesh": "default",
            "name": "routes",
            "spec": {"targetRef": {"kind": "Mesh"}, "to": [entry]},
        }
        stage.put("/meshes/default/meshhttproutes/routes", route)
        eventually("requests are routed", lambda: self.ask("/moved").status == 308)
        eventually("v2 answers", lambda: self.ask("/exact").status == 200)
        eventually("v1 answers", lambda: self.ask("/api").status == 200)

    def ask(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return ask(self.web.outbound("backend"), path, headers)

    def answered_by(self, path: str, headers: Mapping[str, str] | None = None) -> object:
        return self.ask(path, headers).json["application"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with staged(tmp_path_factory.mktemp("routes")) as stage:
        found = Shop(stage)
        yield found
        assert found.web.envoy.rejected() == []


def test_requests_are_split_by_weight(shop: Shop) -> None:
    deviation = math.sqrt(REQUESTS * SHARE * (1 - SHARE))
    found = []
    for _ in range(SAMPLES):
        counted = Counter(shop.answered_by("/split") for _ in range(REQUESTS))
        assert set(counted) == {"backend-v1", "backend-v2"}
        found.append(abs(counted["backend-v2"] - REQUESTS * SHARE))
        if found[-1] <= 3 * deviation:
            return
    pytest.fail(f"{found} off, with a standard deviation of {deviation}")


def test_a_mirror_gets_every_request_and_answers_none(shop: Shop) -> None:
    counter = "cluster.localhost_9090.upstream_rq_total"
    before = shop.copy.envoy.stat(counter)
    assert {shop.answered_by("/mirror") for _ in range(10)} == {"backend-v1"}
    eventually("the copies arrive", lambda: shop.copy.envoy.stat(counter) == before + 10)


def test_a_request_is_sent_elsewhere(shop: Shop) -> None:
    for path, there in (("/moved", "/there/"), ("/moved/a?b=c", "/there/a?b=c")):
        answer = shop.ask(path)
        assert answer.status == 308
        assert answer.headers["location"] == f"https://elsewhere.example:8443{there}"


@pytest.mark.parametrize(
    ("asked", "came"),
    [("/old", "/"), ("/old/a/b?c=d", "/a/b?c=d"), ("/whole/a?b=c", "/n?b=c")],
)
def test_a_path_is_rewritten(shop: Shop, asked: str, came: str) -> None:
    assert shop.ask(asked).json["path"] == came


def test_a_host_is_rewritten(shop: Shop) -> None:
    headers = shop.ask("/old").json["headers"]
    assert isinstance(headers, dict)
    assert headers["host"] == "new.example"


def test_a_prefix_is_one_of_whole_segments(shop: Shop) -> None:
    assert shop.ask("/older").json["path"] == "/older"


def test_headers_are_set_added_and_removed_both_ways(shop: Shop) -> None:
    said = {"x-set": "theirs", "x-add": "theirs", "x-secret": "s"}
    answer = shop.ask("/headers", said)
    headers = answer.json["headers"]
    assert isinstance(headers, dict)
    assert headers["x-set"] == "ours"
    assert "x-secret" not in headers
    assert headers["x-add"] in {"ours", "theirs,ours", "theirs, ours"}
    assert (answer.headers["content-type"], answer.headers["x-answered"]) == (
        "text/x-changed",
        "yes",
    )


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/api", {}, "backend-v1"),
        ("/api", {"x-canary": "yes"}, "backend-v2"),
        ("/api", {"x-canary": "no"}, "backend-v1"),
        ("/api?v=21", {}, "backend-v2"),
        ("/api?v=1", {}, "backend-v1"),
        ("/api/long/er", {}, "backend-v2"),
        ("/api/longer", {}, "backend-v1"),
        ("/exact", {}, "backend-v2"),
        ("/exact/not", {}, "backend-v1"),
        ("/r12", {}, "backend-v2"),
    ],
)
def test_the_more_exact_match_takes_a_request(
    shop: Shop, path: str, headers: dict[str, str], name: str
) -> None:
    assert shop.answered_by(path, headers) == name
