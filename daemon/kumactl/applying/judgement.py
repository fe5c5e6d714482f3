"""What is wrong with the resources of a run before any of them is sent.

The control plane judges where it can without writing. What it cannot see yet, because it comes
with the same run, is judged here by the rules that both share.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.resources.meta import meta_violations
from kumactl.applying.given import Given
from kumactl.control_plane import DRY_RUN, STRICT, ControlPlane
from kumactl.documents.comparison import REFUSED, as_shown, unknown_members
from kumactl.documents.resource_document import ResourceDocument
from kumactl.errors import (
    FieldError,
    KumactlError,
    MeshNotFoundError,
    RefusedError,
)

if TYPE_CHECKING:
    from kumactl.documents import known_kinds
else:  # the specs of all types are most of what this program could import
    known_kinds = lazy_import("kumactl.documents.known_kinds")

_MISSING_SECRET: Final = re.compile(r'type="Secret" name="([^"]*)"')


class Judgement:
    """Judges resources that are applied together. Its errors are those of the control plane."""

    def __init__(self, plane: ControlPlane, given: Sequence[Given], *, strict: bool) -> None:
        """`strict`: members that a type does not know are wrong, and no cause of warnings."""
        self._plane = plane
        self._strict = strict
        self._asked = (DRY_RUN, STRICT) if strict else (DRY_RUN,)
        self._paths = {each.document.path for each in given}
        self._meshes = {each.document.name for each in given if each.document.type.name == "Mesh"}
        self.is_the_server = plane.can(DRY_RUN)

    def warnings(self, document: ResourceDocument) -> Sequence[str]:
        """What the control plane would say to `document`. Raises: KumactlError that refuses it."""
        if not self.is_the_server:
            self._require_mesh(document)
            self._judge_here(document)
            return self.unknown_members(document)
        try:
            return self._plane.put(document.path, document.body, *self._asked).warnings
        except MeshNotFoundError:
            if not self.comes_with_its_mesh(document):
                raise
        except RefusedError as error:
            if not self._is_for_what_comes(document, error):
                raise
        self._judge_here(document)
        return ()

    def comes_with_its_mesh(self, document: ResourceDocument) -> bool:
        """Whether the mesh of `document` is in the same run."""
        return document.mesh in self._meshes

    def unknown_members(self, document: ResourceDocument) -> Sequence[str]:
        """A warning for each that has no effect, in place of a control plane that gives none."""
        kind = None if self.is_the_server else known_kinds.KINDS.get(document.type.name)
        return () if kind is None else unknown_members(document.body, kind)

    def _require_mesh(self, document: ResourceDocument) -> None:
        if document.type.is_mesh_scoped and not self.comes_with_its_mesh(document):
            self._plane.find(document.path)

    def _judge_here(self, document: ResourceDocument) -> None:
        scope = document.type.scope
        fields = [
            FieldError(wrong.field, wrong.message)
            for wrong in meta_violations(document.name, document.mesh, scope)
        ]
        kind = known_kinds.KINDS.get(document.type.name)
        try:
            if kind is not None:
                as_shown(document.body, kind, strict=self._strict)
        except KumactlError as error:
            error.fields += tuple(fields)
            raise
        if fields:
            raise KumactlError(REFUSED, fields=fields)

    def _is_for_what_comes(self, document: ResourceDocument, error: RefusedError) -> bool:
        """Whether `error` will be none once the rest of the run is there.

        A Dataplane is judged by the constraints of its mesh, which may change with the run (500);
        a Mesh may name secrets that are in it.
        """
        if error.status >= 500:
            return self.comes_with_its_mesh(document)
        names = [_MISSING_SECRET.search(wrong.reason) for wrong in error.fields]
        return bool(names) and all(
            name is not None and f"/meshes/{document.name}/secrets/{name[1]}" in self._paths
            for name in names
        )
