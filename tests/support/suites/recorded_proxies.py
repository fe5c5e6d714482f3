"""Recorded configurations of proxies in the shared data folder, and what is generated for the same
resources, without a server.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from kong_mesh_cp.core.discovery.snapshots import Snapshot
from kong_mesh_cp.core.meshes.initial_policies import policies_of_new_mesh
from kong_mesh_cp.core.meshes.mesh_defaults import filled_in
from kong_mesh_cp.core.policy.rules.destinations import Destinations
from kong_mesh_cp.core.policy.rules.matched import MeshView
from kong_mesh_cp.core.policy.rules.mesh_resources import gateway_of, meta_of
from kong_mesh_cp.core.policy.rules.policy import TRAITS
from kong_mesh_cp.core.policy.rules.specs import destination_of, policy_of
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.kinds.zone_proxies import ZoneIngress
from kong_mesh_cp.core.resources.labels import Deployment, computed_labels
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.xds.cross_mesh.other_meshes import is_foreign, other_meshes
from kong_mesh_cp.core.xds.generate import Generated, generate
from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.proxy_view import GenerationTerms, ProxyView, admin_addresses
from kong_mesh_cp.core.xds.services.service_endpoints import EGRESS, INGRESS
from kong_mesh_cp.core.xds.world import MeshWorld, by_type, mesh_world
from kong_mesh_cp.core.xds.zone_proxies.available_services import available_services
from kong_mesh_cp.core.xds.zone_proxies.generate_zone_proxy import generate_zone_proxy
from kong_mesh_cp.core.xds.zone_proxies.zone_view import (
    ZoneProxyView,
    ZoneWorld,
    zone_proxy_addresses,
)
from kong_mesh_cp.usecases.resources.kinds import KINDS
from support.suites.made_services import made_services
from support.suites.recorded_certificates import (
    admin_tls,
    identity_for,
    ready_services,
    zone_identities,
)
from support.suites.recorded_names import addresses_of
from support.suites.validation_cases import shared_folder

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SERVICES = ("MeshService", "MeshExternalService", "MeshMultiZoneService")
INTERNAL = (
    ("10.0.0.0", 8),
    ("192.168.0.0", 16),
    ("172.16.0.0", 12),
    ("fc00::", 7),
    ("fd00::", 8),
    ("127.0.0.1", 32),
    ("::1", 128),
)
SYSTEM_AUTHORITY = "/etc/ssl/certs/ca-certificates.crt"  # of the machines of the recordings
# What kuma-dp says of itself in the recordings, unless a case says otherwise.
METADATA = ProxyMetadata(
    admin_port=9901,
    admin_address="127.0.0.1",
    dns_port=15054,
    readiness_port=9902,
    ipv6=False,
    features=frozenset({"feature-tcp-accesslog-via-named-pipe"}),
)


@dataclass(frozen=True)
class Tools:
    """The modules beside the recordings."""

    probe: Any
    live: Any


@cache
def tools() -> Tools:
    folder = shared_folder()
    assert folder is not None
    sys.path.insert(0, str(folder / "conformance/live"))
    return Tools(importlib.import_module("xds_probe"), importlib.import_module("run_live"))


def cases(*suites: str) -> list[Any]:
    """The cases of `suites`, or all, as parameters; a skipped one where there is no data."""
    folder = shared_folder()
    if folder is None:
        return [pytest.param(None, marks=pytest.mark.skip("no shared data beside the checkout"))]
    root = folder / "conformance/live/cases"
    wanted = suites or [each.name for each in sorted(root.iterdir())]
    found = (path.parent for suite in wanted for path in sorted((root / suite).glob("*/case.yaml")))
    return [pytest.param(each, id=f"{each.parent.name}/{each.name}") for each in found]


def resource_of(document: Mapping[str, Any], deployment: Deployment | None) -> Resource[Any]:
    """What is stored when `document` is put; without a deployment: when the control plane makes it."""
    kind = KINDS[document["type"]]
    spec = kind.parse(document)
    mesh, labels = document.get("mesh", ""), document.get("labels", {})
    if deployment is not None:
        spec = filled_in(spec, deployment.zone, is_new=True)
        labels = computed_labels(labels, TYPES[document["type"]], mesh, deployment)
    return Resource(
        type=document["type"],
        mesh=mesh,
        name=document["name"],
        labels=labels,
        spec=spec,
        created_at=NOW,
        modified_at=NOW,
        version=1,
        status=None if kind.parse_status is None else kind.parse_status(document),
    )


def stored(
    documents: Iterable[Mapping[str, Any]], env: Mapping[str, str]
) -> Iterator[Resource[Any]]:
    """All that is there when `documents` were put."""
    deployment = Deployment(zone=env.get("KUMA_MULTIZONE_ZONE_NAME", "default"))
    found = list(documents)
    if env.get("KUMA_DEFAULTS_SKIP_MESH_CREATION") == "false":
        found.insert(0, {"type": "Mesh", "name": "default"})
    routing = env.get("KUMA_DEFAULTS_CREATE_MESH_ROUTING_RESOURCES") == "true"
    for second, document in enumerate(found):
        # One after the other: of older policies that select alike the last one counts.
        made = NOW + timedelta(seconds=second)
        yield replace(resource_of(document, deployment), created_at=made, modified_at=made)
        if document["type"] == "Mesh":
            skipped = document.get("skipCreatingInitialPolicies", ())
            for policy in policies_of_new_mesh(document["name"], skipped, routing=routing):
                meta = {"type": policy.type, "mesh": document["name"], "name": policy.name}
                yield resource_of({**meta, **policy.body}, None)


def world_of(
    mesh: str,
    resources: Sequence[Resource[Any]],
    *,
    zone: str = "default",
    connected: Iterable[str] = (),
    env: Mapping[str, str] | None = None,
) -> MeshWorld:
    """`connected` are other proxies that have what they need (`MESH/NAME`)."""
    found = sorted(resources, key=lambda each: each.name)
    ready = ready_services(mesh, found, connected)
    own = next(each for each in found if has_spec(each, Mesh) and each.name == mesh)
    of_mesh = [each for each in found if each.mesh == mesh]
    rendered = {id(each): KINDS[each.type].render(each.spec) for each in of_mesh}
    inner: dict[int, Any] = {
        each: document.get("spec", document) for each, document in rendered.items()
    }
    view = MeshView(
        policies=tuple(
            policy_of(meta_of(each), inner[id(each)])
            for type_name in TRAITS
            for each in of_mesh
            if each.type == type_name
        ),
        gateways=tuple(gateway_of(each) for each in of_mesh if has_spec(each, MeshGateway)),
        destinations=Destinations(
            [
                destination_of(meta_of(own), {}),
                *(
                    destination_of(meta_of(each), inner[id(each)])
                    for each in of_mesh
                    if each.type in SERVICES
                ),
            ]
        ),
    )
    addresses = addresses_of(mesh, resources, zone, env or {})
    zone_proxies = [each for each in found if each.type in (EGRESS, INGRESS)]
    everything = [*of_mesh, *zone_proxies]
    return mesh_world(
        own,
        by_type(everything),
        view,
        zone=zone,
        tls_ready=ready,
        addresses=addresses,
        others=other_meshes(each for each in found if is_seen_by_others(each, mesh)),
    )


def is_seen_by_others(resource: Resource[Any], mesh: str) -> bool:
    """It is of another mesh than `mesh`, and of a type that this one looks at."""
    return resource.type in ("Mesh", "MeshGateway", "Dataplane") and is_foreign(resource.key, mesh)


def metadata_of(proxy: Any, dataplane: Dataplane, env: Mapping[str, str]) -> ProxyMetadata:
    """What a proxy of a case says of itself, as its bootstrap has it."""
    networking = dataplane.networking
    own = networking.admin.port if networking is not None and networking.admin is not None else 0
    admin_port = own or int(env.get("KUMA_BOOTSTRAP_SERVER_PARAMS_ADMIN_PORT", METADATA.admin_port))
    members = {"dnsPort": "dns_port", "readinessPort": "readiness_port", "ipv6Enabled": "ipv6"}
    said: dict[str, Any] = {
        members[name]: value if value is not None else 0
        for name, value in proxy.metadata.items()
        if name in members
    }
    certificate = proxy.metadata.get("metricsResources") or {}
    return replace(
        METADATA,
        admin_port=admin_port,
        metrics_cert_path=certificate.get("certPath", ""),
        metrics_key_path=certificate.get("keyPath", ""),
        app_probe_proxy=bool(proxy.metadata.get("appProbeProxyDisabled", False)),
        workdir=f"/run/kuma-dp/{proxy.name}",
        **said,
    )


def zone_view_for(case: Any, proxy: Any) -> ZoneProxyView:
    """What a zone proxy of a case is told from."""
    zone = case.env.get("KUMA_MULTIZONE_ZONE_NAME", "default")
    resources = list(stored(case.resources, case.env))
    resources += made_services(resources, zone)
    connected = [each.id for each in (*case.companions, *case.proxies)]
    meshes = {
        each.name: world_of(each.name, resources, zone=zone, connected=connected, env=case.env)
        for each in sorted(resources, key=lambda each: each.name)
        if has_spec(each, Mesh)
    }
    of_type = {
        type_name: {
            each.name: each
            for each in sorted(resources, key=lambda each: each.name)
            if each.type == type_name
        }
        for type_name in (INGRESS, EGRESS)
    }
    world = ZoneWorld(
        zone=zone, meshes=meshes, ingresses=of_type[INGRESS], egresses=of_type[EGRESS]
    )
    found = world.egress(proxy.name) or _offering(world, proxy.name)
    return ZoneProxyView(
        proxy=found,
        metadata=replace(METADATA, system_ca_path=SYSTEM_AUTHORITY),
        world=world,
        terms=GenerationTerms(internal=_internal(case.env)),
        admin_tls=admin_tls(*zone_proxy_addresses(found.spec)),
        identities=zone_identities(found, meshes.values(), resources),
    )


def _offering(world: ZoneWorld, name: str) -> Resource[ZoneIngress]:
    """The ingress, as it is once the control plane has said what is there."""
    found = world.ingress(name)
    assert found is not None
    services = available_services([*world.meshes.values()])
    return replace(found, spec=replace(found.spec, available_services=services))


def generated_for(case: Any, proxy: Any, parts: Parts | None = None) -> Generated:
    if proxy.type != "dataplane":
        return generate_zone_proxy(zone_view_for(case, proxy), parts or Parts())
    zone = case.env.get("KUMA_MULTIZONE_ZONE_NAME", "default")
    resources = list(stored(case.resources, case.env))
    resources += made_services(resources, zone)
    connected = [each.id for each in (*case.companions, *case.proxies)]
    world = world_of(proxy.mesh, resources, zone=zone, connected=connected, env=case.env)
    dataplane = world.dataplane(proxy.name)
    assert dataplane is not None
    view = ProxyView(
        dataplane=dataplane,
        metadata=metadata_of(proxy, dataplane.spec, case.env),
        world=world,
        terms=GenerationTerms(internal=_internal(case.env)),
        admin_tls=admin_tls(*admin_addresses(dataplane.spec)),
        identity=identity_for(dataplane, world.mesh, resources, world.crossing.trusted),
    )
    return generate(view, parts or Parts())


def _internal(env: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    said = env.get("KUMA_IPAM_KNOWN_INTERNAL_CIDRS")
    if said is None:
        return INTERNAL
    return tuple(
        (str(each.network_address), each.prefixlen) for each in map(ip_network, said.split(","))
    )


def generated(folder: Path) -> list[Snapshot]:
    """What is generated for the proxies of a case."""
    case = tools().probe.Case(folder)
    return [generated_for(case, proxy).snapshot for proxy in case.proxies]


def shown(snapshot: Snapshot, given: set[str]) -> dict[str, dict[str, Any]]:
    """As the recordings show it."""
    probe = tools().probe
    found: dict[str, dict[str, Any]] = {}
    for url, of_type in snapshot.by_type.items():
        kind = probe.KIND_OF[url]
        for name, resource in of_type.resources.items():
            packed = probe.any_pb2.Any.FromString(resource.packed)
            found.setdefault(kind, {})[name] = probe.shown(probe.message_of(packed), given)
    return found


def differences(folder: Path) -> list[str]:
    """Where what is generated differs from what was recorded; empty when it does not."""
    probe, live = tools().probe, tools().live
    case = probe.Case(folder)
    expected = json.loads((folder / "expect.json").read_text())
    found: dict[str, Any] = {}
    complaints: list[str] = []
    for proxy in case.proxies:
        made = generated_for(case, proxy)
        complaints += [f"complaint: {each.about}: {each.reason}" for each in made.complaints]
        kinds = shown(made.snapshot, case.given)
        document = {
            kind: {name: each for name, each in named.items() if name not in case.omit}
            for kind, named in sorted(kinds.items())
            if kind in case.record
        }
        found[proxy.id] = probe.name_addresses(document)
    left = live.differences(expected, found)
    return [*live.report(left, 12), *complaints] if left else []


if __name__ == "__main__":  # python -m support.suites.recorded_proxies SUITE[/CASE] …
    folder = shared_folder()
    assert folder is not None
    root = folder / "conformance/live/cases"
    passed = failed = 0
    for pattern in sys.argv[1:]:
        for path in sorted(root.glob(f"{pattern if '/' in pattern else pattern + '/*'}/case.yaml")):
            try:
                lines = differences(path.parent)
            except Exception as error:  # what a case says is the finding
                lines = [f"    {type(error).__name__}: {error}"]
            passed, failed = passed + (not lines), failed + bool(lines)
            print("FAIL" if lines else "PASS", f"{path.parent.parent.name}/{path.parent.name}")
            print(*lines, sep="\n") if lines else None
    print(f"{passed} passed, {failed} failed")
