"""The key that seals secrets, changed while the control plane runs.

A rotation has two steps, and a crash between any two moments of it leaves a store whose every
secret can be read: first the new key is durable in the key file, before all others; then one
transaction seals everything with it, and makes it the one that seals. The old keys stay in the
file, for backups and for a control plane without the new one, until they are retired.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.secrets_at_rest import SecretKey, SecretKeyError, SecretKeys
from kong_mesh_cp.shell.store.sealed_documents import SealedRows
from kong_mesh_cp.shell.store.sealed_resources import SealedResources
from kong_mesh_cp.shell.store.secret_key import (
    KEY_NAME,
    find_secret_keys,
    is_handed_over,
    new_secret_key,
    retire_secret_keys,
    rotate_secret_key,
)
from kong_mesh_cp.usecases.ports.secrets import (
    KeyRetirement,
    KeyRotation,
    SealingKeyRow,
    SealingKeyUse,
)


class SealingKeyFile:
    """`usecases.ports.secrets.SealingKey` of one control plane."""

    def __init__(
        self,
        resources: SealedResources,
        rows: SealedRows,
        directory: Path | None = None,
        credentials: Path | None = None,
    ) -> None:
        """`rows` are what `resources` seals. `directory` None: the store is in memory, and so are
        its keys.
        """
        self._resources = resources
        self._rows = rows
        self._directory = directory
        self._credentials = credentials
        self._one_at_a_time = trio.Lock()

    @property
    def _held(self) -> SecretKeys:
        return self._resources.keys

    async def keys(self) -> tuple[SealingKeyRow, ...]:
        counts = dict(await self._rows.sealed_by())
        waiting = [key.id for key in self._waiting(await self._found())]
        held = [key.id for key in self._held.keys]
        uses = {
            **dict.fromkeys(counts, SealingKeyUse.MISSING),
            **dict.fromkeys(held, SealingKeyUse.OPENING),
            **dict.fromkeys(waiting, SealingKeyUse.WAITING),
            held[0]: SealingKeyUse.SEALING,
        }
        order = dict.fromkeys([held[0], *waiting, *held, *counts])
        return tuple(SealingKeyRow(id_, uses[id_], counts.get(id_, 0)) for id_ in order)

    async def rotate(self) -> KeyRotation:
        async with self._one_at_a_time:
            found = await self._found()
            waiting = self._waiting(found)
            if found is not None and waiting:  # an earlier attempt, or another control plane
                return await self._seal_with(waiting[0], found)
            if await self._sealed_with_earlier():
                finished = await self._seal_with(self._held.keys[0], self._held)
                if finished.secrets:
                    return finished
            rotated = await self._with_a_new_key()
            return await self._seal_with(rotated.keys[0], rotated)

    async def retire(self) -> KeyRetirement:
        async with self._one_at_a_time:
            resealed = 0
            if await self._sealed_with_earlier():
                resealed = await self._resources.reseal(self._held, self._rows)
            left = await self._sealed_with_earlier()
            if left:
                told = ", ".join(f"{count} with {id_}" for id_, count in sorted(left.items()))
                raise StateError(
                    f"secrets in the store are sealed with an earlier key and cannot be opened"
                    f" with it ({told})",
                    code="secret-key-in-use",
                    hint="The log names each when it is read (secret-damaged): put it again, or "
                    "delete it, then retire the key.",
                )
            keys = self._held
            gone: tuple[str, ...] = tuple(key.id for key in keys.keys[1:])
            if self._directory is not None:
                retire = partial(retire_secret_keys, self._directory, keys.keys[0].id)
                gone = await trio.to_thread.run_sync(retire)
            kept = SecretKeys((keys.keys[0], *(k for k in keys.keys[1:] if k.id not in gone)))
            self._resources.forget(kept)
            return KeyRetirement(gone, tuple(key.id for key in kept.keys[1:]), resealed)

    async def _seal_with(self, first: SecretKey, keys: SecretKeys) -> KeyRotation:
        earlier = tuple(key.id for key in self._held.keys if key != first)
        known = SecretKeys((first,)).and_those_of(keys).and_those_of(self._held)
        secrets = await self._resources.reseal(known, self._rows)
        return KeyRotation(first.id, earlier, secrets)

    async def _with_a_new_key(self) -> SecretKeys:
        if self._directory is None:
            return self._held.rotated(new_secret_key())
        if is_handed_over(self._credentials):
            raise SecretKeyError(
                f"the key of the secrets is handed over as the credential {KEY_NAME}",
                code="secret-key-handed-over",
                hint="Put a new key before the others into that credential where it comes from, "
                "restart, and rotate again: secrets are sealed with it then.",
            )
        return await trio.to_thread.run_sync(rotate_secret_key, self._directory)

    async def _found(self) -> SecretKeys | None:
        """The keys on disk, as a start would find them now."""
        if self._directory is None:
            return None
        look = partial(find_secret_keys, self._directory, self._credentials)
        return await trio.to_thread.run_sync(look)

    def _waiting(self, found: SecretKeys | None) -> tuple[SecretKey, ...]:
        """Those before the key in use: they are to seal, and do not yet."""
        if found is None:
            return ()
        ids = [key.id for key in found.keys]
        in_use = self._held.keys[0].id
        return found.keys[: ids.index(in_use)] if in_use in ids else ()

    async def _sealed_with_earlier(self) -> dict[str, int]:
        earlier = {key.id for key in self._held.keys[1:]}
        counts = await self._rows.sealed_by()
        return {id_: count for id_, count in counts.items() if id_ in earlier}
