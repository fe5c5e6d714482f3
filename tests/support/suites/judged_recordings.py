"""Which recorded proxies the real Envoy judges, and what it refuses of them nevertheless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kong_mesh_cp.core.xds.services.service_endpoints import EGRESS, INGRESS
from kong_mesh_cp.usecases.resources.kinds import KINDS

_NO_KAFKA: Final = (
    "kafka_broker",
    "Envoy's own builds have no filter for Kafka; those with contributions do",
)
_AFTER_THE_LAST: Final = ("must be the last filter", "the patch of the case puts a filter there")
REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "meshproxypatch/http-addafter": _AFTER_THE_LAST,
    "meshproxypatch/http-addlast": _AFTER_THE_LAST,
    "meshproxypatch/network-addafter": _AFTER_THE_LAST,
    "meshproxypatch/network-addlast": _AFTER_THE_LAST,
    "meshretry/tcp-kafka": _NO_KAFKA,
    "meshtcproute/kafka": _NO_KAFKA,
    "meshtimeout/to-kafka": _NO_KAFKA,
    "sidecar/default-policies-http2-kafka": _NO_KAFKA,
    "meshmetric/prometheus-provided-tls": (
        "Failed to load incomplete private key",
        "the files of the certificate are on the machine of the proxy",
    ),
    "sidecar/admin-hostname": (
        "malformed IP address",
        "the address of the proxy is a host name, as the original has it",
    ),
    "sidecar/inbounds-share-workload-port": (
        "error initializing configuration",
        "two inbounds of one port differ in protocol, as the original has it",
    ),
    "transparent/direct-access-mtls": (
        "Caught Segmentation fault",
        "as a part of the bootstrap its cluster asks for secrets before there is ADS; it comes later",
    ),
}
"""By case: what Envoy says, and why we send it nevertheless. What comes to be taken has to leave."""

_RESOURCES: Final = {"dataplane": "Dataplane", "egress": EGRESS, "ingress": INGRESS}


def is_there(proxy: Any, resources: Sequence[Mapping[str, Any]]) -> bool:
    """It is one that is configured: others are refused."""
    there = {(each["type"], each.get("mesh", ""), each["name"]): each for each in resources}
    found = there.get((_RESOURCES[proxy.type], proxy.mesh, proxy.name))
    is_of_zone = proxy.type != "dataplane"
    has_mesh = ("Mesh", "", proxy.mesh) in there or proxy.mesh == "default"
    return (is_of_zone or has_mesh) and found is not None and not _violations(found)


def _violations(document: Mapping[str, Any]) -> Sequence[object]:
    kind = KINDS[document["type"]]
    return kind.validate(kind.parse(document))
