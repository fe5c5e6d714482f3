"""Requests of OpenTelemetry, as the runtime of protobuf reads them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma_dp.metrics import otlp
from kuma_dp.metrics.exposition import ExpositionReader
from kuma_dp.metrics.otlp import requests
from support.specs.otlp_messages import read_request

NOW = 1_700_000_000_000_000_000


def families(text: str) -> dict[str, Any]:
    reader = ExpositionReader()
    reader.feed(text.encode())
    reader.end()
    return reader.families


def metrics(text: str) -> list[Any]:
    """The metrics in the one request that `text` becomes."""
    (message,) = requests(families(text).values(), "web", NOW)
    read = read_request(message)
    (resource,) = read.resource_metrics
    assert [(each.key, each.value.string_value) for each in resource.resource.attributes] == [
        ("service.name", "web")
    ]
    (scope,) = resource.scope_metrics
    assert scope.scope.name == "kuma"
    return list(scope.metrics)


def labels(point: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in point.attributes}


def test_a_counter_is_a_sum_that_only_grows() -> None:
    (metric,) = metrics('# HELP a It \\\\ counts.\n# TYPE a counter\na{x="\\"1\\""} 3 5\na 1.5\n')
    assert (metric.name, metric.description) == ("a", "It \\ counts.")
    assert metric.sum.is_monotonic
    assert metric.sum.aggregation_temporality == 2
    first, second = metric.sum.data_points
    assert (first.as_double, labels(first), first.time_unix_nano) == (3, {"x": '"1"'}, 5_000_000)
    assert (second.as_double, labels(second), second.time_unix_nano) == (1.5, {}, NOW)


@pytest.mark.parametrize("kind", ["gauge", "untyped"])
def test_a_gauge_is_one_and_so_is_what_has_no_type(kind: str) -> None:
    (metric,) = metrics(f"# TYPE a {kind}\na NaN\na -Inf\n")
    one, other = metric.gauge.data_points
    assert math.isnan(one.as_double)
    assert other.as_double == -math.inf


def test_the_buckets_of_a_histogram_have_their_own_counts() -> None:
    (metric,) = metrics(
        "# TYPE h histogram\n"
        'h_bucket{x="1",le="5"} 3\nh_bucket{x="1",le="0.5"} 1\nh_bucket{x="1",le="+Inf"} 7\n'
        'h_sum{x="1"} 20.5\nh_count{x="1"} 7\n'
    )
    assert metric.histogram.aggregation_temporality == 2
    (point,) = metric.histogram.data_points
    assert labels(point) == {"x": "1"}
    assert list(point.explicit_bounds) == [0.5, 5]
    assert list(point.bucket_counts) == [1, 2, 4]
    assert (point.count, point.sum) == (7, 20.5)


def test_a_summary_has_quantiles() -> None:
    (metric,) = metrics('# TYPE s summary\ns{quantile="0.5"} 2\ns_sum 6\ns_count 3\n')
    (point,) = metric.summary.data_points
    assert [(each.quantile, each.value) for each in point.quantile_values] == [(0.5, 2)]
    assert (point.sum, point.count, labels(point)) == (6, 3, {})


def test_what_is_much_becomes_several_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "REQUEST_BYTES_MAX", 200)
    text = "".join(f"metric_{n} {n}\n" for n in range(50))
    names = []
    for message in requests(families(text).values(), "web", NOW):
        read = read_request(message)
        assert len(message) < 400
        names += [each.name for each in read.resource_metrics[0].scope_metrics[0].metrics]
    assert names == [f"metric_{n}" for n in range(50)]


def test_nothing_is_no_request() -> None:
    assert list(requests([], "web", NOW)) == []


PARTS = [
    *("# TYPE a histogram\n", "# TYPE a summary\n", "# TYPE a counter\n", "a 1\n", "a_sum NaN\n"),
    *(
        'a_bucket{le="1"} 5\n',
        'a_bucket{le="+Inf"} -3\n',
        'a_bucket{le="x"} 1e300\n',
        "a_count 1\n",
    ),
    *(
        'a_bucket{le="NaN"} +Inf\n',
        'a{quantile="q"} 1\n',
        'a{quantile="0.1"} 1 99999999999999999\n',
    ),
    *("a_sum 1 -5\n", "a_bucket 2\n"),
]


@given(st.lists(st.sampled_from(PARTS)))
def test_whatever_an_application_says_becomes_messages(parts: list[str]) -> None:
    for message in requests(families("".join(parts)).values(), "web", NOW):
        read = read_request(message)
        for metric in read.resource_metrics[0].scope_metrics[0].metrics:
            for point in metric.histogram.data_points:
                assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
                assert sum(point.bucket_counts) == point.count
