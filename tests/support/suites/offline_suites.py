"""The offline suites of the shared data folder: one parameter a case, documents as resources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from kong_mesh_cp.core.policy.kinds.policy_catalogue import POLICY_KINDS
from kong_mesh_cp.core.policy.rules.destinations import MESH, DestinationId, Destinations
from kong_mesh_cp.core.policy.rules.inbound_rules import InboundRule
from kong_mesh_cp.core.policy.rules.matched import MeshView, ToRules
from kong_mesh_cp.core.policy.rules.mesh_resources import gateway_of, meta_of, proxy_of
from kong_mesh_cp.core.policy.rules.origins import Origin
from kong_mesh_cp.core.policy.rules.policy import TRAITS, Meta, Policy
from kong_mesh_cp.core.policy.rules.proxies import Proxy
from kong_mesh_cp.core.policy.rules.resource_rules import ResourceRules
from kong_mesh_cp.core.policy.rules.specs import destination_of, policy_of
from kong_mesh_cp.core.policy.rules.subset_rules import SubsetRule
from kong_mesh_cp.core.resources.kind import Kind
from kong_mesh_cp.core.resources.kinds import dataplane_rules, mesh_gateway, mesh_rules
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from support.suites.validation_cases import JsonLoader, shared_folder

Json = Mapping[str, Any]
DESTINATIONS = (MESH, "MeshService", "MeshExternalService", "MeshMultiZoneService")
STORED_AT = datetime(2026, 1, 1, tzinfo=UTC)
KINDS: Mapping[str, Kind[Any]] = {
    each.type: each
    for each in (*POLICY_KINDS.values(), dataplane_rules.KIND, mesh_gateway.KIND, mesh_rules.KIND)
}


@dataclass(frozen=True)
class OfflineCase:
    """One case: its inputs by their names in the manifest, and what has to come out."""

    inputs: Mapping[str, tuple[Json, ...]]
    expected: Any

    @property
    def documents(self) -> tuple[Json, ...]:
        """Every input document, whatever its file."""
        return tuple(document for part in self.inputs.values() for document in part)

    @property
    def view(self) -> MeshView:
        return view_of(self.documents)

    @property
    def policies(self) -> tuple[Policy, ...]:
        return self.view.policies

    @property
    def policy_type(self) -> str:
        """The type that the case is about: routes only serve the others."""
        types = [policy.meta.type for policy in self.policies]
        return next((found for found in types if found != "MeshHTTPRoute"), types[0])

    @property
    def proxy(self) -> Proxy:
        return proxy_among(self.documents)


def offline_cases(suite: str) -> list[Any]:
    """The cases of `suite` as parameters; one skipped parameter where there is no data."""
    shared = shared_folder()
    if shared is None:
        return [pytest.param(None, marks=pytest.mark.skip("no shared data beside the checkout"))]
    folder = shared / "conformance/suites" / suite
    manifest = yaml.load((folder / "MANIFEST.yaml").read_text(), JsonLoader)
    return [pytest.param(_case(folder, case), id=case["id"]) for case in manifest["cases"]]


def _case(folder: Path, case: Json) -> OfflineCase:
    files = case["input"] if isinstance(case["input"], dict) else {"all": case["input"]}
    return OfflineCase(
        {part: tuple(documents_of(folder / name)) for part, name in files.items()},
        yaml.load((folder / case["expect"]).read_text(), JsonLoader),
    )


def documents_of(path: Path) -> Iterator[Json]:
    for text in re.split(r"^---$", path.read_text(), flags=re.MULTILINE):
        # Stripped as the original's test does, which shows in block texts at the end.
        document = yaml.load(text.strip(), JsonLoader)
        if document:
            yield document


def resource_of(document: Json) -> Resource[object]:
    """As a store would hold it. Kinds that are not there yet are kept as they are written."""
    kind = KINDS.get(document["type"])
    spec: object = kind.parse(document) if kind else document.get("spec", {})
    return Resource(
        type=document["type"],
        mesh=document.get("mesh", "" if document["type"] == "Mesh" else "default"),
        name=document["name"],
        labels=document.get("labels", {}),
        spec=spec,
        created_at=STORED_AT,
        modified_at=STORED_AT,
        version=1,
    )


def rendered_spec(resource: Resource[object]) -> Json:
    kind = KINDS.get(resource.type)
    rendered: Any = kind.render(resource.spec)["spec"] if kind else resource.spec
    assert isinstance(rendered, Mapping)
    return rendered


def view_of(documents: Iterable[Json]) -> MeshView:
    listed = [*map(resource_of, documents)]
    return MeshView(
        policies=tuple(
            policy_of(meta_of(each), rendered_spec(each)) for each in listed if each.type in TRAITS
        ),
        gateways=tuple(gateway_of(each) for each in listed if has_spec(each, MeshGateway)),
        destinations=Destinations(
            destination_of(meta_of(each), {} if each.type == MESH else rendered_spec(each))
            for each in listed
            if each.type in DESTINATIONS
        ),
    )


def proxy_among(documents: Iterable[Json], name: str | None = None) -> Proxy:
    """The proxy of the first Dataplane, or of the one called `name`."""
    for resource in map(resource_of, documents):
        if has_spec(resource, Dataplane) and name in (None, resource.name):
            return proxy_of(resource)
    raise LookupError(name)


def shown_policy(meta: Meta) -> Json:
    return {
        "creationTime": "0001-01-01T00:00:00Z",
        **({"labels": dict(meta.labels)} if meta.labels else {}),
        "mesh": meta.mesh,
        "modificationTime": "0001-01-01T00:00:00Z",
        "name": meta.name,
        "type": meta.type,
    }


def shown_subset_rules(rules: Iterable[SubsetRule]) -> list[Any]:
    return [
        {
            "BackendRefOriginIndex": dict(rule.backend_origins),
            "Conf": rule.conf,
            "Origin": [shown_policy(origin.meta) for origin in rule.origins],
            "Subset": [
                {"Key": tag.key, "Not": tag.negated, "Value": tag.value} for tag in rule.subset
            ],
        }
        for rule in rules
    ]


def shown_inbound_rules(rules: Iterable[InboundRule]) -> list[Any]:
    return [
        {
            "conf": list(rule.confs),
            "origin": [_shown_origin(origin) for origin in rule.origins],
        }
        for rule in rules
    ]


def _shown_origin(origin: Origin) -> Json:
    return {"Resource": shown_policy(origin.meta), "RuleIndex": origin.index}


def shown_resource_rules(rules: ResourceRules) -> Json:
    return {
        shown_id(key): {
            "BackendRefOriginIndex": dict(rule.backend_origins),
            "Conf": list(rule.confs),
            "Origin": [_shown_origin(origin) for origin in rule.origins],
            "Resource": shown_policy(rule.resource),
            "ResourceSectionName": rule.section_name,
        }
        for key, rule in rules.items()
    }


def shown_id(key: DestinationId) -> str:
    parts = {
        "mesh": key.mesh,
        "zone": key.zone,
        "namespace": key.namespace,
        "name": key.name,
        "section": key.section_name,
    }
    return ":".join([key.type.lower(), *(f"{part}/{text}" for part, text in parts.items() if text)])


def shown_to_rules(rules: ToRules) -> Json:
    return {
        "ResourceRules": shown_resource_rules(rules.resources),
        "Rules": shown_subset_rules(rules.services),
    }
