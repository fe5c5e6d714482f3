"""Resources from a file, put into a store as they stand: for tests of what clients see."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from kong_mesh_cp.core.errors import ConfigurationError
from kong_mesh_cp.core.formats.go.go_values import ParseError, is_object
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.meta import read_meta
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.usecases.ports.resource_store import ChangeRefusedError, Put, ResourceStore
from kong_mesh_cp.usecases.resources.documents import spec_text, status_text
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.reader import mesh_key

DEFAULT_MESH = "default"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _JsonLike(yaml.SafeLoader):
    """Dates stay texts, as in JSON."""


_JsonLike.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


async def preload(path: Path, store: ResourceStore) -> None:
    """Put the documents of `path`: no checks, no labels, no policies that come with a mesh.

    Raises: ConfigurationError, StateError.
    """
    try:
        puts = {put.key: put for put in map(_put, _documents(path))}
        await store.apply([_owned(put, puts) for put in _meshes_first(puts)])
    except (ParseError, InvalidResourceError, ChangeRefusedError) as error:
        raise _unusable(path, str(error)) from None


def _documents(path: Path) -> Iterator[Mapping[str, object]]:
    try:
        with path.open("rb") as stream:
            documents = list(yaml.load_all(stream, _JsonLike))
    except OSError as error:
        raise _unusable(path, error.strerror or "cannot be read") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _unusable(path, "is not YAML") from None
    for document in documents:
        if is_object(document):
            yield {name: _as_at_the_end(value) for name, value in document.items()}
        elif document is not None:
            raise _unusable(path, "has a document that is no object")


def _as_at_the_end(value: object) -> object:
    """`value` without the line break of a block text that ends it.

    The documents of Kuma's tests are read up to their last visible character, so a text at the
    end of one has no line break there. A writer of a file with several adds it.
    """
    match value:
        case str():
            return value.removesuffix("\n")
        case list() if value:
            return [*value[:-1], _as_at_the_end(value[-1])]
        case dict() if value:
            last = next(reversed(value))
            return {**value, last: _as_at_the_end(value[last])}
        case _:
            return value


def _put(document: Mapping[str, object]) -> Put:
    meta = read_meta(document)
    kind = KINDS.get(meta.type)
    if kind is None:
        raise ParseError(f"there is no type {meta.type!r}")
    mesh = (meta.mesh or DEFAULT_MESH) if TYPES[meta.type].is_mesh_scoped else ""
    return Put(
        key=ResourceKey(meta.type, mesh, meta.name),
        spec=spec_text(kind, kind.parse(document)),
        status=status_text(kind, document),
        labels=meta.labels,
        at=clocks.wall_clock(),
    )


def _meshes_first(puts: Mapping[ResourceKey, Put]) -> Iterator[Put]:
    meshes = (put for put in puts.values() if put.key.type == "Mesh")
    return itertools.chain(meshes, (put for put in puts.values() if put.key.type != "Mesh"))


def _owned(put: Put, puts: Mapping[ResourceKey, Put]) -> Put:
    """`put` for its mesh; a mesh that is not in the file owns nothing."""
    owner = mesh_key(put.key.mesh)
    return replace(put, owner=owner) if put.key.mesh and owner in puts else put


def _unusable(path: Path, problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"the resources in {str(path)!r} cannot be used: {problem}",
        code="preload-unusable",
        hint="Give --preload a file of YAML documents, each one resource.",
    )
