"""What is served beside Envoy costs little memory until it is used."""

from __future__ import annotations

import subprocess
import sys

ROOMS = ("access_logs", "dns", "metrics", "probes")
HEAVY = {
    *("cryptography.x509", "google.protobuf", "h2", "hpack", "yaml", "sqlite3", "psycopg"),
    *("kong_mesh_cp.usecases", "kong_mesh_cp.core.policy", "kong_mesh_cp.core.resources"),
}


def test_what_is_rarely_used_is_not_imported_before() -> None:
    servings = ", ".join(f"kuma_dp.{room}.serving" for room in ROOMS)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {servings}; print(*sys.modules)"],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not HEAVY & set(done.stdout.split())
