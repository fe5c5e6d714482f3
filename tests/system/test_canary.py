"""A license's key and signature planted in every source appear in nothing the daemon gives away."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, eventually, running
from support.licenses.licenses import LICENSE_KEY, keyring_json, license_document, signature_of

pytestmark = pytest.mark.system

# Everything from which the license could be put together again.
DOCUMENT = license_document(dataplanes=3)


def _secrets(document: bytes) -> list[bytes]:
    signature = signature_of(document)
    return [
        LICENSE_KEY.encode(),
        signature.encode(),
        LICENSE_KEY[:-4].encode(),
        signature[:32].encode(),
    ]


def _everything_shown(daemon: Daemon) -> Iterator[tuple[str, bytes]]:
    for path in ("/", "/license", "/license?view=full", "/config", "/nothing"):
        yield f"GET {path}", daemon.api("GET", path).body
    yield "reload", daemon.api("POST", "/license/reload").body
    yield "metrics", daemon.diagnostics("/metrics").body
    for path in ("/v1/license", "/v1/admissions", "/v1/ready"):
        yield path, daemon.local("GET", path).body
    yield "reload over the socket", daemon.local("POST", "/v1/license/reload").body
    with daemon.seat("backend-1") as seat:
        yield "first line", json.dumps(seat.first).encode()
        yield "seat", daemon.local("GET", "/v1/admissions").body
    yield "log", daemon.stderr.encode()
    yield "status", "\n".join(daemon.notifications).encode()
    yield "banner", daemon.stdout.read_bytes()
    yield "command line", Path(f"/proc/{daemon.pid}/cmdline").read_bytes()
    yield "environment of the process", Path(f"/proc/{daemon.pid}/environ").read_bytes()
    for file in daemon.state.iterdir():
        yield f"file {file.name}", file.read_bytes()


def _assert_hidden(place: str, shown: bytes, document: bytes = DOCUMENT) -> None:
    for secret in _secrets(document):
        assert secret not in shown, f"{place} shows a piece of the license"


@pytest.fixture
def keyring(tmp_path: Path) -> str:
    path = tmp_path / "keyring.json"
    path.write_bytes(keyring_json())
    return str(path)


def test_a_license_in_a_file_is_shown_nowhere(tmp_path: Path, keyring: str) -> None:
    path = tmp_path / "license.json"
    path.write_bytes(DOCUMENT)
    environment = {"KMESH_LICENSE_PATH": str(path), "KMESH_LOG_LEVEL": "debug"}
    with running(tmp_path / "d", "--license-keyring", keyring, environment=environment) as daemon:
        for place, shown in _everything_shown(daemon):
            _assert_hidden(place, shown)


def test_an_inline_license_is_shown_nowhere_not_even_in_the_processs_own_environment(
    tmp_path: Path, keyring: str
) -> None:
    environment = {"KMESH_LICENSE_INLINE": DOCUMENT.decode(), "KMESH_LOG_LEVEL": "debug"}
    with running(tmp_path / "d", "--license-keyring", keyring, environment=environment) as daemon:
        for place, shown in _everything_shown(daemon):
            _assert_hidden(place, shown)
        assert daemon.api("GET", "/config").json["license"] == {"inline": "*****", "path": None}


def test_a_license_in_the_configuration_file_is_shown_nowhere(tmp_path: Path, keyring: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"[license]\ninline = '''{DOCUMENT.decode()}'''\n")
    flags = ("--license-keyring", keyring, "--config-file", str(config))
    with running(tmp_path / "d", *flags, environment={"KMESH_LOG_LEVEL": "debug"}) as daemon:
        for place, shown in _everything_shown(daemon):
            _assert_hidden(place, shown)


BROKEN = {
    "cut": DOCUMENT[:-30],
    "changed": DOCUMENT.replace(b'"3"', b'"4"'),
    "curly quotes": DOCUMENT.decode().replace('"', "”").encode(),
    "upper-case signature": DOCUMENT.replace(
        signature_of(DOCUMENT).encode(), signature_of(DOCUMENT).upper().encode()
    ),
    "the key in a place for dates": re.sub(
        rb'"2032-11-09"', json.dumps(LICENSE_KEY).encode(), DOCUMENT
    ),
    "the signature as customer": DOCUMENT.replace(b"company_inc", signature_of(DOCUMENT).encode()),
}


@pytest.mark.parametrize("variable", ["KMESH_LICENSE_INLINE", "KMESH_LICENSE_PATH"])
@pytest.mark.parametrize("document", BROKEN.values(), ids=BROKEN.keys())
def test_a_refusal_shows_nothing_of_a_broken_license(
    tmp_path: Path, keyring: str, document: bytes, variable: str
) -> None:
    environment = {variable: document.decode(), "KMESH_LOG_LEVEL": "debug"}
    daemon = Daemon(tmp_path / "d", "--license-keyring", keyring, environment=environment)
    with daemon.launch():
        assert daemon.exit_status() == 78
    for shown in (daemon.stderr.encode(), "\n".join(daemon.notifications).encode()):
        _assert_hidden("the refusal", shown)
        _assert_hidden("the refusal", shown.lower())


def test_a_license_that_breaks_while_running_is_shown_nowhere(tmp_path: Path, keyring: str) -> None:
    path = tmp_path / "license.json"
    path.write_bytes(DOCUMENT)
    environment = {"KMESH_LICENSE_PATH": str(path), "KMESH_LOG_LEVEL": "debug"}
    with running(tmp_path / "d", "--license-keyring", keyring, environment=environment) as daemon:
        for broken in BROKEN.values():
            path.write_bytes(broken)
            assert daemon.api("POST", "/license/reload").status == 409
            for place, shown in _everything_shown(daemon):
                _assert_hidden(place, shown)


@pytest.mark.parametrize("question", ["verify", "inspect", "explain", "simulate"])
def test_the_offline_questions_show_nothing_of_it_either(
    tmp_path: Path, keyring: str, question: str
) -> None:
    # Whatever a document names as its customer is shown by `inspect`: that is what it is for.
    broken = [document for name, document in BROKEN.items() if name != "the signature as customer"]
    for document in (DOCUMENT, *broken):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "kong_mesh_cp",
                "license",
                question,
                "-",
                "--license-keyring",
                keyring,
            ],
            input=document,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in done.stderr
        _assert_hidden(question, done.stdout + done.stderr)


def test_the_canary_would_be_found(tmp_path: Path, keyring: str) -> None:
    """What is searched for is really in what was planted."""
    assert all(secret in DOCUMENT for secret in _secrets(DOCUMENT))
    path = tmp_path / "license.json"
    path.write_bytes(DOCUMENT)
    environment = {"KMESH_LICENSE_PATH": str(path)}
    with running(tmp_path / "d", "--license-keyring", keyring, environment=environment) as daemon:
        eventually(
            "the planted license is in force",
            lambda: daemon.api("GET", "/license").json["allowedDataplaneProxies"] == 3,
        )
        shown = daemon.api("GET", "/license?view=full").body.decode()
        assert f'"{LICENSE_KEY[-4:]}"' in shown, "the last four characters are meant to be shown"
