"""Why a proxy is configured as it is (docs/wire/inspection.md#why-a-proxy-is-configured-as-it-is)."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from kong_mesh_cp.core.xds.explaining.explanation import (
    OUTBOUNDS_MAX,
    NoSuchPlaceError,
    Wanted,
    explained,
)
from kong_mesh_cp.core.xds.parts import Parts
from support.specs.sidecars import (
    NOTHING_ELSE,
    inbound,
    instance,
    outbound,
    policy,
    to_mesh,
    to_service,
    told,
    web,
)
from support.specs.transparent_proxies import Json, mesh, view_of

OWN = web(inbound("web", 8080, "http"), to=(outbound(10001, "pay"), outbound(10002, "tcp")))
OTHERS = (instance("pay", "http"), instance("tcp", "tcp", 3))
LISTENER = {"type": "listener", "name": "outbound:127.0.0.1:10001"}
PAY = {"type": "cluster", "name": "pay"}


def answer(*documents: Json, **wanted: Any) -> Json:
    view = view_of(OWN, *OTHERS, *documents, metadata=NOTHING_ELSE)
    return explained(view, Parts(), Wanted(**wanted))


def settings(shown: Json, policy_type: str = "MeshTimeout") -> dict[str, Json]:
    """Of the only place in `shown`, by member."""
    places: list[Json] = [*shown["inbounds"], *shown["outbounds"]]
    (place,) = places
    return {
        each["member"]: each
        for group in place["policies"]
        if group["type"] == policy_type
        for each in group["settings"]
    }


def test_without_policies_the_defaults_hold() -> None:
    found = settings(answer(inbound=8080))
    assert {member: (each["value"], each["source"]) for member, each in found.items()} == {
        "connectionTimeout": ("5s", "default"),
        "idleTimeout": ("1h0m0s", "default"),
        "http.requestTimeout": ("15s", "default"),
        "http.streamIdleTimeout": ("30m0s", "default"),
        "http.requestHeadersTimeout": ("0s", "default"),
        "http.maxStreamDuration": ("0s", "default"),
        "http.maxConnectionDuration": ("0s", "default"),
    }


def test_a_member_names_the_entry_that_says_it_and_the_one_that_lost() -> None:
    everybody = policy("MeshTimeout", "all", to=to_mesh(http={"requestTimeout": "9s"}))
    mine = policy(
        "MeshTimeout",
        "mine",
        targetRef={"kind": "Dataplane", "name": "web-1"},
        to=[*to_mesh(connectionTimeout="1s"), *to_service("pay", http={"requestTimeout": "2s"})],
    )
    said = settings(answer(everybody, mine, outbound="pay"))["http.requestTimeout"]
    assert said["value"] == "2s"
    assert said["from"] == {
        "type": "MeshTimeout",
        "mesh": "m",
        "name": "mine",
        "role": "system",
        "origin": "zone",
        "zone": "default",
        "targetRef": {"kind": "Dataplane", "name": "web-1"},
        "list": "to",
        "index": 1,
        "entryTargetRef": {"kind": "MeshService", "name": "pay"},
    }
    (lost,) = said["lost"]
    assert (lost["value"], lost["from"]["name"], lost["reason"]) == ("9s", "all", "target-kind")
    assert lost["why"] == "less specific targetRef: Mesh, against Dataplane"


def test_a_member_names_the_resources_that_carry_it() -> None:
    said = settings(
        answer(
            policy(
                "MeshTimeout",
                to=to_mesh(connectionTimeout="1s", http={"requestTimeout": "2s"}),
            ),
            outbound="pay",
        )
    )
    assert said["connectionTimeout"]["envoy"] == [PAY]
    assert said["http.requestTimeout"]["envoy"] == [LISTENER]


def test_what_changes_nothing_at_envoy_is_carried_by_nothing() -> None:
    said = settings(
        answer(policy("MeshTimeout", to=to_mesh(connectionTimeout="5s")), outbound="pay")
    )
    assert said["connectionTimeout"]["envoy"] == []


def test_an_outbound_shows_what_it_is_made_of() -> None:
    (shown,) = answer(outbound="pay")["outbounds"]
    assert (shown["service"], shown["protocol"], shown["addresses"]) == (
        "pay",
        "http",
        ["127.0.0.1:10001"],
    )
    assert shown["envoy"] == [LISTENER, PAY]


def test_an_outbound_is_found_by_its_listener_too() -> None:
    (shown,) = answer(outbound="outbound:127.0.0.1:10002")["outbounds"]
    assert shown["service"] == "tcp"


def test_clusters_of_a_split_are_those_that_its_listener_leads_to() -> None:
    split = policy(
        "MeshHTTPRoute",
        "split",
        to=[
            {
                "targetRef": {"kind": "MeshService", "name": "pay"},
                "rules": [
                    {
                        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                        "default": {
                            "backendRefs": [
                                {"kind": "MeshService", "name": "pay", "weight": 1},
                                {"kind": "MeshService", "name": "spare", "weight": 1},
                            ]
                        },
                    }
                ],
            }
        ],
    )
    shown = answer(split, instance("spare", "http", 4), outbound="pay")
    (place,) = shown["outbounds"]
    assert place["envoy"] == [LISTENER, PAY, {"type": "cluster", "name": "spare"}]
    members = settings(shown, "MeshHTTPRoute")
    assert members["rules[0].default.backendRefs"]["from"]["name"] == "split"


def test_a_client_gets_what_the_first_rule_about_it_says() -> None:
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
    (place,) = answer(permission, inbound=8080)["inbounds"]
    groups = [each for each in place["policies"] if each["type"] == "MeshTrafficPermission"]
    allowed, denied = ((each["clients"], each["settings"][0]) for each in groups)
    assert allowed[0] == [{"key": "team", "not": False, "value": "a"}]
    assert (allowed[1]["value"], denied[1]["value"]) == ("Allow", "Deny")
    assert allowed[1]["lost"][0]["why"] == "the same policy says it again in from[1]"


def test_in_a_mesh_with_mtls_nobody_enters_without_a_permission() -> None:
    backend = {"name": "ca", "type": "builtin"}
    secured = mesh(mtls={"enabledBackend": "ca", "backends": [backend]})
    found = settings(answer(secured, inbound=8080), "MeshTrafficPermission")
    assert (found["action"]["value"], found["action"]["source"]) == ("Deny", "default")
    assert settings(answer(inbound=8080), "MeshTrafficPermission") == {}


def test_all_is_shown_where_nothing_is_asked_for_and_else_only_that() -> None:
    everything = answer()
    assert [each["port"] for each in everything["inbounds"]] == [8080]
    assert [each["service"] for each in everything["outbounds"]] == ["pay", "tcp"]
    assert answer(inbound=8080)["outbounds"] == []
    assert answer(outbound="pay")["inbounds"] == []


@pytest.mark.parametrize(
    ("wanted", "known"), [({"inbound": 1}, "8080"), ({"outbound": "gone"}, "pay, tcp")]
)
def test_a_place_that_is_not_there_is_told_with_those_that_are(
    wanted: dict[str, Any], known: str
) -> None:
    with pytest.raises(NoSuchPlaceError, match=known):
        answer(**wanted)


def test_shadow_policies_count_where_they_are_asked_for() -> None:
    shadow = {
        **policy("MeshTimeout", to=to_mesh(connectionTimeout="1s")),
        "labels": {"kuma.io/effect": "shadow"},
    }
    view = view_of(OWN, *OTHERS, shadow, metadata=NOTHING_ELSE)
    wanted = Wanted(outbound="pay")
    assert settings(explained(view, Parts(), wanted))["connectionTimeout"]["source"] == "default"
    tried = explained(replace(view, with_shadow=True), Parts(), wanted)
    assert settings(tried)["connectionTimeout"]["value"] == "1s"


def test_more_outbounds_than_an_answer_holds_are_counted() -> None:
    many = tuple(outbound(20000 + index, f"s{index}") for index in range(OUTBOUNDS_MAX + 3))
    view = view_of(web(to=many), metadata=NOTHING_ELSE)
    shown: Json = explained(view, Parts(), Wanted())
    assert len(shown["outbounds"]) == OUTBOUNDS_MAX
    assert shown["leftOut"] == {"outbounds": 3}


def test_policies_that_the_proxy_does_not_get_are_told_with_the_reason() -> None:
    shadow = {
        **policy("MeshTimeout", "shadow", to=to_mesh(connectionTimeout="1s")),
        "labels": {"kuma.io/effect": "shadow"},
    }

    def about(called: str, **target: Any) -> Json:
        to = to_mesh(connectionTimeout="1s")
        return policy("MeshTimeout", called, targetRef=target, to=to)

    found = answer(
        shadow,
        about("other", kind="Dataplane", name="pay-2"),
        about("gateways", kind="Mesh", proxyTypes=["Gateway"]),
        about("tagged", kind="MeshSubset", tags={"team": "a"}),
        about("routed", kind="MeshHTTPRoute", name="gone"),
        about("mine", kind="Dataplane", name="web-1"),
    )
    assert {each["name"]: each["why"] for each in found["leftAside"]} == {
        "shadow": "it is only tried out (label kuma.io/effect: shadow)",
        "other": "its targetRef means other Dataplanes",
        "gateways": "its proxyTypes are others",
        "tagged": "no inbound has the tags of its targetRef",
        "routed": "couldn't resolve MeshHTTPRoute targetRef with name 'gone'",
    }


def test_policies_that_say_nothing_of_a_place_are_named_there() -> None:
    elsewhere = policy("MeshTimeout", "elsewhere", to=to_service("tcp", connectionTimeout="1s"))
    (place,) = answer(elsewhere, outbound="pay")["outbounds"]
    (group,) = (each for each in place["policies"] if each["type"] == "MeshTimeout")
    assert group["silent"] == ["elsewhere"]
    (inbound_place,) = answer(elsewhere, inbound=8080)["inbounds"]
    assert all("silent" not in each for each in inbound_place["policies"])


def test_where_older_policies_decide_as_well_no_defaults_are_told() -> None:
    older = {
        "type": "Timeout",
        "mesh": "m",
        "name": "t",
        "sources": [{"match": {"kuma.io/service": "*"}}],
        "destinations": [{"match": {"kuma.io/service": "*"}}],
        "conf": {"connectTimeout": "3s"},
    }
    found = answer(older, outbound="pay")
    assert found["older"] == ["Timeout"]
    assert settings(found) == {}
    assert answer(outbound="pay")["older"] == []


SAID: dict[str, Json] = {
    # Of some types what holds else depends on what is said.
    "MeshHealthCheck": {"tcp": {}, "http": {}, "grpc": {}},
}


def with_defaults(shown: Json, policy_type: str, conf: Json) -> Json:
    """`conf` with all that is shown as a default."""
    whole: Json = copy.deepcopy(conf)
    for member, each in settings(shown, policy_type).items():
        if each["source"] == "default":
            *outer, last = member.split(".")
            holder = whole
            for name in outer:
                holder = holder.setdefault(name, {})
            holder[last] = each["value"]
    return whole


@pytest.mark.parametrize("protocol", ["http", "http2", "grpc", "tcp", "kafka"])
@pytest.mark.parametrize(
    ("policy_type", "is_inbound"),
    [
        ("MeshTimeout", True),
        ("MeshTimeout", False),
        ("MeshRetry", False),
        ("MeshHealthCheck", False),
        ("MeshTLS", True),
    ],
)
def test_a_policy_that_says_just_the_defaults_changes_nothing(
    policy_type: str, is_inbound: bool, protocol: str
) -> None:
    backend = {"name": "ca", "type": "builtin", "mode": "PERMISSIVE"}
    secured = mesh(mtls={"enabledBackend": "ca", "backends": [backend]})
    own = web(inbound("web", 8080, protocol), to=(outbound(10001, "pay"),))
    resources = secured, own, instance("pay", protocol)
    wanted = Wanted(inbound=8080) if is_inbound else Wanted(outbound="pay")

    def saying(conf: Json) -> Json:
        if is_inbound:
            return policy(policy_type, rules=[{"default": conf}])
        return policy(policy_type, to=to_mesh(**conf))

    base = SAID.get(policy_type, {})
    view = view_of(*resources, saying(base), metadata=NOTHING_ELSE)
    conf = with_defaults(explained(view, Parts(), wanted), policy_type, base)
    has_some = policy_type != "MeshRetry" or protocol in ("http", "grpc")
    has_some &= policy_type != "MeshHealthCheck" or protocol != "kafka"
    assert (conf != base) == has_some

    before, after = told(*resources, saying(base)), told(*resources, saying(conf))
    assert before.clusters == after.clusters
    assert before.listeners == after.listeners
