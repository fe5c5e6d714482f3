"""What a person reads who starts the daemon by hand."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kong_mesh_cp import __version__
from kong_mesh_cp.compose.banner import banner
from kong_mesh_cp.core.license.bundled import BundledLicense
from support.licenses.licenses import TEST_VENDOR, at, issued

ADDRESSES = {
    "admission": "./var/run/admission.sock",
    "api": "http://127.0.0.1:5681",
    "diagnostics": "http://127.0.0.1:5680",
}


def test_the_bundled_license_is_shown_with_the_way_to_another() -> None:
    text = banner(BundledLicense(at("2026-11-21")), at("2026-11-21T10:00:00"), ADDRESSES)

    assert text.splitlines() == [
        f"kong-mesh-cp {__version__} · pre-bundled license: 5 data plane proxies, 29 days left (until 2026-12-21T00:00:00Z)",
        "  admission  ./var/run/admission.sock      api  http://127.0.0.1:5681      diagnostics  http://127.0.0.1:5680",
        "  an issued license: KMESH_LICENSE_PATH=/path/to/license.json scripts/run",
    ]


def test_an_issued_license_is_shown_with_its_customer() -> None:
    text = banner(issued(expires="2026-11-23"), at("2026-11-21T10:00:00"), ADDRESSES)

    assert text.splitlines()[0] == (
        f"kong-mesh-cp {__version__} · license of company_inc: 20 data plane proxies, 1 days left"
        " (until 2026-11-23T00:00:00Z)"
    )
    assert len(text.splitlines()) == 2


def test_a_license_of_a_test_key_says_so() -> None:
    text = banner(issued(TEST_VENDOR), at("2026-11-21"), ADDRESSES)

    assert " · TEST license of company_inc: " in text


def test_only_listeners_that_exist_are_named() -> None:
    text = banner(issued(), at("2026-11-21"), {"admission": "/run/a.sock"})

    assert text.splitlines()[1:] == ["  admission  /run/a.sock"]


SHOW = "from kong_mesh_cp.compose.banner import show; show('kong-mesh-cp · shown')"


def test_the_banner_is_utf_8_whatever_the_locale() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        env={"PYTHONPATH": ":".join(sys.path), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == "kong-mesh-cp · shown\n"


@pytest.mark.parametrize("stdout", [">/dev/full", ">&-", "| true"])
def test_a_stdout_that_takes_nothing_is_no_reason_to_stop(stdout: str) -> None:
    done = subprocess.run(
        [
            "bash",
            "-c",
            f'"$@" {stdout}; exit ${{PIPESTATUS[0]}}',
            "bash",
            sys.executable,
            "-c",
            SHOW,
        ],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
