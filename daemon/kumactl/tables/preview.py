"""What writes would do to proxies, for people: whose resources change, and what of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from kumactl.console import printable
from kumactl.json_value import (
    JsonObject,
    at,
    count_at,
    objects_at,
    text_at,
    true_at,
)
from kumactl.tables.columns import shown_value

MEMBERS_MAX: Final = 12  # of one resource; `-o json` has more
VALUE_CHARACTERS_MAX: Final = 40
PATH_CHARACTERS_MAX: Final = 70  # its end; what stands before is the same for its neighbours
NAMES_MAX: Final = 8  # of proxies of which the same becomes

_WRAPPING: Final = frozenset({"", "typedConfig"})
_NOTHING: Final = "(nothing)"
_SIGNS: Final[Mapping[str, str]] = {"added": "+", "removed": "-", "changed": "~"}


def proxies_text(answer: JsonObject) -> str:
    """The proxies of an answer of `/_preview`, by mesh; those of which the same becomes once."""
    lines: list[str] = []
    for mesh in objects_at(answer, "meshes"):
        lines += ["", _summary(mesh)]
        for proxies in _alike(objects_at(mesh, "proxies")):
            lines += ["", *_group(proxies)]
    left_out = at(answer, "leftOut")
    if count_at(left_out, "resources"):
        lines += ["", f"{count_at(left_out, 'resources')} more resources would change"]
    if count_at(left_out, "meshes"):
        lines += ["", f"{count_at(left_out, 'meshes')} more meshes were not looked at"]
    if not objects_at(answer, "meshes"):
        lines += ["", "No proxy would be told anything else"]
    return "".join(f"{printable(line)}\n" for line in lines)


def _summary(mesh: JsonObject) -> str:
    proxies = objects_at(mesh, "proxies")
    online = sum(true_at(each, "connected") for each in proxies)
    of_all = f"{count_at(mesh, 'changed')} of {count_at(mesh, 'dataplanes')} proxies"
    said = f"Mesh {text_at(mesh, 'mesh')}: {of_all} would be told something else"
    if proxies:
        said += f", {online} of them connected"
    unknown = count_at(mesh, "notLookedAt")
    return f"{said}; {unknown} more were not looked at" if unknown else said


def _alike(proxies: Iterable[JsonObject]) -> Iterable[Sequence[JsonObject]]:
    groups: dict[str, list[JsonObject]] = {}
    for each in proxies:
        same = {name: value for name, value in each.items() if name not in ("name", "connected")}
        groups.setdefault(json.dumps(same, sort_keys=True), []).append(each)
    return groups.values()


def _group(proxies: Sequence[JsonObject]) -> Iterator[str]:
    names = [
        text_at(each, "name") + (" (connected)" if true_at(each, "connected") else "")
        for each in proxies[:NAMES_MAX]
    ]
    more = len(proxies) - NAMES_MAX
    yield ", ".join(names) + (f" and {more} more" if more > 0 else "")
    first = proxies[0]
    for complaint in objects_at(first, "complaints"):
        yield f"  NOT MADE: {text_at(complaint, 'about')}: {text_at(complaint, 'reason')}"
    for resource in objects_at(first, "resources"):
        yield from _resource(resource)
    if count_at(first, "notShown"):
        yield f"  and {count_at(first, 'notShown')} more resources"


def _resource(resource: JsonObject) -> Iterator[str]:
    sign = _SIGNS.get(text_at(resource, "change"), "~")
    hidden = "   something that may be a secret" if true_at(resource, "hidden") else ""
    yield f"  {sign} {text_at(resource, 'type')} {text_at(resource, 'name')}{hidden}"
    members = objects_at(resource, "members")
    rows = [(_path(each), _change(each)) for each in members[:MEMBERS_MAX]]
    width = max((len(path) for path, _ in rows), default=0)
    for path, change in rows:
        yield f"      {path.ljust(width)}   {change}"
    more = len(members) - MEMBERS_MAX + count_at(resource, "notShown")
    if more > 0:
        yield f"      and {more} more members"


def _path(member: JsonObject) -> str:
    """The end of it, from a name on; what only wraps something is left out."""
    parts = [each for each in text_at(member, "path").split("/") if each not in _WRAPPING]
    path = "/".join(parts)
    if len(path) <= PATH_CHARACTERS_MAX:
        return path
    ending = path[-PATH_CHARACTERS_MAX + 1 :]
    return f"…{ending[max(ending.find('/'), 0) :]}"


def _change(member: JsonObject) -> str:
    before, after = (
        shown_value(member[each], VALUE_CHARACTERS_MAX) if each in member else _NOTHING
        for each in ("before", "after")
    )
    return f"{before} -> {after}"
