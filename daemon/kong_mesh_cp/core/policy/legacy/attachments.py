"""Where the policies of a mesh meet one proxy: inbounds, outbounds, services, the whole.

Source: docs/wire/inspection.md#older-paths
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import join_host_port
from kong_mesh_cp.core.policy.legacy.selectors import (
    LegacyPolicy,
    of_type,
    policies_for_inbound,
    policy_for_inbound,
    policy_for_proxy,
    policy_for_service,
    routed_services,
)
from kong_mesh_cp.core.policy.rules.matched import MeshView, matched_policies
from kong_mesh_cp.core.policy.rules.policy import TRAITS
from kong_mesh_cp.core.policy.rules.proxies import Proxy
from kong_mesh_cp.core.policy.rules.subsets import SERVICE_TAG
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, Inbound, Networking, Outbound
from kong_mesh_cp.core.resources.kinds.legacy.traffic_route import TrafficRoute

# The service of traffic to what no outbound is for.
PASS_THROUGH: Final = "pass_through"  # noqa: S105  no password
LOOPBACK: Final = "127.0.0.1"

_INBOUND_ALL: Final = ("FaultInjection", "RateLimit")  # each of them has a part
_OUTBOUND: Final = ("Timeout", "RateLimit", "TrafficRoute")
_SERVICE: Final = ("TrafficLog", "HealthCheck", "CircuitBreaker", "Retry")
_WHOLE: Final = ("TrafficTrace", "ProxyTemplate")

# In the order of answers: by type, then by name.
DATAPLANE: Final = "dataplane"
INBOUND: Final = "inbound"
OUTBOUND: Final = "outbound"
SERVICE: Final = "service"


class Attachment(NamedTuple):
    """The part of a proxy that policies are attached to, as `kumactl inspect` names it."""

    type: str
    name: str = ""
    service: str = ""


class PolicyName(NamedTuple):
    """A policy by type and name, within one mesh."""

    type: str
    name: str


Attached = Mapping[Attachment, Sequence[PolicyName]]


@dataclass(frozen=True, slots=True)
class LegacyView:
    """The policies of the older generation of one mesh; `routes` are the TrafficRoutes by name."""

    policies: tuple[LegacyPolicy, ...] = ()
    routes: Mapping[str, TrafficRoute] = field(default_factory=dict)


def inbound_name(networking: Networking, inbound: Inbound) -> str:
    """`192.168.0.1:80:8080`: address, port of the proxy, port of the application."""
    address = inbound.address or networking.address
    return f"{address}:{inbound.port}:{inbound.service_port or inbound.port}"


def outbound_name(outbound: Outbound) -> str:
    address = outbound.address or LOOPBACK
    return join_host_port(address, outbound.port)


def legacy_attachments(dataplane: Dataplane, view: LegacyView) -> Attached:
    """The policies of the older generation by where they are attached."""
    networking = dataplane.networking or Networking()
    found: dict[Attachment, list[PolicyName]] = {}
    for inbound in networking.inbound:
        attachment = Attachment(
            INBOUND, inbound_name(networking, inbound), inbound.tags.get(SERVICE_TAG, "")
        )
        # Of permissions the best one counts alone; of the other types an inbound gets all that fit.
        permissions = of_type(view.policies, "TrafficPermission")
        _attach(found, attachment, [policy_for_inbound(permissions, inbound.tags)])
        for type_name in _INBOUND_ALL:
            _attach(
                found,
                attachment,
                policies_for_inbound(of_type(view.policies, type_name), inbound.tags),
            )
    services = _outbound_services(networking)
    for outbound, service in services:
        attachment = Attachment(OUTBOUND, outbound_name(outbound), service)
        for type_name in _OUTBOUND:
            policies = of_type(view.policies, type_name)
            _attach(found, attachment, [policy_for_service(policies, dataplane.tag_sets, service)])
    for type_name in _SERVICE:
        policies = of_type(view.policies, type_name)
        for service in _destinations(type_name, dataplane, [name for _, name in services], view):
            attachment = Attachment(SERVICE, service, service)
            _attach(found, attachment, [policy_for_service(policies, dataplane.tag_sets, service)])
    for type_name in _WHOLE:
        policies = of_type(view.policies, type_name)
        _attach(found, Attachment(DATAPLANE), [policy_for_proxy(policies, dataplane.tag_sets)])
    return found


def attachments(proxy: Proxy, dataplane: Dataplane, view: MeshView, legacy: LegacyView) -> Attached:
    """All policies of both generations; those with a targetRef are for the whole proxy."""
    found = {
        attachment: list(names)
        for attachment, names in legacy_attachments(dataplane, legacy).items()
    }
    for type_name in sorted(TRAITS):
        for policy in matched_policies(type_name, proxy, view).policies:
            whole = found.setdefault(Attachment(DATAPLANE), [])
            whole.append(PolicyName(policy.meta.type, policy.meta.name))
    return {attachment: found[attachment] for attachment in sorted(found)}


def _attach(
    found: dict[Attachment, list[PolicyName]],
    attachment: Attachment,
    policies: Iterable[LegacyPolicy | None],
) -> None:
    named = (PolicyName(each.type, each.name) for each in policies if each is not None)
    names = [*dict.fromkeys(named)]
    if names:
        found.setdefault(attachment, []).extend(names)


def _outbound_services(networking: Networking) -> list[tuple[Outbound, str]]:
    """Those with a `backendRef` are no business of the older generation."""
    return [
        (outbound, outbound.tags[SERVICE_TAG])
        for outbound in networking.outbound
        if SERVICE_TAG in outbound.tags and outbound.backend_ref is None
    ]


def _destinations(
    type_name: str, dataplane: Dataplane, services: Sequence[str], view: LegacyView
) -> Iterable[str]:
    """The services that a policy of this type is looked for: of the outbounds, or behind them."""
    # A log is about what the application calls; the others act on the cluster, which lies behind a
    # TrafficRoute. Traffic that passes through has a log as well.
    if type_name == "TrafficLog":
        return dict.fromkeys([*services, PASS_THROUGH])
    found: dict[str, None] = {}
    for service in services:
        route = policy_for_service(
            of_type(view.policies, "TrafficRoute"), dataplane.tag_sets, service
        )
        # Without a route traffic goes to the service itself; a new mesh of today has none.
        routed = (service,) if route is None else routed_services(view.routes[route.name], service)
        found |= dict.fromkeys(routed)
    return found
