from __future__ import annotations

import json

from kong_mesh_cp.shell.rest_api.problem import InvalidParameter, kuma_error


def test_an_error_carries_its_legacy_mirror() -> None:
    error = kuma_error(
        400,
        "Could not process a resource",
        "Resource is not valid",
        invalid_parameters=[InvalidParameter("name", "cannot be empty")],
    )

    assert error.decode() == (
        "{\n"
        ' "type": "/std-errors",\n'
        ' "status": 400,\n'
        ' "title": "Could not process a resource",\n'
        ' "detail": "Resource is not valid",\n'
        ' "invalid_parameters": [\n'
        "  {\n"
        '   "field": "name",\n'
        '   "reason": "cannot be empty"\n'
        "  }\n"
        " ],\n"
        ' "details": "Resource is not valid",\n'
        ' "causes": [\n'
        "  {\n"
        '   "field": "name",\n'
        '   "message": "cannot be empty"\n'
        "  }\n"
        " ]\n"
        "}\n"
    )


def test_empty_lists_of_parameters_are_left_out() -> None:
    error = json.loads(kuma_error(404, "Could not retrieve a resource", "Not found"))

    assert list(error) == ["type", "status", "title", "detail", "details"]


def test_members_of_our_own_come_last() -> None:
    error = json.loads(kuma_error(409, "Conflict", "why", extras={"code": "license-expired"}))

    assert list(error)[-1] == "code"
