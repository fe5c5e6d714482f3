"""kong-mesh-dp, opened: kuma-dp with what it needs, its unit, and what an administrator begins with."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.packages.packages import (
    VERSION,
    Packages,
    bundled,
    copyrighted,
    deb_entries,
    deb_field,
    differing,
    libraries_of_c_modules,
    rpm_entries,
    unpack_deb,
    unpack_rpm,
)

pytestmark = pytest.mark.package

BUNDLE = "/usr/lib/kong-mesh-dp"
PAGES = "/usr/share/doc/kong-mesh-dp"
COMMON = {
    "/usr/bin/kuma-dp",
    f"{BUNDLE}/build-id",
    f"{BUNDLE}/kumactl",
    "/usr/lib/systemd/system/kong-mesh-dp@.service",
    "/usr/lib/systemd/system/kong-mesh-transparent-proxy.service",
    "/usr/lib/systemd/system/kong-mesh-zone-proxy@.service",
    "/usr/lib/sysusers.d/kong-mesh-dp.conf",
    f"{PAGES}/examples/backend.env",
    f"{PAGES}/examples/backend.yaml",
    f"{PAGES}/examples/egress.yaml",
    f"{PAGES}/examples/ingress.yaml",
    f"{PAGES}/examples/transparent-proxy.env",
    f"{PAGES}/examples/zone-proxy.env",
    "/usr/share/man/man8/kuma-dp.8.gz",
}
HEAVY = ("google", "envoy", "cryptography", "psycopg", "watchfiles")
# Imports every module of kuma-dp, and what they import late, with nothing else in reach than the
# bundle and the interpreter.
IMPORTS_ALL = r"""
import importlib, pathlib, re, sys
bundle = sys.argv[1]
sys.path[:0] = [bundle + "/app", bundle + "/vendor"]
root = pathlib.Path(bundle, "app")
names = [".".join(each.relative_to(root).with_suffix("").parts) for each in (root / "kuma_dp").rglob("*.py")]
for name in names:
    importlib.import_module(name.removesuffix(".__init__"))
import yaml
for source in (root / "kuma_dp").rglob("*.py"):
    for late in re.findall(r'lazy_import\("(.+?)"\)', source.read_text()):
        importlib.import_module(late)
print(len(names))
"""


@pytest.fixture(scope="module")
def opened(proxy_packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack_deb(proxy_packages.deb, tmp_path_factory.mktemp("deb"))


def test_they_lay_down_these_files_and_their_bundle_only(proxy_packages: Packages) -> None:
    def outside(paths: set[str]) -> set[str]:
        return {path for path in paths if not re.match(f"{BUNDLE}/(app|vendor)/", path)}

    deb = deb_entries(proxy_packages.deb)
    rpm = rpm_entries(proxy_packages.rpm)

    assert outside({path for path, entry in deb.items() if not entry.is_folder}) == COMMON | {
        f"{PAGES}/changelog.Debian.gz",
        f"{PAGES}/copyright",
        "/usr/share/lintian/overrides/kong-mesh-dp",
    }
    assert outside({path for path, entry in rpm.items() if not entry.is_folder}) == COMMON | {
        "/usr/share/licenses/kong-mesh-dp/LICENSE"
    }
    for entries in (deb, rpm):
        assert entries["/etc/kong-mesh/dp"].mode == "drwxr-x---"
        assert entries["/etc/kong-mesh/zone-proxy"].mode == "drwxr-x---"
        for path, entry in entries.items():
            assert entry.owner in {"root/root", "0/0"}, path
            if entry.is_file:
                assert entry.mode == ("-rwxr-xr-x" if path == "/usr/bin/kuma-dp" else "-rw-r--r--")


def test_both_packages_hold_the_same_bundle(
    opened: Path, proxy_packages: Packages, tmp_path: Path
) -> None:
    rpm = unpack_rpm(proxy_packages.rpm, tmp_path / "rpm")

    subprocess.run(["diff", "-r", f"{opened}{BUNDLE}", f"{rpm}{BUNDLE}"], check=True)


def test_all_of_kuma_dp_is_imported_from_its_bundle_which_has_nothing_heavy(opened: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-IS", "-c", IMPORTS_ALL, f"{opened}{BUNDLE}"],
        check=True, text=True, capture_output=True,
    )  # fmt: skip

    assert int(done.stdout) == len(list(Path("daemon/kuma_dp").rglob("*.py")))
    vendor = Path(f"{opened}{BUNDLE}/vendor")
    assert [name for name in HEAVY if (vendor / name).exists()] == []


def test_it_says_its_version(opened: Path) -> None:
    launcher = opened / "usr/bin/kuma-dp"
    launcher.write_text(launcher.read_text().replace(f'"{BUNDLE}"', f'"{opened}{BUNDLE}"'))
    done = subprocess.run(
        [sys.executable, "-IS", launcher, "version"], check=True, text=True, capture_output=True
    )

    assert VERSION in done.stdout


def test_what_the_c_modules_need_is_declared(opened: Path, proxy_packages: Packages) -> None:
    assert libraries_of_c_modules(opened) <= {"libc.so.6", "libpthread.so.0"}
    assert "libc6 (>= 2.28)" in deb_field(proxy_packages.deb, "Depends")
    assert deb_field(proxy_packages.deb, "Recommends") == "kong-mesh-envoy"


def test_the_copyright_names_what_is_bundled_and_nothing_else(opened: Path) -> None:
    assert copyrighted(opened, "kong-mesh-dp") == bundled(opened, "kong-mesh-dp")


def test_two_builds_in_different_folders_give_the_same_bytes(
    snapshot: Path, proxy_packages: Packages, tmp_path: Path
) -> None:
    assert differing(snapshot, proxy_packages, tmp_path) == []
