"""Who may connect, by the names in certificates: the filters that let clients pass or not.

Source: docs/wire/mtls.md#permissions
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from kong_mesh_cp.core.meshes.spiffe import service_id, tag_id
from kong_mesh_cp.core.policy.rules.subsets import Subset, Tag
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.envoy.envoy_messages import HttpRbac, Message, NetworkRbac, RbacRules
from kong_mesh_cp.core.xds.envoy.listeners import ChainDraft
from kong_mesh_cp.core.xds.names import metric_name

NETWORK_RBAC: Final = "envoy.filters.network.rbac"
HTTP_RBAC: Final = "envoy.filters.http.rbac"


def rules(policy: str, principals: Sequence[Message], *, action: str = "ALLOW") -> Message:
    """`action` for those whom one of `principals` names; without any it names nobody."""
    policies = {policy: _policy(principals)} if principals else {}
    return RbacRules(action=action, policies=policies)


def clients(mesh: str, subset: Subset) -> Message:
    """Those of `mesh` for whom all tags of `subset` hold; the empty one is everybody."""
    return _all_of([_named(mesh, tag) for tag in subset])


def require(chain: ChainDraft, listener: str, allowed: Message, watched: Message | None) -> None:
    """Only `allowed` pass; of those in `watched` statistics say that they would not have.

    Whoever has judged the network connection before does so no longer.
    """
    chain.filters = [each for each in chain.filters if each[0] != NETWORK_RBAC]
    if chain.http is not None:
        chain.http_filters.insert(0, (HTTP_RBAC, HttpRbac(rules=allowed, shadow_rules=watched)))
        return
    chain.filters.insert(0, (NETWORK_RBAC, network_rbac(listener, allowed, watched)))


def network_rbac(listener: str, allowed: Message, watched: Message | None = None) -> Message:
    # The dot keeps the name of the listener apart from the statistic's own.
    return NetworkRbac(stat_prefix=f"{metric_name(listener)}.", rules=allowed, shadow_rules=watched)


def _policy(principals: Iterable[Message]) -> dict[str, object]:
    return {"permissions": [{"any": True}], "principals": list(principals)}


def _named(mesh: str, tag: Tag) -> Message:
    name = service_id(mesh, tag.value) if tag.key == SERVICE else tag_id(tag.key, tag.value)
    found = {"authenticated": {"principal_name": {"exact": name}}}
    return {"not_id": found} if tag.negated else found


def _all_of(ids: list[Message]) -> Message:
    match ids:
        case []:
            return {"any": True}
        case [one]:
            return one
        case _:
            return {"and_ids": {"ids": ids}}
