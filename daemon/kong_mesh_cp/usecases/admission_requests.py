"""From the bytes of `POST /v1/admissions` to a request, or to the refusal that they deserve."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.admission.request import AdmissionRequest, InvalidRequest, parse
from kong_mesh_cp.core.strict_json import StrictJsonError
from kong_mesh_cp.core.strict_json import parse as parse_json
from kong_mesh_cp.core.wire.admission_messages import violations_text

REMEMBERED_BODIES_MAX = 1024  # requests that keep coming
REMEMBERED_BYTES_MAX = 1024  # of each of them

_SHAPE_HINT = 'Send {"mesh": …, "name": …, "tags": {…}} or {"dataplane": {…}}.'


def read(body: bytes) -> AdmissionRequest | Refused:
    """What `body` asks for. The answer is not to be changed: it may be given again."""
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
        code, hint = RefusalCode.INVALID_DATAPLANE, "Correct the fields named and ask again."
    else:
        code, hint = RefusalCode.MALFORMED_REQUEST, _SHAPE_HINT
    return Refused(
        code=code,
        reason=violations_text(request.violations),
        hint=hint,
        violations=request.violations,
    )


def no_such_mesh(mesh: str, meshes: Sequence[str]) -> Refused:
    """`mesh` is none of those that exist."""
    return Refused(
        code=RefusalCode.MESH_NOT_FOUND,
        reason=f"there is no mesh {mesh}",
        hint=f"Join one that exists: {', '.join(meshes) or 'there is none yet'}.",
        meshes=tuple(meshes),
    )
