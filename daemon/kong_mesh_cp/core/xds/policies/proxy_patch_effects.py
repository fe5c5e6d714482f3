"""What MeshProxyPatch does to a proxy, after all other policies.

Source: docs/wire/envoy-patches.md#modifications
"""

from __future__ import annotations

import json
from typing import Final

from kong_mesh_cp.core.formats.json_patch import Step
from kong_mesh_cp.core.policy.kinds.mesh_proxy_patch import (
    ClusterMatch,
    Conf,
    FilterMatch,
    JsonPatch,
    ListenerMatch,
    Mod,
    Modification,
    VirtualHostMatch,
)
from kong_mesh_cp.core.schema.record_terms import NULL
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.effects import Effect
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.names import Origin
from kong_mesh_cp.core.xds.policies.patches import (
    Change,
    Matching,
    Operation,
    Part,
    apply_changes,
    runs_of,
)
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.world import pairs

POLICY_TYPE: Final = "MeshProxyPatch"


def _whole_proxy(_view: ProxyView, matched: Matched, draft: Draft) -> None:
    typed = matched.of_type(POLICY_TYPE).proxy_conf()
    if typed is None:
        return
    conf = typed.of_kind(Conf)
    runs = draft.parts.made((changes_of, typed), lambda: runs_of(changes_of(conf)))
    apply_changes(runs, draft, POLICY_TYPE)


def changes_of(conf: Conf) -> tuple[Change, ...]:
    return tuple(
        _change(part, mod)
        for each in conf.append_modifications or ()
        for part, mod in _parts(each)
        if mod is not None
    )


def _parts(each: Modification) -> tuple[tuple[Part, Mod | None], ...]:
    return (
        (Part.CLUSTER, each.cluster),
        (Part.LISTENER, each.listener),
        (Part.NETWORK_FILTER, each.network_filter),
        (Part.HTTP_FILTER, each.http_filter),
        (Part.VIRTUAL_HOST, each.virtual_host),
    )


def _change(part: Part, mod: Mod) -> Change:
    operation = mod.operation[0].lower() + mod.operation[1:]
    return Change(
        part=part,
        operation=Operation(operation),
        match=_matching(mod.match),
        value=mod.value or "",
        steps=tuple(map(_step, mod.json_patches or ())),
    )


def _matching(
    match: ClusterMatch | ListenerMatch | FilterMatch | VirtualHostMatch | None,
) -> Matching:
    match match:
        case None:
            return Matching()
        case ListenerMatch():
            tags = pairs(match.tags or {})
            return Matching(name=match.name, origin=match.origin, tags=tags)
        case FilterMatch():
            return Matching(
                name=match.name,
                origin=match.origin,
                listener=match.listener_name,
                tags=pairs(match.listener_tags or {}),
            )
        case VirtualHostMatch():
            return Matching(
                name=match.name,
                origin=match.origin,
                route_configuration=match.route_configuration_name,
            )
        case ClusterMatch():
            return Matching(name=match.name, origin=match.origin)


def _step(patch: JsonPatch) -> Step:
    value = None if patch.value is NULL else patch.value
    return Step(patch.op, patch.path, patch.from_ or "", json.dumps(value, sort_keys=True))


EFFECT: Final = Effect(policy_type=POLICY_TYPE, whole_proxy=_whole_proxy, origin=Origin.PROXY_PATCH)
