"""What is asked of access about a write: once before anybody reads what was sent, and once with
what is stored before and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import overload

from kong_mesh_cp.core.formats.go.go_values import JsonObject
from kong_mesh_cp.core.identity.access import Verb, WriteResource
from kong_mesh_cp.core.identity.conditions import may_be_about
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import StoredResource
from kong_mesh_cp.usecases.resources.documents import members


def sending(key: ResourceKey, existing: StoredResource | None) -> WriteResource:
    """Whether anything at all may be put there."""
    return _write(_put(existing), key, unread=True)


def storing(
    key: ResourceKey, existing: StoredResource | None, document: JsonObject
) -> WriteResource:
    """Whether `document`, the members of a spec as they are stored, may be put there."""
    # Where no condition is ever asked, what was there need not be read.
    if not may_be_about(key.type):
        return _write(_put(existing), key)
    return _write(_put(existing), key, _Bodies(existing, document))


def removing(key: ResourceKey, existing: StoredResource | None) -> WriteResource:
    """Whether it may be deleted; None: whether anything at all may be that is called so."""
    if existing is None:
        return _write(Verb.DELETE, key, unread=True)
    return _write(Verb.DELETE, key, _Bodies(existing) if may_be_about(key.type) else ())


def _put(existing: StoredResource | None) -> Verb:
    return Verb.CREATE if existing is None else Verb.UPDATE


class _Bodies(Sequence[JsonObject]):
    """What is stored and what will be, read when it is asked for: few roles have conditions, and a
    large resource takes as long to read as all else that is done to it.
    """

    def __init__(self, existing: StoredResource | None, *others: JsonObject) -> None:
        self._existing = existing
        self._others = others

    def __len__(self) -> int:
        return len(self._others) + (self._existing is not None)

    @overload
    def __getitem__(self, index: int) -> JsonObject: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[JsonObject]: ...
    def __getitem__(self, index: int | slice) -> JsonObject | Sequence[JsonObject]:
        return self._read[index]

    @cached_property
    def _read(self) -> Sequence[JsonObject]:
        before = () if self._existing is None else (members(self._existing),)
        return (*before, *self._others)


def _write(
    verb: Verb, key: ResourceKey, bodies: Sequence[JsonObject] = (), *, unread: bool = False
) -> WriteResource:
    return WriteResource(
        verb=verb, type=key.type, mesh=key.mesh, name=key.name, bodies=bodies, unread=unread
    )
