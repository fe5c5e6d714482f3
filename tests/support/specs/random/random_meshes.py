"""Random writes to one mesh, seeded: what decides about proxies comes, changes and goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from kong_mesh_cp.core.meshes.virtual_addresses import (
    HostKind,
    VirtualHost,
    VirtualPort,
    VirtualService,
    config_name,
    render,
)
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import Change, Delete, Put
from kong_mesh_cp.usecases.resources.documents import spec_text, status_text, text_of
from kong_mesh_cp.usecases.resources.kinds import KINDS
from support.fakes.resources import AT
from support.specs.random.random_gateways import RandomGateways
from support.specs.random.random_older import RandomOlder
from support.specs.random.random_policies import RandomPolicies
from support.specs.random.random_services import RandomServices

Document = Mapping[str, Any]

MESH = "default"
PROXIES = tuple(f"dp-{number}" for number in range(6))
SERVICES = ("web", "api", "db", "queue")
VERSIONS = ("v1", "v2")
TEAMS = ("red", "blue")
PROTOCOLS = ("http", "tcp", "grpc", "http2", "kafka", None)
RESOURCES = ("MeshService", "MeshExternalService", "MeshMultiZoneService")
ROUTES = ("route-0", "route-1")
MODES = ("Disabled", "Everywhere", "ReachableBackends", "Exclusive")


class RandomMesh:
    """One source of writes; equal seeds are equal writes."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._olden = RandomOlder(self._random, SERVICES)
        self._services = RandomServices(self._random)
        self._gateways = RandomGateways(self._random, MESH, SERVICES)
        self._others = RandomPolicies(self._random, MESH, SERVICES, self._target, self._destination)
        self._kinds: tuple[
            tuple[int, Callable[[], tuple[ResourceKey, Document, Document]]], ...
        ] = (
            (10, self._dataplane),
            (6, self._policy),
            (2, self._route),
            (1, self._mesh),
            (1, self._service_insight),
            (4, self._services.mesh_service),
            (2, self._services.external_service),
            (2, self._services.multi_zone_service),
            (1, self._services.zone_proxy),
            (1, self._addresses),
            (2, self._gateways.gateway),
            (6, self._gateways.write),
            (1, self._older),
            (3, self._older_policy),
            (1, self._outside),
            (10, self._others.policy),
            (4, self._others.older),
            (1, self._others.destination),
            (1, self._zone_ingress),
        )

    def writes(self, there: Callable[[ResourceKey], bool]) -> list[Change]:
        """One transaction. `there` tells which resources exist."""
        changes: dict[ResourceKey, Change] = {}
        for _ in range(self._random.choice((1, 1, 1, 2, 4))):
            weights = [weight for weight, _ in self._kinds]
            [(_, make)] = self._random.choices(self._kinds, weights)
            key, document, labels = make()
            if _is_refused(key, document):
                continue
            if key.type != "Mesh" and there(key) and self._random.random() < 0.25:
                changes[key] = Delete(key=key)
            else:
                changes[key] = put_of(key, document, labels)
        return [*changes.values()]

    def _maybe(self, chance: float = 0.5) -> bool:
        return self._random.random() < chance

    def _tags(self) -> dict[str, str]:
        tags = {"kuma.io/service": self._random.choice(SERVICES)}
        if self._maybe():
            tags["version"] = self._random.choice(VERSIONS)
        return tags

    def _dataplane(self) -> tuple[ResourceKey, Document, Document]:
        name = self._random.choice(PROXIES)
        networking: dict[str, Any] = {"address": f"10.0.0.{PROXIES.index(name) + 1}"}
        inbounds = []
        for index in range(self._random.choice((1, 1, 2))):
            tags = self._tags()
            if (protocol := self._random.choice(PROTOCOLS)) is not None:
                tags["kuma.io/protocol"] = protocol
            state = self._random.choice(("Ready", "Ready", "Ready", "NotReady", "Ignored"))
            inbounds.append({"port": 8080 + index, "tags": tags, "state": state})
        kind = self._random.random()
        if kind < 0.1:
            networking["gateway"] = {"tags": {"kuma.io/service": "edge"}}
        elif kind < 0.2:
            builtin = {"tags": {"kuma.io/service": "edge"}, "type": "BUILTIN"}
            networking["gateway"] = builtin
        else:
            networking["inbound"] = inbounds
        if kind < 0.1 or kind >= 0.2:  # built-in gateways have none
            networking["outbound"] = [
                {
                    "port": 20000 + index,
                    "tags": self._gateways.across() if self._maybe(0.2) else self._tags(),
                }
                for index in range(self._random.choice((0, 1, 2, 3)))
            ]
            networking["outbound"] += [
                {"port": 20010 + index, "backendRef": self._services.backend_ref()}
                for index in range(self._random.choice((0, 1, 2)))
            ]
        if self._maybe(0.3):
            transparent: dict[str, Any] = {
                "redirectPortInbound": 15006,
                "redirectPortOutbound": 15001,
            }
            if self._maybe():
                services = [["*"], [self._random.choice(SERVICES)]]
                transparent["directAccessServices"] = self._random.choice(services)
            if self._maybe(0.3):
                transparent["reachableServices"] = [self._random.choice(SERVICES)]
            if self._maybe(0.4):
                refs = [self._services.reachable() for _ in range(self._random.randrange(3))]
                transparent["reachableBackends"] = {"refs": refs}
            networking["transparentProxying"] = transparent
        labels = {"team": self._random.choice(TEAMS)} if self._maybe() else {}
        return ResourceKey("Dataplane", MESH, name), {"networking": networking}, labels

    def _target(self) -> Document:
        return self._random.choice(
            (
                {"kind": "Mesh"},
                {"kind": "Mesh", "proxyTypes": ["Sidecar"]},
                {"kind": "MeshSubset", "tags": {"kuma.io/service": self._random.choice(SERVICES)}},
                {"kind": "MeshSubset", "tags": {"version": self._random.choice(VERSIONS)}},
                {"kind": "MeshService", "name": self._random.choice(SERVICES)},
                {"kind": "Dataplane", "name": self._random.choice(PROXIES)},
                {"kind": "Dataplane", "labels": {"team": self._random.choice(TEAMS)}},
                {"kind": "MeshHTTPRoute", "name": self._random.choice(ROUTES)},
                {"kind": "MeshGateway", "name": "edge"},
            )
        )

    def _destination(self) -> Document:
        service = {"kind": "MeshService", "name": self._random.choice(SERVICES)}
        return self._random.choice(({"kind": "Mesh"}, service, service, self._services.target()))

    def _policy(self) -> tuple[ResourceKey, Document, Document]:
        number = self._random.randrange(1, 60)
        spec: dict[str, Any] = {"targetRef": self._target()}
        to = self._destination()
        match self._random.choice(("timeout", "retry", "breaker", "balancing", "permission")):
            case "timeout":
                type_name = "MeshTimeout"
                conf = {"connectionTimeout": f"{number}s", "http": {"requestTimeout": f"{number}s"}}
                spec["to"] = [{"targetRef": to, "default": conf}]
            case "retry":
                type_name = "MeshRetry"
                spec["to"] = [{"targetRef": to, "default": {"http": {"numRetries": number}}}]
            case "breaker":
                type_name = "MeshCircuitBreaker"
                limits = {"connectionLimits": {"maxConnections": number}}
                spec["to"] = [{"targetRef": to, "default": limits}]
            case "balancing":
                type_name = "MeshLoadBalancingStrategy"
                spec["to"] = [{"targetRef": to, "default": self._balancing()}]
            case _:
                type_name = "MeshTrafficPermission"
                action = self._random.choice(("Allow", "Deny"))
                spec["from"] = [{"targetRef": {"kind": "Mesh"}, "default": {"action": action}}]
        labels = {"kuma.io/effect": "shadow"} if self._maybe(0.1) else {}
        name = f"policy-{self._random.randrange(4)}"
        return ResourceKey(type_name, MESH, name), {"spec": spec}, labels

    def _balancing(self) -> Document:
        hashing = {"hashPolicies": [{"type": "Header", "header": {"name": "x-user"}}]}
        anywhere = {"to": {"type": self._random.choice(("Any", "None"))}}
        awareness: Document = self._random.choice(
            (
                {"disabled": True},
                {"localZone": {"affinityTags": [{"key": "version"}]}},
                {"crossZone": {"failover": [anywhere]}},
            )
        )
        balancer: Document = self._random.choice(
            ({"type": "Random"}, {"type": "RingHash", "ringHash": hashing})
        )
        return self._random.choice(
            (
                {"loadBalancer": balancer},
                {"localityAwareness": awareness},
                {"loadBalancer": balancer, "localityAwareness": awareness},
            )
        )

    def _route(self) -> tuple[ResourceKey, Document, Document]:
        backend = {"kind": "MeshServiceSubset", "name": self._random.choice(SERVICES), "weight": 1}
        backend["tags"] = {"version": self._random.choice(VERSIONS)}
        if self._maybe():
            backend = {**self._services.backend_ref(), "weight": 1}
        to: Document = {"kind": "MeshService", "name": self._random.choice(SERVICES)}
        if self._maybe(0.3):
            to = self._services.target()
        target: dict[str, Any] = {"kind": "Mesh"}
        if self._maybe():
            target = {
                "kind": "MeshSubset",
                "tags": {"kuma.io/service": self._random.choice(SERVICES)},
            }
        if self._maybe(0.3):
            rule: dict[str, Any] = {"default": {"backendRefs": [backend]}}
            spec = {"targetRef": target, "to": [{"targetRef": to, "rules": [rule]}]}
            return ResourceKey("MeshTCPRoute", MESH, "tcp"), {"spec": spec}, {}
        path = {"type": "PathPrefix", "value": self._random.choice(("/", "/v2"))}
        rule = {"matches": [{"path": path}], "default": {"backendRefs": [backend]}}
        spec = {"targetRef": target, "to": [{"targetRef": to, "rules": [rule]}]}
        name = self._random.choice(ROUTES)
        return ResourceKey("MeshHTTPRoute", MESH, name), {"spec": spec}, {}

    def _mesh(self) -> tuple[ResourceKey, Document, Document]:
        document: dict[str, Any] = {}
        if self._maybe(0.7):
            mode = self._random.choice(("STRICT", "PERMISSIVE"))
            backend = {"name": "ca-1", "type": "builtin", "mode": mode}
            document["mtls"] = {"enabledBackend": "ca-1", "backends": [backend]}
        if self._maybe(0.3):
            document["meshServices"] = {"mode": self._random.choice(MODES)}
        if self._maybe(0.3):
            document["routing"] = {
                "localityAwareLoadBalancing": self._maybe(),
                "zoneEgress": self._maybe(),
            }
        if self._maybe(0.3):
            document["networking"] = {"outbound": {"passthrough": self._maybe()}}
        if self._maybe(0.4):
            document["metrics"] = _backend("prometheus", "prometheus", {"port": 5670})
        if self._maybe(0.4):
            document["logging"] = _backend("file", "file", {"path": "/dev/null"}, "defaultBackend")
        if self._maybe(0.4):
            zipkin = {"url": "http://zipkin.internal:9411/api/v2/spans"}
            document["tracing"] = _backend("zipkin", "zipkin", zipkin, "defaultBackend")
        return ResourceKey("Mesh", "", MESH), document, {}

    def _service_insight(self) -> tuple[ResourceKey, Document, Document]:
        services = {
            each: {
                "dataplanes": {"total": 2, "online": 2},
                "issuedBackends": {"ca-1": self._random.choice((1, 2))},
            }
            for each in SERVICES
        }
        key = ResourceKey("ServiceInsight", MESH, f"all-services-{MESH}")
        return key, {"services": services}, {}

    def _addresses(self) -> tuple[ResourceKey, Document, Document]:
        chosen = self._random.sample(SERVICES, self._random.choice((1, 2, 3)))
        services = {
            VirtualHost(HostKind.SERVICE, each): VirtualService(
                f"240.0.0.{SERVICES.index(each) + 1}",
                (VirtualPort(0, {"kuma.io/service": each}, "service"),),
            )
            for each in chosen
        }
        key = ResourceKey("Config", "", config_name(MESH))
        return key, {"config": render(services)}, {}

    def _zone_ingress(self) -> tuple[ResourceKey, Document, Document]:
        zone = self._random.choice(("west", "north"))
        services = [
            {
                "mesh": MESH,
                "instances": self._random.choice((1, 2)),
                "tags": {**self._tags(), "kuma.io/protocol": "http", "kuma.io/zone": zone},
            }
            for _ in range(self._random.choice((0, 1, 2)))
        ]
        networking = {
            "address": "10.9.0.1",
            "port": 10001,
            "advertisedAddress": f"{zone}.example",
            "advertisedPort": 10001,
        }
        document = {"zone": zone, "networking": networking, "availableServices": services}
        return ResourceKey("ZoneIngress", "", zone), document, {}

    def _older_policy(self) -> tuple[ResourceKey, Document, Document]:
        type_name, name, document = self._olden.policy()
        return ResourceKey(type_name, MESH, name), document, {}

    def _outside(self) -> tuple[ResourceKey, Document, Document]:
        type_name, name, document = self._olden.outside()
        mesh = "" if type_name == "ZoneEgress" else MESH
        return ResourceKey(type_name, mesh, name), document, {}

    def _older(self) -> tuple[ResourceKey, Document, Document]:
        document = {
            "sources": [{"match": {"kuma.io/service": self._random.choice((*SERVICES, "*"))}}],
            "destinations": [{"match": {"kuma.io/service": self._random.choice((*SERVICES, "*"))}}],
        }
        return ResourceKey("TrafficPermission", MESH, "older"), document, {}


def _backend(
    name: str, kind: str, conf: Document, enabled: str = "enabledBackend"
) -> Mapping[str, Any]:
    return {enabled: name, "backends": [{"name": name, "type": kind, "conf": conf}]}


def put_of(key: ResourceKey, document: Document, labels: Document) -> Put:
    """As the API stores it."""
    if key.type == "Config":
        return Put(key=key, spec=text_of(document), at=AT, labels=labels)
    kind = KINDS[key.type]
    spec, status = _spec(key, document), status_text(kind, document)
    return Put(key=key, spec=spec_text(kind, spec), status=status, at=AT, labels=labels)


def _spec(key: ResourceKey, document: Document) -> object:
    meta = {"type": key.type, "mesh": key.mesh, "name": key.name}
    members = {name: each for name, each in document.items() if name != "status"}
    spec: object = KINDS[key.type].parse({**meta, **members})
    return spec


def _is_refused(key: ResourceKey, document: Document) -> bool:
    """By the API: not every conf goes with every target."""
    return key.type != "Config" and bool(KINDS[key.type].validate(_spec(key, document)))
