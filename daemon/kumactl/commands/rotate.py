"""`kumactl rotate ca`: another authority for a mesh, without a connection that fails.

Where the mesh stands is in the mesh itself, so a run that was interrupted is run again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from kong_mesh_cp.core.resources.registry import TYPES
from kumactl.commands import flags
from kumactl.documents import resource_names
from kumactl.errors import KumactlError, RefusedError, UsageError
from kumactl.json_value import JsonObject, object_at, objects_at, text_at
from kumactl.session import Session

POLL_SECONDS: Final = 1.0  # between two questions whether proxies are as far
WAIT_SECONDS: Final = 600.0  # for each step, unless said otherwise
BUILTIN: Final = "builtin"
_WAITED_FOR: Final = frozenset({"mtls.enabledBackend", "mtls.backends"})
_HTTP_BAD_REQUEST: Final = 400


_Step = Callable[[JsonObject], tuple[Sequence[JsonObject], str]]
"""The mesh as it is -> the authorities it is to have, and the one to sign."""


class Until(StrEnum):
    """How far a run goes."""

    TRUSTED = "trusted"
    SIGNING = "signing"
    DONE = "done"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = flags.group(commands, "rotate", "replace what a mesh stands on, while it is in use")
    parser = flags.command(
        group, "ca", _run, "another authority for a mesh: trusted first, then it signs"
    )
    flags.add_mesh(parser)
    parser.add_argument(
        "--to",
        metavar="BACKEND",
        required=True,
        help="the new authority: one of the mesh, or the name of a builtin one that is made",
    )
    parser.add_argument(
        "--until",
        type=Until,
        choices=tuple(Until),
        default=Until.DONE,
        help="stop when it is trusted, or when it signs; default done: the old one is gone",
    )
    parser.add_argument(
        "--wait",
        type=flags.timeout,
        metavar="DURATION",
        default=WAIT_SECONDS,
        help="for the proxies at each step; default 10m",
    )


def _run(session: Session) -> None:
    until: Until = session.arguments.until
    rotation = _Rotation(session)
    rotation.trust()
    if until is not Until.TRUSTED:
        rotation.sign()
        if until is Until.DONE:
            rotation.drop()


class _Rotation:
    """One mesh on its way to the authority `to`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._to: str = session.arguments.to
        self._name = session.mesh
        self._path = resource_names.item_path(TYPES["Mesh"], "", self._name)

    def trust(self) -> None:
        mesh = self._read()
        old, backends = _in_force(mesh), _backends(mesh)
        if not old:
            raise UsageError(f"mTLS of mesh {self._name} is off: write the mesh with any authority")
        names = [text_at(each, "name") for each in backends]
        if self._to in names:
            self._say(f"{self._to} is one of its authorities already")
            return
        if len(backends) != 1:
            raise UsageError(
                f"mesh {self._name} is on its way to another authority already"
                f" ({' and '.join(names)}): finish that first, with --to one of them"
            )
        new = {**backends[0], "name": self._to}
        if text_at(new, "type") != BUILTIN:
            raise UsageError(
                f"the authority of mesh {self._name} is not builtin: write {self._to} into the mesh"
                " beside the one in force (kumactl apply), then run this again"
            )
        self._put(mesh, [*backends, new], old)
        self._say(f"{self._to} is made, and trusted beside {old}")

    def sign(self) -> None:
        mesh = self._read()
        if _in_force(mesh) == self._to:
            self._say(f"{self._to} signs already")
            return
        self._when_they_may(lambda now: (_backends(now), self._to))
        self._say(f"{self._to} signs: all connected proxies trust it")

    def drop(self) -> None:
        mesh = self._read()
        others = [each for each in _backends(mesh) if text_at(each, "name") != self._to]
        if not others:
            self._say("no other authority is trusted")
            return

        def alone(now: JsonObject) -> tuple[Sequence[JsonObject], str]:
            kept = [each for each in _backends(now) if text_at(each, "name") == self._to]
            return kept, self._to

        self._when_they_may(alone)
        for each in others:
            name = text_at(each, "name")
            self._say(f"{name} is trusted no longer: no proxy shows a certificate of it")
            if text_at(each, "type") == BUILTIN:
                self._session.console.line(
                    f"Its key is kept until you delete it: kumactl delete secret"
                    f" {self._name}.ca-builtin-key-{name} --mesh {self._name}"
                )

    def _when_they_may(self, step: _Step) -> None:
        """Write what `step` makes of the mesh as soon as the control plane takes it."""
        waited, told = 0.0, ""
        limit: float = self._session.arguments.wait
        while True:
            mesh = self._read()
            try:
                return self._put(mesh, *step(mesh))
            except RefusedError as error:
                reason = _what_is_waited_for(error)
                if reason is None:
                    raise
                if waited >= limit:
                    raise KumactlError(
                        f"waited {limit:.0f}s: {reason}. Nothing is lost: run this again to go on"
                    ) from None
                if reason != told:
                    self._say(f"waiting: {reason}")
                    told = reason
            self._session.console.sleep(POLL_SECONDS)
            waited += POLL_SECONDS

    def _read(self) -> JsonObject:
        return self._session.control_plane.document(self._path)

    def _put(self, mesh: JsonObject, backends: Sequence[JsonObject], enabled: str) -> None:
        mtls = {**object_at(mesh, "mtls"), "backends": backends, "enabledBackend": enabled}
        times = ("creationTime", "modificationTime")
        body = {name: value for name, value in mesh.items() if name not in times}
        self._session.control_plane.put(self._path, {**body, "mtls": mtls})

    def _say(self, text: str) -> None:
        self._session.console.line(f"mesh/{self._name}: {text}")


def _backends(mesh: JsonObject) -> list[JsonObject]:
    return objects_at(mesh, "mtls", "backends")


def _in_force(mesh: JsonObject) -> str:
    return text_at(mesh, "mtls", "enabledBackend")


def _what_is_waited_for(error: RefusedError) -> str | None:
    """The proxies that are not as far; None: the write was refused for another reason."""
    fields: Mapping[str, str] = {each.field: each.reason for each in error.fields}
    if error.status != _HTTP_BAD_REQUEST or not fields or fields.keys() - _WAITED_FOR:
        return None
    reasons = [each for each in fields.values() if " connected proxies (" in each]
    return reasons[0].partition(". They ")[0] if len(reasons) == len(fields) else None
