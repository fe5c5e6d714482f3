"""Groups of proxies by tags: which overlap, and how overlapping ones split.

Source: docs/wire/policies.md#rules-by-tags
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

SERVICE_TAG: Final = "kuma.io/service"
SUBSETS_MAX: Final = 16_384
"""Subsets that one list of entries may split into; most entries make two of them."""
TAGS_TOGETHER_MAX: Final = 12
"""Tags that may go together: each doubles the subsets, which are work and text of any answer."""

Tags = Mapping[str, str]


class Tag(NamedTuple):
    """The proxies whose tag `key` is `value`; negated, all the others."""

    key: str
    value: str
    negated: bool = False


Subset = tuple[Tag, ...]
"""The proxies that all of its tags hold for; the empty one is everybody."""


class TooManySubsetsError(Exception):
    """Entries that overlap in more ways than anybody can have meant."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"the entries split the clients into more than {most} groups; use fewer distinct tags"
        )


def selects(selector: Tags, tags: Tags) -> bool:
    """`tags` carry every tag of `selector`; its value `*` stands for any value."""
    # In a loop: this is asked for each policy and each proxy, and a generator doubles the time.
    for key, value in selector.items():
        if key not in tags or value not in ("*", tags[key]):
            return False
    return True


def contains(subset: Subset, tags: Tags) -> bool:
    """A proxy with `tags` belongs to `subset`."""
    return all((tags.get(tag.key) == tag.value) != tag.negated for tag in subset)


def positive(tags: Tags) -> Subset:
    return tuple(Tag(key, value) for key, value in sorted(tags.items()))


def positives(subset: Subset) -> dict[str, str]:
    """The tags that members of `subset` are known to carry."""
    return {tag.key: tag.value for tag in subset if not tag.negated}


def split(groups: Sequence[Tags]) -> Iterator[Subset]:
    """Every subset whose members belong to other `groups` than the members of the rest.

    Groups that overlap pairwise (a clique of the graph of overlaps) are split together: by all
    ways to carry or lack each of their tags. Groups that exclude each other (two values of one
    tag) never meet in a clique; splitting them together would square the work for subsets that
    cannot exist. The order is by clique, then by the ways; `rules` sort afterwards.

    Raises: TooManySubsetsError, before anything is split.
    """
    cliques = sorted(_cliques(groups), key=_names, reverse=True)
    unions = [_united(groups, clique) for clique in cliques]
    # Checked before the sum, whose shift would make a number of as many bits as there are tags.
    if any(len(union) > TAGS_TOGETHER_MAX for union in unions):
        raise TooManySubsetsError(1 << TAGS_TOGETHER_MAX)
    if sum(1 << len(union) for union in unions) > SUBSETS_MAX:
        raise TooManySubsetsError(SUBSETS_MAX)
    for union in unions:
        yield from _ways(union)


def _ways(tags: Subset) -> Iterator[Subset]:
    # Counts in binary, the first tag fastest; to carry all of them comes last.
    choices = [(tag, tag._replace(negated=True)) for tag in tags]
    for negations in (*range(1, 1 << len(tags)), 0):
        yield tuple(choice[negations >> position & 1] for position, choice in enumerate(choices))


def _united(groups: Sequence[Tags], clique: Sequence[int]) -> Subset:
    return tuple(sorted({tag for member in clique for tag in positive(groups[member])}))


def _names(clique: Sequence[int]) -> str:
    # Compared as text: clients see this order in `_rules`.
    return ":".join(str(member) for member in clique)


def _cliques(groups: Sequence[Tags]) -> Iterator[list[int]]:
    """The largest sets of groups that overlap pairwise, as ascending indices."""
    alike: dict[Subset, list[int]] = {}
    for index, group in enumerate(groups):
        alike.setdefault(positive(group), []).append(index)
    distinct = list(alike.items())
    for members in _maximal_cliques(_overlaps(list(alike))):
        yield sorted(index for member in _bits(members) for index in distinct[member][1])


def _overlaps(groups: Sequence[Subset]) -> list[int]:
    """For each group the others it may share members with, as bits of a number.

    All but those that ask for another value of the same tag.
    """
    with_tag: dict[Tag, int] = {}
    with_key: dict[str, int] = {}
    for index, group in enumerate(groups):
        for tag in group:
            with_tag[tag] = with_tag.get(tag, 0) | 1 << index
            with_key[tag.key] = with_key.get(tag.key, 0) | 1 << index
    found = []
    for index, group in enumerate(groups):
        others = ~(1 << index) & (1 << len(groups)) - 1
        for tag in group:
            others &= with_tag[tag] | ~with_key[tag.key]
        found.append(others)
    return found


def _maximal_cliques(neighbours: Sequence[int]) -> Iterator[int]:
    """Bron and Kerbosch's algorithm with pivots, on sets of nodes written as bits of a number.

    With a stack of its own, as the depth is the user's choice. Raises: TooManySubsetsError.
    """
    pending = [(0, (1 << len(neighbours)) - 1, 0)] if neighbours else []
    for _ in range(SUBSETS_MAX):
        if not pending:
            return
        clique, candidates, excluded = pending.pop()
        if not candidates:
            if not excluded:
                yield clique
            continue
        pivot = max(
            _bits(candidates | excluded),
            key=lambda node: (candidates & neighbours[node]).bit_count(),
        )
        for node in _bits(candidates & ~neighbours[pivot]):
            around = neighbours[node]
            pending.append((clique | 1 << node, candidates & around, excluded & around))
            candidates &= ~(1 << node)
            excluded |= 1 << node
    if pending:
        raise TooManySubsetsError(SUBSETS_MAX)


def _bits(number: int) -> Iterable[int]:
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest
