"""What is much to import has one module that imports it (import-linter sees whole packages only)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

DAEMON = Path(__file__).parents[2] / "daemon"
IMPORTERS = {
    "cryptography.x509": {
        "kong_mesh_cp/core/identity/ca.py",
        "kong_mesh_cp/core/meshes/ca_pairs.py",
        "kumactl/certificates.py",
    },
    "psycopg": {
        "kong_mesh_cp/compose/state.py",  # whether it is there
        "kong_mesh_cp/shell/store/postgres",
    },
    "watchfiles": {"kong_mesh_cp/shell/license_file/watch.py"},
    "httptools": {
        "kong_mesh_cp/shell/http/h1/parsing.py",
        "kuma_dp/http_exchange.py",
    },
    "google.protobuf": {
        "kong_mesh_cp/core/xds/envoy/as_json.py",
        "kong_mesh_cp/core/xds/envoy/envoy_messages.py",
        "kong_mesh_cp/core/xds/envoy/kafka.py",
        "kong_mesh_cp/core/xds/envoy/known_messages.py",
        "kong_mesh_cp/core/xds/envoy/native_resources.py",
        "kong_mesh_cp/shell/dp_server/discovery_messages.py",
    },
    "h2": {"kong_mesh_cp/shell/http/h2/machine.py", "kuma_dp/grpc_call.py"},
}


def imported(path: Path) -> set[str]:
    """The modules that `path` names in an import, and those it may take out of them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return found


def importers(library: str) -> set[str]:
    """The modules that import `library`; those of the adapter of PostgreSQL as their folder."""
    found = set()
    for path in DAEMON.rglob("*.py"):
        if any(f"{each}.".startswith(f"{library}.") for each in imported(path)):
            name = str(path.relative_to(DAEMON))
            adapter = "kong_mesh_cp/shell/store/postgres"
            found.add(adapter if name.startswith(f"{adapter}/") else name)
    return found


@pytest.mark.parametrize("library", sorted(IMPORTERS))
def test_a_heavy_library_has_its_importers_and_no_others(library: str) -> None:
    assert importers(library) == IMPORTERS[library]
