from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.admission.cgroup import unit_of


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/system.slice/backend.service", "backend.service"),
        ("/system.slice/kuma-dp@backend-1.service", "kuma-dp@backend-1.service"),
        ("/system.slice/system-kuma.slice/kuma-dp@1.service", "kuma-dp@1.service"),
        ("/payments.slice/payments-eu.slice/backend.service", "backend.service"),
        ("/system.slice/backend.service/worker/1", "backend.service"),
        ("/system.slice/docker-0a1b2c.scope", "docker-0a1b2c.scope"),
        ("/machine.slice/machine-web.scope/payload", "machine-web.scope"),
        ("/system.slice/dev-disk\\x2dcache.swap", "dev-disk\\x2dcache.swap"),
        ("/system.slice/kuma-dp@backend\\x2d1.service", "kuma-dp@backend\\x2d1.service"),
        ("/init.scope", "init.scope"),
        ("/backend.service", "backend.service"),
        # systemd puts "_" before names that the kernel might use itself
        ("/system.slice/_cpu.service", "cpu.service"),
        ("/system.slice/with:colon.service", "with:colon.service"),
    ],
)
def test_the_first_unit_below_the_slices_is_the_unit(path: str, unit: str) -> None:
    assert unit_of(f"0::{path}\n") == unit


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/system.slice",
        "/kubepods/burstable/pod1/abc",
        "/process_api/35c5c70b",
        "/system.slice/..",
        "/../system.slice/backend.service",
        "/../../backend.service",
        "/system.slice/backend.service (deleted)",
        "/system.slice/.service",
        "/system.slice/plain",
        "//backend.service",
    ],
)
def test_a_process_below_no_unit_has_none(path: str) -> None:
    assert unit_of(f"0::{path}\n") is None


@pytest.mark.parametrize(
    "path",
    [
        "/user.slice/user-1000.slice/session-3.scope",
        "/user.slice/user-1000.slice/user@1000.service/app.slice/backend.service",
        "/user.slice/user-1000.slice/user@1000.service/backend.service",
        "/user.slice/backend.service",
    ],
)
def test_nothing_a_person_starts_passes_for_a_unit_of_the_system(path: str) -> None:
    assert unit_of(f"0::{path}\n") is None


def test_what_a_delegated_unit_makes_below_itself_does_not_rename_it() -> None:
    path = "/system.slice/ci.service/system.slice/backend.service"

    assert unit_of(f"0::{path}\n") == "ci.service"


def test_on_the_mixed_layout_the_hierarchy_of_systemd_answers() -> None:
    text = "12:cpu,cpuacct:/other\n1:name=systemd:/system.slice/backend.service\n0::/\n"

    assert unit_of(text) == "backend.service"


def test_cgroup_v2_comes_before_the_old_hierarchy() -> None:
    text = "1:name=systemd:/system.slice/old.service\n0::/system.slice/new.service\n"

    assert unit_of(text) == "new.service"


def test_the_other_hierarchies_say_nothing_of_units() -> None:
    assert unit_of("4:memory:/system.slice/backend.service\n") is None
    assert unit_of("2:name=elogind:/system.slice/backend.service\n") is None


@pytest.mark.parametrize(
    "text", ["", "\n", "0:", "0::", "nonsense", "::", "0:x:/a.service", ":" * 9]
)
def test_text_that_is_no_cgroup_file_names_no_unit(text: str) -> None:
    assert unit_of(text) is None


@given(st.text(max_size=60))
def test_any_text_is_taken_without_an_error(text: str) -> None:
    unit = unit_of(text)

    assert unit is None or "/" not in unit
