"""What MeshTrafficPermission does to a proxy of a mesh with mTLS: nobody enters without one.

Source: docs/wire/mtls.md#permissions
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from kong_mesh_cp.core.policy.kinds.mesh_traffic_permission import Conf
from kong_mesh_cp.core.policy.typed_confs import ClientConf, InboundConfs
from kong_mesh_cp.core.xds.effects import DefaultsOf, Effect, InboundFacts
from kong_mesh_cp.core.xds.envoy import rbac
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message
from kong_mesh_cp.core.xds.envoy.listeners import ListenerDraft

POLICY_TYPE: Final = "MeshTrafficPermission"
ALLOW: Final = "Allow"
DENY: Final = "Deny"
WATCH: Final = "AllowWithShadowDeny"  # allowed, and counted as if it were denied


def _inbound_listener(draft: ListenerDraft, facts: InboundFacts, confs: InboundConfs) -> None:
    # Where none is about the inbound, what the older generation says stays in force, if anything.
    if not facts.mtls or (not confs.selected and facts.older_permissions):
        return
    allowed = _of_action(facts.mesh, confs.clients, ALLOW)
    watched = _of_action(facts.mesh, confs.clients, WATCH)
    rules = rbac.rules(POLICY_TYPE, [*allowed, *watched])
    shadow = rbac.rules(POLICY_TYPE, watched, action="DENY") if watched else None
    for chain in draft.chains:
        # What is not the mesh's TLS has no names to judge by.
        if chain.tls is not None:
            rbac.require(chain, draft.name, rules, shadow)


def _of_action(mesh: str, confs: Iterable[ClientConf], action: str) -> list[Message]:
    return [rbac.clients(mesh, each.subset) for each in confs if _action(each) == action]


def _action(client: ClientConf) -> str:
    return client.conf.of_kind(Conf).action or ""


def _defaults(of: DefaultsOf) -> Mapping[str, object]:
    is_refused = of.is_inbound and of.mode is not None and of.conf is None
    return {"action": DENY} if is_refused else {}


EFFECT: Final = Effect(
    policy_type=POLICY_TYPE, inbound_listener=_inbound_listener, defaults=_defaults
)
