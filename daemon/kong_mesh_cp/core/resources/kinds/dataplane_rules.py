"""What a Dataplane may hold (docs/wire/dataplanes.md#dataplane-checks)."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.formats.addresses import is_ip, is_same_ip, parse_request_uri
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.dataplane import (
    BackendRef,
    Dataplane,
    Gateway,
    Inbound,
    Networking,
    Outbound,
    Probes,
    ReachableBackendRef,
    ServiceProbe,
    TransparentProxying,
)
from kong_mesh_cp.core.resources.meta import name_reason
from kong_mesh_cp.core.resources.metrics_backend import backend_violations
from kong_mesh_cp.core.resources.tags import (
    PROTOCOL,
    SERVICE,
    TagRules,
    Tags,
    address_violations,
    duration_violations,
    port_violations,
    protocol_check,
    tag_violations,
    threshold_violations,
)
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

LOOPBACK: Final = "127.0.0.1"
# In the order of the refusal's text, which is by name.
BACKEND_KINDS: Final = ("MeshExternalService", "MeshMultiZoneService", "MeshService")

# What policies come to is reckoned for each inbound and outbound: the original bounds neither.
INBOUNDS_MAX: Final = 1024
OUTBOUNDS_MAX: Final = 4096

_NETWORKING: Final = root("networking")
_UNKNOWN_KIND: Final = f"invalid value. Available values are: {','.join(BACKEND_KINDS)}"
_SAME_ADDRESS: Final = "serviceAddress and servicePort has to differ from address and port"


def violations(dataplane: Dataplane) -> list[Violation]:
    """Everything that is wrong with a Dataplane by itself, whatever its mesh asks."""
    networking = dataplane.networking
    # Nothing else can be said of a proxy without a network; Kuma stops here as well.
    if networking is None:
        return [_NETWORKING.violation("must be defined")]
    too_many = _too_many(networking)
    if too_many:
        return too_many
    # First, before the parts: the order of texts in one answer is that of Kuma's validator.
    found = _admin(networking)
    if dataplane.is_delegated_gateway or dataplane.is_builtin_gateway:
        found += _of_gateway(dataplane, networking)
    elif not networking.inbound:
        # A gateway of a type that does not exist is no gateway.
        reason = "has to contain at least one inbound interface or gateway"
        found.append(_NETWORKING.violation(reason))
    found += _networking(networking)
    # A builtin gateway must not have probes at all, which is reported above.
    if not dataplane.is_builtin_gateway:
        found += _probes(dataplane.probes)
    # Gateways take their metrics from the mesh; what they hold themselves is not looked at.
    if dataplane.metrics is not None and networking.gateway is None:
        found += backend_violations(dataplane.metrics, root("metrics"))
    return found


def _too_many(networking: Networking) -> list[Violation]:
    return [
        _NETWORKING.field(name).violation(f"must not have more than {most} entries")
        for name, count, most in (
            ("inbound", len(networking.inbound), INBOUNDS_MAX),
            ("outbound", len(networking.outbound), OUTBOUNDS_MAX),
        )
        if count > most
    ]


def _admin(networking: Networking) -> list[Violation]:
    """The admin port is on loopback, and nothing else may be on it there."""
    if networking.admin is None:
        return []
    at = _NETWORKING.field("admin").field("port")
    port = networking.admin.port
    found = []
    # Envoy's admin API listens on loopback alone, hence only what is there can be in its way. Port
    # 0 is "no admin port of its own" and equals no inbound that is valid.
    if any(_meets_inbound(port, inbound, networking) for inbound in networking.inbound):
        found.append(at.violation("must differ from inbound"))
    if any(_meets_outbound(port, outbound) for outbound in networking.outbound):
        found.append(at.violation("must differ from outbound"))
    return found


def _meets_inbound(port: int, inbound: Inbound, networking: Networking) -> bool:
    listener = inbound.address or networking.address
    application = inbound.service_address or listener
    on_listener = port == inbound.port and is_same_ip(LOOPBACK, listener)
    # Checked as well, since the application cannot listen where Envoy does.
    on_application = port == (inbound.service_port or inbound.port)
    return on_listener or (on_application and is_same_ip(LOOPBACK, application))


def _meets_outbound(port: int, outbound: Outbound) -> bool:
    return port == outbound.port and is_same_ip(LOOPBACK, outbound.address or LOOPBACK)


def _of_gateway(dataplane: Dataplane, networking: Networking) -> list[Violation]:
    # A delegated gateway is another proxy, whose inbounds Envoy does not have; it may call
    # services, and so have outbounds. A builtin one takes everything from its MeshGateway.
    word = "builtin" if dataplane.is_builtin_gateway else "delegated"
    present = [("inbound", bool(networking.inbound))]
    if dataplane.is_builtin_gateway:
        present.append(("outbound", bool(networking.outbound)))
        present.append(("probes", dataplane.probes is not None))
    found = [
        _NETWORKING.field(name).violation(f"{name} cannot be defined for {word} gateways")
        for name, there in present
        if there
    ]
    if networking.gateway is not None:
        found += _gateway(networking.gateway, _NETWORKING.field("gateway"))
    return found


def _gateway(gateway: Gateway, path: FieldPath) -> list[Violation]:
    # The protocol of a gateway's listeners is in the MeshGateway; the tag can only say tcp.
    rules = TagRules(service_required=True, check=_only_tcp)
    return tag_violations(path.field("tags"), gateway.tags, rules)


def _only_tcp(path: FieldPath, tags: Tags) -> list[Violation]:
    protocol = tags.get(PROTOCOL, "tcp")
    if protocol == "tcp":
        return []
    reason = f'other values than tcp are not allowed, provided value "{protocol}"'
    return [path.key(PROTOCOL).violation(reason)]


def _networking(networking: Networking) -> list[Violation]:
    # A domain name is taken and resolved later; an inbound's own address has to be an IP.
    found = address_violations(_NETWORKING, networking.address)
    for index, inbound in enumerate(networking.inbound):
        at = _NETWORKING.field("inbound").index(index)
        found += _inbound(inbound, networking.address, at)
    for index, outbound in enumerate(networking.outbound):
        found += _outbound(outbound, _NETWORKING.field("outbound").index(index))
    if networking.transparent_proxying is not None:
        # Clients see the word so, one letter short.
        at = _NETWORKING.field("transparentProxing")
        found += _transparent_proxying(networking.transparent_proxying, at)
    return found


def _inbound(inbound: Inbound, proxy_address: str, path: FieldPath) -> list[Violation]:
    found = port_violations(path.field("port"), inbound.port)
    # 0 is absent in proto3, and means the port of the listener.
    if inbound.service_port:
        found += port_violations(path.field("servicePort"), inbound.service_port)
    found += _inbound_addresses(inbound, proxy_address, path)
    tags = path.field("tags")
    found += tag_violations(tags, inbound.tags, TagRules(check=protocol_check))
    if inbound.service_probe is not None:
        found += _service_probe(inbound.service_probe, path.field("serviceProbe"))
    # Not `service_required` of TagRules, whose text is another one.
    if SERVICE not in inbound.tags:
        found.append(tags.key(SERVICE).violation("tag has to exist"))
    return found


def _inbound_addresses(inbound: Inbound, proxy_address: str, path: FieldPath) -> list[Violation]:
    found = []
    at = path.field("serviceAddress")
    # Envoy would send to itself for ever if listener and application had one address and port.
    same_port = inbound.service_port in {0, inbound.port}
    if inbound.service_address:
        if not is_ip(inbound.service_address):
            found.append(at.violation("serviceAddress has to be valid IP address"))
        # Compared as text, as Kuma does it: `127.0.0.1` and `::ffff:127.0.0.1` differ here.
        if same_port and inbound.service_address == proxy_address:
            found.append(at.violation(_SAME_ADDRESS))
    if inbound.address:
        if not is_ip(inbound.address):
            reason = "address has to be valid IP address"
            found.append(path.field("address").violation(reason))
        if same_port and inbound.address == inbound.service_address:
            found.append(at.violation(_SAME_ADDRESS))
    return found


def _service_probe(probe: ServiceProbe, path: FieldPath) -> list[Violation]:
    found = []
    for name, nanoseconds in (("interval", probe.interval), ("timeout", probe.timeout)):
        if nanoseconds is not None:
            found += duration_violations(path.field(name), nanoseconds)
    for name, threshold in (
        ("unhealthyThreshold", probe.unhealthy_threshold),
        ("healthyThreshold", probe.healthy_threshold),
    ):
        # Wrappers in protobuf: absent is Kuma's default, and zero is a mistake.
        if threshold is not None:
            found += threshold_violations(path.field(name), threshold)
    return found


def _outbound(outbound: Outbound, path: FieldPath) -> list[Violation]:
    found = port_violations(path.field("port"), outbound.port)
    if outbound.address and not is_ip(outbound.address):
        found.append(path.field("address").violation("address has to be valid IP address"))
    # A reference to a resource, or tags of the older generation: with the first the second are not
    # checked, only refused.
    if outbound.backend_ref is not None:
        at = path.field("backendRef")
        found += _backend_ref(outbound.backend_ref, at)
        if outbound.tags:
            reason = "both backendRef and tags/service cannot be defined"
            found.append(at.violation(reason))
        return found
    rules = TagRules(service_required=True)
    return found + tag_violations(path.field("tags"), outbound.tags, rules)


def _backend_ref(ref: BackendRef, path: FieldPath) -> list[Violation]:
    found = []
    if ref.kind not in BACKEND_KINDS:
        found.append(path.field("kind").violation(_UNKNOWN_KIND))
    # Both are allowed together here, other than in `_reachable`: Kuma's outbounds are older.
    if not ref.name and not ref.labels:
        found.append(path.violation("either 'name' or 'labels' should be specified"))
    # The port of a MeshExternalService comes from its endpoints.
    if ref.kind != "MeshExternalService":
        found += port_violations(path.field("port"), ref.port)
    return found


def _transparent_proxying(proxying: TransparentProxying, path: FieldPath) -> list[Violation]:
    found: list[Violation] = []
    # The ports are not checked: 0 switches a direction off, and kuma-dp knows the rest.
    if proxying.reachable_backends is None:
        return found
    refs = path.field("reachableBackends").field("refs")
    for index, ref in enumerate(proxying.reachable_backends.refs):
        found += _reachable(ref, refs.index(index))
    return found


def _reachable(ref: ReachableBackendRef, path: FieldPath) -> list[Violation]:
    found = []
    if ref.kind not in BACKEND_KINDS:
        found.append(path.field("kind").violation(_UNKNOWN_KIND))
    at = path.field("name")
    # Without a name there may be labels, so that an empty one is no fault by itself.
    reason = name_reason(ref.name) if ref.name else None
    if reason is not None:
        found.append(at.violation(reason))
    if not ref.name and ref.namespace:
        found.append(at.violation("name is required, when namespace is defined"))
    if not ref.name and not ref.namespace and not ref.labels:
        found.append(at.violation("name or labels are required"))
    if (ref.name or ref.namespace) and ref.labels:
        reason = "labels cannot be defined when name is specified"
        found.append(path.field("labels").violation(reason))
    return found


def _probes(probes: Probes | None) -> list[Violation]:
    if probes is None:
        return []
    path = root("probes")
    found = port_violations(path.field("port"), probes.port)
    # `path` is what the orchestrator asks, `inboundPath` what the application answers.
    for index, endpoint in enumerate(probes.endpoints):
        at = path.field("endpoints").index(index)
        found += port_violations(at.field("inboundPort"), endpoint.inbound_port)
        for name, text in (("inboundPath", endpoint.inbound_path), ("path", endpoint.path)):
            if parse_request_uri(text) is None:
                found.append(at.field(name).violation("should be a valid URL Path"))
    return found


KIND: Final[Kind[Dataplane]] = proto_kind("Dataplane", Dataplane, violations)
