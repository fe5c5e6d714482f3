"""Writes that say what is there already: nothing of it changes, its time neither. And what they do
not say, because the control plane does.

Source: docs/wire/resource-api.md#writing
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.usecases.ports.resource_store import Put, StoredResource
from kong_mesh_cp.usecases.resources.documents import resource_of

OBSERVED_TYPE: Final = "MeshService"


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


def keeping_what_is_observed(spec: Any, existing: StoredResource | None) -> Any:
    """`spec` with the state and the identities of what it replaces, where it names none.

    The control plane finds both out by itself. Until it has, clients of the service would not know
    its proxies any more.
    """
    if existing is None or existing.key.type != OBSERVED_TYPE or spec.identities:
        return spec
    try:
        before: Any = resource_of(existing).spec
    except (ParseError, InvalidResourceError):  # no release of this program has stored that
        return spec
    return replace(spec, state=before.state, identities=before.identities)
