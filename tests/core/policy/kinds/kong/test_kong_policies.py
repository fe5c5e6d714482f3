"""MeshOPA and MeshGlobalRateLimit: judged and stored, without an effect."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.policy.kinds.kong import mesh_global_rate_limit, mesh_opa
from kong_mesh_cp.core.resources.kind import InvalidResourceError, Kind
from support.specs.policy_specs import told, warned

OPA, LIMIT = mesh_opa.KIND, mesh_global_rate_limit.KIND

ONE_SOURCE = "must have exactly one of inline, inlineString, secret"
SERVICE = "backend: {rateLimitService: {url: 'http://limits:8081'}}"


@pytest.mark.parametrize(
    ("spec", "faults"),
    [
        ("{}", {("spec.default", "must be defined")}),
        ("{default: {}}", set()),
        ("{default: {agentConfig: {secret: opa}}}", set()),
        ("{default: {agentConfig: {}}}", {("spec.default.agentConfig", ONE_SOURCE)}),
        (
            "{default: {appendPolicies: [{rego: {inline: YQ==, secret: a}}, {rego: {secret: b}}]}}",
            {("spec.default.appendPolicies[0].rego", ONE_SOURCE)},
        ),
        (
            "{targetRef: {kind: MeshHTTPRoute, name: r}, default: {}}",
            {("spec.targetRef.kind", "value is not supported")},
        ),
    ],
)
def test_a_policy_of_the_agent_is_judged(spec: str, faults: set[tuple[str, str]]) -> None:
    assert told(OPA, spec) == faults


@pytest.mark.parametrize(
    ("conf", "faults"),
    [
        (f"{{{SERVICE}, http: {{requestRate: {{num: 1, interval: 1s}}}}}}", set()),
        (
            "{backend: {rateLimitService: {}}, http: {}}",
            {("backend.rateLimitService.url", "must not be empty")},
        ),
        (
            f"{{{SERVICE}, http: {{requestRate: {{num: 0, interval: 0s}}}}}}",
            {
                ("http.requestRate.num", "must be greater than 0"),
                ("http.requestRate.interval", "must be greater than 0"),
            },
        ),
    ],
)
def test_a_shared_limit_is_judged(conf: str, faults: set[tuple[str, str]]) -> None:
    top = "targetRef: {kind: Mesh, proxyTypes: [Sidecar]}"
    spec = f"{{{top}, from: [{{targetRef: {{kind: Mesh}}, default: {conf}}}]}}"
    assert told(LIMIT, spec) == {(f"spec.from[0].default.{at}", text) for at, text in faults}


@pytest.mark.parametrize(
    ("kind", "default", "fault"),
    [
        (OPA, {"authConfig": {"onAgentFailure": "Maybe"}}, "authConfig.onAgentFailure"),
        (OPA, {"appendPolicies": [{}]}, "appendPolicies[0].rego"),
        (LIMIT, {"http": {}}, "backend"),
        (LIMIT, {"backend": {"rateLimitService": {}}}, "http"),
    ],
)
def test_the_shape_is_that_of_the_published_schema(
    kind: Kind[object], default: dict[str, object], fault: str
) -> None:
    entry = {"targetRef": {"kind": "Mesh"}, "default": default}
    spec = {"default": default} if kind is OPA else {"from": [entry]}
    with pytest.raises(InvalidResourceError) as refused:
        kind.parse({"type": kind.type, "name": "n", "spec": spec})
    at = "spec.default" if kind is OPA else "spec.from[0].default"
    assert [each.field for each in refused.value.violations] == [f"{at}.{fault}"]


def test_each_write_says_that_it_has_no_effect() -> None:
    assert warned(OPA, "{default: {}}") == [mesh_opa.NO_EFFECT]
    assert warned(LIMIT, "{}") == [mesh_global_rate_limit.NO_EFFECT]
