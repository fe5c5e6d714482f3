"""Who may join as which proxy: rules over what the kernel says of the asking process.

Without rules any process that can open the socket may join under any name. With rules the answer is
no unless one of them says yes: the first rule whose selectors, mesh and name all match decides, and
its tags become the proxy's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from fnmatch import translate

from kong_mesh_cp.core.admission.decision import (
    RefusalCode,
    Refused,
    RuleReport,
    SelectorReport,
)
from kong_mesh_cp.core.admission.request import AdmissionRequest, Tags
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ConfigurationError

PLACEHOLDERS = ("instance", "unit", "user", "machine_id8")

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_WORD = re.compile(r"[a-z_]{1,12}[0-9]?")
_ESCAPED_BYTE = re.compile(r"\\x([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class InUnit:
    """The process belongs to this systemd unit."""

    name: str


@dataclass(frozen=True, slots=True)
class NoUnit:
    """The process belongs to no system unit: a login session, a user's own service, a container."""


@dataclass(frozen=True, slots=True)
class UnitUnseen:
    """The unit cannot be determined. That is not the same as none, and never matches a rule."""

    reason: str
    remedy: str


UnitSight = InUnit | NoUnit | UnitUnseen


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestedPeer:
    """A process at the other end of the socket, as the kernel and the host's databases know it."""

    pid: int
    uid: int
    gid: int
    gids: frozenset[int]  # the primary and the supplementary groups
    unit: UnitSight
    user: str | None = None  # None: no name, or it was not asked for
    groups: frozenset[str] = frozenset()

    @property
    def unit_name(self) -> str | None:
        return self.unit.name if isinstance(self.unit, InUnit) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One `[[admission.rules]]`: selectors of a process, and what it may join as.

    All given selectors must match. `unit` is a shell pattern (`kuma-dp@*.service`); `name` is a
    template over PLACEHOLDERS; no `mesh` or `name` means any. Raises: ConfigurationError.
    """

    unit: str | None = None
    user: str | None = None
    group: str | None = None
    uid: int | None = None
    gid: int | None = None
    mesh: str | None = None
    name: str | None = None
    tags: Tags = field(default_factory=dict)

    def __post_init__(self) -> None:
        selectors = (self.unit, self.user, self.group, self.uid, self.gid)
        if all(selector is None for selector in selectors):
            raise ConfigurationError(
                "an admission rule has no selector and would let every process in",
                code="admission-rule-open",
                hint="Give it at least one of unit, user, group, uid, gid.",
            )
        for placeholder in _PLACEHOLDER.findall(self.name or ""):
            if placeholder not in PLACEHOLDERS:
                known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
                # What is no word is not repeated: it may be anything.
                what = f"{{{placeholder}}}" if _WORD.fullmatch(placeholder) else "another one"
                raise ConfigurationError(
                    f"the name of an admission rule holds {what}, which is no placeholder",
                    code="admission-rule-name",
                    hint=f"Known are {known}.",
                )

    @property
    def needs_names(self) -> bool:
        """Whether the names of the peer's user and groups have to be looked up."""
        return self.user is not None or self.group is not None or "{user}" in (self.name or "")


@dataclass(frozen=True, slots=True)
class Identified:
    """The peer may join under the name it asked for, with these tags put on top of its own."""

    tags: Tags
    rule: int = field(default=0, compare=False)  # the one that let it in, from 1


class IdentityRules:
    """The rules in their order, ready to be asked."""

    def __init__(self, rules: Sequence[Rule], *, machine_id: str) -> None:
        self._rules = tuple(rules)
        self._units = tuple(re.compile(translate(rule.unit or "*")) for rule in rules)
        self._machine_id8 = machine_id[:8]
        self.needs_names = any(rule.needs_names for rule in rules)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def identify(self, request: AdmissionRequest, peer: AttestedPeer) -> Identified | Refused:
        """May `peer` join as what `request` names? The first rule that matches decides."""
        reports: list[RuleReport] = []
        for number, rule in enumerate(self._rules, start=1):
            selectors = self._selectors(number - 1, rule, request, peer)
            if all(selector.matched for selector in selectors):
                return _with_tags(number, rule, request)
            reports.append(RuleReport(number, selectors))
        return Refused(
            code=RefusalCode.IDENTITY,
            reason=(
                f"no admission rule lets this process (pid {peer.pid}, uid {peer.uid}) "
                f"join mesh {request.mesh} as {request.name}"
            ),
            hint=self._hint(peer),
            rules=tuple(reports),
        )

    def _selectors(
        self, index: int, rule: Rule, request: AdmissionRequest, peer: AttestedPeer
    ) -> tuple[SelectorReport, ...]:
        reports: list[SelectorReport] = []
        if rule.unit is not None:
            unit = peer.unit_name
            matched = unit is not None and self._units[index].fullmatch(unit) is not None
            reports.append(SelectorReport("unit", rule.unit, _unit_text(peer.unit), matched))
        if rule.user is not None:
            matched = peer.user == rule.user
            reports.append(SelectorReport("user", rule.user, peer.user or "unknown", matched))
        if rule.group is not None:
            found = ", ".join(sorted(peer.groups)) or "unknown"
            reports.append(SelectorReport("group", rule.group, found, rule.group in peer.groups))
        if rule.uid is not None:
            matched = peer.uid == rule.uid
            reports.append(SelectorReport("uid", str(rule.uid), str(peer.uid), matched))
        if rule.gid is not None:
            found = ", ".join(map(str, sorted(peer.gids)))
            reports.append(SelectorReport("gid", str(rule.gid), found, rule.gid in peer.gids))
        if rule.mesh is not None:
            matched = request.mesh == rule.mesh
            reports.append(SelectorReport("mesh", rule.mesh, request.mesh, matched))
        if rule.name is not None:
            wanted = self._rendered(rule.name, peer)
            matched = request.name == wanted
            shown = rule.name if wanted is None else wanted
            reports.append(SelectorReport("name", shown, request.name, matched))
        return tuple(reports)

    def _rendered(self, template: str, peer: AttestedPeer) -> str | None:
        """The one name that a template stands for here; None when a part of it has no value."""
        values = self._values(peer)
        parts = _PLACEHOLDER.findall(template)
        if not all(values.get(part) for part in parts):
            return None
        return _PLACEHOLDER.sub(lambda match: values[match[1]] or "", template)

    def _values(self, peer: AttestedPeer) -> Mapping[str, str | None]:
        stem = (peer.unit_name or "").rpartition(".")[0]
        instance = stem.partition("@")[2]
        return {
            "unit": _readable(stem),
            "instance": _readable(instance),
            "user": peer.user,
            "machine_id8": self._machine_id8,
        }

    def _hint(self, peer: AttestedPeer) -> str:
        if isinstance(peer.unit, UnitUnseen) and any(rule.unit for rule in self._rules):
            return peer.unit.remedy
        return (
            "Start the process so that one rule matches, or add a rule to [[admission.rules]] "
            "and restart kong-mesh-cp."
        )


def _with_tags(number: int, rule: Rule, request: AdmissionRequest) -> Identified | Refused:
    """The rule's tags are not up for discussion: asking for another value is refused."""
    conflicts = [
        SelectorReport(f'tags["{name}"]', value, tags[name], matched=False)
        for name, value in rule.tags.items()
        for tags in request.tag_sets
        if name in tags and tags[name] != value
    ]
    if not conflicts:
        return Identified(rule.tags, number)
    listed = ", ".join(f"{report.selector} is {report.wanted}" for report in conflicts)
    return Refused(
        code=RefusalCode.IDENTITY,
        reason=f"rule {number} fixes tags that the request sets otherwise: {listed}",
        hint="Leave these tags out of the request: the control plane adds them.",
        rules=(RuleReport(number, tuple(conflicts)),),
    )


def _unit_text(sight: UnitSight) -> str:
    match sight:
        case InUnit(name):
            return name
        case NoUnit():
            return "none"
        case UnitUnseen(reason, _):
            return f"unknown: {reason}"


def _readable(part: str) -> str:
    r"""A part of a unit's name as a person wrote it: systemd-escape(1) makes `-` into `\x2d`."""
    return _ESCAPED_BYTE.sub(lambda match: chr(int(match[1], 16)), part)
