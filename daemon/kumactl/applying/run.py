"""One run of `apply`: judges all that is given, then applies it, then deletes what is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kong_mesh_cp.core.lazy_import import lazy_import
from kumactl.applying import apply_set
from kumactl.applying.apply_set import Member
from kumactl.applying.given import Given
from kumactl.applying.judgement import Judgement
from kumactl.console import Console
from kumactl.control_plane import DRY_RUN, STRICT, ControlPlane
from kumactl.documents import unquoted
from kumactl.documents.comparison import comparable, pending_changes, shows_masks
from kumactl.documents.initial_policies import made_with_mesh
from kumactl.documents.resource_document import ResourceDocument
from kumactl.errors import KumactlError, MeshNotFoundError, NotFoundError, UnreachableError
from kumactl.json_value import JsonObject

if TYPE_CHECKING:
    from kumactl.documents import known_kinds
else:  # the specs of all types are most of what this program could import
    known_kinds = lazy_import("kumactl.documents.known_kinds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line asks of a run."""

    dry_run: bool = False
    strict: bool = False
    keep_going: bool = False
    apply_set: str = ""  # "": none
    prune: bool = False
    prune_meshes: bool = False


class Run:
    """What happens to resources that are applied together."""

    def __init__(
        self, plane: ControlPlane, console: Console, wishes: Wishes, given: Sequence[Given]
    ) -> None:
        """`given` is in the order in which it shall be applied."""
        self.done = 0  # resources that were applied
        self.not_deleted = 0  # of those that should go
        self._plane = plane
        self._console = console
        self._wishes = wishes
        self._given = given
        self._judgement = Judgement(plane, given, strict=wishes.strict)
        self._declared: set[str] = set()
        self._errors: list[KumactlError] = []
        self._to_apply = 0

    @property
    def left_out(self) -> str:
        """`, 3 not tried`, or nothing."""
        left = self._to_apply - self.done
        return "" if left <= 0 or self._wishes.keep_going else f", {left} not tried"

    def go(self, errors: list[KumactlError]) -> None:
        """Do what is wished for; `errors` are those so far, and take up all that goes wrong.

        Raises: UnreachableError, which ends it; UsageError where another apply set was meant.
        """
        self._errors = errors
        gone = self._gone() if self._wishes.prune else ()
        if self._wishes.dry_run:
            self._foretell_all()
        else:
            # A single one is judged by being applied; not every server can be strict.
            judged = self._judgement.is_the_server or not self._wishes.strict
            alone = len(self._given) == 1 and not errors and judged
            good = self._given if alone else self._judged()
            if not errors or self._wishes.keep_going:
                self._apply_all(good)
        if gone and errors:
            self._console.note(f"Nothing is deleted of {len(gone)}: first all has to be applied")
        elif gone:
            self._prune(gone)

    def _foretell_all(self) -> None:
        if not self._judgement.is_the_server:
            self._console.note(
                "WARNING: this control plane does not judge dry runs; kumactl has judged by itself,"
                " and does not know all that the control plane asks"
            )
        for each in self._given:
            if each.declares:
                continue
            try:
                self._warn(each, self._judgement.warnings(each.document))
                self._foretell(each.document)
            except UnreachableError:
                raise
            except KumactlError as error:
                self._note_down(each, error)

    def _judged(self) -> list[Given]:
        """Those with which nothing is wrong, as far as that can be told without a write."""
        good = {
            each.document.path for each in self._given if not each.declares and self._is_good(each)
        }
        return [each for each in self._given if each.document.path in good]

    def _is_good(self, each: Given) -> bool:
        try:
            self._judgement.warnings(each.document)
            if self._wishes.apply_set:
                apply_set.require_free(self._stored(each.document), self._wishes.apply_set)
        except UnreachableError:
            raise
        except KumactlError as error:
            self._note_down(each, error)
            return False
        return True

    def _apply_all(self, given: Sequence[Given]) -> None:
        """Up to the first that is refused, unless the wish is to keep going."""
        self._to_apply = sum(not each.declares for each in given)
        for each in given:
            try:
                self._apply(each)
            except UnreachableError:
                raise
            except KumactlError as error:
                self._note_down(each, error)
                self._to_apply -= 1
                if not self._wishes.keep_going:
                    return

    def _gone(self) -> Sequence[Member]:
        """What is of the apply set and no longer given."""
        found = apply_set.members(self._plane, self._wishes.apply_set)
        for type_name in found.hidden:
            self._console.note(f"WARNING: no {type_name} is deleted: you may not list them")
        gone, meshes = apply_set.to_prune(found, self._given, self._wishes.apply_set)
        if self._wishes.prune_meshes:
            return [*gone, *meshes]
        for mesh in meshes:
            self._console.note(
                f"WARNING: {mesh.subject} stays: all that is in it would go, too."
                " --prune-meshes deletes it"
            )
        return gone

    def _prune(self, gone: Sequence[Member]) -> None:
        for each in gone:
            try:
                if not self._wishes.dry_run:
                    self._plane.delete(each.path)
                    self._console.line(f"{each.subject} deleted")
                    continue
                if self._judgement.is_the_server:
                    self._plane.delete(each.path, DRY_RUN)
                self._console.line(f"{each.subject} would be deleted")
            except UnreachableError:
                raise
            except NotFoundError:
                continue  # somebody was faster
            except KumactlError as error:
                error.message = f"{each.subject} is not deleted: {error.message}"
                self._errors.append(error)
                self.not_deleted += 1

    def _note_down(self, each: Given, error: KumactlError) -> None:
        error.message = f"{each.shown}: {error.message}"
        unquoted.explain(error, each.document.body)
        self._errors.append(error)

    def _warn(self, each: Given, warnings: Sequence[str]) -> None:
        where = f"{each.shown}: " if len(self._given) > 1 else ""
        for warning in warnings:
            self._console.note(f"Warning: {where}{warning}")

    def _stored(self, document: ResourceDocument) -> JsonObject | None:
        try:
            return self._plane.find(document.path)
        except MeshNotFoundError:
            if not self._judgement.comes_with_its_mesh(document):
                raise
            return None

    def _apply(self, each: Given) -> None:
        document = each.document
        before = self._plane.find(document.path)
        if each.declares:
            if before is None:
                self._plane.put(document.path, document.body)
                self._declared.add(document.path)
            return
        if self._wishes.apply_set:
            apply_set.require_free(before, self._wishes.apply_set)
        elif left := apply_set.set_of(before):
            self._warn(each, [f"it leaves the apply set {left}: --apply-set was not given"])
        self._warn(each, self._judgement.unknown_members(document))
        if before is not None and self._is_there(document, before):
            self._say(document, "unchanged")
            return
        strict = (STRICT,) if self._wishes.strict and self._judgement.is_the_server else ()
        stored = self._plane.put(document.path, document.body, *strict)
        self._warn(each, stored.warnings)
        if stored.created or before is None or document.path in self._declared:
            children = made_with_mesh(self._plane, document)
            self._say(document, "created" + (f": {children}" if children else ""))
            return
        after = self._read_back(document)
        # What is masked for us may have changed as well.
        same = (
            after is not None and not shows_masks(after) and comparable(after) == comparable(before)
        )
        self._say(document, "unchanged" if same else "updated")

    def _say(self, document: ResourceDocument, outcome: str) -> None:
        self.done += 1
        self._console.line(f"{document.subject} {outcome}")

    def _is_there(self, document: ResourceDocument, stored: JsonObject) -> bool:
        """Whether nothing need be sent: the original moves the time of what it is told anew.

        A control plane that leaves the time is told, since it may have something to say.
        """
        if self._judgement.is_the_server or shows_masks(stored):
            return False
        return not pending_changes(stored, document, known_kinds.KINDS)

    def _read_back(self, document: ResourceDocument) -> JsonObject | None:
        # The change is made; that it cannot be read back is no failure of this command.
        try:
            return self._plane.find(document.path)
        except KumactlError:
            return None

    def _foretell(self, document: ResourceDocument) -> None:
        stored = self._stored(document)
        if self._wishes.apply_set:
            apply_set.require_free(stored, self._wishes.apply_set)
        found = pending_changes(stored, document, known_kinds.KINDS)
        if stored is None:
            self._console.line(f"{document.subject} would be created")
        elif not found:
            self._console.line(f"{document.subject} unchanged")
        elif len(found) == 1:
            self._console.line(f"{document.subject} would change: {found[0].line}")
        else:
            self._console.line(f"{document.subject} would change:")
            for change in found:
                self._console.line(f"  {change.line}")
