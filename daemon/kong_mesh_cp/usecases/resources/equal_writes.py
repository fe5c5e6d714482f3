"""Writes that say what is there already: nothing of it changes, its time neither.

Source: docs/wire/resource-api.md#writing
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kong_mesh_cp.usecases.ports.resource_store import Put, StoredResource


def keeping_what_is_equal(
    write: Put, given_labels: Mapping[str, str], existing: StoredResource | None
) -> Put:
    """`write` as it is, or with the labels and the time of `existing` where it changes nothing.

    A label that is computed where none was given is no change: what the control plane makes by
    itself has none, and an export of it is applied again. The write is made all the same, so that
    it is acknowledged by the store and meets other writers.
    """
    if existing is None or (write.spec, write.status) != (existing.spec, existing.status):
        return write
    there = existing.labels.items()
    if not (given_labels.items() <= there <= write.labels.items()):
        return write
    return replace(write, labels=existing.labels, at=existing.modified_at)
