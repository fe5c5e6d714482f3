"""The Prometheus text exposition format, version 0.0.4."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from kong_mesh_cp.core.dataclass import dataclass

METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# A quote needs no escape in a help text, but does in a label's value.
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})
_LABEL_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


@dataclass(frozen=True, slots=True)
class Sample:
    """One value. Labels are in the order in which they are printed."""

    value: float
    labels: tuple[tuple[str, str], ...] = ()
    suffix: str = ""  # of the family's name: the parts of a histogram have them


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """One metric with its samples."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str
    samples: tuple[Sample, ...]


def histogram(name: str, text: str, buckets: Mapping[float, int], *, total: float) -> MetricFamily:
    """`buckets`: how many were seen up to each bound and above the one before it, bounds ascending,
    the last of them infinite. `total`: of what was seen.
    """
    seen, samples = 0, list[Sample]()
    for bound, count in buckets.items():
        seen += count
        samples.append(Sample(seen, (("le", _number(bound)),), "_bucket"))
    samples += [Sample(total, suffix="_sum"), Sample(seen, suffix="_count")]
    return MetricFamily(name, "histogram", text, tuple(samples))


def metrics_text(families: Iterable[MetricFamily]) -> str:
    """The exposition: families by name, samples by labels, so that equal states read equal.

    Raises: ValueError if a family comes twice; a scraper would drop the whole answer.
    """
    # The format asks for the lines of a family to stand together; the order is for people.
    ordered = sorted(families, key=lambda family: family.name)
    names = [family.name for family in ordered]
    if len(set(names)) != len(names):
        raise ValueError(f"a metric family comes twice: {names}")
    return "".join(line + "\n" for family in ordered for line in _lines(family))


def _lines(family: MetricFamily) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help.translate(_HELP_ESCAPES)}"
    yield f"# TYPE {family.name} {family.kind}"
    samples = family.samples
    if family.kind != "histogram":  # whose buckets are read in the order of their bounds
        # A scraper takes them in any order.
        samples = tuple(sorted(samples, key=lambda sample: sample.labels))
    for sample in samples:
        yield f"{family.name}{sample.suffix}{_labels(sample.labels)} {_number(sample.value)}"


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{name}="{value.translate(_LABEL_ESCAPES)}"' for name, value in labels)
    return f"{{{pairs}}}"


def _number(value: float) -> str:
    # The format's own spellings, which are Go's.
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    # Whole numbers without a point, though both are read alike.
    return str(int(value)) if value == int(value) else repr(float(value))
