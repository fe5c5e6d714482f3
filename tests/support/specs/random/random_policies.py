"""Random policies of every type, of the mesh of `random_meshes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from kong_mesh_cp.core.resources.key import ResourceKey

Document = Mapping[str, Any]
Made = tuple[ResourceKey, Document, Document]
"""A resource: its key, the members of its body, its labels."""

NAMES = 3  # of policies of one type
FILE = {"type": "File", "file": {"path": "/dev/null"}}
TCP = {"type": "Tcp", "tcp": {"address": "logs.internal:5000"}}
OTEL = {
    "type": "OpenTelemetry",
    "openTelemetry": {"endpoint": "otel.internal:4317"},
}
EXTRA_CLUSTER = """
name: extra
type: STATIC
connectTimeout: 2s
"""
BUFFER = """
name: envoy.filters.http.buffer
typedConfig:
  '@type': type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer
  maxRequestBytes: 512
"""
RAW = "'@type': type.googleapis.com/envoy.config.cluster.v3.Cluster\n" + EXTRA_CLUSTER


class RandomPolicies:
    """What it makes is of one mesh, and about its services."""

    def __init__(
        self,
        random: Random,
        mesh: str,
        services: tuple[str, ...],
        target: Callable[[], Document],
        destination: Callable[[], Document],
    ) -> None:
        self._random = random
        self._mesh = mesh
        self._services = services
        self._target = target
        self._destination = destination

    def policy(self) -> Made:
        """Of those that are about proxies by a targetRef."""
        type_name, member, conf = self._random.choice(self._confs())()
        spec: dict[str, Any] = {"targetRef": self._target()}
        match member:
            case "to":
                spec["to"] = [{"targetRef": self._destination(), "default": conf}]
            case "from":
                spec["from"] = [{"targetRef": {"kind": "Mesh"}, "default": conf}]
            case "rules":
                spec["rules"] = [{"default": conf}]
            case _:
                spec["default"] = conf
        return self._key(type_name), {"spec": spec}, {}

    def older(self) -> Made:
        """Of the older generation."""
        type_name, document = self._random.choice(self._older_ones())()
        return self._key(type_name), document, {}

    def destination(self) -> Made:
        """What of the older generation stands for something outside; and names of services."""
        name, number = self._random.choice(self._services), self._random.randrange(1, 9)
        if self._maybe(0.3):
            selector = {"meshService": {"matchLabels": {"team": "red"}}}
            names = f"{{{{ .DisplayName }}}}.{number}.mesh"
            spec = {"selector": selector, "template": names}
            return ResourceKey("HostnameGenerator", "", "names"), {"spec": spec}, {}
        tags = {"kuma.io/service": name, "kuma.io/protocol": "http"}
        document = {"tags": tags, "networking": {"address": f"192.0.2.{number}:80"}}
        return ResourceKey("ExternalService", self._mesh, f"out-{name}"), document, {}

    def _key(self, type_name: str) -> ResourceKey:
        name = f"{type_name.lower()}-{self._random.randrange(NAMES)}"
        return ResourceKey(type_name, self._mesh, name)

    def _maybe(self, chance: float = 0.5) -> bool:
        return self._random.random() < chance

    def _seconds(self) -> str:
        return f"{self._random.randrange(1, 60)}s"

    def _backends(self) -> list[Document]:
        return [self._random.choice((FILE, TCP, OTEL))]

    def _confs(self) -> tuple[Callable[[], tuple[str, str, Document]], ...]:
        return (
            self._health_check,
            self._load_balancing,
            self._rate_limit,
            self._fault,
            self._tls,
            lambda: (
                "MeshAccessLog",
                self._random.choice(("to", "from")),
                {"backends": self._backends()},
            ),
            self._trace,
            self._metric,
            self._passthrough,
            self._patch,
        )

    def _health_check(self) -> tuple[str, str, Document]:
        conf = {
            "interval": self._seconds(),
            "timeout": self._seconds(),
            "unhealthyThreshold": 3,
            "healthyThreshold": 1,
        }
        kind: Document = self._random.choice(({"tcp": {}}, {"http": {"path": "/h"}}, {"grpc": {}}))
        return "MeshHealthCheck", "to", {**conf, **kind}

    def _load_balancing(self) -> tuple[str, str, Document]:
        by_header = {"type": "Header", "header": {"name": "x"}}
        hashed = {"hashPolicies": [by_header]} if self._maybe(0.7) else {}
        conf: dict[str, Any] = {}
        if self._maybe(0.8):
            conf["loadBalancer"] = self._random.choice(
                (
                    {"type": "RoundRobin"},
                    {"type": "Random"},
                    {"type": "LeastRequest", "leastRequest": {"choiceCount": 4}},
                    {"type": "RingHash", "ringHash": {"minRingSize": 8, **hashed}},
                    {"type": "Maglev", "maglev": {"tableSize": 11, **hashed}},
                )
            )
        if self._maybe(0.4):
            local = {"affinityTags": [{"key": "version", "weight": 9}]}
            conf["localityAwareness"] = self._random.choice(
                ({"disabled": True}, {"localZone": local})
            )
        return "MeshLoadBalancingStrategy", "to", conf

    def _rate_limit(self) -> tuple[str, str, Document]:
        rate = {"num": self._random.randrange(1, 9), "interval": self._seconds()}
        http = {"requestRate": rate, "onRateLimit": {"status": 429}}
        local = self._random.choice(({"http": http}, {"tcp": {"connectionRate": rate}}))
        return "MeshRateLimit", "from", {"local": local}

    def _fault(self) -> tuple[str, str, Document]:
        share = str(self._random.randrange(1, 99))
        faults = self._random.choice(
            (
                {"abort": {"httpStatus": 503, "percentage": share}},
                {"delay": {"value": self._seconds(), "percentage": share}},
                {"responseBandwidth": {"limit": "50kbps", "percentage": share}},
            )
        )
        return "MeshFaultInjection", "from", {"http": [faults]}

    def _tls(self) -> tuple[str, str, Document]:
        conf: dict[str, Any] = {"mode": self._random.choice(("Strict", "Permissive"))}
        if self._maybe():  # which few targets take
            conf["tlsVersion"] = {"min": self._random.choice(("TLS12", "TLS13"))}
        return "MeshTLS", self._random.choice(("from", "rules")), conf

    def _trace(self) -> tuple[str, str, Document]:
        backend = self._random.choice(
            (
                {"type": "Zipkin", "zipkin": {"url": "http://zipkin.internal:9411/api/v2/spans"}},
                {"type": "Datadog", "datadog": {"url": "http://datadog.internal:8126"}},
                OTEL,
            )
        )
        sampling = {"overall": self._random.randrange(1, 100)}
        return "MeshTrace", "default", {"backends": [backend], "sampling": sampling}

    def _metric(self) -> tuple[str, str, Document]:
        conf: dict[str, Any] = {
            "backends": [
                self._random.choice(
                    (
                        {
                            "type": "Prometheus",
                            "prometheus": {"port": 5670 + self._random.randrange(3), "path": "/m"},
                        },
                        OTEL,
                    )
                )
            ]
        }
        if self._maybe(0.3):
            conf["applications"] = [{"name": "app", "port": 8080, "path": "/metrics"}]
        return "MeshMetric", "default", conf

    def _passthrough(self) -> tuple[str, str, Document]:
        conf: dict[str, Any] = {
            "passthroughMode": self._random.choice(("All", "None", "Matched", "Matched"))
        }
        matches = (
            {"type": "Domain", "value": "api.example.com", "protocol": "tls", "port": 443},
            {"type": "Domain", "value": "*.example.com", "protocol": "http", "port": 80},
            {"type": "Domain", "value": "b.example.com", "protocol": "grpc"},
            {"type": "IP", "value": "192.0.2.1", "protocol": "mysql", "port": 3306},
            {"type": "IP", "value": "fd00::1", "protocol": "tcp"},
            {"type": "CIDR", "value": "192.0.2.0/24", "protocol": "tcp"},
        )
        conf["appendMatch"] = self._random.sample(matches, self._random.randrange(4))
        return "MeshPassthrough", "default", conf

    def _modifications(self) -> list[Document]:
        service = self._random.choice(self._services)
        steps = [{"op": "replace", "path": "/connectTimeout", "value": self._seconds()}]
        merged = f"connectTimeout: {self._seconds()}"
        found: tuple[Document, ...] = (
            {"cluster": {"operation": "Patch", "match": {"name": service}, "value": merged}},
            {
                "cluster": {
                    "operation": "Patch",
                    "match": {"origin": "inbound"},
                    "jsonPatches": steps,
                }
            },
            {"cluster": {"operation": "Add", "value": EXTRA_CLUSTER}},
            {"cluster": {"operation": "Remove", "match": {"name": service}}},
            {
                "listener": {
                    "operation": "Patch",
                    "match": {"tags": {"kuma.io/service": service}},
                    "value": "perConnectionBufferLimitBytes: 1024",
                }
            },
            {
                "networkFilter": {
                    "operation": "Remove",
                    "match": {"name": "envoy.filters.network.rbac", "origin": "inbound"},
                }
            },
            {"httpFilter": {"operation": "AddFirst", "value": BUFFER}},
            {
                "virtualHost": {
                    "operation": "Patch",
                    "match": {"origin": "outbound"},
                    "value": "requireTls: EXTERNAL_ONLY",
                }
            },
        )
        return self._random.sample(found, self._random.randrange(1, 4))

    def _patch(self) -> tuple[str, str, Document]:
        return "MeshProxyPatch", "default", {"appendModifications": self._modifications()}

    def _selectors(self) -> list[Document]:
        return [{"match": {"kuma.io/service": self._random.choice((*self._services, "*"))}}]

    def _older_ones(self) -> tuple[Callable[[], tuple[str, Document]], ...]:
        def connection(type_name: str, conf: Callable[[], Document]) -> Callable[[], Any]:
            return lambda: (
                type_name,
                {"sources": self._selectors(), "destinations": self._selectors(), "conf": conf()},
            )

        def requests() -> Document:
            return {"http": {"requests": self._random.randrange(1, 9), "interval": "5s"}}

        return (
            connection("TrafficRoute", self._route),
            connection("Timeout", lambda: {"connectTimeout": self._seconds()}),
            connection("Retry", lambda: {"http": {"numRetries": self._random.randrange(1, 9)}}),
            connection(
                "CircuitBreaker",
                lambda: {
                    "detectors": {"totalErrors": {"consecutive": self._random.randrange(1, 9)}}
                },
            ),
            connection(
                "HealthCheck",
                lambda: {
                    "interval": self._seconds(),
                    "timeout": "2s",
                    "unhealthyThreshold": 3,
                    "healthyThreshold": 1,
                },
            ),
            lambda: ("FaultInjection", self._older_fault()),
            connection("RateLimit", requests),
            connection("TrafficLog", lambda: {"backend": "file"}),
            lambda: (
                "TrafficTrace",
                {"selectors": self._selectors(), "conf": {"backend": "zipkin"}},
            ),
            lambda: ("ProxyTemplate", {"selectors": self._selectors(), "conf": self._template()}),
        )

    def _older_fault(self) -> Document:
        http = {"kuma.io/service": self._random.choice(self._services), "kuma.io/protocol": "http"}
        fault = {"abort": {"httpStatus": 503, "percentage": self._random.randrange(1, 99)}}
        destinations = [{"match": http}]
        return {"sources": self._selectors(), "destinations": destinations, "conf": fault}

    def _route(self) -> Document:
        if self._maybe():
            return {"destination": {"kuma.io/service": "*"}}
        shares = [
            {
                "weight": weight,
                "destination": {"kuma.io/service": self._random.choice(self._services)},
            }
            for weight in (10, 90)
        ]
        return {"split": shares}

    def _template(self) -> Document:
        imports = ["default-proxy"] if self._maybe(0.8) else []
        patch = {"operation": "patch", "value": f"connectTimeout: {self._seconds()}"}
        modifications = [{"cluster": patch}] if self._maybe() else []
        raw = {"name": "extra", "version": "1", "resource": RAW}
        resources = [raw] if self._maybe() else []
        return {"imports": imports, "resources": resources, "modifications": modifications}
