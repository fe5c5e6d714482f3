"""Facts of this machine that a control plane is told: memory, authorities, IPv6."""

from __future__ import annotations

from pathlib import Path
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
_IPV6_ADDRESSES: Final = "/proc/net/if_inet6"
_LOOPBACK: Final = "0" * 31 + "1"


def system_ca_path(root: Path = Path("/")) -> str:
    """The file with the authorities of this machine, "" where none is known."""
    return next((path for path in SYSTEM_CAS if (root / path[1:]).is_file()), "")


def memory_bytes_max(root: Path = Path("/")) -> int:
    """What the control group allows; 0: no bound."""
    for path in _MEMORY_MAX:
        try:
            text = (root / path[1:]).read_text(encoding="ascii").strip()
        except OSError:
            continue
        return int(text) if text.isdecimal() else 0
    return 0


def has_ipv6(root: Path = Path("/")) -> bool:
    """Whether the loopback interface has its address of IPv6."""
    try:
        addresses = (root / _IPV6_ADDRESSES[1:]).read_text(encoding="ascii")
    except OSError:
        return False
    return any(line.startswith(_LOOPBACK) for line in addresses.splitlines())
