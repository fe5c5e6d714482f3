"""The policies of one type that a proxy gets, and the rules they make together.

Source: docs/wire/policies.md#matching, docs/wire/policies.md#merging
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from operator import is_

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.policy.rules.destinations import Destinations
from kong_mesh_cp.core.policy.rules.inbound_rules import InboundRule, inbound_rules
from kong_mesh_cp.core.policy.rules.match import (
    NOTHING,
    Selection,
    UnresolvedTargetError,
    select,
)
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TRAITS, Policy
from kong_mesh_cp.core.policy.rules.priority import sorted_by_policy
from kong_mesh_cp.core.policy.rules.proxies import (
    HostListener,
    Listener,
    MeshGateway,
    Proxy,
    served_gateway,
)
from kong_mesh_cp.core.policy.rules.resource_rules import ResourceRules, resource_rules
from kong_mesh_cp.core.policy.rules.routed_entries import service_entries
from kong_mesh_cp.core.policy.rules.subset_rules import (
    SubsetRule,
    from_rules,
    proxy_rules,
    service_rules,
)
from kong_mesh_cp.core.policy.rules.subsets import TooManySubsetsError


@dataclass(frozen=True, slots=True)
class MeshView:
    """The resources of one mesh that decide what a proxy of it gets.

    `policies` are in the order of the store's lists; the routes among them serve policies of
    other types too.
    """

    policies: tuple[Policy, ...] = ()
    gateways: tuple[MeshGateway, ...] = ()
    destinations: Destinations = field(default_factory=lambda: Destinations(()))
    _by_type: Mapping[str, Sequence[Policy]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_type: dict[str, list[Policy]] = {}
        for policy in self.policies:
            by_type.setdefault(policy.meta.type, []).append(policy)
        object.__setattr__(self, "_by_type", by_type)  # the index of what is frozen

    def of_type(self, policy_type: str) -> Sequence[Policy]:
        return self._by_type.get(policy_type, ())

    def after(self, before: MeshView) -> MeshView:
        """The same, in which what is as in `before` is the same object: the policies of a type, and
        the gateways.
        """
        gateways = before.gateways if self.gateways == before.gateways else self.gateways
        made = MeshView(self.policies, gateways, self.destinations)
        by_type = {
            each: old if _are_the_same(found, old := before.of_type(each)) else found
            for each, found in made._by_type.items()
        }
        object.__setattr__(made, "_by_type", by_type)
        return made


def _are_the_same(some: Sequence[object], others: Sequence[object]) -> bool:
    """Not equal ones: these very objects."""
    return len(some) == len(others) and all(map(is_, some, others))


@dataclass(frozen=True, slots=True)
class ToRules:
    """What holds for outgoing traffic: by service tag, and by resource."""

    services: tuple[SubsetRule, ...] = ()
    resources: ResourceRules = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedPolicies:
    """All about one type. `warnings` are texts for users; what they are about is left out."""

    type: str
    policies: tuple[Policy, ...] = ()  # in ascending priority
    from_rules: Mapping[Listener, tuple[SubsetRule, ...]] = field(default_factory=dict)
    inbound_rules: Mapping[Listener, tuple[InboundRule, ...]] = field(default_factory=dict)
    to_rules: ToRules = ToRules()
    proxy_rules: tuple[SubsetRule, ...] = ()  # one, or none
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GatewayToRules:
    """What holds for traffic that comes in by one listener, and by one listener for one host."""

    by_listener: Mapping[Listener, ToRules]
    by_host_listener: Mapping[HostListener, ToRules]


def matched_policies(
    policy_type: str, proxy: Proxy, view: MeshView, *, with_shadow: bool = False
) -> MatchedPolicies:
    """Match and merge the policies of `policy_type` for `proxy`. Never fails: see `warnings`."""
    found = candidates(policy_type, view, with_shadow=with_shadow)
    selections, warnings = ranked_selections(found, proxy, view)
    policies = tuple(policy for policy, _ in selections)
    # Rules differ by listener only where a policy selects some of them; still each has its own, as
    # the answer lists them by inbound.
    about_listeners = by_listener(selections)
    matched = MatchedPolicies(
        type=policy_type,
        policies=policies,
        to_rules=ToRules(resources=resource_rules(policies, view.destinations)),
        proxy_rules=proxy_rules(policies),
    )
    if TRAITS[policy_type].has_from:
        inbound = {place: inbound_rules(about) for place, about in about_listeners.items()}
        matched = replace(matched, inbound_rules=inbound)
        try:
            clients = {place: from_rules(about) for place, about in about_listeners.items()}
            matched = replace(matched, from_rules=clients)
        except TooManySubsetsError as error:
            # The rest of the answer stands: what is wrong with one list says nothing about the
            # others.
            warnings.append(f"couldn't create From rules: {error}")
    try:
        services = _service_rules(policies, view)
        matched = replace(matched, to_rules=replace(matched.to_rules, services=services))
    except (TooManySubsetsError, UnresolvedTargetError) as error:
        warnings.append(f"couldn't create To rules: {error}")
    return replace(matched, warnings=tuple(warnings))


def gateway_to_rules(
    policy_type: str, proxy: Proxy, view: MeshView, *, with_shadow: bool = False
) -> GatewayToRules:
    """As `matched_policies`, for each listener of the gateway that `proxy` serves.

    By host, services get their confs in the order of the store's lists instead of by priority:
    that is how the original does it, and what its gateways therefore do.
    Raises: TooManySubsetsError.
    """
    found = candidates(policy_type, view, with_shadow=with_shadow)
    ranked, _ = ranked_selections(found, proxy, view)
    by_host: dict[HostListener, list[Policy]] = {}
    for policy, selection in _selections(found, proxy, view):
        for place in selection.host_listeners if isinstance(selection, Selection) else ():
            by_host.setdefault(place, []).append(policy)
    return GatewayToRules(
        {place: to_rules(about, view) for place, about in by_listener(ranked).items()},
        {place: to_rules(about, view) for place, about in by_host.items()},
    )


def selects_proxy(policy: Policy, proxy: Proxy, view: MeshView) -> bool:
    """`policy` is one of those that `proxy` gets. Raises: UnresolvedTargetError."""
    gateway = served_gateway(proxy, view.gateways)
    return bool(select(policy, proxy, gateway, view.of_type(HTTP_ROUTE)))


def candidates(policy_type: str, view: MeshView, *, with_shadow: bool) -> list[Policy]:
    """Those of `policy_type` that can have an effect."""
    return [
        policy for policy in view.of_type(policy_type) if with_shadow or not policy.meta.is_shadow
    ]


def _selections(
    policies: Iterable[Policy], proxy: Proxy, view: MeshView
) -> Iterator[tuple[Policy, Selection | UnresolvedTargetError]]:
    """Those of `policies` that select something, or cannot tell what."""
    gateway = served_gateway(proxy, view.gateways)
    routes = view.of_type(HTTP_ROUTE)
    # Policies that select nothing are dropped here, so that they are in no origin of any rule.
    for policy in policies:
        try:
            selection = select(policy, proxy, gateway, routes)
        except UnresolvedTargetError as error:
            yield policy, error
        else:
            if selection:
                yield policy, selection


def left_aside(
    policy_type: str, proxy: Proxy, view: MeshView, *, with_shadow: bool = False
) -> Iterator[tuple[Policy, str]]:
    """The policies of a type that `proxy` does not get, each with the reason, for people."""
    gateway = served_gateway(proxy, view.gateways)
    routes = view.of_type(HTTP_ROUTE)
    for policy in view.of_type(policy_type):
        if policy.meta.is_shadow and not with_shadow:
            yield policy, "it is only tried out (label kuma.io/effect: shadow)"
            continue
        try:
            selection = select(policy, proxy, gateway, routes)
        except UnresolvedTargetError as error:
            yield policy, str(error)
        else:
            if not selection:
                yield policy, selection.why_not or NOTHING.why_not


def ranked_selections(
    policies: Iterable[Policy], proxy: Proxy, view: MeshView
) -> tuple[list[tuple[Policy, Selection]], list[str]]:
    """By priority, with a warning for each that cannot tell what it selects."""
    selected: list[tuple[Policy, Selection]] = []
    warnings: list[str] = []
    # A mesh has many policies and a proxy gets few of them: only those are put in order.
    found = sorted_by_policy(_selections(policies, proxy, view), lambda each: each[0])
    for policy, selection in found:
        if isinstance(selection, Selection):
            selected.append((policy, selection))
            continue
        warnings.append(
            "unable to resolve TargetRef on policy: "
            f"mesh:{policy.meta.mesh} name:{policy.meta.name} error:{go_quote(str(selection))}"
        )
    return selected, warnings


def by_listener(
    selections: Iterable[tuple[Policy, Selection]],
) -> Mapping[Listener, list[Policy]]:
    """The policies about each listener, in their order."""
    found: dict[Listener, list[Policy]] = {}
    for policy, selection in selections:
        for place in selection.listeners:
            found.setdefault(place, []).append(policy)
    return found


def to_rules(policies: Sequence[Policy], view: MeshView) -> ToRules:
    """What `policies`, in ascending priority, say together about outgoing traffic.

    Raises: TooManySubsetsError, UnresolvedTargetError.
    """
    return ToRules(_service_rules(policies, view), resource_rules(policies, view.destinations))


def _service_rules(policies: Sequence[Policy], view: MeshView) -> tuple[SubsetRule, ...]:
    return service_rules(list(service_entries(policies, view.of_type(HTTP_ROUTE))))
