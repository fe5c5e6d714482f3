"""HTTPS as the settings of a test have it, and what it said."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kong_mesh_cp.compose.tls.https import Https
from kong_mesh_cp.settings.loading import load
from support.daemons.tls_peers import Pair

NOW = datetime.now(UTC)


def https(directory: Path, **environ: str) -> Https:
    environment = {"KUMA_GENERAL_WORK_DIR": str(directory), **environ}
    loaded = load(arguments={}, environ=environment, default_file=directory / "no-such.toml")
    return Https(loaded.settings, wall_clock=lambda: NOW)


def configured(folder: Path, made: Pair, section: str = "API_SERVER_HTTPS") -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    certificate, key = made.write(folder)
    return {
        f"KUMA_{section}_TLS_CERT_FILE": str(certificate),
        f"KUMA_{section}_TLS_KEY_FILE": str(key),
    }


def codes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message.split(":")[0] for record in caplog.records]
