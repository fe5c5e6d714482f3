"""Which of Envoy's metrics a MeshMetric lets through.

Source: docs/wire/beside-envoy.md#meshmetric
"""

from __future__ import annotations

import functools
import math
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kuma_dp.metrics.envoy_clusters import CLUSTER
from kuma_dp.metrics.exposition import Family

PATTERN_CHARACTERS_MAX: Final = 1024
REPEATS_MAX: Final = (
    4  # without a bound, in one pattern: each multiplies the work by a name's length
)
OPTIONAL_MAX: Final = 6  # each may double it
REPEAT_WORK: Final = 8  # what a repetition counts for beside what is optional or a choice
WORK_MAX: Final = REPEAT_WORK**REPEATS_MAX * 2**OPTIONAL_MAX  # choices in a row multiply

PATTERNS_KEPT: Final = 512  # judged once, not with each scrape; one policy has as many at most

ALL: Final = "All"
BASIC: Final = "Basic"
NONE: Final = "None"

_PARTS: Final = (
    *("rq_time", "cx_length_ms", "cx_count", "_rq", "bytes", "timeout", "health_check"),
    *("lb_healthy_panic", "cx_destroy", "error", "fail", "reset", "eject", "overflow"),
    *("cancelled", "max_duration_reached", "no_cluster", "no_route", "no_filter_chain", "reject"),
    *("denied", "days_until_first_cert_expiring", "rbac", "cx_active", "cx_connect"),
)
_BEGINNINGS: Final = (
    *("envoy_server", "envoy_control_plane", "envoy_dns_filter", "envoy_dns_cares"),
)
_NAMES: Final = frozenset(
    {
        "envoy_cluster_membership_degraded",
        "envoy_cluster_membership_healthy",
        "envoy_cluster_ssl_handshake",
        "envoy_cluster_membership_total",
    }
)
_OWN_CLUSTERS: Final = frozenset(
    {"ads_cluster", "access_log_sink", "kuma:envoy:admin", "kuma:metrics:hijacker"}
)
_OWN_CLUSTERS_BEGIN: Final = ("_", "tracing")

Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Selector:
    """Metrics by their names; `kind` is one of the policy's: Prefix, Exact, Contains, Regex."""

    kind: str
    match: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a MeshMetric says of Envoy's metrics. Inclusions come before exclusions."""

    profiles: tuple[str, ...] = ()  # none: Basic
    exclude: tuple[Selector, ...] = ()
    include: tuple[Selector, ...] = ()
    include_unused: bool = False

    @property
    def widest(self) -> str:
        """The profile that has all that the others have."""
        known = [each for each in (ALL, BASIC, NONE) if each in self.profiles]
        return known[0] if known else NONE if self.profiles else BASIC

    def refused(self) -> list[str]:
        """The regular expressions that are not run, and so select nothing."""
        return [
            each.match
            for each in (*self.exclude, *self.include)
            if each.kind == "Regex" and compiled(each.match) is None
        ]

    def test(self) -> Test:
        """Whether a family of this name is kept."""
        base = {ALL: _always, BASIC: _is_basic, NONE: _never}[self.widest]
        excluded = _any_of(self.exclude)
        included = _any_of(self.include)
        return lambda name: included(name) or (base(name) and not excluded(name))


def without_own_clusters(family: Family) -> None:
    """Leave out what is of clusters between Envoy, kuma-dp and the control plane."""
    family.samples = [
        each
        for each in family.samples
        if not any(name == CLUSTER and _is_own(value) for name, value in each.labels)
    ]


@functools.lru_cache(PATTERNS_KEPT)
def compiled(pattern: str) -> re.Pattern[str] | None:
    """None: it is none, or one whose work might not end.

    The policy's expressions are those of RE2, which never goes back over a text. Here repetitions
    within repetitions are not run, nor are many of them, nor many choices one behind the other.
    """
    if len(pattern) > PATTERN_CHARACTERS_MAX or "[[:" in pattern or not _ends_soon(pattern):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return re.compile(pattern)
    except (re.error, RecursionError, OverflowError, Warning):
        return None


_PIECE: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*+\]|\{\d*+,?\d*+\}|.", re.DOTALL)


def _ends_soon(pattern: str) -> bool:
    repeats = optional = 0
    groups = [_Group()]
    before, closed = "", None  # the group that ends just here
    for found in _PIECE.finditer(pattern):
        piece, ends = found[0], None
        if piece == "(":
            groups.append(_Group())
        elif piece == ")" and len(groups) > 1:
            ends = groups.pop()
            groups[-1].work *= ends.work_of_all
            groups[-1].is_ambiguous |= ends.is_ambiguous
        elif piece in {"*", "+"} or (piece[0] == "{" and len(piece) > 1):
            if closed is not None and closed.is_ambiguous:
                return False
            repeats += 1
            groups[-1].work *= REPEAT_WORK
            groups[-1].is_ambiguous = True
        elif piece == "?" and before != "(":
            optional += 1
            groups[-1].work *= 2
            groups[-1].is_ambiguous = True
        elif piece == "|":
            groups[-1].begin_choice()
        closed, before = ends, piece
    work = math.prod(each.work_of_all for each in groups)
    return repeats <= REPEATS_MAX and optional <= OPTIONAL_MAX and work <= WORK_MAX


class _Group:
    """What has been read of a group, the whole pattern being one."""

    def __init__(self) -> None:
        self.work = 1  # of the choice that is being read: its pieces multiply
        self.is_ambiguous = False  # there is something in it that fits in several ways
        self._choices_work = 0  # of those before it, which add up

    @property
    def work_of_all(self) -> int:
        return self._choices_work + self.work

    def begin_choice(self) -> None:
        self._choices_work, self.work = self.work_of_all, 1
        self.is_ambiguous = True


def _any_of(selectors: Sequence[Selector]) -> Test:
    tests = [_test(each) for each in selectors]
    return lambda name: any(test(name) for test in tests)


def _test(selector: Selector) -> Test:
    match = selector.match
    match selector.kind:
        case "Prefix":
            return lambda name: name.startswith(match)
        case "Contains":
            return lambda name: match in name
        case "Exact":
            return lambda name: name == match
        case "Regex" if (pattern := compiled(match)) is not None:
            return lambda name: pattern.search(name) is not None
        case _:
            return _never


def _always(_: str) -> bool:
    return True


def _never(_: str) -> bool:
    return False


def _is_basic(name: str) -> bool:
    return name in _NAMES or name.startswith(_BEGINNINGS) or any(part in name for part in _PARTS)


def _is_own(cluster: str) -> bool:
    return cluster in _OWN_CLUSTERS or cluster.startswith(_OWN_CLUSTERS_BEGIN)
