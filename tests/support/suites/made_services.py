"""MeshServices as a control plane makes them, for recorded proxies that have none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from kong_mesh_cp.core.meshes.services.generated_services import (
    generated,
    generated_labels,
    generated_selector,
)
from kong_mesh_cp.core.meshes.services.service_proxies import service_proxy
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.kinds.services.mesh_service import Identity, MeshService
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.resources.tags import SERVICE

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def made_services(resources: Sequence[Resource[Any]], zone: str) -> Iterator[Resource[Any]]:
    """The MeshServices that the control plane makes for the Dataplanes in `resources`."""
    for mesh in resources:
        if not has_spec(mesh, Mesh) or mesh.spec.mesh_services is None:
            continue
        proxies = [
            service_proxy(each.name, each.created_at, each.spec)
            for each in resources
            if has_spec(each, Dataplane) and each.mesh == mesh.name
        ]
        offered = (each.tags[SERVICE] for proxy in proxies for each in proxy.inbounds)
        for service in dict.fromkeys(offered):
            found = generated(service, proxies, None)
            assert found is not None
            yield Resource(
                type="MeshService",
                mesh=mesh.name,
                name=service,
                labels=generated_labels(mesh.name, service, zone),
                spec=MeshService(
                    ports=found.ports,
                    selector=generated_selector(service),
                    identities=(Identity(type="ServiceTag", value=service),),
                ),
                created_at=NOW,
                modified_at=NOW,
                version=1,
            )
