"""Prometheus' text format, read as it comes and written again. No I/O.

Read are the text format 0.0.4 and OpenMetrics 1.0; written is the former. Values and labels stay
the text that they were: whoever passes them on has no reason to round or to escape them anew.

Source: docs/wire/beside-envoy.md#metrics
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import field
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass

LINE_BYTES_MAX: Final = 64 * 1024
SAMPLES_MAX: Final = 200_000  # of one source; what comes behind them is left out
OPEN_METRICS: Final = "application/openmetrics-text"

_NAME: Final = r"[a-zA-Z_:][a-zA-Z0-9_:]*+"
_NAME_ONLY: Final = re.compile(_NAME)
_MOMENT: Final = re.compile(r"-?[0-9]+")
_MOMENT_MAX: Final = 1e12  # seconds
_LABEL: Final = re.compile(r'\s*+([a-zA-Z_][a-zA-Z0-9_]*+)\s*+=\s*+"((?:[^"\\]|\\.)*+)"\s*+(?:,|$)')
_META: Final = re.compile(rf"#\s++(TYPE|HELP)\s++({_NAME})(?:\s++(.*))?")
_LABELS_END: Final = re.compile(r'(?:[^"}]|"(?:[^"\\]|\\.)*+")*+\}')
_PARTS: Final = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
_KINDS: Final = frozenset({"counter", "gauge", "histogram", "summary", "untyped"})

Labels = tuple[tuple[str, str], ...]
"""Names and values, the values escaped as in the format."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value; `moment` is in milliseconds, or empty."""

    name: str
    labels: Labels
    value: str
    moment: str = ""

    @property
    def key(self) -> tuple[str, Labels]:
        """What Prometheus tells samples apart by."""
        return self.name, tuple(sorted(self.labels))


@dataclass(slots=True)
class Family:
    """Samples of one name, but for the parts of histograms and summaries."""

    name: str
    kind: str = "untyped"
    help: str = ""  # escaped as in the format
    samples: list[Sample] = field(default_factory=list)


class ExpositionReader:
    """Feed it bytes, then `end`; `families` are those that `keeps` takes, by name."""

    def __init__(
        self, content_type: str = "", keeps: Callable[[str], bool] = lambda _: True
    ) -> None:
        self.families: dict[str, Family] = {}
        self.malformed = 0  # lines that were passed over
        self._open = content_type.partition(";")[0].strip().lower() == OPEN_METRICS
        self._keeps = keeps
        self._kinds: dict[str, str] = {}
        self._helps: dict[str, str] = {}
        self._kept: dict[str, bool] = {}
        self._rest = b""
        self._samples = 0

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_BYTES_MAX:
            self._rest = b"\xff"  # it will be no line
        for line in lines:
            self._take(line)

    def end(self) -> None:
        self._take(self._rest)
        self._rest = b""

    def _take(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").strip()
        if not text:
            return
        if text[0] == "#":
            self._take_meta(text)
            return
        sample = _sample(text, open_metrics=self._open) if len(line) <= LINE_BYTES_MAX else None
        if sample is None or self._samples >= SAMPLES_MAX:
            self.malformed += 1
            return
        name, kind = self._family_of(sample.name)
        if not self._is_kept(name):
            return
        family = self.families.get(name)
        if family is None:
            family = self.families[name] = Family(name, kind, self._helps.get(name, ""))
        family.samples.append(sample)
        self._samples += 1

    def _take_meta(self, text: str) -> None:
        meta = _META.fullmatch(text)
        if meta is None:
            return  # a comment, an end, a unit
        what, name, said = meta.groups("")
        if len(self._kinds) + len(self._helps) > SAMPLES_MAX:
            return
        if what == "TYPE":
            self._kinds[name] = said.lower()
        else:
            self._helps[name] = said

    def _is_kept(self, name: str) -> bool:
        kept = self._kept.get(name)
        if kept is None:
            kept = self._kept[name] = self._keeps(name)
        return kept

    def _family_of(self, name: str) -> tuple[str, str]:
        """The family of a sample in the text format, and its kind."""
        kind = self._kinds.get(name)
        if kind in _KINDS and not (self._open and kind == "counter"):
            return name, kind
        for whole, parts in _PARTS.items():
            for part in parts:
                if name.endswith(part) and self._kinds.get(name.removesuffix(part)) == whole:
                    return name.removesuffix(part), whole
        if self._open:
            base = name.removesuffix("_total")
            if base != name and self._kinds.get(base) == "counter":
                self._helps.setdefault(name, self._helps.get(base, ""))
                return name, "counter"
            if kind == "stateset" or name.endswith(("_info", "_created")):
                return name, "gauge"
        return name, "untyped"


def _sample(text: str, *, open_metrics: bool) -> Sample | None:
    """A line with a value; None: it is none."""
    name = _NAME_ONLY.match(text)
    if name is None:
        return None
    rest = text[name.end() :].lstrip()
    labels: Labels | None = ()
    if rest.startswith("{"):
        end = _LABELS_END.match(rest, 1)
        if end is None:
            return None
        labels = _labels(rest[1 : end.end() - 1])
        rest = rest[end.end() :]
    elif rest == text[name.end() :]:
        return None  # nothing between the name and the value
    # Behind a value of OpenMetrics may stand an example.
    value, *more = rest.partition(" # ")[0].split() or [""]
    moment = more[0] if more else ""
    if labels is None or len(more) > 1 or not _is_number(value):
        return None
    if moment and not (_is_number(moment) if open_metrics else _MOMENT.fullmatch(moment)):
        return None
    if moment and open_metrics:
        moment = str(int(1000 * float(moment))) if abs(float(moment)) < _MOMENT_MAX else ""
    return Sample(name[0], labels, value, moment)


def _labels(text: str) -> Labels | None:
    found, at = list[tuple[str, str]](), 0
    text = text.rstrip()
    while at < len(text):
        label = _LABEL.match(text, at)
        if label is None:
            return None
        found.append((label[1], label[2]))
        at = label.end()
    return tuple(found)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and "_" not in text


def merged(sources: Iterable[dict[str, Family]]) -> dict[str, Family]:
    """The families of all sources. Of one name the first says what it is."""
    found: dict[str, Family] = {}
    for families in sources:
        for name, family in families.items():
            if name in found:
                found[name].samples += family.samples
            else:
                found[name] = family
    return found


def exposition_of(family: Family) -> str:
    """The lines of a family. Of samples with the same labels there is only the first: a scraper
    would refuse the whole answer.
    """
    lines, seen = list[str](), set[tuple[str, Labels]]()
    if family.help:
        lines.append(f"# HELP {family.name} {family.help}")
    lines.append(f"# TYPE {family.name} {family.kind}")
    for each in family.samples:
        key = each.key
        if key in seen:
            continue
        seen.add(key)
        labels = ",".join([f'{name}="{value}"' for name, value in each.labels])
        behind = f" {each.moment}" if each.moment else ""
        lines.append(f"{each.name}{f'{{{labels}}}' if labels else ''} {each.value}{behind}")
    lines.append("")
    return "\n".join(lines)
