"""Why one proxy is configured as it is: each setting, who said it, who lost, and what carries it.

The rules are those that the proxy is generated from (`matching`), and the members of their confs
are told apart by the merge itself (`said_members`).

Source: docs/wire/inspection.md#why-a-proxy-is-configured-as-it-is
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.discovery.snapshots import Resource
from kong_mesh_cp.core.policy.rules.entries import Contribution
from kong_mesh_cp.core.policy.rules.matched import left_aside
from kong_mesh_cp.core.policy.rules.mesh_resources import proxy_of
from kong_mesh_cp.core.policy.rules.policy import TRAITS, Conf
from kong_mesh_cp.core.policy.rules.proxies import Listener
from kong_mesh_cp.core.policy.rules.said_members import SaidConf, said_confs, shown_path
from kong_mesh_cp.core.policy.rules.subset_rules import SubsetRule, proxy_rules
from kong_mesh_cp.core.policy.rules.subsets import TooManySubsetsError
from kong_mesh_cp.core.policy.views import explained_members as views
from kong_mesh_cp.core.policy.views.explained_members import JsonObject, ListKind
from kong_mesh_cp.core.policy.views.rules_view import shown_meta
from kong_mesh_cp.core.resources.kinds.dataplane import Inbound
from kong_mesh_cp.core.resources.tags import PROTOCOL
from kong_mesh_cp.core.xds.effects import DefaultsOf
from kong_mesh_cp.core.xds.envoy.as_json import json_of_packed
from kong_mesh_cp.core.xds.explaining.carrying import Carrying, Names, ResourceName, short_type
from kong_mesh_cp.core.xds.explaining.older_explanation import OlderExplaining
from kong_mesh_cp.core.xds.generators.outbound_plan import destination_of
from kong_mesh_cp.core.xds.matching import BOTH_WAYS, Matched, MatchedType
from kong_mesh_cp.core.xds.names import (
    CLUSTER,
    LISTENER,
    inbound_listener,
    outbound_listener,
)
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.policies.effect_catalogue import EFFECTS
from kong_mesh_cp.core.xds.protocols import protocol_of
from kong_mesh_cp.core.xds.proxy_view import OutboundTarget, ProxyView, place_of
from kong_mesh_cp.core.xds.targets import targets_of

OUTBOUNDS_MAX: Final = 100  # of one answer; transparent proxies have one for each service
LEFT_ASIDE_MAX: Final = 200  # policies that are not about the proxy, of one answer

# What else decides about what a type decides: then nothing is known of defaults.
_OLDER: Final = {
    "MeshHealthCheck": "HealthCheck",
    "MeshRetry": "Retry",
    "MeshTimeout": "Timeout",
    "MeshTrafficPermission": "TrafficPermission",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which part is asked for; all of it, if nothing is said. At most one of both is."""

    inbound: int | None = None  # a port
    outbound: str = ""  # the service, the name of its resource, or of the listener


class NoSuchPlaceError(Exception):
    """The proxy has no such inbound or outbound."""

    def __init__(self, known: Sequence[str]) -> None:
        """`known`: those that it has."""
        super().__init__(", ".join(known))
        self.known = known


def explained(view: ProxyView, parts: Parts, wanted: Wanted) -> JsonObject:
    """The body of `_explain`. `parts` are of the mesh of `view`. Raises: NoSuchPlaceError."""
    return _Explaining(view, parts, wanted).answer()


class _Place(NamedTuple):
    """An inbound, or the outbounds of one destination."""

    is_inbound: bool
    protocol: str
    is_resource: bool
    envoy: Names  # its listeners and clusters
    is_external: bool = False


class _Explaining:
    def __init__(self, view: ProxyView, parts: Parts, wanted: Wanted) -> None:
        self._view = view
        self._wanted = wanted
        self._matched = Matched(
            proxy_of(view.dataplane), view.world.policies, parts, with_shadow=view.with_shadow
        )
        self._parts = parts
        groups = self._destinations(wanted.outbound) if wanted.inbound is None else []
        self._groups, self._left_out = groups[:OUTBOUNDS_MAX], len(groups[OUTBOUNDS_MAX:])
        targets = [each for group in self._groups for each in group]
        self._carrying = Carrying(view, targets, parts)
        self._older = OlderExplaining(view, self._carrying.of_older_type, _shown_names)
        self._by_type: dict[str, Names] = {}
        self._said: dict[int, tuple[tuple[Contribution, ...], tuple[SaidConf, ...]]] = {}

    def answer(self) -> JsonObject:
        wanted = self._wanted
        everything = wanted == Wanted()
        shown: JsonObject = {
            "complaints": [
                {"about": each.about, "reason": each.reason}
                for each in self._carrying.made.complaints
            ],
            "inbounds": [],
            "older": self._older.types,
            "olderOfProxy": self._older.of_proxy() if everything else [],
            "leftAside": [*islice(self._left_aside(), LEFT_ASIDE_MAX)],
            "outbounds": [],
            "proxy": [*self._of_proxy()] if everything else [],
            "resource": shown_meta(proxy_of(self._view.dataplane).meta),
        }
        if not wanted.outbound:
            shown["inbounds"] = [*self._inbounds(wanted.inbound)]
        shown["outbounds"] = [self._outbound(each) for each in self._groups]
        if self._left_out:
            shown["leftOut"] = {"outbounds": self._left_out}
        return shown

    def _left_aside(self) -> Iterator[JsonObject]:
        """Policies of the mesh that the proxy does not get, and why."""
        view = self._view
        proxy = proxy_of(view.dataplane)
        for policy_type in TRAITS:
            for policy, why in left_aside(
                policy_type, proxy, view.world.policies, with_shadow=view.with_shadow
            ):
                yield {"name": policy.meta.name, "type": policy_type, "why": why}

    # Where

    def _inbounds(self, port: int | None) -> Iterator[JsonObject]:
        inbounds = self._view.networking.inbound
        if port is not None and all(each.port != port for each in inbounds):
            raise NoSuchPlaceError([str(each.port) for each in inbounds])
        for inbound in inbounds:
            if port in (None, inbound.port):
                yield self._inbound(inbound)

    def _inbound(self, inbound: Inbound) -> JsonObject:
        place = place_of(inbound, self._view.networking)
        envoy = self._envoy([inbound_listener(place.address, place.port)])
        protocol = protocol_of(inbound.tags.get(PROTOCOL))
        about = _Place(True, protocol, False, envoy)
        policies = [
            shown
            for policy_type, traits in TRAITS.items()
            if traits.has_from or policy_type in _DEFAULTS
            for shown in self._of_inbound(policy_type, Listener(place.address, place.port), about)
        ]
        name: JsonObject = {"name": inbound.name} if inbound.name else {}
        return {
            **name,
            "address": place.address,
            "envoy": _shown_names(envoy),
            "older": self._older.of_inbound(inbound.tags, envoy),
            "policies": policies,
            "port": place.port,
            "protocol": protocol,
            "tags": dict(inbound.tags),
        }

    def _destinations(self, wanted: str) -> list[list[OutboundTarget]]:
        """The outbounds by what they lead to."""
        groups: dict[object, list[OutboundTarget]] = {}
        for each in targets_of(self._view, self._parts):
            groups.setdefault((each.tags, each.resource), []).append(each)
        found = [*groups.values()]
        if wanted:
            found = [each for each in found if wanted in self._called(each)]
            if not found:
                names = [self._called(each)[0] for each in groups.values()]
                raise NoSuchPlaceError([*dict.fromkeys(names)])
        return found

    def _called(self, targets: Sequence[OutboundTarget]) -> list[str]:
        """What a destination may be asked for by; the first one is its own name."""
        first = targets[0]
        destination = destination_of(first.to, self._view.world, set())
        return [
            first.service if first.resource is None else first.resource.name,
            *(() if destination is None else (destination.service,)),
            *(outbound_listener(each.address, each.port) for each in targets),
        ]

    def _outbound(self, targets: Sequence[OutboundTarget]) -> JsonObject:
        first = targets[0]
        envoy = self._envoy([outbound_listener(each.address, each.port) for each in targets])
        destination = destination_of(first.to, self._view.world, set())
        protocol = "" if destination is None else destination.protocol
        is_external = destination is not None and destination.is_external
        about = _Place(False, protocol, first.resource is not None, envoy, is_external)
        policies = [
            shown
            for policy_type, traits in TRAITS.items()
            if traits.has_to or policy_type in BOTH_WAYS or policy_type in _DEFAULTS
            for shown in self._of_outbound(policy_type, first, about)
        ]
        shown: JsonObject = {
            "addresses": [f"{each.address}:{each.port}" for each in targets],
            "envoy": _shown_names(envoy),
            "policies": policies,
            "protocol": protocol,
        }
        if first.resource is not None:
            return {**shown, "resource": dict(zip(_ID_MEMBERS, first.resource, strict=True))}
        shown["older"] = self._older.of_outbound(first.tags, envoy)
        return {**shown, "service": first.service, "tags": dict(first.tags)}

    def _envoy(self, listeners: Iterable[str]) -> Names:
        """Those of `listeners` that were made, and the clusters that they lead to."""
        snapshot = self._carrying.made.snapshot
        found: set[ResourceName] = set()
        clusters = snapshot.of_type(CLUSTER).resources
        for name in listeners:
            made: Resource | None = snapshot.of_type(LISTENER).resources.get(name)
            if made is not None:
                found.add(ResourceName(LISTENER, name))
                named = _clusters_in(json_of_packed(made.packed))
                found |= {ResourceName(CLUSTER, each) for each in named if each in clusters}
        return frozenset(found)

    # What

    def _of_inbound(
        self, policy_type: str, listener: Listener, place: _Place
    ) -> Iterator[JsonObject]:
        try:
            rules, clients = self._matched.of_type(policy_type).inbound_rules(listener)
        except TooManySubsetsError as error:
            yield {"settings": [], "type": policy_type, "why": str(error)}
            return
        if TRAITS[policy_type].from_as_rules or not clients:
            conf = rules[0].confs[0] if rules else None
            entries = rules[0].entries if rules else ()
            yield from self._group(policy_type, place, views.RULES, conf, entries)
        else:
            for rule in clients:
                who = {
                    "clients": [
                        {"key": tag.key, "not": tag.negated, "value": tag.value}
                        for tag in rule.subset
                    ]
                }
                found = self._group(policy_type, place, views.FROM, rule.conf, rule.entries)
                yield from ({**who, **each} for each in found)

    def _of_outbound(
        self, policy_type: str, target: OutboundTarget, place: _Place
    ) -> Iterator[JsonObject]:
        matched = self._matched.of_type(policy_type)
        if policy_type in BOTH_WAYS:
            both = matched.both_ways_rule
            conf, entries = (None, ()) if both is None else (both.confs[0], both.entries)
            yield from self._group(policy_type, place, views.RULES, conf, entries)
            return
        if target.resource is not None:
            rule = matched.destination_rule(target.resource)
            conf = rule.confs[0] if rule is not None and rule.confs else None
            entries = rule.entries if rule is not None else ()
            yield from self._group(policy_type, place, views.TO_RESOURCES, conf, entries)
            return
        about, routes = matched.service_rules(target.service)
        yield from self._of_rule(policy_type, place, about)
        for matches_hash, route in sorted(routes.items()):
            for shown in self._of_rule(policy_type, place, route):
                yield {"route": matches_hash, **shown}

    def _of_rule(
        self, policy_type: str, place: _Place, rule: SubsetRule | None
    ) -> Iterator[JsonObject]:
        conf, entries = (None, ()) if rule is None else (rule.conf, rule.entries)
        yield from self._group(policy_type, place, views.TO_SERVICES, conf, entries)

    def _of_proxy(self) -> Iterator[JsonObject]:
        for policy_type, traits in TRAITS.items():
            matched: MatchedType = self._matched.of_type(policy_type)
            if not traits.proxy_wide or not matched.policies:
                continue
            envoy = self._carried_by(policy_type)
            place = _Place(False, "", False, envoy)
            for rule in proxy_rules(matched.policies):
                yield from self._group(policy_type, place, views.DEFAULT, rule.conf, rule.entries)

    def _group(
        self,
        policy_type: str,
        place: _Place,
        of: ListKind,
        conf: Conf | None,
        entries: tuple[Contribution, ...],
    ) -> Iterator[JsonObject]:
        """What one rule comes to at `place`; nothing, where nothing is to be said."""
        said = self._said_conf(conf, entries)
        shown = views.explained_conf(said, of)
        settings = shown["settings"]
        assert isinstance(settings, list)  # noqa: S101 — as it is made
        for setting, member in zip(settings, said.members, strict=True):
            carried = self._carrying.of_member(member, of.name)
            if carried is not None:
                setting["envoy"] = _shown_names(carried & place.envoy)
        settings += self._defaults(policy_type, place, conf, said)
        silent = self._silent(policy_type, place, entries)
        if silent:
            shown["silent"] = silent
        if settings or silent or "takenAway" in shown:
            envoy = self._carried_by(policy_type) & place.envoy if entries else frozenset()
            yield {**shown, "envoy": _shown_names(envoy), "type": policy_type}

    def _silent(
        self, policy_type: str, place: _Place, entries: tuple[Contribution, ...]
    ) -> list[str]:
        """Policies that the proxy gets, and that speak of such places, but not of this one."""
        speaking = {id(each.policy) for each in entries}
        return [
            each.meta.name
            for each in self._matched.of_type(policy_type).policies
            if id(each) not in speaking
            and (each.sources or each.rules if place.is_inbound else each.to)
        ]

    def _said_conf(self, conf: Conf | None, entries: tuple[Contribution, ...]) -> SaidConf:
        if conf is None:
            return SaidConf(())
        # Held with what was made of them: the key only says which object they were.
        _, said = self._said.setdefault(id(entries), (entries, said_confs(entries)))
        return next(each for each in said if each.conf == conf)

    def _carried_by(self, policy_type: str) -> Names:
        if policy_type not in self._by_type:
            self._by_type[policy_type] = self._carrying.of_type(policy_type)
        return self._by_type[policy_type]

    def _defaults(
        self, policy_type: str, place: _Place, conf: Conf | None, said: SaidConf
    ) -> list[JsonObject]:
        """What holds for members that no policy speaks of."""
        world = self._view.world
        defaults = _DEFAULTS.get(policy_type)
        if defaults is None or not (place.protocol or place.envoy):
            return []
        if world.of_type(_OLDER.get(policy_type, "")):
            return []
        asked = DefaultsOf(
            is_inbound=place.is_inbound,
            protocol=place.protocol,
            is_resource=place.is_resource,
            conf=conf,
            is_external=place.is_external,
            mode=None if world.authority is None else world.authority.mode,
        )
        known = {shown_path(each.path) for each in said.members}
        return [
            views.default_setting(member, value)
            for member, value in defaults(asked).items()
            if member not in known
        ]


_DEFAULTS: Final = {
    each.policy_type: each.defaults for each in EFFECTS if each.defaults is not None
}
_ID_MEMBERS: Final = ("type", "mesh", "zone", "namespace", "name", "sectionName")


def _shown_names(names: Names) -> list[JsonObject]:
    ordered = sorted(names, key=lambda each: (each.type_url != LISTENER, each))
    return [{"name": each.name, "type": short_type(each.type_url)} for each in ordered]


def _clusters_in(value: object) -> Iterator[str]:
    """The clusters that a listener names, wherever in it that is."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, Mapping):
            waiting += each.values()
            if isinstance(each.get("cluster"), str):
                yield each["cluster"]
            weighted = each.get("weightedClusters")
            if isinstance(weighted, Mapping):
                yield from (str(share.get("name", "")) for share in weighted.get("clusters", ()))
