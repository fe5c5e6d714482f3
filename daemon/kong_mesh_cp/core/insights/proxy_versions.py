"""The versions of a proxy's parts, as it tells them on its stream.

Source: docs/wire/streams.md#versions
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.kinds.subscriptions import (
    EnvoyVersion,
    KumaDpVersion,
    ProxyVersion,
)
from kong_mesh_cp.core.schema.messages import read_message
from kong_mesh_cp.core.versions import WIRE_VERSION

DEPENDENCY_PREFIX: Final = "version.dependencies."  # of a member of the dynamic metadata
MINORS_APART_MAX: Final = 2

_SEMANTIC = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.\d+)?(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")
_PREVIEW: Final = "preview"  # in the name of a build of no release
_OWN: Final = tuple(int(part) for part in WIRE_VERSION.split(".")[:2])


def proxy_version(version: Mapping[str, object], dynamic: Mapping[str, str]) -> ProxyVersion:
    """From the member `version` of a node's metadata, and its dynamic metadata.

    What cannot be read is as if it were not there: it is shown, and nothing depends on it.
    """
    try:
        told = read_message(ProxyVersion, version)
    except (ParseError, InvalidResourceError):
        told = ProxyVersion()
    kuma_dp = told.kuma_dp or KumaDpVersion()
    dependencies = {
        name.removeprefix(DEPENDENCY_PREFIX): value
        for name, value in dynamic.items()
        if name.startswith(DEPENDENCY_PREFIX)
    }
    return replace(
        told,
        kuma_dp=replace(
            kuma_dp, kuma_cp_compatible=bool(version) and is_compatible(kuma_dp.version)
        ),
        envoy=told.envoy or EnvoyVersion(),
        dependencies={**told.dependencies, **dependencies},
    )


def is_compatible(version: str) -> bool:
    """Whether a proxy of this version is one that this control plane is made for.

    Of what is no version nothing is known, so it is: somebody has built it.
    """
    read = _SEMANTIC.fullmatch(version)
    if read is None or _PREVIEW in version:
        return True
    major, minor = int(read[1]), int(read[2] or 0)
    # A version of before its release is none of the range.
    return read[3] is None and major == _OWN[0] and abs(minor - _OWN[1]) <= MINORS_APART_MAX
