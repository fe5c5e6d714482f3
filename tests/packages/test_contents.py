"""The packages, opened: what is in them, for whom, and what is not."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from support.licenses.licenses import LICENSE_KEY, VENDOR, keyring_json
from support.packages.packages import (
    VERSION,
    Packages,
    bundled,
    copyrighted,
    deb_control_file,
    deb_entries,
    deb_field,
    differing,
    libraries_of_c_modules,
    rpm_entries,
    try_build,
    unpack_deb,
    unpack_rpm,
)

pytestmark = pytest.mark.package

BUNDLE = "/usr/lib/kong-mesh-cp"
PAGES = "/usr/share/doc/kong-mesh-cp"
DOCS = Path("docs")
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
MINORS = ("311", "312", "313", "314")
COMMON = {
    "/etc/kong-mesh",
    "/etc/kong-mesh/kong-mesh-cp.env",
    "/usr/bin/kong-mesh-cp",
    "/usr/bin/kumactl",
    f"{BUNDLE}/build-id",
    f"{BUNDLE}/restart-if-safe",
    "/usr/lib/systemd/system-preset/80-kong-mesh-cp.preset",
    "/usr/lib/systemd/system/kong-mesh-cp-admission.socket",
    "/usr/lib/systemd/system/kong-mesh-cp.service",
    "/usr/lib/sysusers.d/kong-mesh-cp.conf",
    "/usr/lib/tmpfiles.d/kong-mesh-cp.conf",
    "/usr/share/bash-completion/completions/kong-mesh-cp",
    "/usr/share/bash-completion/completions/kumactl",
    "/usr/share/fish/vendor_completions.d/kong-mesh-cp.fish",
    "/usr/share/fish/vendor_completions.d/kumactl.fish",
    "/usr/share/man/man1/kumactl.1.gz",
    "/usr/share/man/man5/kong-mesh-cp.toml.5.gz",
    "/usr/share/man/man8/kong-mesh-cp.8.gz",
}
DEBIAN = {
    "/usr/share/doc/kong-mesh-cp/changelog.Debian.gz",
    "/usr/share/doc/kong-mesh-cp/copyright",
    "/usr/share/lintian/overrides/kong-mesh-cp",
    "/usr/share/zsh/vendor-completions/_kong-mesh-cp",
    "/usr/share/zsh/vendor-completions/_kumactl",
}
# What a bundle brings along and must not.
UNWANTED = re.compile(
    r"__pycache__|\.pyc$|\.pyi$|\.[ch]$|/_tests/|kong_mesh_license|/RECORD$|direct_url|/yaml/_yaml\."
)


@pytest.fixture(scope="module")
def opened(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack_deb(packages.deb, tmp_path_factory.mktemp("deb"))


def test_the_packages_are_named_for_their_version(packages: Packages) -> None:
    assert packages.deb.is_file()
    assert packages.rpm.is_file()
    assert deb_field(packages.deb, "Version") == VERSION


def test_the_deb_lays_down_these_files_and_its_bundle_only(packages: Packages) -> None:
    entries = deb_entries(packages.deb)
    own = {path for path, entry in entries.items() if not entry.is_folder}
    outside = {path for path in own if not path.startswith((f"{BUNDLE}/app/", f"{BUNDLE}/vendor/"))}
    outside -= {path for path in outside if path.startswith(PAGES) and path.endswith(".md")}

    assert outside | {"/etc/kong-mesh"} == COMMON | DEBIAN


def test_the_rpm_lays_down_these_files_and_its_bundle_only(packages: Packages) -> None:
    outside = {
        path
        for path in rpm_entries(packages.rpm)
        if not path.startswith((f"{BUNDLE}/app", f"{BUNDLE}/vendor", PAGES))
    }

    licenses = "/usr/share/licenses/kong-mesh-cp"
    completion = {f"/usr/share/zsh/site-functions/_{name}" for name in ("kong-mesh-cp", "kumactl")}
    assert outside - {BUNDLE} == COMMON | completion | {licenses, f"{licenses}/LICENSE"}


def test_both_packages_hold_the_documentation(packages: Packages) -> None:
    pages = {f"{PAGES}/{path.relative_to(DOCS)}" for path in DOCS.rglob("*.md")}
    assert pages
    assert pages - deb_entries(packages.deb).keys() == set()
    assert pages - rpm_entries(packages.rpm).keys() == set()


def test_both_packages_hold_what_browsers_get(packages: Packages) -> None:
    folder = "kong_mesh_cp/shell/console/files"
    files = {f"{BUNDLE}/app/{folder}/{path.name}" for path in Path("daemon", folder).iterdir()}
    assert files
    assert files - deb_entries(packages.deb).keys() == set()
    assert files - rpm_entries(packages.rpm).keys() == set()


def test_no_page_leads_to_what_the_packages_do_not_hold() -> None:
    dead = [
        f"{page}: {link}"
        for page in DOCS.rglob("*.md")
        for link in LINK.findall(page.read_text())
        if "://" not in link and not (page.parent / link).resolve().is_relative_to(DOCS.resolve())
    ]
    assert dead == []


def test_what_the_packages_name_of_the_documentation_is_there(opened: Path) -> None:
    named = [
        name
        for file in (
            opened / "etc/kong-mesh/kong-mesh-cp.env",
            *opened.glob("usr/lib/systemd/**/*"),
        )
        if file.is_file()
        for name in re.findall(rf"{PAGES}/[a-z-]+\.md", file.read_text())
    ]
    assert named
    assert [name for name in named if not Path(f"{opened}{name}").is_file()] == []


def test_both_packages_hold_the_same_bundle(
    opened: Path, packages: Packages, tmp_path: Path
) -> None:
    rpm = unpack_rpm(packages.rpm, tmp_path / "rpm")

    subprocess.run(["diff", "-r", f"{opened}{BUNDLE}", f"{rpm}{BUNDLE}"], check=True)


def test_only_the_configuration_is_closed_to_others_and_nothing_is_writable(
    packages: Packages,
) -> None:
    for path, entry in deb_entries(packages.deb).items():
        assert entry.owner in {"root/root", "0/0"}, path
        expected = {
            "/etc/kong-mesh": "drwxr-x---",
            "/etc/kong-mesh/kong-mesh-cp.env": "-rw-r-----",
            "/usr/bin/kong-mesh-cp": "-rwxr-xr-x",
            "/usr/bin/kumactl": "l---------",
            f"{BUNDLE}/restart-if-safe": "-rwxr-xr-x",
        }.get(path, "-rw-r--r--" if entry.is_file else "drwxr-xr-x")
        assert entry.mode == expected, path


def test_the_rpm_hands_the_configuration_to_the_daemons_group(packages: Packages) -> None:
    entries = rpm_entries(packages.rpm)

    assert entries["/etc/kong-mesh"].owner == "root/kong-mesh-cp"
    assert entries["/etc/kong-mesh/kong-mesh-cp.env"].owner == "root/kong-mesh-cp"
    assert {entry.owner for path, entry in entries.items() if path.startswith("/usr")} == {
        "root/root"
    }


def test_the_environment_file_is_the_one_conffile_and_sets_nothing(
    opened: Path, packages: Packages
) -> None:
    assert deb_control_file(packages.deb, "conffiles").split() == [
        "/etc/kong-mesh/kong-mesh-cp.env"
    ]
    lines = (opened / "etc/kong-mesh/kong-mesh-cp.env").read_text().splitlines()
    # A shipped file that never changes never asks the administrator to merge it.
    assert [line for line in lines if not line.startswith("#")] == []


def test_the_rpm_keeps_a_changed_environment_file(packages: Packages) -> None:
    flags = subprocess.run(
        ["rpm", "-qp", "--qf", "[%{FILEFLAGS:fflags} %{FILENAMES}\n]", packages.rpm],
        check=True, text=True, capture_output=True,
    ).stdout.splitlines()  # fmt: skip

    assert [line for line in flags if line.startswith("c")] == [
        "cn /etc/kong-mesh/kong-mesh-cp.env"
    ]


def test_no_file_is_there_that_does_not_run(packages: Packages) -> None:
    unwanted = [path for path in deb_entries(packages.deb) if UNWANTED.search(path)]

    assert unwanted == []


def test_c_modules_are_there_for_every_interpreter(opened: Path) -> None:
    vendor = opened / f"{BUNDLE.lstrip('/')}/vendor"
    for minor in MINORS:
        assert list(vendor.glob(f"_cffi_backend.cpython-{minor}-*.so")), minor
        assert list(vendor.glob(f"httptools/parser/parser.cpython-{minor}-*.so")), minor
    assert {path.name for path in vendor.rglob("*.abi3.so")} == {
        "_message.abi3.so",
        "_rust.abi3.so",
        "_rust_notify.abi3.so",
    }


def test_what_the_c_modules_need_is_declared(opened: Path, packages: Packages) -> None:
    of_libc = {
        "libc.so.6",
        "libm.so.6",
        "libdl.so.2",
        "librt.so.1",
        "libpthread.so.0",
        "ld-linux-x86-64.so.2",
    }
    assert libraries_of_c_modules(opened) - of_libc == {"libgcc_s.so.1", "libstdc++.so.6"}
    assert "libstdc++6" in deb_field(packages.deb, "Depends")
    assert "libgcc-s1" in deb_field(packages.deb, "Depends")
    assert "libc6 (>= 2.28)" in deb_field(packages.deb, "Depends")
    requires = subprocess.run(
        ["rpm", "-qp", "--requires", packages.rpm], check=True, text=True, capture_output=True
    ).stdout
    assert "libgcc_s.so.1()(64bit)" in requires
    assert "libstdc++.so.6()(64bit)" in requires
    assert "libc.so.6(GLIBC_2.28)(64bit)" in requires


def test_the_packages_believe_the_keys_they_were_built_with(opened: Path) -> None:
    built_in = opened / f"{BUNDLE.lstrip('/')}/app/kong_mesh_cp/keyring.json"

    assert json.loads(built_in.read_text()) == json.loads(keyring_json())


def test_the_copyright_names_what_is_bundled_and_nothing_else(opened: Path) -> None:
    assert copyrighted(opened, "kong-mesh-cp") == bundled(opened, "kong-mesh-cp")


def test_no_secret_of_the_builder_gets_into_a_package(
    opened: Path, packages: Packages, tmp_path: Path
) -> None:
    rpm = unpack_rpm(packages.rpm, tmp_path / "rpm")
    secrets = (LICENSE_KEY.encode(), VENDOR.pem.splitlines()[1], str(Path.cwd()).encode())
    for path in (path for root in (opened, rpm) for path in root.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert not any(secret in content for secret in secrets), path


def test_two_builds_in_different_folders_give_the_same_bytes(
    snapshot: Path, packages: Packages, tmp_path: Path
) -> None:
    keyring = ("--keyring", "vendor-keys.json")

    assert differing(snapshot, packages, tmp_path, *keyring) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"{}", "is not a list"), (b"[{}]", "entry 1"), (b"[", "is not strict JSON")],
)
def test_a_keyring_that_the_daemon_would_refuse_is_not_packaged(
    snapshot: Path, tmp_path: Path, content: bytes, reason: str
) -> None:
    keyring = tmp_path / "keyring.json"
    keyring.write_bytes(content)

    refused = try_build(snapshot, tmp_path / "out", "--keyring", str(keyring))

    assert refused.returncode == 78
    assert refused.stderr.startswith("build-packages: keyring-invalid: ")
    assert reason in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "out").exists()


def test_an_unknown_argument_of_the_build_is_refused(snapshot: Path, tmp_path: Path) -> None:
    refused = try_build(snapshot, tmp_path / "out", "--keyrings", "x")

    assert refused.returncode == 64
    assert "--keyrings" in refused.stderr


def test_a_package_that_is_none_is_not_built(snapshot: Path, tmp_path: Path) -> None:
    refused = try_build(snapshot, tmp_path / "out", "--package", "kong-mesh")

    assert refused.returncode == 64
    assert "no package is called kong-mesh (" in refused.stderr
    assert not (tmp_path / "out").exists()
