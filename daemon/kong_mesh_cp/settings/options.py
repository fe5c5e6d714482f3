"""How a row of the settings is written: an attribute with a form, a default and a sentence."""

from __future__ import annotations

from dataclasses import field
from typing import TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.settings.forms import Form

T = TypeVar("T")

OPTION = "option"  # the key of a field's metadata
MEMBERS = "members"  # likewise, of a field whose class serves several sections: by member


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What a row says besides its name and default."""

    form: Form[object]
    doc: str  # sentences of roff-safe plain text
    environment: str | None
    flag: str | None
    secret: bool
    default_text: str | None  # what the default is, where it is not a fixed value


@dataclass(frozen=True, slots=True)
class Row:
    """One setting: where it stands in the tree, and what its field says."""

    attributes: tuple[str, ...]
    default: object  # None where the default is not a fixed value
    option: Option

    @property
    def path(self) -> str:
        """`apiServer.http.port`."""
        return ".".join(camel_case(name) for name in self.attributes)


def option(
    form: Form[T],
    *,
    default: T,
    doc: str,
    environment: str | None = None,
    flag: str | None = None,
    secret: bool = False,
    in_repr: bool = True,
    default_text: str | None = None,
) -> T:
    row = Option(
        form=form,
        doc=doc,
        environment=environment,
        flag=flag,
        secret=secret,
        default_text=default_text,
    )
    return field(default=default, repr=in_repr, metadata={OPTION: row})


def camel_case(attribute: str) -> str:
    first, *others = attribute.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)
