"""Envoy's log: levels of its lines, and what a person is to mend."""

from __future__ import annotations

import logging

import pytest

from kuma_dp.envoy.log_lines import LogReader, finding

HEAD = "[2026-11-30 11:10:26.664][14711]"


@pytest.mark.parametrize(
    ("level", "known"),
    [
        ("trace", logging.DEBUG),
        ("debug", logging.DEBUG),
        ("info", logging.INFO),
        ("warning", logging.WARNING),
        ("error", logging.ERROR),
        ("critical", logging.CRITICAL),
    ],
)
def test_a_line_keeps_its_level_and_loses_time_and_place(level: str, known: int) -> None:
    read = LogReader().read(f"{HEAD}[{level}][config] [source/server/x.cc:132] loading 0 secrets")

    assert read == (known, "envoy: [config] loading 0 secrets")


def test_a_line_without_a_head_belongs_to_the_one_before() -> None:
    reader = LogReader()
    reader.read(f"{HEAD}[error][main] [source/x.cc:1] first")

    assert reader.read("  second") == (logging.ERROR, "envoy:   second")
    assert LogReader().read("begins so").level == logging.INFO


def test_what_would_forge_a_line_is_escaped() -> None:
    assert "\x1b" not in LogReader().read(f"{HEAD}[info][main] [a:1] \x1b[31m").text


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("cannot bind '127.0.0.1:9901': Address already in use", "port-taken"),
        ("cannot bind '10.9.9.9:80': Cannot assign requested address", "address-unusable"),
        (
            (
                "StreamAggregatedResources gRPC config stream to ads_cluster closed: 2, authentication"
                " failed: could not parse token: invalid"
            ),
            "dataplane-token-refused",
        ),
        (
            "DeltaAggregatedResources gRPC config stream to ads_cluster closed: 2, token is revoked",
            "dataplane-token-refused",
        ),
        (
            (
                "StreamAggregatedResources gRPC config stream to ads_cluster closed since 30s ago: 8,"
                " license-limit: all 5 seats are taken"
            ),
            "license-limit",
        ),
        (
            "StreamAggregatedResources gRPC config stream to ads_cluster closed: 2, zones say no",
            "stream-refused",
        ),
    ],
)
def test_a_line_that_somebody_has_to_act_upon_is_told_with_a_remedy(said: str, code: str) -> None:
    found = finding(f"{HEAD}[warning][config] [source/x.cc:1] {said}")

    assert found is not None
    assert found.code == code
    assert found.line.endswith(".")


@pytest.mark.parametrize(
    "said",
    [
        "StreamAggregatedResources gRPC config stream to ads_cluster closed: 14, no connection",
        "StreamAggregatedResources gRPC config stream to ads_cluster closed: 13, ",
        "StreamHealthCheck gRPC config stream closed: 2, token is revoked",
        "cds: added/updated 3 cluster(s)",
    ],
)
def test_a_line_about_what_mends_itself_is_left_alone(said: str) -> None:
    assert finding(f"{HEAD}[warning][config] [source/x.cc:1] {said}") is None
