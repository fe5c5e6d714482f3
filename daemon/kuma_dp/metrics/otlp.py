"""Families as a request of OpenTelemetry's protocol (OTLP 1), in its binary form. No I/O.

Written by hand: the runtime of protobuf would take a third of this process' memory, for a dozen
fields. Numbers are those of opentelemetry/proto/metrics/v1/metrics.proto.

Source: docs/wire/beside-envoy.md#opentelemetry
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable, Iterator
from typing import Final

from kong_mesh_cp.core.schema.wire_format import FIXED64, LENGTH, VARINT, tag, varint, with_length
from kuma_dp.metrics.exposition import Family, Labels, Sample

EXPORT: Final = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
REQUEST_BYTES_MAX: Final = 2 * 1024 * 1024  # a collector takes 4 MiB, if not told otherwise
SCOPE: Final = "kuma"
CUMULATIVE: Final = 2
UINT64_MAX: Final = 2**64 - 1

_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_DOUBLE: Final = struct.Struct("<d")
_FIXED64: Final = struct.Struct("<Q")


def requests(families: Iterable[Family], service: str, now: int) -> Iterator[bytes]:
    """`ExportMetricsServiceRequest`s with all of `families`, each as large as a collector takes,
    unless one family is larger. `now`: nanoseconds since 1970, for samples without a moment.
    """
    metrics, size = list[bytes](), 0
    for family in families:
        metric = _bytes(2, _metric(family, now)) if family.samples else b""
        if metrics and size + len(metric) > REQUEST_BYTES_MAX:
            yield _request(metrics, service)
            metrics, size = [], 0
        if metric:
            metrics.append(metric)
            size += len(metric)
    if metrics:
        yield _request(metrics, service)


def _request(metrics: list[bytes], service: str) -> bytes:
    resource = _bytes(1, _bytes(1, _attribute("service.name", service)))
    scope = _bytes(2, _bytes(1, _text(1, SCOPE)) + b"".join(metrics))
    return _bytes(1, resource + scope)


def _metric(family: Family, now: int) -> bytes:
    head = _text(1, family.name) + _text(2, _plain(family.help))
    match family.kind:
        case "counter":
            points = _numbers(family.samples, now)
            return head + _bytes(7, points + _number(2, CUMULATIVE) + _number(3, 1))
        case "histogram":
            return head + _bytes(9, _histograms(family, now) + _number(2, CUMULATIVE))
        case "summary":
            return head + _bytes(11, _summaries(family, now))
        case _:
            return head + _bytes(5, _numbers(family.samples, now))


def _numbers(samples: Iterable[Sample], now: int) -> bytes:
    return b"".join(
        _bytes(
            1,
            _attributes(7, each.labels) + _moment(3, each, now) + _double(4, float(each.value)),
        )
        for each in samples
    )


def _histograms(family: Family, now: int) -> bytes:
    points = list[bytes]()
    for labels, parts in _grouped(family, "le").items():
        seen = sorted(
            (float(bound), _count(each.value)) for bound, each in parts.items() if _is_number(bound)
        )
        total = parts.get("_count")
        count = _count(total.value) if total else (seen[-1][1] if seen else 0)
        bounds = [bound for bound, _ in seen if not math.isinf(bound)]
        steps = [number for bound, number in seen if not math.isinf(bound)] + [count]
        # Each bucket of the text counts those below it, too; here each has its own.
        own = [max(after - before, 0) for before, after in zip([0, *steps], steps, strict=False)]
        first = next(iter(parts.values()))
        points.append(
            _bytes(
                1,
                _attributes(9, labels)
                + _moment(3, first, now)
                + _fixed(4, sum(own))
                + (_double(5, float(parts["_sum"].value)) if "_sum" in parts else b"")
                + _bytes(6, b"".join(map(_FIXED64.pack, own)))
                + _bytes(7, b"".join(map(_DOUBLE.pack, bounds))),
            )
        )
    return b"".join(points)


def _summaries(family: Family, now: int) -> bytes:
    points = list[bytes]()
    for labels, parts in _grouped(family, "quantile").items():
        quantiles = [
            _bytes(6, _double(1, float(name)) + _double(2, float(each.value)))
            for name, each in parts.items()
            if _is_number(name)
        ]
        first = next(iter(parts.values()))
        points.append(
            _bytes(
                1,
                _attributes(7, labels)
                + _moment(3, first, now)
                + _fixed(4, _count(parts["_count"].value) if "_count" in parts else 0)
                + _double(5, float(parts["_sum"].value) if "_sum" in parts else 0.0)
                + b"".join(quantiles),
            )
        )
    return b"".join(points)


def _grouped(family: Family, label: str) -> dict[Labels, dict[str, Sample]]:
    """By the labels but for `label`: samples by its value, and those without it by the end of
    their names. Of two alike the first counts.
    """
    found: dict[Labels, dict[str, Sample]] = {}
    for each in family.samples:
        labels = tuple(pair for pair in each.labels if pair[0] != label)
        own = dict(each.labels).get(label)
        key = each.name.removeprefix(family.name) if own is None else own
        found.setdefault(labels, {}).setdefault(key, each)
    return found


def _is_number(text: str) -> bool:
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False


def _count(text: str) -> int:
    value = float(text)
    return min(max(int(value), 0), UINT64_MAX) if math.isfinite(value) else 0


def _plain(escaped: str) -> str:
    return _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], escaped)


def _attributes(number: int, labels: Labels) -> bytes:
    return b"".join(_bytes(number, _attribute(name, _plain(value))) for name, value in labels)


def _attribute(name: str, value: str) -> bytes:
    return _text(1, name) + _bytes(2, _bytes(1, value.encode("utf-8", "replace")))


def _moment(number: int, sample: Sample, now: int) -> bytes:
    given = int(sample.moment) * 1_000_000 if len(sample.moment) in range(1, 14) else now
    return _fixed(number, max(given, 0))


def _text(number: int, text: str) -> bytes:
    return _bytes(number, text.encode("utf-8", "replace")) if text else b""


def _bytes(number: int, payload: bytes) -> bytes:
    return tag(number, LENGTH) + with_length(payload)


def _number(number: int, value: int) -> bytes:
    return tag(number, VARINT) + varint(value)


def _fixed(number: int, value: int) -> bytes:
    return tag(number, FIXED64) + _FIXED64.pack(min(value, UINT64_MAX))


def _double(number: int, value: float) -> bytes:
    return tag(number, FIXED64) + _DOUBLE.pack(value)
