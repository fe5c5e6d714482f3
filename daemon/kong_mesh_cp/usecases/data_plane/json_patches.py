"""What turns one JSON document into another, as JSON Patch (RFC 6902).

What takes another's place is a `remove` with the former value and an `add`, as clients of the
original know it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

Operation = Mapping[str, object]


def json_patch(before: object, after: object) -> list[Operation]:
    """Applied to `before` one after the other they give `after`."""
    return list(_operations(before, after, ""))


def _operations(before: object, after: object, path: str) -> Iterator[Operation]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _of_objects(before, after, path)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(before, after, path)
    elif not _are_same(before, after):
        yield {"op": "remove", "path": path, "value": before}
        yield {"op": "add", "path": path, "value": after}


def _of_objects(
    before: Mapping[str, object], after: Mapping[str, object], path: str
) -> Iterator[Operation]:
    for name in sorted(before.keys() | after.keys()):
        at = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
        if name not in after:
            yield {"op": "remove", "path": at, "value": before[name]}
        elif name not in before:
            yield {"op": "add", "path": at, "value": after[name]}
        else:
            yield from _operations(before[name], after[name], at)


def _of_lists(before: Sequence[object], after: Sequence[object], path: str) -> Iterator[Operation]:
    start = _alike(before, after)
    end = _alike(before[start:][::-1], after[start:][::-1])
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    # What stands in the place of another of its kind is compared with it.
    paired = 0
    while paired < min(len(old), len(new)) and _are_containers(old[paired], new[paired]):
        yield from _operations(old[paired], new[paired], f"{path}/{start + paired}")
        paired += 1
    place = start + paired
    for value in old[paired:]:
        yield {"op": "remove", "path": f"{path}/{place}", "value": value}
    for offset, value in enumerate(new[paired:]):
        yield {"op": "add", "path": f"{path}/{place + offset}", "value": value}


def _alike(one: Sequence[object], other: Sequence[object]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if not _are_same(left, right):
            break
        count += 1
    return count


def _are_same(one: object, other: object) -> bool:
    """As JSON: `true` is not 1."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_are_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_are_same, one, other))
    return type(one) is type(other) and one == other


def _are_containers(one: object, other: object) -> bool:
    both = (one, other)
    return all(isinstance(each, Mapping) for each in both) or all(
        isinstance(each, list) for each in both
    )
