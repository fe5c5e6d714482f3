"""A targetRef policy as matching and merging read it, whatever its type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.target_ref import WHOLE_MESH, TargetRef, tags_of
from kong_mesh_cp.core.resources import labels, registry

Conf = Mapping[str, object]
"""The `default` of an entry: a JSON object that is never changed after it was read."""

NAMESPACE_LABEL: Final = "k8s.kuma.io/namespace"
POLICY_ROLE_LABEL: Final = "kuma.io/policy-role"


@dataclass(frozen=True, slots=True)
class Meta:
    """What names a resource, and the labels that say where it comes from."""

    type: str
    mesh: str  # "" for a type of global scope
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def display_name(self) -> str:
        """The name a user gave: synced resources carry another one.

        Source: docs/wire/resource-api.md#display-names
        """
        return labels.display_name(self.name, self.labels)

    @property
    def origin(self) -> str:
        """`global`, `zone`, or "" where nothing says it."""
        return self.labels.get(labels.ORIGIN, "")

    @property
    def zone(self) -> str | None:
        return self.labels.get(labels.ZONE)

    @property
    def namespace(self) -> str:
        return self.labels.get(NAMESPACE_LABEL, "")

    @property
    def role(self) -> str:
        """`system` unless labelled otherwise, which on Universal nothing is.

        Source: docs/wire/policies.md#order
        """
        return self.labels.get(POLICY_ROLE_LABEL) or "system"

    @property
    def is_shadow(self) -> bool:
        """Has an effect only where the effect of shadow policies is asked for.

        Source: docs/wire/policies.md#matching
        """
        return self.labels.get(labels.EFFECT) == "shadow"


@dataclass(frozen=True, slots=True)
class Entry:
    """An element of a `from` or `to` list."""

    target: TargetRef
    conf: Conf


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy. Which of its lists a type has at all, its `Traits` tell.

    What follows from target and labels is worked out once, for it is asked of each proxy:
    `selected_tags` are those of the proxies it selects, None where tags do not decide; `only_zone`
    is the zone whose proxies alone it concerns, None for all zones; `in_namespace_only`: it
    concerns proxies of its own namespace alone (docs/wire/policies.md#matching).
    """

    meta: Meta
    target: TargetRef = WHOLE_MESH
    to: tuple[Entry, ...] = ()
    sources: tuple[Entry, ...] = ()  # the `from` list
    rules: tuple[Conf, ...] = ()
    proxy_conf: Conf | None = None  # the one `default` of a type without lists
    selected_tags: Mapping[str, str] | None = field(init=False, repr=False, compare=False)
    only_zone: str | None = field(init=False, repr=False, compare=False)
    in_namespace_only: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        meta = self.meta
        # A producer speaks about its own service to clients in every zone.
        everywhere = meta.role == "producer" or meta.origin != "zone"
        object.__setattr__(self, "selected_tags", tags_of(self.target))
        object.__setattr__(self, "only_zone", None if everywhere else meta.zone)
        object.__setattr__(self, "in_namespace_only", meta.role in ("consumer", "workload-owner"))

    @property
    def traits(self) -> Traits:
        return TRAITS[self.meta.type]


class Traits(NamedTuple):
    """What the policies of one type consist of (docs/wire/policies.md#types)."""

    has_to: bool
    has_from: bool
    # An inbound has one conf, from `rules` and `from` alike (docs/wire/policies.md#inbound-rules).
    from_as_rules: bool
    proxy_wide: bool  # one conf for the whole proxy instead of lists
    # Confs hold `rules` that merge by their `matches` (docs/wire/policies.md#merging).
    keyed_rules: bool


HTTP_ROUTE: Final = "MeshHTTPRoute"
TCP_ROUTE: Final = "MeshTCPRoute"

# Routes come first and patches last, as they build upon each other; `_rules` lists in this order.
_ORDER: Final = (
    HTTP_ROUTE,
    TCP_ROUTE,
    "MeshTLS",
    "MeshLoadBalancingStrategy",
    "MeshPassthrough",
    "MeshAccessLog",
    "MeshTrace",
    "MeshFaultInjection",
    "MeshRateLimit",
    "MeshTimeout",
    "MeshTrafficPermission",
    "MeshHealthCheck",
    "MeshCircuitBreaker",
    "MeshRetry",
    "MeshMetric",
    "MeshProxyPatch",
)


def _traits(policy_type: str) -> Traits:
    parts = registry.TYPES[policy_type].policy or registry.Policy.LEGACY
    has_to, has_from = registry.Policy.TO in parts, registry.Policy.FROM in parts
    return Traits(
        has_to=has_to,
        has_from=has_from,
        from_as_rules=registry.Policy.FROM_AS_RULES in parts,
        proxy_wide=not (has_to or has_from),
        keyed_rules=policy_type == HTTP_ROUTE,
    )


TRAITS: Final[Mapping[str, Traits]] = {each: _traits(each) for each in _ORDER}
