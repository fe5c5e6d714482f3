"""Kinds that are imported when they are first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, TypeVar, cast

from kong_mesh_cp.core.resources.kind import Kind

K = TypeVar("K", bound=Kind[Any])


class LazyKinds(Mapping[str, K]):
    """Kinds by the name of their type.

    A control plane uses few of them until more are stored, and all together they would be a
    tenth of its memory. To look at the names imports nothing; one kind takes a millisecond or two.
    """

    def __init__(self, constants: Mapping[str, str]) -> None:
        """`constants`: where the kind of each type is, as `package.module.CONSTANT`."""
        self.constants = constants
        self._imported: dict[str, K] = {}

    def __getitem__(self, name: str) -> K:
        # No lock: two threads would import the same module, and get the same object from it.
        kind = self._imported.get(name)
        if kind is None:
            module, _, constant = self.constants[name].rpartition(".")
            kind = cast("K", getattr(import_module(module), constant))
            self._imported[name] = kind
        return kind

    def __contains__(self, name: object) -> bool:
        return name in self.constants

    def __iter__(self) -> Iterator[str]:
        return iter(self.constants)

    def __len__(self) -> int:
        return len(self.constants)
