"""What is so on a machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from kuma_dp import machine


def put(root: Path, path: str, text: str) -> None:
    file = root / path[1:]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(("text", "found"), [("max\n", 0), ("1073741824\n", 1073741824)])
def test_the_memory_is_what_the_control_group_allows(tmp_path: Path, text: str, found: int) -> None:
    assert machine.memory_bytes_max(tmp_path) == 0
    put(tmp_path, "/sys/fs/cgroup/memory.max", text)
    assert machine.memory_bytes_max(tmp_path) == found


def test_the_older_control_groups_count_where_there_are_no_others(tmp_path: Path) -> None:
    put(tmp_path, "/sys/fs/cgroup/memory.limit_in_bytes", "4096\n")
    assert machine.memory_bytes_max(tmp_path) == 4096


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        ({"kong.slice/kong-mesh-dp@web.service": "512"}, 512),
        ({"kong.slice": "256", "kong.slice/kong-mesh-dp@web.service": "512"}, 256),
        ({"kong.slice": "max", "kong.slice/kong-mesh-dp@web.service": "max"}, 0),
        ({"": "128", "kong.slice/kong-mesh-dp@web.service": "512"}, 128),
        ({"other.slice": "64"}, 0),
    ],
)
def test_the_memory_of_a_unit_is_what_it_and_its_slices_allow(
    tmp_path: Path, bounds: dict[str, str], found: int
) -> None:
    put(tmp_path, "/proc/self/cgroup", "1:name=x:/y\n0::/kong.slice/kong-mesh-dp@web.service\n")
    for group, bound in bounds.items():
        put(tmp_path, f"/sys/fs/cgroup/{group}/memory.max", f"{bound}\n")

    assert machine.memory_bytes_max(tmp_path) == found


def test_the_authorities_are_where_the_distribution_has_them(tmp_path: Path) -> None:
    assert machine.system_ca_path(tmp_path) == ""
    put(tmp_path, "/etc/pki/tls/certs/ca-bundle.crt", "")
    assert machine.system_ca_path(tmp_path) == "/etc/pki/tls/certs/ca-bundle.crt"


def test_ipv6_is_there_when_the_loopback_interface_has_its_address(tmp_path: Path) -> None:
    assert not machine.has_ipv6(tmp_path)
    put(tmp_path, "/proc/net/if_inet6", "fe800000000000000000000000000001 02 40 20 80 eth0\n")
    assert not machine.has_ipv6(tmp_path)
    put(tmp_path, "/proc/net/if_inet6", "00000000000000000000000000000001 01 80 10 80 lo\n")
    assert machine.has_ipv6(tmp_path)
