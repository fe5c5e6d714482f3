"""The offline suites of the shared data folder: one parameter a case, documents as resources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from kong_mesh_cp.core.policy.contributions import Origin
from kong_mesh_cp.core.policy.destinations import Destination, DestinationId, Destinations, Port
from kong_mesh_cp.core.policy.inbound_rules import InboundRule
from kong_mesh_cp.core.policy.kinds.catalogue import POLICY_KINDS
from kong_mesh_cp.core.policy.matched import MeshView, ToRules
from kong_mesh_cp.core.policy.policy import TRAITS, Meta, Policy
from kong_mesh_cp.core.policy.proxies import (
    GatewayListener,
    GatewayRole,
    Inbound,
    Listener,
    MeshGateway,
    Proxy,
)
from kong_mesh_cp.core.policy.resource_rules import ResourceRules
from kong_mesh_cp.core.policy.specs import policy_of
from kong_mesh_cp.core.policy.subset_rules import SubsetRule
from support.validation_cases import JsonLoader, shared_folder

Json = Mapping[str, Any]
SERVICES = ("Mesh", "MeshService", "MeshExternalService", "MeshMultiZoneService")


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
    def policies(self) -> tuple[Policy, ...]:
        return policies_of(self.documents)

    @property
    def policy_type(self) -> str:
        """The type that the case is about: routes only serve the others."""
        types = [policy.meta.type for policy in self.policies]
        return next((found for found in types if found != "MeshHTTPRoute"), types[0])

    @property
    def proxy(self) -> Proxy:
        return next(proxy_of(found) for found in self.documents if found["type"] == "Dataplane")

    @property
    def view(self) -> MeshView:
        return MeshView(
            self.policies,
            tuple(gateway_of(found) for found in self.documents if found["type"] == "MeshGateway"),
            destinations_of(self.documents),
        )


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


def policies_of(documents: Iterable[Json]) -> tuple[Policy, ...]:
    return tuple(
        policy_of(meta_of(document), _stored_spec(document))
        for document in documents
        if document["type"] in TRAITS
    )


def _stored_spec(document: Json) -> Json:
    """The spec as its kind reads and renders it, with the defaults that this brings."""
    kind = next((each for each in POLICY_KINDS if each.type == document["type"]), None)
    stored: Json = kind.render(kind.parse(document)) if kind else document
    return cast("Json", stored["spec"])


def meta_of(document: Json) -> Meta:
    default = "" if document["type"] == "Mesh" else "default"
    return Meta(
        document["type"],
        document.get("mesh", default),
        document["name"],
        document.get("labels", {}),
    )


def proxy_of(document: Json) -> Proxy:
    networking = document["networking"]
    address = networking["address"]
    gateway = networking.get("gateway")
    return Proxy(
        meta_of(document),
        address,
        tuple(
            Inbound(
                Listener(inbound.get("address", address), inbound["port"]),
                inbound.get("tags", {}),
                inbound.get("name", ""),
                inbound.get("state") == "Ignored",
            )
            for inbound in networking.get("inbound", ())
        ),
        GatewayRole(gateway.get("type") == "BUILTIN", gateway["tags"]) if gateway else None,
    )


def gateway_of(document: Json) -> MeshGateway:
    return MeshGateway(
        meta_of(document),
        tuple(selector["match"] for selector in document["selectors"]),
        document.get("tags", {}),
        tuple(
            GatewayListener(each["port"], each.get("hostname") or "*", each.get("tags", {}))
            for each in document["conf"]["listeners"]
        ),
    )


def destinations_of(documents: Iterable[Json]) -> Destinations:
    """With the mesh of each resource, which a control plane always has."""
    listed = [document for document in documents if document["type"] in SERVICES]
    return Destinations(
        Destination(
            meta_of(document),
            tuple(
                Port(port["port"], port.get("name", ""))
                for port in document.get("spec", {}).get("ports", ())
            ),
        )
        for document in listed
    )


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
