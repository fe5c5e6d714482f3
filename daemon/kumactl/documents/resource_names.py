"""What a user may call a resource type, and the paths of its resources."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final
from urllib.parse import quote

from kong_mesh_cp.core.formats.near_words import did_you_mean
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kumactl.errors import UsageError

DEFAULT_MESH: Final = "default"
_GROUPS: Final = (
    _MESHES := "meshes, services and proxies",
    _POLICIES := "policies",
    _OLDER_POLICIES := "older policies, by sources and destinations",
    _ACCESS := "secrets and access",
    _INSIGHTS := "what the control plane has seen",
)


@cache
def by_word() -> Mapping[str, ResourceType]:
    """Every word for a type: kumactl's own names first, then URL segment and type name."""
    shown = [resource_type for resource_type in TYPES.values() if resource_type.path]
    words: dict[str, ResourceType] = {}
    for resource_type in shown:
        words |= dict.fromkeys(resource_type.kumactl, resource_type)
    for resource_type in shown:
        for word in (resource_type.path, resource_type.name.lower()):
            words.setdefault(word, resource_type)
    return words


def type_of_word(word: str) -> ResourceType:
    """The type that `word` means on a command line. Raises: UsageError."""
    found = by_word().get(word.lower())
    if found is None:
        near = did_you_mean(word, by_word()) or "."
        raise UsageError(f'unknown resource type "{word}"{near} `kumactl get --help` lists them')
    return found


def by_group() -> Mapping[str, list[str]]:
    """What `get` lists, in groups with a heading each: `meshtimeouts (mt)`."""
    groups: dict[str, list[str]] = {heading: [] for heading in _GROUPS}
    for resource_type in dict.fromkeys(by_word().values()):
        short = resource_type.kumactl[2:]
        shown = f"{plural(resource_type)} ({', '.join(short)})" if short else plural(resource_type)
        groups[_group(resource_type)].append(shown)
    return {heading: sorted(words) for heading, words in groups.items()}


def _group(resource_type: ResourceType) -> str:
    if resource_type.read_only:
        return _INSIGHTS
    if resource_type.is_policy:
        return _POLICIES if resource_type.is_target_ref_policy else _OLDER_POLICIES
    if resource_type.name.startswith("Access") or resource_type.name.endswith("Secret"):
        return _ACCESS
    return _MESHES


def singular(resource_type: ResourceType) -> str:
    """The word for one resource of the type: `mesh`, `meshtimeout`."""
    return resource_type.kumactl[0] if resource_type.kumactl else resource_type.name.lower()


def plural(resource_type: ResourceType) -> str:
    """The word for all resources of the type: `meshes`, `healthchecks`."""
    return resource_type.kumactl[1] if resource_type.kumactl else resource_type.path


def collection_path(resource_type: ResourceType, mesh: str) -> str:
    """Where the resources of the type are, in `mesh` if it lies in meshes."""
    if resource_type.is_mesh_scoped:
        return f"/meshes/{segment(mesh)}/{resource_type.path}"
    return f"/{resource_type.path}"


def item_path(resource_type: ResourceType, mesh: str, name: str) -> str:
    """Where one resource is."""
    return f"{collection_path(resource_type, mesh)}/{segment(name)}"


def segment(name: str) -> str:
    """`name` as one segment of a path: no slash of it makes another one. Raises: UsageError."""
    if name in {"", ".", ".."}:
        raise UsageError(f"{name!r} is no name")  # of a folder, once paths are normalised
    return quote(name, safe="")
