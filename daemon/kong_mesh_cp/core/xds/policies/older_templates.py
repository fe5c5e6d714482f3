"""What a ProxyTemplate, of the older generation, makes of a whole proxy.

It says from which profile a proxy's configuration is made, if from any, brings resources, and
changes all of it in the end.

Source: docs/wire/envoy-patches.md#templates
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kong_mesh_cp.core.discovery.type_order import ENVOY
from kong_mesh_cp.core.policy.legacy.selectors import legacy_policies, policy_for_proxy
from kong_mesh_cp.core.resources.kinds.legacy.proxy_template import (
    ClusterChange,
    Conf,
    FilterChange,
    ListenerChange,
    Modification,
    ProxyTemplate,
    VirtualHostChange,
)
from kong_mesh_cp.core.resources.meta import has_spec
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.envoy.envoy_messages import TYPE_URL_PREFIX, Message
from kong_mesh_cp.core.xds.envoy.native_resources import native_any
from kong_mesh_cp.core.xds.names import CLUSTER, Origin
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.policies.patches import (
    Change,
    Matching,
    Operation,
    Part,
    apply_changes,
    assign_nothing,
    runs_of,
)
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError
from kong_mesh_cp.core.xds.world import pairs

POLICY_TYPE: Final = "ProxyTemplate"
PROFILE: Final = "default-proxy"  # of a proxy beside an application


def template_of(view: ProxyView, parts: Parts) -> Conf | None:
    """What the one template for the proxy says; None: there is none, and it has its profile."""
    resources = view.world.of_type(POLICY_TYPE)
    if not resources:
        return None
    key = ("templates", id(resources))
    policies, _ = parts.made(key, lambda: (legacy_policies(resources), resources))
    found = policy_for_proxy(policies, view.dataplane.spec.tag_sets)
    resource = None if found is None else resources[found.name]
    if resource is None or not has_spec(resource, ProxyTemplate):
        return None
    return resource.spec.conf or Conf()


def has_profile(template: Conf | None, draft: Draft) -> bool:
    """Whether anything is made beside what the template itself brings."""
    imports = (PROFILE,) if template is None else template.imports
    for other in imports:
        if other != PROFILE:
            reason = f"profile {other} is none of a data plane proxy, which has {PROFILE} instead"
            draft.complain(POLICY_TYPE, reason)
    return bool(imports)


def bring_resources(template: Conf, draft: Draft) -> None:
    draft.origin = Origin.TEMPLATE_RAW
    clusters = []
    for index, each in enumerate(template.resources):
        try:
            message = native_any(each.resource)
        except UnmakeableError as error:
            draft.complain(POLICY_TYPE, f"resource {index + 1}, {each.name}: {error}")
            continue
        url = TYPE_URL_PREFIX + message.DESCRIPTOR.full_name
        if url in ENVOY.order:
            draft.add(url, each.name, _brought, each.resource)
            clusters += [each.name] if url == CLUSTER else []
        else:
            draft.complain(POLICY_TYPE, f"resource {index + 1}, {each.name}: {url} is no resource")
    assign_nothing(draft, clusters)


def _brought(_name: str, text: str) -> Message:
    return native_any(text)


def change_all(template: Conf, draft: Draft) -> None:
    draft.origin = Origin.TEMPLATE_MODIFICATIONS
    if not template.modifications:
        return
    # Held with what was made of it: the key only says which object it was.
    key = ("changes of a template", id(template))
    runs, _ = draft.parts.made(key, lambda: (runs_of(_changes(template)), template))
    apply_changes(runs, draft, POLICY_TYPE)


def _changes(template: Conf) -> Iterator[Change]:
    for each in template.modifications:
        for part, change in _parts(each):
            if change is not None:
                yield _change(part, change)


_AnyChange = ClusterChange | ListenerChange | FilterChange | VirtualHostChange


def _parts(each: Modification) -> tuple[tuple[Part, _AnyChange | None], ...]:
    return (
        (Part.CLUSTER, each.cluster),
        (Part.LISTENER, each.listener),
        (Part.NETWORK_FILTER, each.network_filter),
        (Part.HTTP_FILTER, each.http_filter),
        (Part.VIRTUAL_HOST, each.virtual_host),
    )


def _change(part: Part, change: _AnyChange) -> Change:
    operation = Operation(change.operation)
    return Change(
        part=part,
        operation=operation,
        match=_matching(change),
        # What stands beside a removal is nobody's business.
        value="" if operation is Operation.REMOVE else change.value,
    )


def _matching(change: _AnyChange) -> Matching:
    """An empty member asks for nothing."""
    match change:
        case ClusterChange(match=match) if match is not None:
            return Matching(name=match.name or None, origin=match.origin or None)
        case ListenerChange(match=match) if match is not None:
            return Matching(
                name=match.name or None, origin=match.origin or None, tags=pairs(match.tags)
            )
        case FilterChange(match=match) if match is not None:
            return Matching(
                name=match.name or None,
                origin=match.origin or None,
                listener=match.listener_name or None,
                tags=pairs(match.listener_tags),
            )
        case VirtualHostChange(match=match) if match is not None:
            return Matching(
                name=match.name or None,
                origin=match.origin or None,
                route_configuration=match.route_configuration_name or None,
            )
        case _:
            return Matching()
