"""What is generated for a proxy is what a control plane of Kuma 2.10 sent to one like it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from support.suites.recorded_proxies import cases, differences

SUITES: Final = (
    "sidecar",
    "meshtimeout",
    "meshretry",
    "meshcircuitbreaker",
    "targets",
    "mtls",
    "permissions",
    "transparent",
    "meshhttproute",
    "meshtcproute",
    "meshpassthrough",
    "meshproxypatch",
    "meshloadbalancing",
    "meshhealthcheck",
    "meshratelimit",
    "meshfaultinjection",
    "meshtls",
    "meshaccesslog",
    "meshtrace",
    "meshmetric",
    "mesh-options",
    "older-policies",
    "zone-proxies",
    "meshexternalservices",
    "gateway",
)
NOT_REACHED: Final[Mapping[str, str]] = {
    "meshexternalservices/client-redirect": "names and addresses come from services' upkeep",
    "gateway/policy-health-check": "the check is there twice, which Envoy refuses",
}
"""Cases that differ, and why. What comes to be reached has to leave."""


@pytest.mark.parametrize("case", cases(*SUITES))
def test_a_proxy_is_told_what_the_original_tells_it(case: Path) -> None:
    reason = NOT_REACHED.get(f"{case.parent.name}/{case.name}")
    found = differences(case)
    if reason is None:
        assert found == []
    else:
        assert found, f"is reached, and listed as not reached: {reason}"
