"""What `GET …/_rules` shows of one proxy: a pure function of the resources.

Source: docs/wire/inspection.md#rules-of-a-proxy
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from kong_mesh_cp.core.policy.rules.http_matches import matches_hash
from kong_mesh_cp.core.policy.rules.inbound_rules import InboundRule
from kong_mesh_cp.core.policy.rules.matched import MatchedPolicies, MeshView, matched_policies
from kong_mesh_cp.core.policy.rules.origins import Origin
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TRAITS, Conf, Meta
from kong_mesh_cp.core.policy.rules.proxies import GatewayRole, Listener, MeshGateway, Proxy
from kong_mesh_cp.core.policy.rules.resource_rules import ResourceRule
from kong_mesh_cp.core.policy.rules.routed_entries import rule_matches
from kong_mesh_cp.core.policy.rules.subset_rules import SubsetRule
from kong_mesh_cp.core.policy.rules.subsets import Tag

JsonObject = dict[str, object]


def rules_view(proxy: Proxy, view: MeshView, *, services_by_tag: bool = True) -> JsonObject:
    """The body of `_rules`: each type of policy that has something to say, and the HTTP matches.

    Without `services_by_tag` (a mesh with `meshServices.mode: Exclusive`) no outgoing traffic is
    known by its service tag, and the rules for services are left out.
    """
    # In the order of TRAITS, which is that of Kuma's plugins.
    matched = [matched_policies(policy_type, proxy, view) for policy_type in TRAITS]
    said = _Said()
    shown = (_shown_type(each, proxy, said, services_by_tag=services_by_tag) for each in matched)
    return {
        "httpMatches": _http_matches(matched),
        "resource": shown_meta(proxy.meta),
        "rules": [each for each in shown if each is not None],
    }


def proxy_of_gateway(gateway: MeshGateway) -> Proxy | None:
    """A proxy that would serve `gateway`, to ask what its proxies get; None without a selector."""
    if not gateway.selectors:
        return None
    # The first selector stands for all; a MeshGateway rarely has a second one.
    return Proxy(gateway.meta, gateway=GatewayRole(builtin=True, tags=gateway.selectors[0]))


def shown_meta(meta: Meta) -> JsonObject:
    """A resource as answers mention it."""
    return {
        "labels": dict(meta.labels),
        "mesh": meta.mesh,
        "name": meta.name,
        "type": meta.type,
    }


class _Said:
    """Rules as one answer shows them. Thousands repeat the same few tags and policies: each of
    those is one object, wherever it stands, or a garbage collection would stop everybody for long.
    """

    def __init__(self) -> None:
        self._matchers: dict[Tag, JsonObject] = {}
        self._metas: dict[tuple[str, str, str], JsonObject] = {}

    def subset_rule(self, rule: SubsetRule) -> JsonObject:
        return {
            "conf": rule.conf,
            "matchers": [self._matcher(tag) for tag in rule.subset],
            "origin": self.policies(rule.origins),
        }

    def inbound_rule(self, rule: InboundRule) -> JsonObject:
        return {"conf": list(rule.confs), "origin": self._entries(rule.origins)}

    def resource_rule(self, rule: ResourceRule) -> JsonObject:
        return {
            "conf": list(rule.confs),
            "origin": self._entries(rule.origins),
            "resourceMeta": self._meta(rule.resource),
            "resourceSectionName": rule.section_name,
        }

    def policies(self, origins: Iterable[Origin]) -> list[JsonObject]:
        return [self._meta(origin.meta) for origin in origins]

    def _entries(self, origins: Iterable[Origin]) -> list[JsonObject]:
        return [
            {"resourceMeta": self._meta(origin.meta), "ruleIndex": origin.index}
            for origin in origins
        ]

    def _matcher(self, tag: Tag) -> JsonObject:
        shown = self._matchers.get(tag)
        if shown is None:
            shown = {"key": tag.key, "not": tag.negated, "value": tag.value}
            self._matchers[tag] = shown
        return shown

    def _meta(self, meta: Meta) -> JsonObject:
        key = (meta.type, meta.mesh, meta.name)
        shown = self._metas.get(key)
        if shown is None:
            shown = self._metas[key] = shown_meta(meta)
        return shown


def _shown_type(
    matched: MatchedPolicies, proxy: Proxy, said: _Said, *, services_by_tag: bool
) -> JsonObject | None:
    services = matched.to_rules.services if services_by_tag else ()
    resources = sorted(matched.to_rules.resources.values(), key=lambda rule: rule.resource.name)
    lists: dict[str, list[JsonObject]] = {
        "fromRules": [
            {"inbound": _shown_inbound(listener, proxy), "rules": [*map(said.subset_rule, rules)]}
            for listener, rules in _by_port(matched.from_rules)
        ],
        "inboundRules": [
            {"inbound": _shown_inbound(listener, proxy), "rules": [*map(said.inbound_rule, rules)]}
            for listener, rules in _by_port(matched.inbound_rules)
        ],
        "toResourceRules": [*map(said.resource_rule, resources)],
        "toRules": [*map(said.subset_rule, services)],
    }
    # Types without a rule are left out, and their warnings with them, as in the original.
    if not matched.proxy_rules and not any(lists.values()):
        return None
    shown: JsonObject = {**lists, "type": matched.type, "warnings": list(matched.warnings)}
    for rule in matched.proxy_rules:
        shown["proxyRule"] = {"conf": rule.conf, "origin": said.policies(rule.origins)}
    return shown


_Rules = TypeVar("_Rules", bound=Sequence[object])


def _by_port(rules: Mapping[Listener, _Rules]) -> list[tuple[Listener, _Rules]]:
    said = [(listener, about) for listener, about in rules.items() if about]
    return sorted(said, key=lambda each: each[0].port)


def _shown_inbound(listener: Listener, proxy: Proxy) -> JsonObject:
    inbound = next((each for each in proxy.inbounds if each.listener.port == listener.port), None)
    tags = inbound.tags if inbound else {}
    # All listeners of a gateway are shown with its own tags.
    if proxy.gateway is not None:
        tags = proxy.gateway.tags
    name: JsonObject = {"name": inbound.name} if inbound and inbound.name else {}
    return {**name, "port": listener.port, "tags": dict(tags)}


def _http_matches(matched: Iterable[MatchedPolicies]) -> list[JsonObject]:
    """What the hashes in other rules stand for, by hash."""
    routes = (each for each in matched if each.type == HTTP_ROUTE)
    found = {
        matches_hash(matches): matches
        for route in routes
        for conf in _confs(route)
        for matches in rule_matches(conf)
    }
    return [{"hash": key, "match": matches} for key, matches in sorted(found.items())]


def _confs(matched: MatchedPolicies) -> Iterator[Conf]:
    for rule in matched.to_rules.services:
        yield rule.conf
    for resource_rule in matched.to_rules.resources.values():
        yield from resource_rule.confs
