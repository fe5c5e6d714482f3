"""Secrets on disk: nothing in the state directory but the key tells what they are."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, eventually, running

pytestmark = pytest.mark.system

ADMIN_TOKEN = "/global-secrets/admin-user-token"


def settled(daemon: Daemon) -> str:
    """The last secret a first start makes, in Base64."""
    eventually("the first token", lambda: daemon.api("GET", ADMIN_TOKEN).status == 200)
    data = daemon.api("GET", ADMIN_TOKEN).json["data"]
    assert isinstance(data, str)
    return data


def test_secrets_are_sealed_on_disk_and_outlive_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        data = settled(daemon)
        daemon.stop()
        daemon.start()
        assert settled(daemon) == data
        key = daemon.state / "secret-key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        token = base64.b64decode(data)
        pem = base64.b64encode(b"-----BEGIN")[:12]
        for file in daemon.state.iterdir():
            content = file.read_bytes()
            for secret in (data.encode(), token, pem, b"-----BEGIN RSA"):
                assert secret not in content or file.suffix in {".crt", ".key"}, file
        assert key.read_text().strip() not in daemon.stderr


def test_without_the_key_a_store_with_secrets_is_not_served(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        settled(daemon)
        daemon.stop()
        kept = (daemon.state / "secret-key").rename(tmp_path / "kept")
        assert daemon.launch().exit_status() == 78
        assert "secret-key-missing: " in daemon.stderr
        assert "Traceback" not in daemon.stderr
        assert not (daemon.state / "secret-key").exists()
        kept.rename(daemon.state / "secret-key")
        daemon.start()


def test_a_key_handed_over_as_a_credential_seals(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "secret-key").write_bytes(base64.b64encode(bytes(32)) + b"\n")
    handed_over = {"CREDENTIALS_DIRECTORY": str(credentials)}
    with running(tmp_path / "daemon", environment=handed_over) as daemon:
        settled(daemon)
        assert not (daemon.state / "secret-key").exists()


def test_a_store_in_memory_leaves_no_key_behind(tmp_path: Path) -> None:
    with running(tmp_path, environment={"KUMA_STORE_TYPE": "memory"}) as daemon:
        settled(daemon)
        assert not daemon.state.exists() or not (daemon.state / "secret-key").exists()
