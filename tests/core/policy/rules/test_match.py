"""Which part of a proxy a policy selects (docs/wire/policies.md#matching)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.policy.rules.match import NOTHING, Selection, UnresolvedTargetError, select
from kong_mesh_cp.core.policy.rules.policy import Meta
from kong_mesh_cp.core.policy.rules.proxies import (
    GatewayListener,
    GatewayRole,
    HostListener,
    MeshGateway,
    Proxy,
)
from kong_mesh_cp.core.policy.target_ref import WHOLE_MESH, TargetRef
from support.specs.policies import ADDRESS, inbound, listener, policy, proxy, route, target

WEB = inbound(80, {"kuma.io/service": "web", "version": "v1"}, name="main")
API = inbound(81, {"kuma.io/service": "api"}, name="api")
BOTH = proxy(WEB, API, labels={"app": "shop", "team": "a"})
DELEGATED = proxy(gateway=GatewayRole(builtin=False, tags={"kuma.io/service": "kong"}))
BUILTIN = proxy(gateway=GatewayRole(builtin=True, tags={"kuma.io/service": "edge"}))
EDGE = MeshGateway(
    Meta("MeshGateway", "default", "edge"),
    ({"kuma.io/service": "edge"},),
    {"team": "a"},
    (
        GatewayListener(8080, "a.com", {"port": "one"}),
        GatewayListener(8080, "b.com", {"port": "one"}),
        GatewayListener(8081, tags={"port": "two"}),
    ),
)


def _selected(about: TargetRef, of: Proxy = BOTH) -> Selection:
    return select(policy(about=about), of, EDGE if of is BUILTIN else None, ())


def _ports(selection: Selection) -> list[int]:
    return [place.port for place in selection.listeners]


@pytest.mark.parametrize(
    ("about", "ports"),
    [
        (WHOLE_MESH, [80, 81]),
        (target("MeshSubset", tags={"version": "v1"}), [80]),
        (target("MeshSubset", tags={"version": "*"}), [80]),
        (target("MeshSubset", tags={"version": "v2"}), []),
        (target("MeshService", "api"), [81]),
        (target("MeshServiceSubset", "web", tags={"version": "v1"}), [80]),
        (target("MeshServiceSubset", "api", tags={"version": "v1"}), []),
        (target("Dataplane"), [80, 81]),
        (target("Dataplane", "dp-1"), [80, 81]),
        (target("Dataplane", "dp-2"), []),
        (target("Dataplane", labels={"app": "shop"}), [80, 81]),
        (target("Dataplane", labels={"app": "shop", "team": "a"}), [80, 81]),
        (target("Dataplane", labels={"app": "shop", "team": "b"}), []),
        (target("Dataplane", "dp-1", section_name="api"), [81]),
        (target("Dataplane", labels={"app": "shop"}, section_name="main"), [80]),
        (target("Dataplane", section_name="gone"), []),
        (target("Dataplane", section_name="80"), []),
        (target("Dataplane", namespace="other"), []),
        (target("MeshGateway", "edge"), []),
    ],
)
def test_a_policy_selects_inbounds(about: TargetRef, ports: list[int]) -> None:
    assert _ports(_selected(about)) == ports


def test_tags_of_different_inbounds_do_not_add_up() -> None:
    split = proxy(inbound(80, {"a": "1"}), inbound(81, {"b": "2"}))

    assert not _selected(target("MeshSubset", tags={"a": "1", "b": "2"}), split)


@pytest.mark.parametrize("about", [WHOLE_MESH, target("Dataplane")])
def test_ignored_inbounds_are_not_there(about: TargetRef) -> None:
    assert _ports(_selected(about, proxy(inbound(80), inbound(81, ignored=True)))) == [80]
    assert not _selected(about, proxy(inbound(81, ignored=True)))


@pytest.mark.parametrize(
    ("types", "of", "selected"),
    [
        (None, BOTH, True),
        (("Sidecar",), BOTH, True),
        (("Gateway",), BOTH, False),
        (("Sidecar", "Gateway"), BOTH, True),
        (("Sidecar",), DELEGATED, False),
        (("Gateway",), DELEGATED, True),
        (("Gateway",), BUILTIN, True),
        (("Sidecar",), BUILTIN, False),
    ],
)
def test_proxy_types_leave_the_others_out(
    types: tuple[str, ...] | None, of: Proxy, *, selected: bool
) -> None:
    assert bool(_selected(target("Mesh", proxy_types=types), of)) == selected
    assert bool(_selected(target("MeshSubset", proxy_types=types), of)) == selected


def test_a_delegated_gateway_is_selected_without_inbounds() -> None:
    assert _selected(WHOLE_MESH, DELEGATED) == Selection(delegated_gateway=True)
    assert _selected(target("MeshService", "kong"), DELEGATED)
    assert _selected(target("Dataplane", "dp-1"), DELEGATED)
    assert not _selected(target("MeshService", "edge"), DELEGATED)


def test_a_builtin_gateway_is_selected_by_its_listeners() -> None:
    selection = _selected(target("MeshGateway", "edge", tags={"port": "one"}), BUILTIN)

    assert selection.listeners == (listener(8080),)
    assert selection.host_listeners == (
        HostListener(ADDRESS, 8080, "a.com"),
        HostListener(ADDRESS, 8080, "b.com"),
    )


@pytest.mark.parametrize(
    ("about", "ports"),
    [
        (WHOLE_MESH, [8080, 8081]),
        (target("MeshGateway", "edge"), [8080, 8081]),
        (target("MeshGateway", "other"), []),
        (target("MeshSubset", tags={"port": "two"}), [8081]),
        (target("MeshSubset", tags={"team": "a"}), [8080, 8081]),
        (target("MeshServiceSubset", "edge", tags={"port": "two"}), [8081]),
        (target("Dataplane"), []),
        (target("Dataplane", "dp-1"), []),
    ],
)
def test_listeners_carry_the_tags_of_gateway_and_proxy_too(
    about: TargetRef, ports: list[int]
) -> None:
    assert _ports(_selected(about, BUILTIN)) == ports


def _zone(name: str | None) -> dict[str, str]:
    return {"kuma.io/origin": "zone"} | ({"kuma.io/zone": name} if name else {})


@pytest.mark.parametrize(
    ("policy_labels", "proxy_labels", "selected"),
    [
        (_zone("east"), _zone("east"), True),
        (_zone("east"), _zone("west"), False),
        (_zone("east"), _zone(None), True),
        (_zone(None), _zone("west"), True),
        (_zone("east"), {}, True),
        (_zone("east"), {"kuma.io/origin": "global", "kuma.io/zone": "west"}, True),
        ({"kuma.io/origin": "global"}, _zone("west"), True),
        ({}, _zone("west"), True),
        (_zone("east") | {"kuma.io/policy-role": "producer"}, _zone("west"), True),
        (_zone("east") | {"kuma.io/policy-role": "system"}, _zone("west"), False),
    ],
)
def test_a_policy_of_one_zone_leaves_proxies_of_another_alone(
    policy_labels: dict[str, str], proxy_labels: dict[str, str], *, selected: bool
) -> None:
    about = policy(labels=policy_labels)

    assert bool(select(about, proxy(WEB, labels=proxy_labels), None, ())) == selected


@pytest.mark.parametrize(
    ("role", "policy_namespace", "proxy_namespace", "selected"),
    [
        ("consumer", "shop", "shop", True),
        ("consumer", "shop", "other", False),
        ("consumer", "", "", False),
        ("workload-owner", "shop", "other", False),
        ("producer", "shop", "other", True),
        ("system", "shop", "other", True),
    ],
)
def test_consumers_speak_for_their_own_namespace(
    role: str, policy_namespace: str, proxy_namespace: str, *, selected: bool
) -> None:
    namespace = "k8s.kuma.io/namespace"
    about = policy(labels={"kuma.io/policy-role": role, namespace: policy_namespace})

    found = select(about, proxy(WEB, labels={namespace: proxy_namespace}), None, ())

    assert bool(found) == selected


def test_a_policy_about_a_route_selects_what_the_route_selects() -> None:
    synced = route("r-x7", about=target("MeshService", "api"), labels={"kuma.io/display-name": "r"})
    about = policy(about=target("MeshHTTPRoute", "r"))

    assert _ports(select(about, BOTH, None, [synced])) == [81]


def test_a_missing_route_is_reported() -> None:
    about = policy(about=target("MeshHTTPRoute", "r"))

    with pytest.raises(UnresolvedTargetError, match="targetRef with name 'r'"):
        select(about, BOTH, None, [route("other")])


def test_a_route_about_a_route_leads_nowhere() -> None:
    loop = route("r", about=target("MeshHTTPRoute", "r"))

    with pytest.raises(UnresolvedTargetError):
        select(loop, BOTH, None, [loop])


def test_a_kind_that_names_no_proxy_is_reported() -> None:
    with pytest.raises(UnresolvedTargetError, match="MeshExternalService"):
        _selected(target("MeshExternalService", "db"))


TAGS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["1", "2"]))


@given(wanted=TAGS, tags=TAGS)
def test_the_order_of_tags_does_not_matter(wanted: dict[str, str], tags: dict[str, str]) -> None:
    turned = dict(reversed(wanted.items())), dict(reversed(tags.items()))

    found = _selected(TargetRef(kind="MeshSubset", tags=wanted), proxy(inbound(80, tags)))

    assert found == _selected(
        TargetRef(kind="MeshSubset", tags=turned[0]), proxy(inbound(80, turned[1]))
    )
    assert (found != NOTHING) == (wanted.items() <= tags.items())
