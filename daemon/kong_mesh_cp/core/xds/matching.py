"""The confs that hold for the parts of one proxy, typed, and shared by all whom they hold for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Final, NamedTuple, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.confs import UnreadableConfError, conf_of
from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.http_matches import RULE_MATCHES_HASH_TAG
from kong_mesh_cp.core.policy.rules.inbound_rules import InboundRule, inbound_rules
from kong_mesh_cp.core.policy.rules.match import Selection, UnresolvedTargetError
from kong_mesh_cp.core.policy.rules.matched import (
    MeshView,
    ToRules,
    by_listener,
    candidates,
    ranked_selections,
    to_rules,
)
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TRAITS, Conf, Meta, Policy
from kong_mesh_cp.core.policy.rules.proxies import HostListener, Listener, Proxy
from kong_mesh_cp.core.policy.rules.resource_rules import ResourceRule, rule_for_destination
from kong_mesh_cp.core.policy.rules.subset_rules import (
    SubsetRule,
    from_rules,
    proxy_rules,
    rule_for,
)
from kong_mesh_cp.core.policy.rules.subsets import Subset, Tags, TooManySubsetsError
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.parts import Parts

T = TypeVar("T")

POLICY_TYPES: Final = tuple(TRAITS)  # in the order of their effects
# What they say of a proxy's inbounds holds for what it sends as well: they have no `to`.
BOTH_WAYS: Final = frozenset({"MeshTLS"})


class TypedConf:
    """A merged conf, as the dataclass of its kind. Equal texts are equal confs."""

    __slots__ = ("text", "value")

    def __init__(self, policy_type: str, conf: Conf) -> None:
        """Raises: UnreadableConfError."""
        self.value = conf_of(policy_type, conf)
        self.text = json.dumps(conf, sort_keys=True, separators=(",", ":"))

    def of_kind(self, kind: type[T]) -> T:
        """Its value, for who knows the type that was matched."""
        assert isinstance(self.value, kind)  # noqa: S101 — as callers say
        return self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypedConf) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


@dataclass(frozen=True, slots=True)
class ClientConf:
    """What holds for the clients in `subset`; the first one that a client belongs to counts."""

    subset: Subset
    conf: TypedConf


@dataclass(frozen=True, slots=True)
class InboundConfs:
    """What one type of policies says about one inbound."""

    rules: TypedConf | None = None  # for all clients: `rules`, or `from` read as such
    clients: tuple[ClientConf, ...] = ()
    selected: bool = False  # some policy of the type is about the inbound


@dataclass(frozen=True, slots=True)
class DestinationConfs:
    """What one type of policies says about one destination of a proxy."""

    conf: TypedConf | None = None
    routes: tuple[tuple[str, TypedConf], ...] = ()  # by the hash of a route's matches
    selected: bool = False  # some policy of the type selects the proxy
    # The policies that a route's references are from, by the hash of a rule's matches.
    origins: Mapping[str, Meta] = field(default_factory=dict)

    def of_route(self, matches_hash: str) -> TypedConf | None:
        """The conf of one route, else that of the destination."""
        return next((conf for each, conf in self.routes if each == matches_hash), self.conf)


class InboundRules(NamedTuple):
    """The rules about one inbound: for all of its clients, and by clients."""

    rules: tuple[InboundRule, ...]  # one, or none
    clients: tuple[SubsetRule, ...]


class ServiceRules(NamedTuple):
    """The rule about a service, and those about routes to it, by the hash of their matches."""

    about: SubsetRule | None
    routes: Mapping[str, SubsetRule]


@dataclass(frozen=True, slots=True)
class _To:
    policies: tuple[Policy, ...]  # held: a key says only which objects they were
    rules: ToRules
    warning: str = ""


class MatchedType:
    """The policies of one type that a proxy gets."""

    def __init__(
        self,
        policy_type: str,
        proxy: Proxy,
        view: MeshView,
        parts: Parts,
        *,
        with_shadow: bool = False,
    ) -> None:
        """`parts` are of the mesh of `view`."""
        self.type = policy_type
        self._view = view
        self._parts = parts
        self._candidates = candidates(policy_type, view, with_shadow=with_shadow)
        self._selections: Sequence[tuple[Policy, Selection]] = ()
        self.warnings: list[str] = []
        if self._candidates:
            self._selections, self.warnings = ranked_selections(self._candidates, proxy, view)
        self.policies = tuple(policy for policy, _ in self._selections)
        self._by_listener = by_listener(self._selections)
        self._proxy_wide = TRAITS[policy_type].proxy_wide
        self._known_to: _To | None = None

    def inbound(self, listener: Listener) -> InboundConfs:
        """Raises: TooManySubsetsError, UnreadableConfError."""
        if self._proxy_wide:
            return InboundConfs(self.proxy_conf(), selected=bool(self.policies))
        about = tuple(self._by_listener.get(listener, ()))
        if not about:
            return InboundConfs()
        key = ("inbound", self.type, *map(id, about))
        confs, _ = self._parts.made(key, lambda: (_inbound_confs(self.type, about), about))
        return confs

    def service(self, service: str) -> DestinationConfs:
        """What holds for the instances of a service by its tag. Raises: UnreadableConfError."""
        return self._to_confs("service", service, self._service_confs)

    def destination(self, wanted: DestinationId) -> DestinationConfs:
        """What holds for a service that is a resource, or its port. Raises: UnreadableConfError."""
        return self._to_confs("destination", wanted, self._resource_confs)

    def _to_confs(
        self, what: str, wanted: T, make: Callable[[T], DestinationConfs]
    ) -> DestinationConfs:
        if not self.policies:
            return DestinationConfs()
        if self.type in BOTH_WAYS:
            return self._both_ways
        if self._proxy_wide:
            return DestinationConfs(self.proxy_conf(), selected=True)
        key = (what, wanted, id(self._to))
        confs, _ = self._parts.made(key, lambda: (make(wanted), self._to))
        return confs

    def proxy_conf(self) -> TypedConf | None:
        """The one conf of a type that has one for the whole proxy. Raises: UnreadableConfError."""
        policies = self.policies
        if not policies:
            return None
        key = ("proxy", self.type, *map(id, policies))
        made, _ = self._parts.made(key, lambda: (_proxy_conf(self.type, policies), policies))
        return made

    @property
    def is_about_gateway(self) -> bool:
        """Some policy is about a listener of the gateway that the proxy serves."""
        return any(selection.host_listeners for _, selection in self._selections)

    def at_listener(self, listener: Listener) -> ToRules | None:
        """What holds for traffic that comes in by a listener of a gateway; None: no policy is about
        it.
        """
        about = tuple(self._by_listener.get(listener, ()))
        return self._rules_of(about).rules if about else None

    def at_host(self, listener: HostListener) -> ToRules | None:
        """Likewise of a listener for one host name. In the order of the store's lists instead of by
        priority, as the original has it.
        """
        selecting = {
            id(policy)
            for policy, selection in self._selections
            if listener in selection.host_listeners
        }
        about = tuple(each for each in self._candidates if id(each) in selecting)
        return self._rules_of(about).rules if about else None

    @property
    def to_rules(self) -> ToRules:
        """As they are before confs are read: for routes, which have more than one conf."""
        return self._to.rules

    def inbound_rules(self, listener: Listener) -> InboundRules:
        """What `inbound` reads its confs from. Raises: TooManySubsetsError."""
        return _inbound_rules(tuple(self._by_listener.get(listener, ())))

    def service_rules(self, service: str) -> ServiceRules:
        """What `service` reads its confs from."""
        return rules_about(self._to.rules.services if self.policies else (), {SERVICE: service})

    def destination_rule(self, wanted: DestinationId) -> ResourceRule | None:
        """What `destination` reads its conf from."""
        if not self.policies:
            return None
        return rule_for_destination(self._to.rules.resources, wanted)

    @property
    def is_about_outgoing(self) -> bool:
        """Some policy says something about outgoing traffic, or about all of the proxy's."""
        has_to = TRAITS[self.type].has_to
        return any(each.to or not has_to for each in self.policies)

    @property
    def outgoing(self) -> object:
        """Stands for all that the type says about outgoing traffic: who has the same shares it.

        None: it says nothing.
        """
        if self.type in BOTH_WAYS:
            return self._of_an_inbound
        return self._to if self.policies else None

    @property
    def _of_an_inbound(self) -> InboundConfs | None:
        """Of the first one that a policy is about: for the types in BOTH_WAYS all have the same, as
        far as it matters to destinations.
        """
        first = next(iter(self._by_listener), None)
        try:
            return None if first is None else self.inbound(first)
        except (TooManySubsetsError, UnreadableConfError):
            return None  # which is told of the inbound

    @property
    def both_ways_rule(self) -> InboundRule | None:
        """What destinations read their confs from, for the types in BOTH_WAYS."""
        first = next(iter(self._by_listener), None)
        rules = () if first is None else inbound_rules(self._by_listener[first])
        return rules[0] if rules and rules[0].confs else None

    @property
    def _both_ways(self) -> DestinationConfs:
        found = self._of_an_inbound
        return DestinationConfs(None if found is None else found.rules, selected=True)

    def _to_key(self, policies: Sequence[Policy]) -> tuple[object, ...]:
        """All that `to_rules` looks at. Of a view it is the destinations and, for policies about
        routes, those: not a policy that has nothing to do with these.
        """
        view = self._view
        about_routes = any(each.target.kind == HTTP_ROUTE for each in policies)
        routes = view.of_type(HTTP_ROUTE) if about_routes else ()
        return (self.type, id(view.destinations), len(routes), *map(id, (*routes, *policies)))

    @property
    def _to(self) -> _To:
        if self._known_to is None:
            self._known_to = self._rules_of(self.policies)
        return self._known_to

    def _rules_of(self, policies: tuple[Policy, ...]) -> _To:
        key = ("to", *self._to_key(policies))
        made, _ = self._parts.made(key, lambda: (self._make_to(policies), self._view))
        if made.warning and made.warning not in self.warnings:
            self.warnings.append(made.warning)
        return made

    def _make_to(self, policies: tuple[Policy, ...]) -> _To:
        try:
            return _To(policies, to_rules(policies, self._view))
        except (TooManySubsetsError, UnresolvedTargetError) as error:
            return _To(policies, ToRules(), f"couldn't create To rules: {error}")

    def _service_confs(self, service: str) -> DestinationConfs:
        rules = self.service_rules(service)
        routes = {each: TypedConf(self.type, rule.conf) for each, rule in rules.routes.items()}
        return DestinationConfs(
            None if rules.about is None else TypedConf(self.type, rules.about.conf),
            tuple(sorted(routes.items())),
            selected=True,
            origins={} if rules.about is None else backend_origins(rules.about),
        )

    def _resource_confs(self, wanted: DestinationId) -> DestinationConfs:
        rule = self.destination_rule(wanted)
        if rule is None or not rule.confs:
            return DestinationConfs(selected=True)
        conf = TypedConf(self.type, rule.confs[0])
        return DestinationConfs(conf, selected=True, origins=backend_origins(rule))


def rules_about(rules: Sequence[SubsetRule], tags: Tags) -> ServiceRules:
    """Those among `rules` about what carries `tags`."""
    about = rule_for(rules, tags)
    routes: dict[str, SubsetRule] = {}
    for matches_hash in _route_hashes(rules):
        rule = rule_for(rules, {**tags, RULE_MATCHES_HASH_TAG: matches_hash})
        if rule is not None and rule is not about:
            routes[matches_hash] = rule
    return ServiceRules(about, routes)


def backend_origins(rule: SubsetRule | ResourceRule) -> Mapping[str, Meta]:
    """The policies that the references of its conf are from, by the hash of a rule's matches."""
    return {key: rule.origins[index].meta for key, index in rule.backend_origins}


def _route_hashes(rules: Sequence[SubsetRule]) -> list[str]:
    found = (
        tag.value
        for rule in rules
        for tag in rule.subset
        if tag.key == RULE_MATCHES_HASH_TAG and not tag.negated
    )
    return list(dict.fromkeys(found))


def _proxy_conf(policy_type: str, policies: Sequence[Policy]) -> TypedConf | None:
    rules = proxy_rules(policies)
    return TypedConf(policy_type, rules[0].conf) if rules else None


def _inbound_rules(policies: Sequence[Policy]) -> InboundRules:
    return InboundRules(inbound_rules(policies), from_rules(policies))


def _inbound_confs(policy_type: str, policies: Sequence[Policy]) -> InboundConfs:
    found = _inbound_rules(policies)
    rules = found.rules
    return InboundConfs(
        TypedConf(policy_type, rules[0].confs[0]) if rules and rules[0].confs else None,
        tuple(ClientConf(each.subset, TypedConf(policy_type, each.conf)) for each in found.clients),
        selected=True,
    )


class Matched:
    """All types of policies of one proxy, each matched when it is asked for."""

    def __init__(
        self, proxy: Proxy, view: MeshView, parts: Parts, *, with_shadow: bool = False
    ) -> None:
        self._with_shadow = with_shadow
        self._proxy = proxy
        self._view = view
        self.parts = parts
        self._types: dict[str, MatchedType] = {}

    def of_type(self, policy_type: str) -> MatchedType:
        found = self._types.get(policy_type)
        if found is None:
            found = MatchedType(
                policy_type, self._proxy, self._view, self.parts, with_shadow=self._with_shadow
            )
            self._types[policy_type] = found
        return found

    @property
    def warnings(self) -> list[str]:
        """Of the types that were asked for: what could not be matched, in texts for users."""
        return [text for each in self._types.values() for text in each.warnings]


__all__ = [
    "POLICY_TYPES",
    "ClientConf",
    "DestinationConfs",
    "InboundConfs",
    "Matched",
    "MatchedType",
    "TypedConf",
    "UnreadableConfError",
]
