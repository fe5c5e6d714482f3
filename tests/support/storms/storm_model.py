"""What a storm of writes has been promised: each acknowledged write, and those in doubt.

A mesh belongs to one lane, which has one write under way. So of each resource at most one write
is in doubt when the control plane dies; it was made whole, or not at all.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

Json = dict[str, Any]

MARK: Final = "write"  # of labels and tags: the number of the write that made them so
MESHES: Final = 3  # of a lane
SLOTS: Final = 10  # of a mesh, for each kind
NEW_MESH, OLD_MESH, MESH_UPDATE, DELETION = 0.02, 0.002, 0.05, 0.2  # probabilities


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of resource, with the number of a write in the depth of its documents."""

    type: str
    body: Callable[[int], Json]
    mark: Callable[[Json], object]


def _dataplane(write: int) -> Json:
    inbound = {"port": 80, "tags": {"kuma.io/service": "storm", MARK: str(write)}}
    return {"networking": {"address": "127.0.0.1", "inbound": [inbound]}}


def _retry(write: int) -> Json:
    to = {"targetRef": {"kind": "Mesh"}, "default": {"tcp": {"maxConnectAttempt": write}}}
    return {"spec": {"targetRef": {"kind": "Mesh"}, "to": [to]}}


def _permission(write: int) -> Json:
    match = [{"match": {"kuma.io/service": "*", MARK: str(write)}}]
    return {"sources": match, "destinations": match}


def _mesh(write: int) -> Json:
    return {
        "mtls": {"enabledBackend": "ca-1", "backends": [{"name": "ca-1", "type": "builtin"}]},
        "logging": {"backends": [{"name": "file", "type": "file", "conf": {"path": f"/{write}"}}]},
    }


MESH: Final = Kind("Mesh", _mesh, lambda it: it["logging"]["backends"][0]["conf"]["path"][1:])
KINDS: Final = {
    "dataplanes": Kind(
        "Dataplane", _dataplane, lambda it: it["networking"]["inbound"][0]["tags"][MARK]
    ),
    "meshretries": Kind(
        "MeshRetry", _retry, lambda it: it["spec"]["to"][0]["default"]["tcp"]["maxConnectAttempt"]
    ),
    "secrets": Kind(
        "Secret",
        lambda write: {"data": base64.b64encode(str(write).encode()).decode()},
        lambda it: base64.b64decode(it["data"]).decode(),
    ),
    "traffic-permissions": Kind(
        "TrafficPermission", _permission, lambda it: it["sources"][0]["match"][MARK]
    ),
}
COLLECTIONS: Final = {
    "meshes": "Mesh",
    "meshtimeouts": "MeshTimeout",
    "meshcircuitbreakers": "MeshCircuitBreaker",
    **{path: kind.type for path, kind in KINDS.items()},
}


def made_with_mesh(mesh: str, *, authority: bool) -> set[str]:
    """The paths of what a new mesh has: four policies, the signing key, and its authority's pair."""
    born = {
        f"meshtimeouts/mesh-timeout-all-{mesh}",
        f"meshtimeouts/mesh-gateways-timeout-all-{mesh}",
        f"meshcircuitbreakers/mesh-circuit-breaker-all-{mesh}",
        f"meshretries/mesh-retry-all-{mesh}",
        f"secrets/dataplane-token-signing-key-{mesh}-1",
    }
    if authority:
        born |= {f"secrets/{mesh}.ca-builtin-{half}-ca-1" for half in ("cert", "key")}
    return {f"/meshes/{mesh}/{each}" for each in born}


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one resource. `write` is 0 for what was born with a mesh."""

    write: int
    version: int = 1
    seen: Json | None = None  # how it was shown, if that was after its last write


@dataclass(frozen=True, slots=True)
class Write:
    """One request. `body` is None for a deletion."""

    path: str
    body: bytes | None
    number: int

    @property
    def is_of_mesh(self) -> bool:
        return self.path.count("/") == 2


@dataclass
class Lane:
    """The meshes of one connection, and all that is in them."""

    number: int
    random: random.Random
    records: dict[str, Record] = field(default_factory=dict)
    doubts: list[Write] = field(default_factory=list)
    writes: int = 0

    def next_write(self) -> Write | None:
        """Something that is not in doubt; None where all of it is."""
        meshes = [f"/meshes/l{self.number}-{each}" for each in range(MESHES)]
        certain = [mesh for mesh in meshes if not self._in_doubt(mesh)]
        there = [mesh for mesh in certain if mesh in self.records]
        missing = [mesh for mesh in certain if mesh not in self.records]
        draw = self.random.random()
        if missing and (not there or draw < NEW_MESH):
            return self._put(self.random.choice(missing), MESH)
        if not there:
            return None
        mesh = self.random.choice(there)
        if draw > 1 - OLD_MESH:
            return self._delete(mesh)
        if draw > 1 - OLD_MESH - MESH_UPDATE:
            return self._put(mesh, MESH)
        collection = self.random.choice(list(KINDS))
        path = f"{mesh}/{collection}/{collection[0]}{self.random.randrange(SLOTS)}"
        if self._in_doubt(path):
            return self.next_write()
        if path in self.records and self.random.random() < DELETION:
            return self._delete(path)
        return self._put(path, KINDS[collection])

    def _in_doubt(self, path: str) -> bool:
        at = f"{path}/"
        return any(
            path == each.path or (each.is_of_mesh and at.startswith(f"{each.path}/"))
            for each in self.doubts
        )

    def _put(self, path: str, kind: Kind) -> Write:
        self.writes += 1
        _, _, mesh, *rest = path.split("/")
        meta: Json = {"type": kind.type, "name": rest[-1] if rest else mesh}
        if rest:
            meta["mesh"] = mesh
        body = {**meta, "labels": {MARK: str(self.writes)}, **kind.body(self.writes)}
        return Write(path, json.dumps(body).encode(), self.writes)

    def _delete(self, path: str) -> Write:
        self.writes += 1
        return Write(path, None, self.writes)

    def expected_status(self, write: Write) -> int:
        return 201 if write.body is not None and write.path not in self.records else 200

    def acknowledged(self, write: Write) -> None:
        self.records = self._after(write)

    def doubted(self, write: Write) -> None:
        self.doubts.append(write)

    def _after(self, write: Write) -> dict[str, Record]:
        """All records, had `write` been made."""
        records = dict(self.records)
        if write.body is None:
            below = f"{write.path}/"
            return {
                path: record
                for path, record in records.items()
                if path != write.path and not path.startswith(below)
            }
        before = records.get(write.path)
        version = 1 if before is None else before.version + 1
        seen = None if before is None else before.seen
        records[write.path] = Record(write.number, version, seen)
        if write.is_of_mesh and before is None:
            mesh = write.path.rpartition("/")[2]
            records |= {path: Record(0) for path in made_with_mesh(mesh, authority=True)}
        return records

    def settle(self, found: Mapping[str, Json]) -> int:
        """Take from what is there whether the writes in doubt were made; how many were."""
        doubts, self.doubts = self.doubts, []
        count = 0
        for write in doubts:
            made = write.path in found
            if write.body is not None and made:
                made = found[write.path].get("labels", {}).get(MARK) == str(write.number)
            elif write.body is None:
                made = not made
            if made:
                self.records = self._after(write)
                count += 1
        return count

    def compare(self, found: Mapping[str, Json]) -> None:
        """Raises AssertionError unless exactly what was promised is there."""
        mine = f"/meshes/l{self.number}-"
        there = {path for path in found if path.startswith(mine)}
        assert there == self.records.keys(), (
            f"lost: {sorted(self.records.keys() - there)[:9]},"
            f" not to be there: {sorted(there - self.records.keys())[:9]}"
        )
        for path, record in self.records.items():
            self.records[path] = _compared(path, record, found[path])

    @property
    def versions(self) -> dict[str, int]:
        return {path: record.version for path, record in self.records.items()}


def _compared(path: str, record: Record, shown: Json) -> Record:
    """The record with what is shown, which must be what was written, whole, and not older."""
    if record.write:
        collection = path.split("/")[3] if path.count("/") > 2 else ""
        kind = KINDS[collection] if collection else MESH
        marks = {str(kind.mark(shown)), shown["labels"][MARK]}
        assert marks == {str(record.write)}, (path, record, shown)
    if record.seen is not None:
        before, after = _times(record.seen), _times(shown)
        unchanged = record.seen.get("labels") == shown.get("labels")
        assert before[0] == after[0] and before[1] <= after[1], (path, record.seen, shown)
        assert not unchanged or record.seen == shown, (path, record.seen, shown)
    return replace(record, seen=shown)


def _times(shown: Json) -> tuple[datetime, datetime]:
    created, modified = (
        datetime.fromisoformat(shown[name]) for name in ("creationTime", "modificationTime")
    )
    assert created <= modified, shown
    return created, modified


def compare_default_mesh(found: Iterable[str]) -> None:
    """The mesh that a start makes is there whole, or not at all."""
    there = {path for path in found if f"{path}/".startswith("/meshes/default/")}
    whole = {"/meshes/default", *made_with_mesh("default", authority=False)}
    assert there in (set(), whole), there
