"""A proxy whose Dataplane is stored: what the resource says counts, not what the proxy says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache

from kong_mesh_cp.core.admission.attestation import Identified
from kong_mesh_cp.core.admission.counting import gateway_kind
from kong_mesh_cp.core.admission.decision import (
    RefusalCode,
    Refused,
    RuleReport,
    SelectorReport,
)
from kong_mesh_cp.core.admission.request import AdmissionRequest, Tags
from kong_mesh_cp.core.admission.seats import ProxyKind
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.schema.violations import Violation

REMEMBERED_SPECS_MAX = 1024  # of proxies that ask again and again


@dataclass(frozen=True, slots=True)
class StoredProxy:
    """The part of a stored Dataplane that decides about its admission."""

    kind: ProxyKind
    tag_sets: tuple[Tags, ...]  # of each inbound, then of the gateway


@lru_cache(maxsize=REMEMBERED_SPECS_MAX)
def stored_proxy(spec: str) -> StoredProxy:
    """Read the spec of a Dataplane as it is stored. It was checked when it was written."""
    networking = json.loads(spec).get("networking") or {}
    inbound = networking.get("inbound") or ()
    sets = tuple(_tags(each) for each in inbound)
    gateway = networking.get("gateway")
    if gateway is None:
        return StoredProxy(ProxyKind.SIDECAR, sets)
    # As in a request: a proxy with inbounds is a sidecar, and is counted.
    kind = None if inbound else gateway_kind(gateway.get("type"))
    return StoredProxy(kind or ProxyKind.SIDECAR, (*sets, _tags(gateway)))


def _tags(section: Mapping[str, object]) -> Tags:
    tags = section.get("tags")
    return tags if isinstance(tags, dict) else {}


def as_stored(request: AdmissionRequest, stored: StoredProxy) -> AdmissionRequest:
    """`request` with the kind and the tags that its Dataplane has."""
    return request._replace(kind=stored.kind, tag_sets=stored.tag_sets)


def contradiction(
    request: AdmissionRequest, stored: StoredProxy, allowed: Identified
) -> Refused | None:
    """Why a proxy cannot join with its stored Dataplane; None when it can.

    `request` is as it came, `allowed` what the rules say of it.
    """
    return lacking(request, stored, allowed) or mismatch(request, stored)


def mismatch(request: AdmissionRequest, stored: StoredProxy) -> Refused | None:
    """Why tags that a proxy gives beside its stored Dataplane are wrong; None when they are not.

    Each has to be on the resource, on one of its inbounds at least. A proxy that takes itself for
    another service than the mesh does is stopped while a user looks, not found out later.
    """
    given = {name: value for tags in request.tag_sets for name, value in tags.items()}
    wrong = [
        Violation(f'tags["{name}"]', f"is {_shown(name, stored)} in the stored Dataplane")
        for name, value in given.items()
        if not any(tags.get(name) == value for tags in stored.tag_sets)
    ]
    if not wrong:
        return None
    listed = "; ".join(f"{each.field} {each.message}" for each in wrong)
    return Refused(
        code=RefusalCode.DATAPLANE_MISMATCH,
        reason=f"the Dataplane {request.name} of mesh {request.mesh} is stored, and {listed}",
        hint="Leave the tags out of the request, or change the Dataplane: kumactl apply.",
        violations=tuple(wrong),
    )


def lacking(request: AdmissionRequest, stored: StoredProxy, allowed: Identified) -> Refused | None:
    """Why a stored Dataplane does not do for a rule that fixes tags; None when it has them all."""
    reports = [
        SelectorReport(f'tags["{name}"]', value, tags.get(name, "none"), matched=False)
        for name, value in allowed.tags.items()
        for tags in stored.tag_sets
        if tags.get(name) != value
    ]
    if not reports:
        return None
    listed = ", ".join(f"{name}={value}" for name, value in allowed.tags.items())
    return Refused(
        code=RefusalCode.IDENTITY,
        reason=(
            f"rule {allowed.rule} fixes the tags {listed}, and the stored Dataplane {request.name} "
            f"of mesh {request.mesh} has not all of them"
        ),
        hint="Put them on each inbound and on the gateway of the Dataplane: kumactl apply.",
        rules=(RuleReport(allowed.rule, tuple(reports)),),
    )


def _shown(name: str, stored: StoredProxy) -> str:
    values: Sequence[str] = sorted({tags[name] for tags in stored.tag_sets if name in tags})
    return " or ".join(values) or "not there"
