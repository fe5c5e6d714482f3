"""The log of what a proxy sends to no service, as a TrafficLog says.

Source: docs/wire/older-policies.md#logs
"""

from __future__ import annotations

from kong_mesh_cp.core.xds.draft import WRONG_INPUT, Draft
from kong_mesh_cp.core.xds.generators.older.logs import (
    Logged,
    LoggedProxy,
    LogTarget,
    log_target,
    logged_proxy,
)
from kong_mesh_cp.core.xds.generators.older.older_policies import LOG, older_policies
from kong_mesh_cp.core.xds.proxy_view import ProxyView

PassingLog = tuple[LogTarget, Logged]
"""Where lines go, and what they say: a key."""


def passing_log(
    view: ProxyView, draft: Draft, direction: str, destination: str
) -> PassingLog | None:
    """None: nothing is written down."""
    found = _target(view, draft)
    if found is None:
        return None
    target, proxy = found
    return target, Logged(proxy=proxy, direction=direction, destination=destination)


def _target(view: ProxyView, draft: Draft) -> tuple[LogTarget, LoggedProxy] | None:
    if not view.world.of_type(LOG):
        return None
    policies = older_policies(view.world, view.dataplane.spec.tag_sets, (LOG,), draft.parts)
    try:
        target = log_target(policies.passing_log)
    except WRONG_INPUT as error:
        draft.complain(LOG, error)
        return None
    return None if target is None else (target, logged_proxy(view))
