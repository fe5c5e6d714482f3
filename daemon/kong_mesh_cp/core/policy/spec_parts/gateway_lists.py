"""Checks of policies on incoming traffic: `from` of sidecars, `to` of gateways."""

from __future__ import annotations

from collections.abc import Iterator

from kong_mesh_cp.core.policy.spec_parts.shapes import (
    GATEWAY_HAS_NO_CLIENTS,
    SPEC,
    WHOLE_MESH_ONLY,
    C,
    ConfCheck,
    Entry,
    Targeted,
    entries,
    includes_gateways,
    must_be_empty,
    top_ref,
)
from kong_mesh_cp.core.policy.target_ref import Allowed
from kong_mesh_cp.core.schema.violations import Violation


def sources(
    spec: Targeted, items: tuple[Entry[C], ...], allowed: Allowed, check: ConfCheck[C]
) -> Iterator[Violation]:
    """Check `from`, which has no meaning as soon as a gateway may be meant."""
    if items and includes_gateways(top_ref(spec)):
        yield SPEC.field("from").violation(GATEWAY_HAS_NO_CLIENTS)
    else:
        yield from entries(items, "from", allowed, check)


def destinations(
    spec: Targeted, items: tuple[Entry[C], ...], check: ConfCheck[C]
) -> Iterator[Violation]:
    """Check `to`, which is for gateways only."""
    if includes_gateways(top_ref(spec)):
        # A gateway limits at its listeners, before it is known which service a request is for.
        yield from entries(items, "to", WHOLE_MESH_ONLY, check)
    else:
        yield from must_be_empty(items, "to")
