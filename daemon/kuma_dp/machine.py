"""Facts of this machine that a control plane is told: memory, authorities, IPv6."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

# Where distributions have the authorities of their ca-certificates.
SYSTEM_CAS: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_MEMORY_MAX: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.limit_in_bytes")
_OWN_GROUP: Final = "/proc/self/cgroup"
_IPV6_ADDRESSES: Final = "/proc/net/if_inet6"
_LOOPBACK: Final = "0" * 31 + "1"


def system_ca_path(root: Path = Path("/")) -> str:
    """The file with the authorities of this machine, "" where none is known."""
    return next((path for path in SYSTEM_CAS if (root / path[1:]).is_file()), "")


def memory_bytes_max(root: Path = Path("/")) -> int:
    """The least that the control groups of this process allow; 0: no bound.

    A container sees its own as the outermost; a unit with MemoryMax= is in one further down.
    """
    bounds = (_bound(root / path[1:]) for path in (*_MEMORY_MAX, *_own_groups(root)))
    return min((bound for bound in bounds if bound), default=0)


def _own_groups(root: Path) -> Iterator[str]:
    """The files with the bounds of the groups that this process is in, below the outermost."""
    try:
        lines = (root / _OWN_GROUP[1:]).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    # cgroups(7): the one with the number 0 is that of version 2.
    for own in (line.removeprefix("0::") for line in lines if line.startswith("0::/")):
        for group in (PurePosixPath(own), *PurePosixPath(own).parents):
            if group.name:
                yield f"/sys/fs/cgroup{group}/memory.max"


def _bound(file: Path) -> int:
    try:
        text = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return 0
    return int(text) if text.isdecimal() else 0


def has_ipv6(root: Path = Path("/")) -> bool:
    """Whether the loopback interface has its address of IPv6."""
    try:
        addresses = (root / _IPV6_ADDRESSES[1:]).read_text(encoding="ascii")
    except OSError:
        return False
    return any(line.startswith(_LOOPBACK) for line in addresses.splitlines())
