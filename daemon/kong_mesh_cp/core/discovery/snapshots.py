"""What one client is to have at one moment: resources by type, each with the hash of its bytes.

Versions are hashes of content only. They are therefore the same after a restart and on every
control plane, and a client that comes back with the version it had is told nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass

VERSION_BYTES: Final = 16  # of a hash; twice as many characters


class Resource(NamedTuple):
    """A resource as it goes over the stream; what is in it is nobody's business here."""

    name: str
    version: str  # a hash of `packed`
    packed: bytes  # a serialized google.protobuf.Any, shared by all streams

    @classmethod
    def of(cls, name: str, packed: bytes) -> Resource:
        return cls(name, blake2b(packed, digest_size=VERSION_BYTES).hexdigest(), packed)


@dataclass(frozen=True, slots=True)
class TypeResources:
    """The resources of one type, sorted by name."""

    version: str  # of all of them: `version_of`
    resources: Mapping[str, Resource]

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> TypeResources:
        """Of several with one name the last one is taken."""
        named = {each.name: each for each in resources}
        ordered = {name: named[name] for name in sorted(named)}
        return cls(version_of(ordered.values()), MappingProxyType(ordered))


def version_of(resources: Iterable[Resource], basis: str = "") -> str:
    """The version of these resources in this order, and of what they are told together with."""
    digest = blake2b(basis.encode(), digest_size=VERSION_BYTES)
    digest.update("".join([f"{name}\0{version}\0" for name, version, _ in resources]).encode())
    return digest.hexdigest()


NO_RESOURCES: Final = TypeResources.of(())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a client is to have. Types without resources may be left out."""

    by_type: Mapping[str, TypeResources]  # by type URL

    @classmethod
    def of(cls, resources: Mapping[str, Iterable[Resource]]) -> Snapshot:
        """From resources by type URL."""
        made = {url: TypeResources.of(each) for url, each in resources.items()}
        return cls(MappingProxyType(made))

    def of_type(self, type_url: str) -> TypeResources:
        return self.by_type.get(type_url, NO_RESOURCES)
