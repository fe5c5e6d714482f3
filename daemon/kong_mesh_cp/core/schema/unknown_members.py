"""Members that nobody reads: where they stand, and what their author may have meant.

Here is also how a body with names in another case of letters is read: as Go's encoding/json does,
after the schema has looked at it, which knows exact names only.

Source: docs/wire/resource-api.md#unknown-members, docs/wire/resource-api.md#letter-case
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_values import ParseError, json_kind
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.schema.member_names import Shape, folded
from kong_mesh_cp.core.schema.violations import FieldPath

if TYPE_CHECKING:
    import difflib
else:
    difflib = lazy_import("difflib")

TOLD_MAX: Final = 20  # unknown members of one body that are told one by one
EXPLAINED_NAME_CHARACTERS_MAX: Final = 64  # no name of any type is longer
PATH_CHARACTERS_MAX: Final = 256
KNOWN_MAX: Final = 12  # names that are listed where nothing else can be said
PLACES_MAX: Final = 3

# Ratios of difflib; 1 is the same name.
_MISSPELT_MIN: Final = 0.75
_LIKE_MIN: Final = 0.6
_PART_CHARACTERS_MIN: Final = 4  # of a name that is a part of another


@dataclass(frozen=True, slots=True)
class UnknownMember:
    """A member that has no effect. `remark`: what may have been meant, a clause without an end."""

    at: str
    remark: str

    @property
    def warning(self) -> str:
        return f"unknown member {self.at}: it has no effect; {self.remark}"


class MemberReading:
    """One body held against a shape. `unknown` are the first TOLD_MAX of `count` members."""

    def __init__(self, shape: Shape) -> None:
        self.unknown: list[UnknownMember] = []
        self.count = 0
        self._root = shape
        self._places: Mapping[str, Sequence[str]] | None = None

    @property
    def untold(self) -> int:
        return self.count - len(self.unknown)

    def read(
        self, shape: Shape, value: Mapping[str, object], at: FieldPath, *, by_schema: bool = True
    ) -> dict[str, object]:
        """`value` with the names of `shape`; where names fold, without unknown members.

        `by_schema`: whether the schema has seen it; what lies in a member whose name is in another
        case it has not. Raises: ParseError.
        """
        # Kuma hands a body with sorted names from its schema to Go's decoder.
        names = sorted(value) if shape.folds else list(value)
        found: dict[str, object] = {}
        given_as: dict[str, str] = {}
        for name in names:
            given = value[name]
            if shape.values is not None:
                found[name] = self._inner(shape.values, given, at.key(name), by_schema=by_schema)
                continue
            known = _known(shape, value, name, by_schema=by_schema)
            if known is None:
                self._tell(shape, name, value, at)
                if not shape.folds:
                    found[name] = given  # whoever reads messages decides about it
                continue
            if given is None and known != name:
                # What it sets has no value then; a member that has always one keeps it.
                if known not in shape.required:
                    found.pop(known, None)
                continue
            child = shape.members[known]
            below = None if child is None else child.chosen(value)
            if below is not None:
                as_named = by_schema and known == name
                given = self._inner(below, given, at.field(known), by_schema=as_named)
            if known in found:
                given = _both(shape, known, (given_as[known], found[known]), (name, given))
            found[known] = given
            given_as[known] = name
        return found

    def _inner(self, shape: Shape, given: object, at: FieldPath, *, by_schema: bool) -> object:
        if isinstance(given, dict):
            return self.read(shape, given, at, by_schema=by_schema)
        if isinstance(given, list):
            return [
                self.read(shape, each, at.index(number), by_schema=by_schema)
                if isinstance(each, dict)
                else each
                for number, each in enumerate(given)
            ]
        return given

    def _tell(self, shape: Shape, name: str, value: Mapping[str, object], at: FieldPath) -> None:
        now, default = shape.former.get(name, ("", None))
        if now and value[name] == value.get(now, default):
            return  # what it says is so
        self.count += 1
        if self.count > TOLD_MAX:
            return
        shown = _shown(name)
        path = f"{at.text}.{shown}" if at.text else shown
        if len(path) > PATH_CHARACTERS_MAX:
            path = f"…{path[-PATH_CHARACTERS_MAX:]}"
        self.unknown.append(UnknownMember(path, self._remark(shape, name, at)))

    def _remark(self, shape: Shape, name: str, at: FieldPath) -> str:
        if name in shape.former:
            return f'it is called "{shape.former[name][0]}" now'
        if name in shape.remarks:
            return shape.remarks[name]
        if len(name) <= EXPLAINED_NAME_CHARACTERS_MAX:
            remark = self._likely(shape, name, at)
            if remark:
                return remark
        known = sorted(shape.told)
        more = ", …" if len(known) > KNOWN_MAX else ""
        return f"known here: {', '.join(known[:KNOWN_MAX])}{more}" if known else "nothing goes here"

    def _likely(self, shape: Shape, name: str, at: FieldPath) -> str:
        bare, here = _bare(name), {_bare(known): known for known in shape.told}
        near = here.get(bare) or _nearest(bare, here, _MISSPELT_MIN)
        if near:
            return f'did you mean "{near}"?'
        top = {_bare(known): known for known in self._root.told}
        if at.text in self._root.members and bare in top:
            # Somebody has put a whole resource, or a part of its meta, one level too deep.
            return f'it belongs at the top, beside "{at.text}"'
        if self._places is None:
            self._places = _places(self._root)
        places = self._places.get(bare, ())
        # A name that stands in the wrong place is more often near to its own than far from it.
        akin = [place for place in places if not at.text or _common(place, at.text)]
        if akin:
            return f"it belongs under {_closest(akin, at.text)}"
        near = _part(bare, here) or _nearest(bare, here, _LIKE_MIN)
        if near:
            return f'did you mean "{near}"?'
        if places:
            return f"it belongs under {_closest(places, at.text)}"
        part = _part(bare, {known: known for known in self._places})
        if part:
            return f"what resembles it belongs under {_closest(self._places[part], at.text)}"
        return ""


def _both(shape: Shape, name: str, first: tuple[str, object], last: tuple[str, object]) -> object:
    """What Go makes of a member that is given in two cases: the last one wins, objects are merged.

    Raises: ParseError, if one of the two must be of the wrong type.
    """
    old, new = first[1], last[1]
    if new is None or old is None:
        return old if new is None else new
    if json_kind(old) != json_kind(new):
        raise ParseError(
            f"{go_quote(first[0])} and {go_quote(last[0])} are one member of two types"
        )
    if isinstance(old, dict) and isinstance(new, dict):
        child = shape.members[name]
        if child is not None:
            return _merged(child, old, new)
        if name in shape.texts:
            return {**old, **new}
    return new


def _merged(
    shape: Shape, old: Mapping[str, object], new: Mapping[str, object]
) -> dict[str, object]:
    merged = dict(old)
    for name, value in new.items():
        given = (name, value)
        merged[name] = _both(shape, name, (name, old[name]), given) if name in old else value
    return merged


def _shown(name: str) -> str:
    cut = name[:EXPLAINED_NAME_CHARACTERS_MAX]
    text = go_quote(cut)[1:-1]
    return f"{text}…" if len(cut) < len(name) else text or '""'


def _bare(name: str) -> str:
    return folded(name).replace("_", "").replace("-", "")


def _nearest(bare: str, names: Mapping[str, str], ratio_min: float) -> str:
    found = difflib.get_close_matches(bare, names, n=1, cutoff=ratio_min)
    return names[found[0]] if found else ""


def _part(bare: str, names: Mapping[str, str]) -> str:
    """The longest name that is a part of this one, or of which this one is a part."""
    found = [
        each
        for each in names
        if (each in bare or bare in each) and min(len(each), len(bare)) >= _PART_CHARACTERS_MIN
    ]
    return names[max(found, key=len)] if found else ""


def _places(shape: Shape) -> Mapping[str, Sequence[str]]:
    """Where a member of each name may stand, as `spec.to[].default`; the top itself is no place."""
    places: dict[str, list[str]] = {}
    for path, inner in _below(shape, ""):
        for name in inner.told:
            places.setdefault(_bare(name), []).append(path)
    return places


def _below(shape: Shape, at: str) -> Iterator[tuple[str, Shape]]:
    for name in shape.told:
        child = shape.members[name]
        if child is None:
            continue
        path = f"{at}.{name}" if at else name
        path += "[]" if child.is_list else ""
        for inner in (child, *((child.choices or {}).values())):
            yield path, inner
            yield from _below(inner, path)
        if child.values is not None:
            yield f"{path}[…]", child.values
            yield from _below(child.values, f"{path}[…]")


def _closest(places: Sequence[str], at: str) -> str:
    """Those that have most in common with the path of where it stands."""
    best = max(_common(place, at) for place in places)
    near = sorted({place for place in places if _common(place, at) == best}, key=len)
    shallow = [place for place in near if place.count(".") == near[0].count(".")][:PLACES_MAX]
    return " or ".join(shallow)


def _common(place: str, at: str) -> int:
    """How many of their first parts are the same."""
    pairs = zip(_parts(place), _parts(at), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _parts(path: str) -> list[str]:
    return [each.partition("[")[0] for each in path.split(".")] if path else []


def _known(shape: Shape, value: Mapping[str, object], name: str, *, by_schema: bool) -> str | None:
    """What a member is to whoever reads it."""
    if name in shape.members:
        return name
    known = shape.by_folded.get(folded(name)) if shape.folds else None
    if known is None or known in value or not by_schema:
        return known
    # The schema asks for a member by its own name, and fills in one that it does not see, which
    # wins over whatever is sorted before it.
    if known in shape.required or (known in shape.defaulted and name < known):
        return None
    return known
