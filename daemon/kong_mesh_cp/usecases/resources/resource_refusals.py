"""How a request about a resource is refused: title and detail are what clients show.

Source: docs/wire/errors.md#conditions
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.volume import Excess
from kong_mesh_cp.core.schema.violations import VIOLATIONS_MAX, Violation
from kong_mesh_cp.usecases.ports.resource_store import (
    AlreadyExistsError,
    ChangeRefusedError,
    NotFoundError,
    QuotaExceededError,
    TooLargeError,
    VersionConflictError,
)

GET_ONE: Final = "Could not retrieve a resource"
LIST: Final = "Could not retrieve resources"
PROCESS: Final = "Could not process a resource"
CREATE: Final = "Could not create a resource"
UPDATE: Final = "Could not update a resource"
DELETE: Final = "Could not delete a resource"

NOT_VALID: Final = "Resource is not valid"


class Fault(StrEnum):
    """What kind of refusal it is; the exit decides which status that is."""

    NOT_FOUND = "not-found"
    INVALID = "invalid"
    UNREADABLE = "unreadable"
    CONFLICT = "conflict"
    DENIED = "denied"
    UNAUTHENTICATED = "unauthenticated"
    READ_ONLY = "read-only"
    INTERNAL = "internal"
    NOT_CONNECTED = "not-connected"
    NOT_ANSWERING = "not-answering"
    ZONE_NOT_ANSWERING = "zone-not-answering"
    OVER_QUOTA = "over-quota"
    MESH_QUOTA = "mesh-quota"
    BUSY = "busy"
    TOO_LARGE = "too-large"


ENVOY_ADMIN_PORT: Final = 9901  # of a proxy whose resource names no other

_HINTS: Final = {
    Fault.NOT_FOUND: "List what there is.",
    Fault.INVALID: "Correct the fields named.",
    Fault.UNREADABLE: "Send what the documentation of the type shows.",
    Fault.CONFLICT: "Read the resource again, then repeat the change.",
    Fault.DENIED: "Ask an administrator, or send the token of a user that may do this.",
    Fault.UNAUTHENTICATED: "Send a valid token, or none.",
    Fault.READ_ONLY: "Change it where it comes from.",
    Fault.NOT_ANSWERING: "Ask Envoy itself, on its machine.",
    Fault.ZONE_NOT_ANSWERING: "Ask the control plane of the zone, or Envoy itself.",
    Fault.NOT_CONNECTED: "Ask Envoy itself, on its machine.",
    Fault.OVER_QUOTA: (
        "Delete what is not needed, or ask an administrator: administrators are not bound by it, "
        "and can raise store.quota.items and store.quota.bytes."
    ),
    Fault.MESH_QUOTA: (
        "Delete a Dataplane of the mesh, or ask who runs the control plane to raise "
        "admission.meshQuotas (KMESH_ADMISSION_MESH_QUOTAS) and restart it."
    ),
    Fault.BUSY: "Ask again in a moment, and not for as much at once.",
    Fault.TOO_LARGE: "Ask for less of it, or make it smaller.",
    Fault.INTERNAL: "The log of the control plane says why.",
}


class ResourceRefusedError(ControlPlaneError):
    """A request that was not carried out; nothing has changed."""

    def __init__(
        self,
        fault: Fault,
        title: str,
        detail: str,
        violations: Sequence[Violation] = (),
        *,
        hint: str | None = None,
    ) -> None:
        """`hint` where more is known than of any such fault."""
        said = hint or _HINTS[fault]
        super().__init__(f"{title} ({detail})", code=f"resource-{fault}", hint=said)
        self.fault = fault
        self.title = title
        self.detail = detail
        self.violations = tuple(violations)


def not_found(title: str) -> ResourceRefusedError:
    return ResourceRefusedError(Fault.NOT_FOUND, title, "Not found")


def mesh_not_found() -> ResourceRefusedError:
    """The mesh in the URL, asked before anything else."""
    return not_found("Failed to retrieve Mesh")


def invalid(title: str, violations: Sequence[Violation]) -> ResourceRefusedError:
    """Shown are the first VIOLATIONS_MAX: an answer must not be many times what was sent."""
    if len(violations) > VIOLATIONS_MAX:
        rest = Violation("", f"there is more, these are the first {VIOLATIONS_MAX}")
        violations = (*violations[:VIOLATIONS_MAX], rest)
    return ResourceRefusedError(Fault.INVALID, title, NOT_VALID, violations)


def unreadable(detail: str, violations: Sequence[Violation] = ()) -> ResourceRefusedError:
    """`violations`: where, which `detail` does not say; Kuma has none."""
    return ResourceRefusedError(Fault.UNREADABLE, "Bad Request", detail, violations)


def internal(title: str) -> ResourceRefusedError:
    return ResourceRefusedError(Fault.INTERNAL, title, "Internal Server Error")


def not_connected(type_name: str, name: str, admin_port: int | None) -> ResourceRefusedError:
    """A proxy whose Envoy was asked something, and cannot be reached.

    `admin_port` is the one of its resource, None where that says nothing.
    """
    detail = (
        f"the admin API of {type_name} {go_quote(name)} cannot be reached: "
        "it is not connected to this control plane"
    )
    port = ENVOY_ADMIN_PORT if admin_port is None else admin_port
    hint = f"Ask Envoy itself, on its machine: curl http://127.0.0.1:{port}/help"
    title = "Could not execute admin operation"
    return ResourceRefusedError(Fault.NOT_CONNECTED, title, detail, hint=hint)


def not_answering(type_name: str, name: str, place: str, reason: str) -> ResourceRefusedError:
    """A proxy that is connected, and whose Envoy does not answer at `place`."""
    detail = f"the admin API of {type_name} {go_quote(name)} at {place} cannot be asked: {reason}"
    hint = (
        f"Let this machine connect to {place}, or ask Envoy itself, on its machine: "
        f"curl http://127.0.0.1:{place.rpartition(':')[2]}/help"
    )
    title = "Could not execute admin operation"
    return ResourceRefusedError(Fault.NOT_ANSWERING, title, detail, hint=hint)


def zone_not_answering(reason: str) -> ResourceRefusedError:
    """A proxy of a zone, whose control plane has no answer of its Envoy."""
    title = "Could not execute admin operation"
    return ResourceRefusedError(Fault.ZONE_NOT_ANSWERING, title, reason)


def already_exists(key: ResourceKey) -> ResourceRefusedError:
    return ResourceRefusedError(
        Fault.CONFLICT, "Conflict", f"resource already exists: {_shown(key)}"
    )


def conflict(key: ResourceKey) -> ResourceRefusedError:
    return ResourceRefusedError(Fault.CONFLICT, "Conflict", f"resource conflict: {_shown(key)}")


def mesh_vanished(mesh: str) -> ResourceRefusedError:
    """The mesh was there when the request came, and is not any more."""
    violation = Violation("mesh", f"mesh of name {mesh} is not found")
    return ResourceRefusedError(Fault.INVALID, CREATE, "Mesh is not found", [violation])


def over_quota(title: str, excess: Excess) -> ResourceRefusedError:
    """More than those may store who are no administrators."""
    detail = (
        f"the store would hold {excess.found} {excess.what} of {excess.share.value}, and users who "
        f"are no administrators may fill it up to {excess.most} {excess.what}"
    )
    return ResourceRefusedError(Fault.OVER_QUOTA, title, detail)


def mesh_full(mesh: str, quota: int, found: int) -> ResourceRefusedError:
    """One more proxy than the mesh may have. Administrators are bound by it, too."""
    detail = (
        f"mesh {mesh} may have {quota} data plane proxies that the license counts, and has {found}"
    )
    return ResourceRefusedError(Fault.MESH_QUOTA, CREATE, detail)


def too_large(title: str, found: int, most: int) -> ResourceRefusedError:
    """A secret beyond what may be sealed: its document, with the data in Base64."""
    reason = f"is too long: the document has {found} bytes in the store, and may have {most}"
    return invalid(title, [Violation("data", reason)])


def by_store(error: ChangeRefusedError, key: ResourceKey, title: str) -> ResourceRefusedError:
    """Why the write of `key` does not fit what is stored."""
    match error:
        case AlreadyExistsError():
            return already_exists(error.key)
        case VersionConflictError():
            return conflict(error.key)
        case NotFoundError():
            return mesh_vanished(key.mesh)
        case QuotaExceededError():
            return over_quota(title, error.excess)
        case TooLargeError():
            return too_large(title, error.found, error.most)
        case _:
            raise error


def _shown(key: ResourceKey) -> str:
    return f"type={go_quote(key.type)} name={go_quote(key.name)} mesh={go_quote(key.mesh)}"
