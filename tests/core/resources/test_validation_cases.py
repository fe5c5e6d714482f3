"""The shared validation cases of the types whose spec stands inline."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.resources.kinds.catalogue import KINDS
from support.suites.validation_cases import ValidationCase, cases_of, violations_of

EXACT = ("Dataplane", "Mesh", "MeshGateway", "ZoneEgress", "ZoneIngress")
LEGACY = (
    "CircuitBreaker",
    "ExternalService",
    "FaultInjection",
    "HealthCheck",
    "MeshGatewayRoute",
    "ProxyTemplate",
    "RateLimit",
    "Retry",
    "Timeout",
    "TrafficLog",
    "TrafficPermission",
    "TrafficRoute",
    "TrafficTrace",
    "VirtualOutbound",
)

# id of a case that is not reached -> why
NOT_REACHED: dict[str, str] = {
    "ProxyTemplate/unknown-profile": "recorded where the profile of gateways was not loaded; a "
    "control plane that runs names it",
}


def _parameters() -> list[Any]:
    return [parameter for name in (*EXACT, *LEGACY) for parameter in cases_of(name)]


@pytest.mark.parametrize("case", _parameters())
def test_a_case_gives_exactly_its_violations(case: ValidationCase) -> None:
    kind = KINDS[case.id.partition("/")[0]]
    told = set(violations_of(kind, case.body))
    if case.id in NOT_REACHED:
        assert told != case.violations, "it is reached now; take it off the list"
    else:
        assert told == case.violations
