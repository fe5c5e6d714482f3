"""The resources that `apply` is given, each with where it stands, and what is no resource."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kumactl.documents import yaml_text
from kumactl.documents.resource_document import ResourceDocument, items_of, read_resource
from kumactl.documents.sources import SourceText
from kumactl.errors import UsageError


@dataclass(frozen=True, slots=True)
class Given:
    """One resource, and where it stands: `FILE`, or `FILE, document 2 (line 7)`."""

    document: ResourceDocument
    place: str
    # Only so that its mesh is there; the same mesh comes whole later in the run.
    declares: bool = False

    @property
    def shown(self) -> str:
        """How errors name it."""
        return f"{self.place}, {self.document.subject}"


@dataclass(slots=True)
class Reading:
    """All that was read: an empty source is named, for it may be one that was not written yet.

    `observed`: of types that only the control plane writes; an export of the original has them.
    """

    given: list[Given] = field(default_factory=list)
    observed: list[Given] = field(default_factory=list)
    wrong: list[UsageError] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)


def read(texts: Iterable[SourceText | UsageError], *, mesh: str) -> Reading:
    """Everything in `texts`; `mesh` is meant where a document names none."""
    reading = Reading()
    for text in texts:
        if isinstance(text, UsageError):
            reading.wrong.append(text)
            continue
        found = list(_of_text(text, mesh))
        if not found:
            reading.empty.append(text.name)
        for each in found:
            if isinstance(each, UsageError):
                reading.wrong.append(each)
            elif each.document.type.read_only:
                reading.observed.append(each)
            else:
                reading.given.append(each)
    return reading


def _of_text(text: SourceText, mesh: str) -> Iterator[Given | UsageError]:
    documents = list(yaml_text.read_documents(text.text, text.name))
    for number, document in enumerate(documents, start=1):
        if isinstance(document, UsageError):
            yield document
            continue
        place = text.name
        if len(documents) > 1:
            place += f", document {number} (line {document.line})"
        for at, value in items_of(document.value, place):
            try:
                yield Given(read_resource(value, at, mesh=mesh), at)
            except UsageError as error:
                yield error
