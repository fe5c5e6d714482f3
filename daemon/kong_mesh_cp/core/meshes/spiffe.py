"""Names in certificates, and in the first message of a TLS connection.

Source: docs/wire/mtls.md#tls
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kong_mesh_cp.core.resources.tags import SERVICE

MESH_TAG: Final = "mesh"  # in names of servers only; no proxy carries it

_LABEL_CHARACTERS_MAX: Final = 62  # of a part of a host name that is shortened
_FNV_OFFSET: Final = 0xCBF29CE484222325
_FNV_PRIME: Final = 0x100000001B3
_FNV_BITS: Final = 64


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


def resource_server_name(kind: str, name: str, mesh: str, port: int) -> str:
    """Of a service that is a resource; `kind` is `ms`, `mes` or `mzms`."""
    number = _fnv64a(f"{name};{mesh};".encode())
    return f"a{number:x}.{_label(name)}.{port}.{_label(mesh)}.{kind}"


def _label(text: str) -> str:
    return f"{text[:_LABEL_CHARACTERS_MAX]}x" if len(text) > _LABEL_CHARACTERS_MAX else text


def _fnv64a(content: bytes) -> int:
    number = _FNV_OFFSET
    for byte in content:
        number = (number ^ byte) * _FNV_PRIME % (1 << _FNV_BITS)
    return number
