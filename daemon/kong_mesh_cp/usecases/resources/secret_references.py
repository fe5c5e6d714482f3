"""Secrets that a resource names: whether they are there, for who has just written it.

The original believes the name, and a listener without its certificate is found out by its clients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Final

import trio

from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.schema.violations import ROOT, VIOLATIONS_MAX, FieldPath
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore
from kong_mesh_cp.usecases.resources.reader import LARGE_SPEC_CHARACTERS

# A Mesh is refused without its own; other types name none.
_TYPES: Final = frozenset({"ExternalService", "MeshExternalService", "MeshGateway"})
_MEMBER: Final = "secret"


async def warnings(
    store: ResourceStore, key: ResourceKey, document: object, text: str
) -> list[str]:
    """For each Secret that `document`, whose text is `text`, names and that is not there."""
    if key.type not in _TYPES or f'"{_MEMBER}"' not in text:
        return []
    look = partial(_first_named, document)
    large = len(text) >= LARGE_SPEC_CHARACTERS
    named = await trio.to_thread.run_sync(look) if large else look()
    keys = {at: ResourceKey("Secret", key.mesh, name) for at, name in named.items()}
    there = await store.get_many({*keys.values()})
    return [
        f"{at}: there is no Secret {go_quote(each.name)} in mesh {go_quote(key.mesh)} yet;"
        " until it is made, nothing works that needs it"
        for at, each in keys.items()
        if each not in there
    ]


def _first_named(document: object) -> dict[FieldPath, str]:
    return dict(islice(_named(document, ROOT), VIOLATIONS_MAX))


def _named(value: object, at: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    match value:
        case Mapping():
            for member, each in value.items():
                if member == _MEMBER and isinstance(each, str) and each:
                    yield at.field(member), each
                else:
                    yield from _named(each, at.field(str(member)))
        case list():
            for index, each in enumerate(value):
                yield from _named(each, at.index(index))
        case _:
            pass
