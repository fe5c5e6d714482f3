"""Why a proxy is configured as it is, for who is on call: short lines in columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from kumactl.console import printable
from kumactl.json_value import JsonObject, at, count_at, objects_at, text_at, texts_at, true_at
from kumactl.tables.columns import shown_value, tag_set

VALUE_CHARACTERS_MAX: Final = 60  # of one in a table; `-o json` has all of it
LEFT_ASIDE_MAX: Final = 10  # policies that are not about the proxy
NOTHING: Final = "nothing"  # what carries a setting that changes nothing at Envoy

_GAP: Final = "   "
_HEADERS: Final = ("SETTING", "VALUE", "FROM", "AT ENVOY")

Row = Sequence[str]


def explanation_text(answer: JsonObject) -> str:
    """All of an answer of `_explain`."""
    resource = at(answer, "resource")
    lines = [f"Dataplane {text_at(resource, 'name')} of mesh {text_at(resource, 'mesh')}"]
    lines += [
        f"NOT MADE: {text_at(each, 'about')}: {text_at(each, 'reason')}"
        for each in objects_at(answer, "complaints")
    ]
    for inbound in objects_at(answer, "inbounds"):
        name = text_at(inbound, "name")
        title = f"INBOUND {count_at(inbound, 'port')}{f' {name}' if name else ''}"
        lines += _place(title, inbound)
    for outbound in objects_at(answer, "outbounds"):
        resource_of = at(outbound, "resource")
        called = text_at(outbound, "service")
        if resource_of is not None:
            called = f"{text_at(resource_of, 'type')} {text_at(resource_of, 'name')}"
            if text_at(resource_of, "sectionName"):
                called += f" port {text_at(resource_of, 'sectionName')}"
        addresses = ", ".join(texts_at(outbound, "addresses"))
        lines += _place(f"OUTBOUND {called} at {addresses}", outbound)
    whole = objects_at(answer, "proxy")
    older = objects_at(answer, "olderOfProxy")
    if whole or older:
        lines += ["", "WHOLE PROXY"]
        lines += _policies(whole, names=True) if whole else ()
        lines += _older(older, names=True)
    left_out = count_at(answer, "leftOut", "outbounds")
    if left_out:
        lines += ["", f"{left_out} more outbounds: ask for one by --outbound SERVICE"]
    lines += _left_aside(objects_at(answer, "leftAside"))
    return "".join(f"{printable(line)}\n" for line in lines)


def _left_aside(policies: Sequence[JsonObject]) -> Iterator[str]:
    if not policies:
        return
    yield ""
    yield "NOT ABOUT THIS PROXY"
    shown = policies[:LEFT_ASIDE_MAX]
    rows = [(f"{text_at(each, 'type')} {text_at(each, 'name')}", each) for each in shown]
    width = max(len(named) for named, _ in rows)
    for named, each in rows:
        yield f"  {named.ljust(width)}{_GAP}{text_at(each, 'why')}"
    if len(policies) > len(shown):
        yield f"  and {len(policies) - len(shown)} more policies: -o json"


def _place(title: str, place: JsonObject) -> Iterator[str]:
    yield ""
    yield f"{title} ({text_at(place, 'protocol') or 'no protocol said'})"
    named = objects_at(place, "envoy")
    width = max((len(text_at(each, "type")) for each in named), default=0)
    for each in named:
        yield f"  {text_at(each, 'type').ljust(width)} {text_at(each, 'name')}"
    if not named:
        yield "  nothing at Envoy"
    yield from _policies(objects_at(place, "policies"))
    yield from _older(objects_at(place, "older"))


def _policies(policies: Iterable[JsonObject], *, names: bool = False) -> Iterator[str]:
    """`names`: with those of the resources, where they were not told before."""
    groups = [(each, [*_rows(each)]) for each in policies]
    rows = [_HEADERS, *(row for _, found in groups for row in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADERS) - 1)]
    for group, found in groups:
        yield ""
        yield f"  {text_at(group, 'type')}{_whom(group)}"
        if text_at(group, "why"):
            yield f"    not told: {text_at(group, 'why')}"
        for row in (_HEADERS, *found) if found else ():
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            yield f"    {_GAP.join([*cells, row[-1]])}".rstrip()
        if texts_at(group, "silent"):
            yield f"    say nothing here: {', '.join(texts_at(group, 'silent'))}"
        if names:
            for each in objects_at(group, "envoy"):
                yield f"    changes {text_at(each, 'type')} {text_at(each, 'name')}"


def _older(policies: Sequence[JsonObject], *, names: bool = False) -> Iterator[str]:
    """Of the older generation, which do not merge. `names`: as of `_policies`."""
    groups = [(each, [*_older_rows(each)]) for each in policies]
    rows = [_HEADERS, *(row for _, found in groups for row in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADERS) - 1)]
    for policy, found in groups:
        service = text_at(policy, "service")
        yield ""
        yield f"  {text_at(policy, 'type')}{f', for {service}' if service else ''}"
        for row in (_HEADERS, *found):
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            yield f"    {_GAP.join([*cells, row[-1]])}".rstrip()
        for each in objects_at(policy, "envoy") if names else ():
            yield f"    changes {text_at(each, 'type')} {text_at(each, 'name')}"


def _older_rows(policy: JsonObject) -> Iterator[Row]:
    name, carried = text_at(policy, "name"), _counted(objects_at(policy, "envoy"))
    settings = objects_at(policy, "settings")
    for setting in settings:
        yield (text_at(setting, "member"), _value(setting), name, carried)
    if not settings:
        yield ("", "", name, carried)
    for lost in objects_at(policy, "lost"):
        yield ("  lost", "", text_at(lost, "name"), text_at(lost, "why"))


def _whom(group: JsonObject) -> str:
    route = text_at(group, "route")
    if route:
        return f", of the route {route}"
    if "clients" not in group:
        return ""
    clients = objects_at(group, "clients")
    said = [
        f"{'without' if true_at(each, 'not') else 'with'} "
        f"{tag_set([{text_at(each, 'key'): text_at(each, 'value')}])}"
        for each in clients
    ]
    return f", of clients {', '.join(said)}" if said else ", of all clients"


def _rows(group: JsonObject) -> Iterator[Row]:
    for setting in objects_at(group, "settings"):
        said_by = at(setting, "from")
        source = "default" if said_by is None else _entry(said_by)
        yield (text_at(setting, "member"), _value(setting), source, _carried(setting, group))
        for lost in objects_at(setting, "lost"):
            yield ("  lost", _value(lost), _entry(at(lost, "from")), text_at(lost, "why"))
    for lost in objects_at(group, "takenAway"):
        taker = f"taken away by {_entry(at(lost, 'to'))}: {text_at(lost, 'why')}"
        yield ("  lost", _value(lost), _entry(at(lost, "from")), taker)


def _value(holder: JsonObject) -> str:
    return shown_value(at(holder, "value"), VALUE_CHARACTERS_MAX)


def _entry(entry: object) -> str:
    """`timeouts to[1]`, with what sets it apart from others of this zone."""
    name = text_at(entry, "displayName") or text_at(entry, "name")
    place = text_at(entry, "list")
    if place != "default":
        place += f"[{count_at(entry, 'index')}]"
    apart = []
    if text_at(entry, "origin") == "global":
        apart.append("global")
    if text_at(entry, "role") not in ("", "system"):
        apart.append(text_at(entry, "role"))
    return f"{name} {place}" + (f" ({', '.join(apart)})" if apart else "")


def _carried(setting: JsonObject, group: JsonObject) -> str:
    if text_at(setting, "source") == "default":
        return ""
    # What is not known of one member is known of all of them together.
    holder = setting if "envoy" in setting else group
    return _counted(objects_at(holder, "envoy"))


def _counted(envoy: Sequence[JsonObject]) -> str:
    counts = Counter(text_at(each, "type") for each in envoy)
    if not counts:
        return NOTHING
    return ", ".join(kind if count == 1 else f"{count} {kind}s" for kind, count in counts.items())
