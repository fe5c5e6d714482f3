"""`apply --preview`: what would be refused, and what proxies would be told. Nothing is written.

The control plane says all of it: what a proxy is told follows from the whole mesh.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from kumactl.applying import apply_set
from kumactl.applying.apply_set import Member
from kumactl.applying.given import Given
from kumactl.applying.run import Wishes
from kumactl.console import Console
from kumactl.control_plane import PREVIEW, STRICT, ControlPlane
from kumactl.errors import FieldError, KumactlError, UsageError
from kumactl.json_value import JsonObject, object_at, objects_at, text_at, texts_at
from kumactl.output import Format, render
from kumactl.tables.preview import proxies_text

_WOULD: Final[Mapping[str, str]] = {
    "created": "would be created",
    "updated": "would change",
    "unchanged": "unchanged",
    "deleted": "would be deleted",
}


def show(
    plane: ControlPlane,
    console: Console,
    wishes: Wishes,
    given: Sequence[Given],
    *,
    form: Format,
) -> list[KumactlError]:
    """Print what would come of `given`, in turn; what would be refused is given back.

    Raises: UsageError where the control plane cannot say it; UnreachableError; RefusedError.
    """
    if not plane.can(PREVIEW):
        raise UsageError(
            "this control plane has no previews; --dry-run says what would become of the resources"
        )
    gone = _gone(plane, wishes, given) if wishes.prune else ()
    request = {
        "resources": [each.document.body for each in given],
        "deletions": [
            {"type": each.type_name, "mesh": each.mesh, "name": each.name} for each in gone
        ],
    }
    answer = plane.preview(request, *((STRICT,) if wishes.strict else ()))
    judged = objects_at(answer, "resources")
    subjects = [
        *((each.shown, each.document.subject) for each in given),
        *((each.subject, each.subject) for each in gone),
    ]
    told = list(zip(judged, subjects, strict=False))
    if form is Format.TABLE:
        _show(console, told)
        console.document(proxies_text(answer))
    else:
        console.document(render(answer, form))
    return [_refusal(each, shown) for each, (shown, _) in told if "refusal" in each]


def _show(console: Console, told: Iterable[tuple[JsonObject, tuple[str, str]]]) -> None:
    for each, (shown, subject) in told:
        for warning in texts_at(each, "warnings"):
            console.note(f"Warning: {shown}: {warning}")
        if "refusal" not in each:
            outcome = text_at(each, "outcome")
            console.line(f"{subject} {_WOULD.get(outcome, outcome)}")


def _gone(plane: ControlPlane, wishes: Wishes, given: Sequence[Given]) -> Sequence[Member]:
    """What is of the apply set and no longer given."""
    found = apply_set.members(plane, wishes.apply_set)
    gone, meshes = apply_set.to_prune(found, given, wishes.apply_set)
    return [*gone, *(meshes if wishes.prune_meshes else ())]


def _refusal(judged: JsonObject, shown: str) -> KumactlError:
    refusal = object_at(judged, "refusal")
    title, detail = text_at(refusal, "title"), text_at(refusal, "detail")
    fields = [
        FieldError(text_at(each, "field"), text_at(each, "reason"))
        for each in objects_at(refusal, "violations")
    ]
    return KumactlError(f"{shown}: {title} ({detail})", fields=fields)
