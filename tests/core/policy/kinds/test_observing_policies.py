"""MeshAccessLog, MeshMetric, MeshTrace, MeshHealthCheck: where things are told."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.policy.kinds import (
    mesh_access_log,
    mesh_health_check,
    mesh_metric,
    mesh_trace,
)
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from support.specs.policy_specs import conf_told, rendered, told

LOG, METRIC = mesh_access_log.KIND, mesh_metric.KIND
TRACE, HEALTH = mesh_trace.KIND, mesh_health_check.KIND

Told = set[tuple[str, str]]


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        ("{type: File, file: {path: /tmp/a.log}}", set()),
        (
            "{type: File, file: {path: a.log}}",
            {("file.path", "file backend requires a valid path")},
        ),
        ("{type: Tcp, tcp: {address: 'logs:5000'}}", set()),
        (
            "{type: Tcp, tcp: {address: logs}}",
            {("tcp.address", "tcp backend requires valid address")},
        ),
        ("{type: OpenTelemetry}", {("openTelemetry", "must be defined")}),
        ("{type: OpenTelemetry, openTelemetry: {endpoint: x, body: {a: [1]}}}", set()),
        (
            "{type: File, file: {path: /a, format: {type: Plain, plain: ''}}}",
            {("file.format.plain", "must not be empty")},
        ),
        (
            "{type: File, file: {path: /a, format: {type: Json, json: [{key: 'a\"', value: b}]}}}",
            {("file.format.json[0]", "is not a valid JSON object")},
        ),
    ],
)
def test_backends_of_access_logs(backend: str, expected: Told) -> None:
    found = conf_told(LOG, f"{{backends: [{backend}]}}")

    assert {(field.removeprefix("backends[0]."), text) for field, text in found} == expected


def test_a_format_says_whether_it_omits_empty_values() -> None:
    spec = """
        to:
        - targetRef: {kind: Mesh}
          default: {backends: [{type: File, file: {path: /a, format: {type: Plain, plain: x}}}]}
    """

    assert rendered(LOG, spec) == {
        "to": [
            {
                "targetRef": {"kind": "Mesh"},
                "default": {
                    "backends": [
                        {
                            "type": "File",
                            "file": {
                                "format": {"type": "Plain", "plain": "x", "omitEmptyValues": False},
                                "path": "/a",
                            },
                        }
                    ]
                },
            }
        ]
    }


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ("{}", set()),
        ("{backends: [{type: Prometheus, prometheus: {}}]}", set()),
        (
            "{backends: [{type: Prometheus, prometheus: {port: 0}}]}",
            {("backends.backend[0].port", "port must be a valid (1-65535)")},
        ),
        (
            "{backends: [{type: OpenTelemetry}]}",
            {("backends.backend[0].openTelemetry", "must be defined")},
        ),
        ("{backends: [{type: OpenTelemetry, openTelemetry: {endpoint: 'otel:1'}}]}", set()),
        (
            "{backends: [{type: OpenTelemetry, openTelemetry: {endpoint: 'http://otel:1'}}]}",
            {("backends.backend[0].openTelemetry.endpoint", "must not use schema")},
        ),
        ("{sidecar: {profiles: {include: [{type: Contains, match: '('}]}}}", set()),
        (
            "{sidecar: {profiles: {include: [{type: Regex, match: '('}]}}}",
            {("sidecar.profiles.include[0].match", "invalid regex")},
        ),
    ],
)
def test_metrics(conf: str, expected: Told) -> None:
    found = told(METRIC, f"{{default: {conf}}}")

    assert {(field.removeprefix("spec.default."), text) for field, text in found} == expected


def selectors(side: str, type_: str, pattern: str, count: int) -> str:
    return f"{side}: [{', '.join([f'{{type: {type_}, match: {pattern}}}'] * count)}]"


def test_metrics_are_selected_by_a_bounded_number_of_expressions() -> None:
    some = selectors("include", "Regex", "a", 40)
    others = selectors("exclude", "Regex", "b", 24)
    prefixes = selectors("exclude", "Prefix", "b", 100)
    more = selectors("exclude", "Regex", "'('", 25)

    def of(*sides: str) -> Told:
        return told(METRIC, f"{{default: {{sidecar: {{profiles: {{{', '.join(sides)}}}}}}}}}")

    assert of(some, others) == set()
    assert of(some, prefixes) == set()
    assert of(some, more) == {
        (
            "spec.default.sidecar.profiles",
            "must not have more than 64 regular expressions in all",
        )
    }


def test_metrics_are_selected_by_expressions_of_a_bounded_length() -> None:
    long = f"{{default: {{sidecar: {{profiles: {{{selectors('include', 'Regex', 'a' * 1025, 1)}}}}}}}}}"
    assert told(METRIC, long) == {
        (
            "spec.default.sidecar.profiles.include[0].match",
            "must not have more than 1024 bytes",
        )
    }


def test_metrics_without_settings_have_the_ports_and_paths_of_the_schema() -> None:
    spec = "{default: {applications: [{port: 80}], backends: [{type: Prometheus, prometheus: {}}]}}"

    assert rendered(METRIC, spec) == {
        "default": {
            "applications": [{"path": "/metrics", "port": 80}],
            "backends": [{"type": "Prometheus", "prometheus": {"port": 5670, "path": "/metrics"}}],
        }
    }
    assert rendered(METRIC, "{}") == {"default": {}}


URL = "backends[0].datadog.url"


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ("{backends: []}", set()),
        ("{}", {("backends", "must be defined")}),
        ("{backends: [{type: Zipkin, zipkin: {url: 'http://z:9411/api'}}]}", set()),
        (
            "{backends: [{type: Zipkin, zipkin: {url: ''}}]}",
            {("backends[0].zipkin.url", "must not be empty")},
        ),
        (
            "{backends: [{type: Zipkin, zipkin: {url: nowhere}}]}",
            {("backends[0].zipkin.url", "must be a valid url")},
        ),
        ("{backends: [{type: Datadog, datadog: {url: 'http://d:8126'}}]}", set()),
        (
            "{backends: [{type: Datadog, datadog: {url: 'http://d:65536'}}]}",
            {(URL, "port must be a valid (1-65535)")},
        ),
        (
            "{backends: [{type: Datadog, datadog: {url: 'https://u@d:1/p?q=1'}}]}",
            {
                (URL, "scheme must be http"),
                (URL, "user must not be defined"),
                (URL, "path must not be defined"),
                (URL, "query must not be defined"),
            },
        ),
        (
            "{backends: [], tags: [{name: '', literal: a}, {name: b, literal: c, header: {name: d}}]}",
            {
                ("tags[0].name", "must not be empty"),
                ("tags[1]", "tag must have only one type defined: header, literal"),
            },
        ),
        (
            "{backends: [], sampling: {overall: -1, random: '100.5', client: 100}}",
            {
                ("sampling.overall", "must be between 0 and 100"),
                ("sampling.random", "must be between 0 and 100"),
            },
        ),
    ],
)
def test_traces(conf: str, expected: Told) -> None:
    found = told(TRACE, f"{{default: {conf}}}")

    assert {(field.removeprefix("spec.default."), text) for field, text in found} == expected


NOT_ZERO = "must be greater than zero when defined"


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ("{tcp: {}}", set()),
        ("{}", {("", "must have at least one defined: http, tcp, grpc")}),
        ("{grpc: {}, interval: 0s, timeout: 0s}", {("interval", NOT_ZERO), ("timeout", NOT_ZERO)}),
        (
            "{grpc: {}, initialJitter: 0s, intervalJitter: 0s, noTrafficInterval: 0s}",
            {
                ("initialJitter", NOT_ZERO),
                ("intervalJitter", NOT_ZERO),
                ("noTrafficInterval", NOT_ZERO),
            },
        ),
        (
            "{grpc: {}, intervalJitterPercent: -1, healthyPanicThreshold: '101'}",
            {
                ("intervalJitterPercent", "must be in inclusive range [0, 100]"),
                ("healthyPanicThreshold", "must be in inclusive range [0.0, 100.0]"),
            },
        ),
        ("{http: {path: ''}}", {("http.path", "must be defined")}),
    ],
)
def test_health_checks(conf: str, expected: Told) -> None:
    assert conf_told(HEALTH, conf) == expected


@pytest.mark.parametrize("attribute", ["{}", "{key: a}", "{value: b}", "{other: c}"])
def test_an_attribute_of_a_log_record_has_a_key_and_a_value(attribute: str) -> None:
    backend = (
        f"{{type: OpenTelemetry, openTelemetry: {{endpoint: 'a:1', attributes: [{attribute}]}}}}"
    )
    entry = f"{{targetRef: {{kind: Mesh}}, default: {{backends: [{backend}]}}}}"
    with pytest.raises(InvalidResourceError) as refused:
        rendered(mesh_access_log.KIND, f"{{to: [{entry}]}}")

    at = "spec.to[0].default.backends[0].openTelemetry.attributes[0]"
    missing = {"key", "value"} - {attribute[1:].partition(":")[0]}
    assert {(each.field, each.message) for each in refused.value.violations} == {
        (f"{at}.{name}", "in body is required") for name in missing
    }
