"""`kumactl export`: all resources as one YAML stream that `apply` takes elsewhere."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kong_mesh_cp.core.resources.labels import ORIGIN
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kumactl.commands import flags
from kumactl.console import printable
from kumactl.control_plane import ControlPlane
from kumactl.documents import resource_names, yaml_text
from kumactl.documents.comparison import shows_masks
from kumactl.json_value import JsonObject, object_at, objects_at, text_at, true_at
from kumactl.session import Session

# Of the control plane itself: in another one they would break its TLS.
_NEVER: Final = frozenset({"envoy-admin-ca", "inter-cp-ca"})
# Last: once they are applied, the token of the user who applies is void.
_LAST_PREFIX: Final = "user-token-signing-key"
_OF_CLUSTER: Final = ("resourceVersion", "ownerReferences", "uid", "generation", "managedFields")


class Profile(StrEnum):
    """What is exported."""

    FEDERATION = "federation"  # what a global control plane needs; its policies come from it
    FEDERATION_WITH_POLICIES = "federation-with-policies"
    ALL = "all"
    NO_DATAPLANES = "no-dataplanes"

    @property
    def migrates(self) -> bool:
        """Whether the result goes into a global control plane: no origin of a zone, all secrets."""
        return self in {Profile.FEDERATION, Profile.FEDERATION_WITH_POLICIES}


class Form(StrEnum):
    """In which form."""

    UNIVERSAL = "universal"
    KUBERNETES = "kubernetes"


@dataclass(frozen=True, slots=True)
class _Found:
    type: ResourceType
    document: JsonObject

    @property
    def name(self) -> str:
        return text_at(self.document, "name")

    @property
    def path(self) -> str:
        return resource_names.item_path(self.type, text_at(self.document, "mesh"), self.name)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = flags.command(commands, "export", _run, "print all resources as YAML")
    parser.add_argument(
        "-p", "--profile", type=Profile, choices=tuple(Profile), default=Profile.FEDERATION
    )
    parser.add_argument("-f", "--format", type=Form, choices=tuple(Form), default=Form.UNIVERSAL)
    parser.add_argument(
        "-a", "--include-admin", action="store_true", help="secrets too, in every profile"
    )
    parser.add_argument(
        "-n",
        "--system-namespace",
        default="kong-mesh-system",
        metavar="NAMESPACE",
        help="of the control plane, for the Kubernetes form",
    )


def _run(session: Session) -> None:
    plane = session.control_plane
    index = plane.index()
    session.console.line(
        f"# Product: {index.product}, Version: {index.version}, Hostname: {index.hostname},"
        f" ClusterId: {index.cluster_id}, InstanceId: {index.instance_id}"
    )
    found = _ordered(list(_collect(plane, _types(session))))
    if session.arguments.format is Form.UNIVERSAL:
        for each in found:
            if each.type.name == "Mesh":
                session.console.document("---\n" + yaml_text.render(_declared(each)))
    for each in found:
        if shows_masks(each.document):
            session.console.note(
                f"WARNING: {each.path} has secrets that you may not read; their masks cannot be"
                " applied elsewhere"
            )
        if session.arguments.format is Form.UNIVERSAL:
            document: JsonObject | None = _universal(each, session.arguments.profile)
        else:
            document = _kubernetes(plane, each, session)
        if document is not None:
            session.console.document("---\n" + yaml_text.render(document))


def _types(session: Session) -> list[ResourceType]:
    """The types to export, meshes first. Types that only the server knows are named."""
    profile: Profile = session.arguments.profile
    resource_types: list[ResourceType] = []
    unknown: list[str] = []
    for told in objects_at(session.control_plane.document("/_resources"), "resources"):
        resource_type = TYPES.get(text_at(told, "name"))
        if resource_type is None or not resource_type.path:
            unknown.append(text_at(told, "name"))
        elif _is_wanted(
            resource_type, told, profile, include_admin=session.arguments.include_admin
        ):
            resource_types.append(resource_type)
    if unknown:
        names = printable(", ".join(unknown))
        text = f"types that this kumactl does not know are left out: {names}"
        session.console.line(f"# {text}")
        session.console.note(f"WARNING: {text}")
    return resource_types


def _is_wanted(
    resource_type: ResourceType, told: JsonObject, profile: Profile, *, include_admin: bool
) -> bool:
    if resource_type.read_only or (
        resource_type.admin_only and not profile.migrates and not include_admin
    ):
        return False
    if profile.migrates:
        policies_too = profile is Profile.FEDERATION_WITH_POLICIES
        of_target_ref = true_at(told, "policy", "isTargetRef")
        stays = of_target_ref or resource_type.name == "MeshGateway"
        return true_at(told, "includeInFederation") and (policies_too or not stays)
    return profile is Profile.ALL or resource_type.name != "Dataplane"


def _collect(plane: ControlPlane, resource_types: list[ResourceType]) -> Iterator[_Found]:
    meshes = [text_at(mesh, "name") for mesh in plane.items("/meshes")]
    for resource_type in resource_types:
        for mesh in meshes if resource_type.is_mesh_scoped else [""]:
            for document in plane.items(resource_names.collection_path(resource_type, mesh)):
                yield _Found(resource_type, document)


def _ordered(found: list[_Found]) -> list[_Found]:
    """In an order in which they can be applied: secrets, meshes, the rest, user keys.

    A Mesh may take its certificates from secrets. Those lie in a mesh: in the universal form all
    meshes are declared before them; in Kubernetes they need none.
    """

    def rank(each: _Found) -> int:
        match each.type.name:
            case "Secret":
                return 0
            case "Mesh":
                return 1
            case "GlobalSecret":
                return 4 if each.name.startswith(_LAST_PREFIX) else 3
            case _:
                return 2

    kept = [each for each in found if each.type.name != "GlobalSecret" or each.name not in _NEVER]
    return sorted(kept, key=rank)


def _declared(mesh: _Found) -> JsonObject:
    """A Mesh with nothing in it, without the policies that a new one is born with."""
    return {"type": "Mesh", "name": mesh.name, "skipCreatingInitialPolicies": ["*"]}


def _universal(found: _Found, profile: Profile) -> JsonObject:
    document = dict(found.document)
    if "labels" in document and profile.migrates:
        document["labels"] = _without_origin(object_at(document, "labels"))
    return document


def _kubernetes(plane: ControlPlane, found: _Found, session: Session) -> JsonObject | None:
    document = dict(plane.document(found.path, {"format": "kubernetes"}))
    profile: Profile = session.arguments.profile
    metadata = {
        key: value
        for key, value in object_at(document, "metadata").items()
        if key not in _OF_CLUSTER
    }
    namespace = text_at(metadata, "namespace")
    if profile is not Profile.ALL and namespace not in {"", session.arguments.system_namespace}:
        return None  # a global control plane takes none from other namespaces
    for member in ("labels", "annotations"):
        if member in metadata and profile.migrates:
            metadata[member] = _without_origin(object_at(metadata, member))
    document["metadata"] = metadata
    if found.type.name == "Mesh":
        spec = object_at(document, "spec")
        document["spec"] = {**spec, "skipCreatingInitialPolicies": ["*"]}
    return document


def _without_origin(labels: JsonObject) -> JsonObject:
    return {key: value for key, value in labels.items() if key != ORIGIN}
