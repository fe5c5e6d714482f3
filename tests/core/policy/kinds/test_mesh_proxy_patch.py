"""MeshProxyPatch: one modification at a time, and what each operation needs."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.policy.kinds import mesh_proxy_patch
from support.specs.policy_specs import rendered, told

PATCH = mesh_proxy_patch.KIND

Told = set[tuple[str, str]]


@pytest.mark.parametrize(
    ("modification", "expected"),
    [
        ("{cluster: {operation: Add, value: 'name: a'}}", set()),
        ("{cluster: {operation: Add}}", {("cluster.value", "must be defined")}),
        (
            "{cluster: {operation: Add, match: {}, value: 'name: a'}}",
            {("cluster.match", "must not be defined")},
        ),
        (
            "{listener: {operation: Remove, value: 'name: a'}}",
            {("listener.value", "must not be defined")},
        ),
        (
            "{listener: {operation: Patch}}",
            {("listener", "listener must have exactly one defined: value, jsonPatches")},
        ),
        (
            "{virtualHost: {operation: Patch, match: {}, value: '{'}}",
            {("virtualHost.value", "native Envoy resource is not valid: unexpected EOF")},
        ),
        (
            "{httpFilter: {operation: AddBefore, match: {name: a}, value: 'name: b'}}",
            set(),
        ),
        (
            (
                "{cluster: {operation: Patch, jsonPatches: [{op: remove, path: /}, "
                "{op: add, path: /a}, {op: remove, path: /a, value: 1}, {op: replace, path: /a, "
                "value: false}]}}"
            ),
            {
                ("cluster.jsonPatches[0].path", "root path cannot be removed"),
                (
                    "cluster.jsonPatches[1].value",
                    '"value" must not be empty when "op" is one of ["add", "replace"]',
                ),
                (
                    "cluster.jsonPatches[2].value",
                    '"value" is allowed only when "op" is one of ["add", "replace"]',
                ),
            },
        ),
    ],
)
def test_modifications(modification: str, expected: Told) -> None:
    found = told(PATCH, f"{{default: {{appendModifications: [{modification}]}}}}")

    prefix = "spec.default.appendModifications[0]."
    assert {(field.removeprefix(prefix), text) for field, text in found} == expected


def test_a_patch_patches_something() -> None:
    empty = {("spec.default.appendModifications", "must not be empty")}

    assert told(PATCH, "{default: {}}") == empty
    assert told(PATCH, "{default: {appendModifications: []}}") == empty


def test_values_of_patches_are_kept_as_they_are() -> None:
    spec = "{default: {appendModifications: [{cluster: {operation: Patch, jsonPatches: [{op: add, path: /a, value: {b: [1, null]}}]}}]}}"

    assert rendered(PATCH, spec) == {
        "default": {
            "appendModifications": [
                {
                    "cluster": {
                        "operation": "Patch",
                        "jsonPatches": [{"op": "add", "path": "/a", "value": {"b": [1, None]}}],
                    }
                }
            ]
        }
    }
