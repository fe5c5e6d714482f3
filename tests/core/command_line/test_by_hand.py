"""Remedies where nobody has the service."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.command_line.by_hand import by_hand


@pytest.mark.parametrize(
    ("service", "terminal"),
    [
        ("and run: systemctl start kong-mesh-cp", "and run: kong-mesh-cp run"),
        ("run: systemctl restart kong-mesh-cp.", "run: kong-mesh-cp run, once it has ended."),
        ("run: systemctl reload kong-mesh-cp", "run: kong-mesh-cp reload"),
        ("first (systemctl stop kong-mesh-cp), or", "first (Ctrl-C where it runs, or kill), or"),
    ],
)
def test_a_command_for_the_service_is_one_for_a_terminal(service: str, terminal: str) -> None:
    assert by_hand(service) == terminal


@pytest.mark.parametrize(
    "text",
    [
        "systemctl stop kong-mesh-cp.service kong-mesh-cp-admission.socket",
        "look there: systemctl status kong-mesh-cp",
        "systemctl start postgresql",
    ],
)
def test_what_is_about_another_unit_stays(text: str) -> None:
    assert by_hand(text) == text
