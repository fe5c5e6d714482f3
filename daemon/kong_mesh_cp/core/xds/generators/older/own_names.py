"""What a proxy is called after where it has one name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kong_mesh_cp.core.resources.tags import SERVICE, Tags

UNKNOWN: Final = "unknown"


def own_service(tag_sets: Iterable[Tags]) -> str:
    """Of several services the first by name."""
    return min((tags[SERVICE] for tags in tag_sets if SERVICE in tags), default=UNKNOWN)
