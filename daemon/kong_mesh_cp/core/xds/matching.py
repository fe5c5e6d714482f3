"""The confs that hold for the parts of one proxy, typed, and shared by all whom they hold for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.confs import UnreadableConfError
from kong_mesh_cp.core.policy.rules.destinations import DestinationId
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
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TRAITS, Policy
from kong_mesh_cp.core.policy.rules.proxies import HostListener, Listener, Proxy
from kong_mesh_cp.core.policy.rules.resource_rules import ResourceRule, rule_for_destination
from kong_mesh_cp.core.policy.rules.subset_rules import (
    SubsetRule,
    from_rules,
    proxy_rules,
)
from kong_mesh_cp.core.policy.rules.subsets import TooManySubsetsError
from kong_mesh_cp.core.policy.service_rules import (
    ServiceRules,
    backend_origins,
    rules_about,
)
from kong_mesh_cp.core.policy.typed_confs import (
    NO_DESTINATION_CONFS,
    NO_INBOUND_CONFS,
    ClientConf,
    DestinationConfs,
    InboundConfs,
    TypedConf,
)
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.parts import Parts

T = TypeVar("T")

# What they say of a proxy's inbounds holds for what it sends as well: they have no `to`.
BOTH_WAYS: Final = frozenset({"MeshTLS"})

NO_POLICIES: Final = MeshView()


class InboundRules(NamedTuple):
    """The rules about one inbound: for all of its clients, and by clients."""

    rules: tuple[InboundRule, ...]  # one, or none
    clients: tuple[SubsetRule, ...]


@dataclass(frozen=True, slots=True)
class _To:
    policies: tuple[Policy, ...]  # held: a key says only which objects they were
    rules: ToRules
    warning: str = ""


class MatchedType:
    """The policies of one type that a proxy gets."""

    __slots__ = (
        *("_by_listener", "_candidates", "_destinations", "_known_to_key", "_parts", "_proxy_wide"),
        *("_routes", "_selections", "_told", "_unresolved", "is_about_outgoing", "policies"),
        "type",
    )

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
        # Of the view no more than this: it is kept for longer.
        self._destinations, self._routes = view.destinations, view.of_type(HTTP_ROUTE)
        self._parts = parts
        self._candidates = candidates(policy_type, view, with_shadow=with_shadow)
        self._selections: Sequence[tuple[Policy, Selection]] = ()
        self._unresolved: Sequence[str] = ()
        if self._candidates:
            self._selections, self._unresolved = ranked_selections(self._candidates, proxy, view)
        self.policies = tuple(policy for policy, _ in self._selections)
        self._by_listener = by_listener(self._selections)
        self._proxy_wide = TRAITS[policy_type].proxy_wide
        self._known_to_key: tuple[object, ...] = ()
        self._told: list[str] = []  # of the rules at listeners
        has_to = TRAITS[policy_type].has_to
        # Some policy says something about outgoing traffic, or about all of the proxy's.
        self.is_about_outgoing = any(each.to or not has_to for each in self.policies)

    @property
    def can_warn(self) -> bool:
        """Without policies there is nothing to warn of."""
        return bool(self.policies or self._unresolved)

    @property
    def warnings(self) -> list[str]:
        """What could not be matched, or merged, in texts for users."""
        has_to = self.policies and self.type not in BOTH_WAYS
        found = [*self._unresolved, *self._told]
        about_to = self._to.warning if has_to else ""
        return [*found, about_to] if about_to and about_to not in found else found

    def inbound(self, listener: Listener) -> InboundConfs:
        """Raises: TooManySubsetsError, UnreadableConfError."""
        if not self.policies:
            return NO_INBOUND_CONFS
        if self._proxy_wide:
            return InboundConfs(self.proxy_conf(), selected=True)
        about = tuple(self._by_listener.get(listener, ()))
        if not about:
            return NO_INBOUND_CONFS

        def make() -> tuple[InboundConfs, object]:
            confs = _inbound_confs(self.type, about)
            # The same object for what says the same: it is compared often.
            return self._parts.made(("same", self.type, confs), lambda: confs), about

        confs, _ = self._parts.made(("inbound", self.type, *map(id, about)), make)
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
            return NO_DESTINATION_CONFS
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
        return self._rules_at(about) if about else None

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
        return self._rules_at(about) if about else None

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
        about_routes = any(each.target.kind == HTTP_ROUTE for each in policies)
        routes = self._routes if about_routes else ()
        held = (self._destinations, *routes, *policies)
        return ("to", self.type, len(routes), *map(id, held))

    @property
    def _to(self) -> _To:
        if not self._known_to_key:
            self._known_to_key = self._to_key(self.policies)
        return self._rules_by(self._known_to_key, self.policies)

    def _rules_at(self, policies: tuple[Policy, ...]) -> ToRules:
        """Of those about one listener of a gateway."""
        made = self._rules_by(self._to_key(policies), policies)
        if made.warning and made.warning not in self._told:
            self._told.append(made.warning)
        return made.rules

    def _rules_by(self, key: tuple[object, ...], policies: tuple[Policy, ...]) -> _To:
        made, _ = self._parts.made(
            key, lambda: (self._make_to(policies), (self._destinations, self._routes))
        )
        return made

    def _make_to(self, policies: tuple[Policy, ...]) -> _To:
        try:
            view = MeshView(tuple(self._routes), destinations=self._destinations)
            return _To(policies, to_rules(policies, view))
        except (TooManySubsetsError, UnresolvedTargetError) as error:
            return _To(policies, ToRules(), f"couldn't create To rules: {error}")

    def _service_confs(self, service: str) -> DestinationConfs:
        rules = self.service_rules(service)

        def make() -> tuple[DestinationConfs, object]:
            routes = {each: TypedConf(self.type, rule.conf) for each, rule in rules.routes.items()}
            confs = DestinationConfs(
                None if rules.about is None else TypedConf(self.type, rules.about.conf),
                tuple(sorted(routes.items())),
                selected=True,
                origins={} if rules.about is None else backend_origins(rules.about),
            )
            return confs, rules

        # Most services have the same rules: those about all. Held with what was made of them.
        key = ("rules", self.type, id(rules.about), *_places(rules.routes))
        confs, _ = self._parts.made(key, make)
        return confs

    def _resource_confs(self, wanted: DestinationId) -> DestinationConfs:
        rule = self.destination_rule(wanted)
        if rule is None or not rule.confs:
            return DestinationConfs(selected=True)
        conf = TypedConf(self.type, rule.confs[0])
        return DestinationConfs(conf, selected=True, origins=backend_origins(rule))


def _places(routes: Mapping[str, SubsetRule]) -> Iterator[tuple[str, int]]:
    """Which objects they are."""
    for matches_hash, rule in routes.items():
        yield matches_hash, id(rule)


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
        self._several: dict[tuple[str, ...], tuple[MatchedType, ...]] = {}
        # What is matched beside a type's own policies. Only built-in gateways serve a MeshGateway.
        gateways = view.gateways if proxy.is_builtin_gateway else ()
        self._beside = (proxy, gateways, view.of_type(HTTP_ROUTE), view.destinations)
        self._key = (with_shadow, *map(id, self._beside))

    def of_type(self, policy_type: str) -> MatchedType:
        found = self._types.get(policy_type)
        if found is None:
            found = self._types[policy_type] = self._matched(policy_type)
        return found

    def _matched(self, policy_type: str) -> MatchedType:
        policies = self._view.of_type(policy_type)
        if not policies:  # which is so for all proxies
            key = ("matched", policy_type)
            return self.parts.made(key, lambda: self._match(policy_type, NO_POLICIES))
        # Held with what was made of them: the key only says which objects they were.
        found, _ = self.parts.made(
            ("matched", policy_type, id(policies), self._key),
            lambda: (self._match(policy_type, self._view), (policies, self._beside)),
        )
        return found

    def of_types(self, policy_types: tuple[str, ...]) -> tuple[MatchedType, ...]:
        """Several, in the order of their names."""
        found = self._several.get(policy_types)
        if found is None:
            found = self._several[policy_types] = tuple(map(self.of_type, policy_types))
        return found

    @property
    def asked(self) -> Mapping[str, MatchedType]:
        """The types that were asked for so far, by name."""
        return dict(self._types)

    def asked_before(self, types: Mapping[str, MatchedType]) -> None:
        """What is remembered was made of these: they warn of the same as when it was made."""
        self._types.update(types)

    def _match(self, policy_type: str, view: MeshView) -> MatchedType:
        return MatchedType(
            policy_type, self._proxy, view, self.parts, with_shadow=self._with_shadow
        )

    @property
    def warnings(self) -> list[str]:
        """Of the types that were asked for: what could not be matched, in texts for users."""
        return [text for each in self._types.values() if each.can_warn for text in each.warnings]
