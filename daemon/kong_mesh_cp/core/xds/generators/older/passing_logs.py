"""The log of what a proxy sends to no service, as a TrafficLog says.

Source: docs/wire/older-policies.md#logs
"""

from __future__ import annotations

from typing import NamedTuple

from kong_mesh_cp.core.xds.draft import WRONG_INPUT, Draft
from kong_mesh_cp.core.xds.envoy.listeners import ChainDraft
from kong_mesh_cp.core.xds.facts.logged_traffic import sent_by
from kong_mesh_cp.core.xds.facts.proxy_facts import ProxyFacts, proxy_facts
from kong_mesh_cp.core.xds.generators.older.logs import LogTarget, log_chain, log_target
from kong_mesh_cp.core.xds.generators.older.older_policies import LOG, older_policies
from kong_mesh_cp.core.xds.proxy_view import ProxyView


class PassingLog(NamedTuple):
    """Where lines go, and who writes them: a key."""

    target: LogTarget
    proxy: ProxyFacts
    mesh: str

    def log(self, chain: ChainDraft, direction: str, destination: str) -> None:
        log_chain(chain, self.target, sent_by(self.proxy, self.mesh, destination, direction))


def passing_log(view: ProxyView, draft: Draft) -> PassingLog | None:
    """None: nothing is written down."""
    if not view.world.of_type(LOG):
        return None
    policies = older_policies(view.world, view.dataplane.spec.tag_sets, (LOG,), draft.parts)
    try:
        target = log_target(policies.passing_log)
    except WRONG_INPUT as error:
        draft.complain(LOG, error)
        return None
    return None if target is None else PassingLog(target, proxy_facts(view), view.world.name)
