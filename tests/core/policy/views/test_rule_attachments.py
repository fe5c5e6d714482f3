"""The merged rules of one proxy as the older `/rules` shows them.

Source: docs/wire/inspection.md#older-paths
"""

from __future__ import annotations

from kong_mesh_cp.core.policy.rules.matched import MeshView, matched_policies
from kong_mesh_cp.core.policy.rules.policy import Policy
from kong_mesh_cp.core.policy.target_ref import WHOLE_MESH
from kong_mesh_cp.core.policy.views.attachment_views import rules_items
from kong_mesh_cp.core.policy.views.rule_attachments import rule_attachments
from kong_mesh_cp.core.resources.kinds.dataplane import BackendRef, Outbound
from support.specs.policies import inbound, policy, proxy, subset, target

WEB = {"kuma.io/service": "web", "kuma.io/protocol": "http"}
PROXY = proxy(inbound(80, WEB), inbound(81))
TO_BACKEND = Outbound(port=10001, tags={"kuma.io/service": "backend"})
AGAIN = Outbound(port=10001, address="240.0.0.1", tags={"kuma.io/service": "backend"})
TO_OTHER = Outbound(port=10002, tags={"kuma.io/service": "other"})
BY_REFERENCE = Outbound(port=10003, backend_ref=BackendRef(kind="MeshService", name="x"))


def _items(*policies: Policy, outbounds: tuple[Outbound, ...] = ()) -> list[dict[str, object]]:
    view = MeshView(policies=policies)
    matched = [
        matched_policies(each, PROXY, view) for each in sorted({p.meta.type for p in policies})
    ]
    shown = rules_items(rule_attachments(PROXY, outbounds, matched))
    items = shown["items"]
    assert isinstance(items, list)
    assert shown["total"] == len(items)
    return items


def test_a_rule_for_clients_names_the_inbound_and_its_subset() -> None:
    deny = policy(
        of="MeshTrafficPermission",
        sources=[(subset(**{"kuma.io/zone": "east"}), {"action": "Deny"})],
    )
    (item,) = _items(deny)
    assert item == {
        "type": "ClientSubset",
        "name": "web-e816eaf96a14245f",
        "addresses": ["10.0.0.1:80"],
        "service": "web",
        "tags": WEB,
        "policyType": "MeshTrafficPermission",
        "subset": {"kuma.io/zone": "east"},
        "conf": {"action": "Deny"},
        "origins": [{"mesh": "default", "name": "policy"}],
    }


def test_what_a_rule_excludes_has_an_exclamation_mark() -> None:
    both = policy(
        of="MeshTrafficPermission",
        sources=[(WHOLE_MESH, {"action": "Allow"}), (subset(zone="east"), {"action": "Deny"})],
    )
    assert [item["subset"] for item in _items(both)] == [{"zone": "east"}, {"zone": "!east"}]


def test_a_rule_for_a_destination_has_all_its_addresses() -> None:
    timeout = policy(to=[(target("MeshService", "backend"), {"idleTimeout": "1s"})])
    (item,) = _items(timeout, outbounds=(TO_BACKEND, AGAIN, TO_OTHER, BY_REFERENCE))
    assert item["type"] == "DestinationSubset"
    assert (item["name"], item["service"]) == ("backend", "backend")
    assert item["addresses"] == ["127.0.0.1:10001", "240.0.0.1:10001"]


def test_a_rule_for_the_whole_proxy_comes_first_and_names_no_place() -> None:
    trace = policy(of="MeshTrace", name="t", conf={"backends": []})
    timeout = policy(to=[(WHOLE_MESH, {"idleTimeout": "1s"})])
    first, second = _items(timeout, trace, outbounds=(TO_OTHER,))
    assert first == {
        "type": "SingleItem",
        "policyType": "MeshTrace",
        "subset": {},
        "conf": {"backends": []},
        "origins": [{"mesh": "default", "name": "t"}],
    }
    assert second["name"] == "other"
