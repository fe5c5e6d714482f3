"""What a start imports: the admission socket answers before the rest, and rare things wait."""

from __future__ import annotations

import subprocess
import sys

BEFORE_ADMISSIONS = "kong_mesh_cp.cli kong_mesh_cp.compose.preparing kong_mesh_cp.compose.serving"
WHILE_IDLE = f"{BEFORE_ADMISSIONS} kong_mesh_cp.compose.resources kong_mesh_cp.compose.upkeep"

# Whatever is imported of these is imported with its first use.
HEAVY = {
    *("cryptography.x509", "cryptography.hazmat.primitives.serialization"),
    *("google.protobuf", "h2", "hpack", "psycopg", "yaml", "tomllib", "tomli_w", "watchfiles"),
}


def imported(modules: str) -> set[str]:
    """What a new process has imported after `modules`."""
    code = f"import sys, {', '.join(modules.split())}; print(*sys.modules)"
    environ = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def folder_of(modules: set[str], name: str) -> set[str]:
    return {each.removeprefix(f"{name}.") for each in modules if each.startswith(f"{name}.")}


def test_admissions_do_not_wait_for_resources() -> None:
    modules = imported(BEFORE_ADMISSIONS)
    for unneeded in (
        "core.policy",
        "usecases.resources",
        "usecases.inspection",
        "compose.resources",
    ):
        assert folder_of(modules, f"kong_mesh_cp.{unneeded}") == set(), unneeded
    assert not modules & HEAVY


def test_an_idle_control_plane_has_imported_only_the_kinds_that_it_looks_after() -> None:
    modules = imported(WHILE_IDLE)
    assert "kong_mesh_cp.core.schema.message_binary" not in modules
    assert folder_of(modules, "kong_mesh_cp.core.policy") == {
        "kinds",
        "kinds.kong",
        "kinds.kong.kong_catalogue",
        "kinds.policy_catalogue",
        "policy_kind",
        "rules",
        "rules.policy",
        "target_ref",
    }
    assert folder_of(modules, "kong_mesh_cp.core.resources.kinds") == {
        "access_role",
        "catalogue",
        "dataplane",
        "insights",
        "mesh",
        "mesh_rules",
        "secret",
        "services",
        "services.external_service",
        "subscriptions",
        "zone",
    }
    assert not modules & HEAVY
