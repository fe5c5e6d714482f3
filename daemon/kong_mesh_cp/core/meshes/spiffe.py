"""Names in certificates, and in the first message of a TLS connection.

Source: docs/wire/mtls.md#tls
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kong_mesh_cp.core.resources.tags import SERVICE

MESH_TAG: Final = "mesh"  # in names of servers only; no proxy carries it


def mesh_prefix(mesh: str) -> str:
    """How the services of `mesh` begin."""
    return f"spiffe://{mesh}/"


def service_id(mesh: str, service: str) -> str:
    return f"spiffe://{mesh}/{service}"


def tag_id(tag: str, value: str) -> str:
    return f"kuma://{tag}/{value}"


def server_name(mesh: str, tags: Mapping[str, str]) -> str:
    """Of the instances with `tags`, of which one is the service: `web{mesh=shop,version=v1}`."""
    others = {**{tag: value for tag, value in tags.items() if tag != SERVICE}, MESH_TAG: mesh}
    inner = ",".join(f"{tag}={others[tag]}" for tag in sorted(others))
    return f"{tags[SERVICE]}{{{inner}}}"
