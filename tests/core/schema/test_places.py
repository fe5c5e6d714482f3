"""Where a decoder stops, and what is due there: its own text does not say."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.policy.kinds.policy_catalogue import POLICY_KINDS


def _refused(type_name: str, default: dict[str, Any]) -> ParseError:
    target = {"kind": "Mesh"}
    spec = {"targetRef": target, "to": [{"targetRef": target, "default": default}]}
    with pytest.raises(ParseError) as refused:
        POLICY_KINDS[type_name].parse({"type": type_name, "mesh": "m", "name": "p", "spec": spec})
    return refused.value


@pytest.mark.parametrize(
    ("type_name", "default", "path", "advice"),
    [
        (
            "MeshRetry",
            {"http": {"numRetries": -1}},
            "spec.to[0].default.http.numRetries",
            "must be from 0 to 4294967295",
        ),
        (
            "MeshCircuitBreaker",
            {"outlierDetection": {"maxEjectionPercent": -5}},
            "spec.to[0].default.outlierDetection.maxEjectionPercent",
            "must be from 0 to 4294967295",
        ),
        (
            "MeshTimeout",
            {"idleTimeout": "never"},
            "spec.to[0].default.idleTimeout",
            "must be a duration",
        ),
        (
            "MeshHealthCheck",
            {"healthyPanicThreshold": 2**31},
            "spec.to[0].default.healthyPanicThreshold",
            "must be from -2147483648 to 2147483647",
        ),
    ],
)
def test_the_place_and_the_remedy_stand_beside_the_text_of_the_decoder(
    type_name: str, default: dict[str, Any], path: str, advice: str
) -> None:
    refused = _refused(type_name, default)

    assert refused.path.lstrip(".") == path
    assert refused.advice.startswith(advice)
    assert "\n" not in refused.reason
