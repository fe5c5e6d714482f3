"""The versions of a proxy's parts, as it tells them."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.insights.proxy_versions import is_compatible, proxy_version
from kong_mesh_cp.core.resources.kinds.subscriptions import EnvoyVersion, KumaDpVersion


@pytest.mark.parametrize(
    ("version", "compatible"),
    [
        ("2.10.11", True),
        ("v2.10.0", True),
        ("2.8.0", True),
        ("2.12.99", True),
        ("2.7.9", False),
        ("2.13.0", False),
        ("1.10.0", False),
        ("3.10.0", False),
        ("2.10.0-rc1", False),  # as in the original: of before its release
        ("2.10.0+build.5", True),
        ("0.0.0-preview.v1a2b3c", True),
        ("unknown", True),
        ("", True),
        ("dev-2.1", True),
    ],
)
def test_a_proxy_is_compatible_within_two_minor_versions(version: str, compatible: bool) -> None:
    assert is_compatible(version) is compatible


def test_dependencies_are_told_in_two_places() -> None:
    version = {"kumaDp": {"version": "2.10.1"}, "dependencies": {"envoy-x": "1"}}
    dynamic = {"version.dependencies.coredns": "1.11.1", "version": "3", "team": "payments"}

    told = proxy_version(version, dynamic)

    assert dict(told.dependencies) == {"envoy-x": "1", "coredns": "1.11.1"}
    assert told.kuma_dp == KumaDpVersion(version="2.10.1", kuma_cp_compatible=True)
    assert told.envoy == EnvoyVersion()


def test_who_tells_nothing_is_not_said_to_be_compatible() -> None:
    assert proxy_version({}, {}).kuma_dp == KumaDpVersion()


@pytest.mark.parametrize("version", [{"kumaDp": 5}, {"kumaDp": {"version": {}}}, {"envoy": []}])
def test_what_cannot_be_read_is_not_told(version: dict[str, Any]) -> None:
    assert proxy_version(version, {}).kuma_dp == KumaDpVersion(kuma_cp_compatible=True)
