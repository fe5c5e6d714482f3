"""Nobody enters a mesh with mTLS unless a permission says so.

Source: docs/wire/mtls.md#permissions
"""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict

from kong_mesh_cp.core.policy.rules.subsets import Subset, Tag
from kong_mesh_cp.core.policy.typed_confs import ClientConf, InboundConfs, TypedConf
from kong_mesh_cp.core.xds.effects import InboundFacts
from kong_mesh_cp.core.xds.envoy.envoy_messages import TcpProxy
from kong_mesh_cp.core.xds.envoy.listeners import TCP_PROXY, ChainDraft, ListenerDraft
from kong_mesh_cp.core.xds.envoy.rbac import NETWORK_RBAC
from kong_mesh_cp.core.xds.envoy.tls import downstream_tls
from kong_mesh_cp.core.xds.policies.traffic_permission_effects import EFFECT

WEB: Subset = (Tag("kuma.io/service", "web"),)
OTHERS: Subset = (Tag("kuma.io/service", "web", negated=True),)


def confs(*clients: tuple[Subset, str]) -> InboundConfs:
    return InboundConfs(
        clients=tuple(
            ClientConf(subset, TypedConf("MeshTrafficPermission", {"action": action}))
            for subset, action in clients
        ),
        selected=True,
    )


def chains(about: InboundConfs, *, mtls: bool = True, older: bool = False) -> list[ChainDraft]:
    """A plain one and one with the mesh's TLS, after the policy."""
    facts = InboundFacts(
        mesh="shop",
        address="10.0.0.1",
        port=80,
        service="api",
        protocol="tcp",
        tags=(),
        mtls=mtls,
        older_permissions=older,
    )
    draft = ListenerDraft("inbound:10.0.0.1:80", "10.0.0.1", 80, inbound=True)
    plain, secured = ChainDraft(), ChainDraft()
    for chain in (plain, secured):
        chain.filters.append((TCP_PROXY, TcpProxy()))
    secured.tls = downstream_tls("shop")
    draft.chains = [plain, secured]
    assert EFFECT.inbound_listener is not None
    EFFECT.inbound_listener(draft, facts, about)
    return draft.chains


def judged(chain: ChainDraft) -> Any:
    """What its filter lets pass; None: it has none."""
    found = [config for name, config in chain.filters if name == NETWORK_RBAC]
    return MessageToDict(found[0]) if found else None


def principals(rules: Any) -> Any:
    return rules["policies"]["MeshTrafficPermission"]["principals"]


def test_what_is_not_the_meshs_tls_is_not_judged() -> None:
    plain, secured = chains(confs(((), "Allow")))
    assert judged(plain) is None
    assert principals(judged(secured)["rules"]) == [{"any": True}]


def test_without_mtls_nobody_is_judged() -> None:
    assert [judged(each) for each in chains(confs(((), "Allow")), mtls=False)] == [None, None]


def test_without_a_permission_nobody_passes() -> None:
    _, secured = chains(InboundConfs())
    assert judged(secured)["rules"] == {}


def test_where_the_older_generation_says_something_and_this_one_nothing_it_stays() -> None:
    _, secured = chains(InboundConfs(), older=True)
    assert judged(secured) is None
    _, secured = chains(confs((WEB, "Deny")), older=True)
    assert judged(secured)["rules"] == {}


def test_who_is_watched_passes_and_is_counted_as_denied() -> None:
    _, secured = chains(confs((WEB, "Allow"), (OTHERS, "AllowWithShadowDeny")))
    web = {"authenticated": {"principalName": {"exact": "spiffe://shop/web"}}}
    assert principals(judged(secured)["rules"]) == [web, {"notId": web}]
    assert judged(secured)["shadowRules"]["action"] == "DENY"
    assert principals(judged(secured)["shadowRules"]) == [{"notId": web}]


def test_who_is_denied_is_in_no_rule() -> None:
    _, secured = chains(confs((WEB, "Deny"), (OTHERS, "Allow")))
    web = {"authenticated": {"principalName": {"exact": "spiffe://shop/web"}}}
    assert principals(judged(secured)["rules"]) == [{"notId": web}]
    assert "shadowRules" not in judged(secured)
