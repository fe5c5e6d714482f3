"""Filters that let clients pass.

Source: docs/wire/mtls.md#permissions
"""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from kong_mesh_cp.core.policy.rules.subsets import Subset, Tag
from kong_mesh_cp.core.xds.envoy import rbac
from kong_mesh_cp.core.xds.envoy.envoy_messages import HttpConnectionManager, TcpProxy
from kong_mesh_cp.core.xds.envoy.listeners import HTTP_MANAGER, TCP_PROXY, ChainDraft

ANYBODY = rbac.clients("shop", ())
LISTENER = "inbound:10.0.0.1:80"


def named(name: str) -> dict[str, Any]:
    return {"authenticated": {"principalName": {"exact": name}}}


WEB = Tag("kuma.io/service", "web")
V1 = Tag("version", "v1")


@pytest.mark.parametrize(
    ("subset", "principal"),
    [
        ((), {"any": True}),
        ((WEB,), named("spiffe://shop/web")),
        ((V1._replace(negated=True),), {"notId": named("kuma://version/v1")}),
        (
            (WEB, V1._replace(negated=True)),
            {
                "andIds": {
                    "ids": [named("spiffe://shop/web"), {"notId": named("kuma://version/v1")}]
                }
            },
        ),
    ],
)
def test_clients_are_known_by_the_names_in_their_certificates(
    subset: Subset, principal: dict[str, Any]
) -> None:
    made = MessageToDict(rbac.rules("p", [rbac.clients("shop", subset)]))
    assert made == {"policies": {"p": {"permissions": [{"any": True}], "principals": [principal]}}}


def test_rules_without_clients_let_nobody_pass() -> None:
    assert MessageToDict(rbac.rules("p", [])) == {}


def test_http_is_judged_before_its_other_filters_and_tcp_before_its_proxy() -> None:
    http, tcp = ChainDraft(), ChainDraft()
    http.filters.append((HTTP_MANAGER, HttpConnectionManager()))
    http.http_filters.append(("other", None))
    tcp.filters.append((TCP_PROXY, TcpProxy()))
    for chain in (http, tcp):
        rbac.require(chain, LISTENER, rbac.rules("p", [ANYBODY]), None)
    assert [name for name, _ in http.http_filters] == [rbac.HTTP_RBAC, "other"]
    assert [name for name, _ in http.filters] == [HTTP_MANAGER]
    assert [name for name, _ in tcp.filters] == [rbac.NETWORK_RBAC, TCP_PROXY]
    assert tcp.filters[0][1].stat_prefix == "inbound_10_0_0_1_80."
    assert not tcp.filters[0][1].HasField("shadow_rules")


def test_who_judged_before_judges_no_longer() -> None:
    chain = ChainDraft()
    chain.filters.append((TCP_PROXY, TcpProxy()))
    rbac.require(chain, LISTENER, rbac.rules("first", [ANYBODY]), None)
    watched = rbac.rules("second", [ANYBODY], action="DENY")
    rbac.require(chain, LISTENER, rbac.rules("second", [ANYBODY]), watched)
    assert [name for name, _ in chain.filters] == [rbac.NETWORK_RBAC, TCP_PROXY]
    assert list(chain.filters[0][1].rules.policies) == ["second"]
    assert MessageToDict(chain.filters[0][1].shadow_rules)["action"] == "DENY"
