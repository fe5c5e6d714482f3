"""Who said each member of a merged conf, and who said something else of it and lost.

The merge itself says so (`merge`): every conf is merged with each of its values marked, and what
is there after a step and was not before it is what that step has brought.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.entries import Contribution
from kong_mesh_cp.core.policy.rules.merge import is_joined, keyed_groups, patched
from kong_mesh_cp.core.policy.rules.policy import Conf

Path = tuple[str | int, ...]
"""Where a member stands: names of members, and places in lists."""

_RULES: Final = "rules"


@dataclass(frozen=True, slots=True)
class Lost:
    """What an entry said of a member, and which entry took its place."""

    value: object
    by: Contribution
    to: Contribution


@dataclass(frozen=True, slots=True)
class SaidMember:
    """A member without members of its own: a value, a list, an empty object."""

    path: Path
    value: object
    by: Contribution
    lost: tuple[Lost, ...] = ()  # the last one lost last


@dataclass(frozen=True, slots=True)
class SaidConf:
    """A merged conf by its members, in their order."""

    members: tuple[SaidMember, ...]
    taken_away: tuple[Lost, ...] = ()  # what a null took away, with nothing in its place

    @property
    def conf(self) -> Conf:
        """What the members come to: the conf that merging gives."""
        built: dict[str, object] = {}
        for member in self.members:
            _put(built, member.path, member.value)
        return built


def said_confs(contributions: Sequence[Contribution]) -> tuple[SaidConf, ...]:
    """As `entries.merged`, conf by conf."""
    said = [(each, each.conf) for each in contributions]
    if contributions and contributions[0].policy.traits.keyed_rules:
        return tuple(_said_of_route(said))
    return (_said(said),) if said else ()


def shown_path(path: Path) -> str:
    """`http.requestTimeout`, `rules[0].default.backendRefs`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _said_of_route(said: Iterable[tuple[Contribution, Conf]]) -> Iterator[SaidConf]:
    for group in keyed_groups(said):
        merged = _said(group.rest)
        members, taken_away = list(merged.members), list(merged.taken_away)
        for index, rule in enumerate(group.rules):
            at: Path = (_RULES, index)
            if rule.matches is not None:
                # Where it stands, and that it is there, is by the most important one.
                members.append(SaidMember((*at, "matches"), rule.matches, rule.confs[-1][0]))
            default = _said(rule.confs, (*at, "default"))
            members += default.members
            taken_away += default.taken_away
        yield SaidConf(tuple(members), tuple(taken_away))


class _Marked:
    """A value of a conf. Merging hands it on as it is, and looks at nothing in it."""

    __slots__ = ("by", "value")

    def __init__(self, value: object, by: Contribution) -> None:
        self.value = value
        self.by = by


class _Known(NamedTuple):
    """A member after a step, and as what it stands in the merged conf."""

    member: SaidMember
    found: object


def _said(said: Iterable[tuple[Contribution, Conf]], at: Path = ()) -> SaidConf:
    state: Mapping[str, object] = {}
    known: dict[Path, _Known] = {}
    taken_away: list[Lost] = []
    for by, conf in said:
        state = patched(state, _marked_object(conf, by))
        now = {path: _known(path, found, by, known.get(path)) for path, found in _leaves(state, at)}
        for path in known.keys() - now.keys():
            gone = known[path].member
            heir = next((each for each in now if _is_related(each, path)), None)
            if heir is not None and len(heir) > len(path) and gone.value in ({}, []):
                continue  # what was empty has something in it
            lost = (*gone.lost, Lost(gone.value, gone.by, by))
            if heir is None:
                taken_away += lost
            else:
                taker, found = now[heir]
                now[heir] = _Known(replace(taker, lost=(*lost, *taker.lost)), found)
        known = now
    return SaidConf(tuple(each.member for each in known.values()), tuple(taken_away))


def _known(path: Path, found: object, by: Contribution, before: _Known | None) -> _Known:
    """What is `found` at `path` after the step of `by`."""
    if before is not None and _is_same(before.found, found):
        return before
    # What is empty has nothing in it that says who said it; but it is new.
    value, speaker = (found.value, found.by) if isinstance(found, _Marked) else (found, by)
    if before is None:
        return _Known(SaidMember(path, value, speaker), found)
    was = before.member
    lost = (*was.lost, Lost(was.value, was.by, speaker))
    return _Known(SaidMember(path, value, speaker, lost), found)


def _is_same(before: object, found: object) -> bool:
    """Nothing was said of it since."""
    is_marked = isinstance(before, _Marked) or isinstance(found, _Marked)
    return before is found if is_marked else before == found


def _marked_object(conf: Mapping[str, object], by: Contribution) -> dict[str, object]:
    return {member: _marked(member, value, by) for member, value in conf.items()}


def _marked(member: str, value: object, by: Contribution) -> object:
    if value is None:
        return None  # takes away
    if isinstance(value, Mapping):
        return _marked_object(value, by)
    if is_joined(value, member):
        return [_Marked(each, by) for each in value]
    return _Marked(value, by)


def _leaves(value: object, path: Path) -> Iterator[tuple[Path, object]]:
    """What of a merged conf has no members: marked values, and what is empty."""
    if isinstance(value, Mapping) and value:
        for name, member in value.items():
            yield from _leaves(member, (*path, name))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    elif path:  # a conf that is empty as a whole says nothing
        yield path, value


def _is_related(one: Path, other: Path) -> bool:
    """One is inside of the other."""
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]


def _put(built: dict[str, object], path: Path, value: object) -> None:
    holder: dict[str, object] | list[object] = built
    for part, following in pairwise(path):
        empty: dict[str, object] | list[object] = [] if isinstance(following, int) else {}
        found = _at(holder, part, empty)
        assert isinstance(found, dict | list)  # noqa: S101 — what holds members
        holder = found
    _at(holder, path[-1], value)


def _at(holder: dict[str, object] | list[object], part: str | int, otherwise: object) -> object:
    """What stands at `part` of `holder`; `otherwise` from now on, if there is nothing."""
    if isinstance(holder, dict):
        return holder.setdefault(str(part), otherwise)
    index = int(part)
    if index == len(holder):
        holder.append(otherwise)
    return holder[index]
