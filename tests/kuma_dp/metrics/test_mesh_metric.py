"""The document that says what a MeshMetric wants of kuma-dp."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma_dp.metrics.mesh_metric import (
    Application,
    MalformedDocumentError,
    MeshMetric,
    read_mesh_metric,
)
from kuma_dp.metrics.profiles import Selection, Selector


def document(**metrics: object) -> bytes:
    return json.dumps({"observability": {"metrics": metrics}}).encode()


def test_a_document_is_read() -> None:
    backends = [
        {"type": "Prometheus", "name": None},
        {"type": "OpenTelemetry", "name": "otel-4317", "openTelemetry": {"endpoint": "/x.sock"}},
    ]
    profiles = {
        "appendProfiles": [{"name": "None"}],
        "exclude": [{"type": "Prefix", "match": "a"}],
        "include": [{"type": "Regex", "match": "b"}],
    }
    found = read_mesh_metric(
        document(
            applications=[{"name": "app", "path": "/m", "port": 8080, "address": "10.0.0.1"}],
            backends=backends,
            sidecar={"profiles": profiles, "includeUnused": True},
            extraLabels={"kuma_io_zone": "east"},
        )
    )
    assert found == MeshMetric(
        applications=(Application(name="app", host="10.0.0.1", port=8080, path="/m"),),
        labels=(("kuma_io_zone", "east"),),
        selection=Selection(
            profiles=("None",),
            exclude=(Selector("Prefix", "a"),),
            include=(Selector("Regex", "b"),),
            include_unused=True,
        ),
        exporters=("otel-4317",),
    )


@pytest.mark.parametrize(
    "text", [b"{}", b"null", document(applications=None, backends=None, extraLabels=None)]
)
def test_what_is_not_there_is_empty(text: bytes) -> None:
    assert read_mesh_metric(text) == MeshMetric()


def test_an_application_without_a_path_has_the_usual_one() -> None:
    (application,) = read_mesh_metric(document(applications=[{"port": 1}])).applications
    assert (application.path, application.host, application.name) == ("/metrics", "", "")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b'{"observability": 1}',
        document(applications={}),
        document(applications=[1]),
        document(applications=[{"port": 0}]),
        document(applications=[{"port": 65536}]),
        document(applications=[{"port": "80"}]),
        document(applications=[{"port": 80, "path": 1}]),
        document(applications=[{"port": 80}] * 65),
        document(extraLabels={"a": 1}),
        document(extraLabels={str(n): "" for n in range(257)}),
        document(sidecar={"profiles": {"exclude": ["a"]}}),
    ],
)
def test_what_is_no_such_document_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedDocumentError):
        read_mesh_metric(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["observability", "metrics", "applications", "port", "sidecar", "profiles", "name"]
            ),
            inner,
            max_size=3,
        )
    ),
)


@given(JSON)
def test_any_json_is_read_or_refused(found: object) -> None:
    try:
        read = read_mesh_metric(json.dumps(found).encode())
    except MalformedDocumentError:
        return
    assert all(0 < each.port < 65536 for each in read.applications)
