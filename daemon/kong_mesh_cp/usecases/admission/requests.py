"""Admission requests: from the bytes of `POST /v1/admissions` to a request or a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import trio

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.admission.request import AdmissionRequest, InvalidRequest, parse
from kong_mesh_cp.core.admission.socket_messages import violations_text
from kong_mesh_cp.core.formats.strict_json import StrictJsonError
from kong_mesh_cp.core.formats.strict_json import parse as parse_json
from kong_mesh_cp.core.schema.violations import Violation

REMEMBERED_BODIES_MAX = 1024  # requests that keep coming
REMEMBERED_BYTES_MAX = 1024  # of each of them
LARGE_BODY_BYTES = 4096  # what has more is read in a thread, for others would wait for it
BUSY_RETRY_SECONDS = 1

_large_bodies = trio.CapacityLimiter(1)

_SHAPE_HINT = 'Send {"mesh": …, "name": …, "tags": {…}} or {"dataplane": {…}}.'


async def read(body: bytes) -> AdmissionRequest | Refused:
    """What `body` asks for. The answer is not to be changed: it may be given again."""
    if len(body) > LARGE_BODY_BYTES:
        return await trio.to_thread.run_sync(_read, body, limiter=_large_bodies)
    return _read_again(body) if len(body) <= REMEMBERED_BYTES_MAX else _read(body)


# A supervisor that polls with dry runs, or a proxy in a restart loop, sends the same bytes each
# time, and reading them is a fifth of a decision's cost. What was read is never changed.
@lru_cache(maxsize=REMEMBERED_BODIES_MAX)
def _read_again(body: bytes) -> AdmissionRequest | Refused:
    return _read(body)


def _read(body: bytes) -> AdmissionRequest | Refused:
    try:
        document = parse_json(body)
    except StrictJsonError as error:
        return Refused(
            code=RefusalCode.MALFORMED_REQUEST,
            reason=f"the body is not JSON: {error.message}",
            hint=_SHAPE_HINT,
        )
    request = parse(document)
    if isinstance(request, InvalidRequest):
        return _invalid(request)
    return request


def _invalid(request: InvalidRequest) -> Refused:
    if request.of_dataplane:
        return invalid_dataplane(request.violations)
    return Refused(
        code=RefusalCode.MALFORMED_REQUEST,
        reason=violations_text(request.violations),
        hint=_SHAPE_HINT,
        violations=request.violations,
    )


def invalid_dataplane(violations: Sequence[Violation]) -> Refused:
    """The Dataplane that came is none that could be stored."""
    return Refused(
        code=RefusalCode.INVALID_DATAPLANE,
        reason=violations_text(violations),
        hint="Correct the fields named and ask again.",
        violations=tuple(violations),
    )


def busy(reason: str, hint: str) -> Refused:
    """It would be possible, but not now."""
    return Refused(
        code=RefusalCode.BUSY, reason=reason, hint=hint, retry_after_seconds=BUSY_RETRY_SECONDS
    )


def no_such_mesh(mesh: str, meshes: Sequence[str]) -> Refused:
    """`mesh` is none of those that exist."""
    return Refused(
        code=RefusalCode.MESH_NOT_FOUND,
        reason=f"there is no mesh {mesh}",
        hint=f"Join one that exists: {', '.join(meshes) or 'there is none yet'}.",
        meshes=tuple(meshes),
    )
