"""Random policies of the older generation, and services outside of the mesh, in the older form."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

Document = Mapping[str, Any]

_HTTP = {"requests": 3, "interval": "1s"}
_CHECK = {"interval": "10s", "timeout": "2s", "unhealthyThreshold": 3, "healthyThreshold": 1}


class RandomOlder:
    """A resource by type and name, at random."""

    def __init__(self, random: Random, services: tuple[str, ...]) -> None:
        self._random = random
        self._services = services

    def policy(self) -> tuple[str, str, Document]:
        number = self._random.randrange(1, 60)
        confs: dict[str, Document] = {
            "CircuitBreaker": {"thresholds": {"maxConnections": number}},
            "FaultInjection": {"abort": {"httpStatus": 500, "percentage": number}},
            "HealthCheck": _CHECK,
            "RateLimit": {"http": {**_HTTP, "requests": number}},
            "Retry": {"http": {"numRetries": number}},
            "Timeout": {"http": {"requestTimeout": f"{number}s"}},
            "TrafficLog": {},
            "TrafficRoute": self._route(),
            "TrafficTrace": {},
        }
        # Without TrafficRoutes most of the others do nothing.
        type_name = self._random.choice((*confs, "TrafficRoute", "TrafficRoute"))
        name = f"older-{self._random.randrange(2)}"
        document: dict[str, Any] = {"conf": confs[type_name]}
        if type_name == "TrafficTrace":
            document["selectors"] = [{"match": self._tags()}]
            return type_name, name, document
        document["sources"] = [{"match": self._tags()}]
        to = self._tags()
        if type_name == "FaultInjection":
            to["kuma.io/protocol"] = "http"
        document["destinations"] = [{"match": to}]
        return type_name, name, document

    def outside(self) -> tuple[str, str, Document]:
        """An ExternalService, the Secret that it names, or an egress."""
        kind = self._random.choice(("ExternalService", "ExternalService", "Secret", "ZoneEgress"))
        if kind == "Secret":
            data = self._random.choice(("Q0E=", "Q0Ey"))
            return kind, "outside-ca", {"data": data}
        if kind == "ZoneEgress":
            return kind, "egress", {"networking": {"address": "10.8.0.1", "port": 10002}}
        networking: dict[str, Any] = {
            "address": self._random.choice(("a.example:80", "1.2.3.4:80"))
        }
        if self._random.random() < 0.5:
            networking["tls"] = {"enabled": True, "caCert": {"secret": "outside-ca"}}
        tags = {
            "kuma.io/service": self._random.choice(self._services),
            "kuma.io/protocol": self._random.choice(("http", "tcp", "grpc")),
        }
        name = f"outside-{self._random.randrange(2)}"
        return kind, name, {"tags": tags, "networking": networking}

    def _tags(self) -> dict[str, str]:
        return {"kuma.io/service": self._random.choice((*self._services, "*", "*"))}

    def _route(self) -> Document:
        to = self._random.choice(
            (
                {"kuma.io/service": "*"},
                {"kuma.io/service": self._random.choice(self._services)},
                {"kuma.io/service": "*", "version": "v1"},
            )
        )
        other = {"kuma.io/service": self._random.choice(self._services)}
        match = {"path": {"prefix": "/v2"}}
        return self._random.choice(
            (
                {"destination": to},
                {"split": [{"weight": 1, "destination": to}, {"weight": 2, "destination": other}]},
                {"destination": to, "http": [{"match": match, "destination": other}]},
                {"destination": to, "loadBalancer": {"random": {}}},
            )
        )
