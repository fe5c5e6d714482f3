"""A sealing key without secrets, for whoever serves or asks for one."""

from __future__ import annotations

from collections.abc import Sequence

from kong_mesh_cp.usecases.ports.secrets import (
    KeyRetirement,
    KeyRotation,
    SealingKeyRow,
    SealingKeyUse,
)


class FakeSealingKey:
    """The port SealingKey. Keys are called `key-1`, `key-2` and so on; nothing is sealed."""

    def __init__(self) -> None:
        self.ids = ["key-1"]  # the one that seals first
        self._made = 1

    async def keys(self) -> Sequence[SealingKeyRow]:
        uses = [SealingKeyUse.SEALING, *(SealingKeyUse.OPENING for _ in self.ids[1:])]
        return [SealingKeyRow(id_, use, 0) for id_, use in zip(self.ids, uses, strict=True)]

    async def rotate(self) -> KeyRotation:
        self._made += 1
        self.ids.insert(0, f"key-{self._made}")
        return KeyRotation(self.ids[0], tuple(self.ids[1:]), 0)

    async def retire(self) -> KeyRetirement:
        retired, self.ids = tuple(self.ids[1:]), self.ids[:1]
        return KeyRetirement(retired, (), 0)
