"""Attachments as the older paths of inspection show them (docs/wire/inspection.md#older-paths)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from kong_mesh_cp.core.policy.legacy.attachments import Attached, Attachment, PolicyName
from kong_mesh_cp.core.policy.legacy.gateway_attachments import (
    Destination,
    GatewayAttachments,
    Host,
    ListenerEntry,
)
from kong_mesh_cp.core.policy.rules.policy import Meta
from kong_mesh_cp.core.policy.views.rule_attachments import RuleAttachment

SIDECAR: Final = "SidecarDataplane"
GATEWAY: Final = "MeshGatewayDataplane"

JsonObject = dict[str, object]
Shown = Mapping[PolicyName, JsonObject]
"""Each policy as answers mention it: its meta without its spec."""


def sidecar_view(attached: Attached, policies: Shown) -> JsonObject:
    """Each place of one proxy with its policies. One that is gone meanwhile is left out."""
    items: list[JsonObject] = []
    for attachment, names in attached.items():
        matched: dict[str, list[JsonObject]] = {}
        for name in names:
            if name in policies:
                matched.setdefault(name.type, []).append(policies[name])
        if matched:
            items.append(
                {**_attachment(attachment), "matchedPolicies": dict(sorted(matched.items()))}
            )
    return {"kind": SIDECAR, "total": len(items), "items": items}


def gateway_view(gateway: Meta | None, attached: GatewayAttachments, policies: Shown) -> JsonObject:
    """Each destination of a built-in gateway with its policies."""

    def destination(each: Destination) -> JsonObject:
        return {"tags": dict(each.tags), "policies": _named(each.policies, policies)}

    view: JsonObject = {
        "kind": GATEWAY,
        "gateway": _key(gateway),
        "listeners": [
            {
                "port": listener.port,
                "protocol": listener.protocol,
                "hosts": [
                    {
                        "hostName": host.name,
                        "routes": [
                            {
                                "route": route.route,
                                "destinations": [*map(destination, route.destinations)],
                            }
                            for route in host.routes
                        ],
                    }
                    for host in listener.hosts
                ],
            }
            for listener in attached.listeners
        ],
    }
    whole = _named(attached.policies, policies)
    return {**view, "policies": whole} if whole else view


def affected_sidecar(proxy: Meta, attachments: Sequence[Attachment]) -> JsonObject:
    """A proxy that a policy is attached to, and where."""
    return {
        "kind": SIDECAR,
        "dataplane": _key(proxy),
        "attachments": [*map(_attachment, attachments)],
    }


def affected_gateway(
    proxy: Meta, gateway: Meta | None, listeners: Sequence[ListenerEntry]
) -> JsonObject:
    """A built-in gateway that a policy is attached to: in some places, or () as a whole."""
    view: JsonObject = {"kind": GATEWAY, "dataplane": _key(proxy), "gateway": _key(gateway)}
    shown = [
        {"port": each.port, "protocol": each.protocol, "hosts": [*map(_affected_host, each.hosts)]}
        for each in listeners
    ]
    return {**view, "listeners": shown} if shown else view


def affected_proxy(proxy: Meta) -> JsonObject:
    """A proxy of a gateway, or of a route of gateways."""
    return {"dataplane": _key(proxy)}


def rules_items(attached: Sequence[RuleAttachment]) -> JsonObject:
    """All rules of one proxy."""
    return {"total": len(attached), "items": [*map(_rule, attached)]}


def _rule(attached: RuleAttachment) -> JsonObject:
    named: JsonObject = {
        "name": attached.name,
        "addresses": list(attached.addresses),
        "service": attached.service,
        "tags": dict(attached.tags),
    }
    rule = attached.rule
    return {
        "type": attached.type,
        # Go's `omitempty`; the members around them are always there.
        **{name: value for name, value in named.items() if value},
        "policyType": attached.policy_type,
        # The older form has no member for a negation; `!` in front of the value is it.
        "subset": {tag.key: f"!{tag.value}" if tag.negated else tag.value for tag in rule.subset},
        "conf": rule.conf,
        "origins": [_key(origin.meta) for origin in rule.origins],
    }


def _affected_host(host: Host) -> JsonObject:
    routes = [
        {"route": route.route, "destinations": [dict(each.tags) for each in route.destinations]}
        for route in host.routes
    ]
    return {"hostName": host.name, "routes": routes}


def _attachment(attachment: Attachment) -> JsonObject:
    named = {"name": attachment.name, "service": attachment.service}
    return {"type": attachment.type, **{key: value for key, value in named.items() if value}}


def _named(names: Mapping[str, str], policies: Shown) -> JsonObject:
    found = {type_name: PolicyName(type_name, names[type_name]) for type_name in sorted(names)}
    return {name: policies[found[name]] for name in found if found[name] in policies}


def _key(meta: Meta | None) -> JsonObject:
    return {"mesh": meta.mesh, "name": meta.name} if meta else {"mesh": "", "name": ""}
