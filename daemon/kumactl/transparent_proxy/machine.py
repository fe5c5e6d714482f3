"""What a transparent proxy has to know of this machine and its network namespace. Only asks."""

from __future__ import annotations

import fcntl
import pwd
import socket
import struct
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from kumactl.errors import KumactlError, UsageError
from kumactl.transparent_proxy.values import is_ipv6

DEFAULT_UID: Final = "5678"
DEFAULT_USER: Final = "kuma-dp"
FILE_BYTES_MAX: Final = 1024 * 1024
_IPV6_ADDRESSES: Final = Path("/proc/net/if_inet6")
_IPV6_LOOPBACK: Final = "0" * 31 + "1"
_GET_FLAGS: Final = 0x8913  # SIOCGIFFLAGS of linux/sockios.h
_LOOPBACK_FLAG: Final = 0x8  # IFF_LOOPBACK of linux/if.h


def user_id(name: str) -> str:
    """The id of the user `name` (a name or an id; "" for the usual ones). Raises: UsageError."""
    for each in (name,) if name else (DEFAULT_UID, DEFAULT_USER):
        if (found := _user_id(each)) is not None:
            return str(found)
    if name:
        raise UsageError(
            f"the specified UID or username ('{name}') does not refer to a valid user on the host"
        )
    raise UsageError(
        f"no UID or username provided, and user with the default UID ('{DEFAULT_UID}') or username"
        f" ('{DEFAULT_USER}') could not be found. Make one, such as: useradd --system"
        f" {DEFAULT_USER}; or name the one that runs kuma-dp with --kuma-dp-user"
    )


def _user_id(name: str) -> int | None:
    try:
        if name.isascii() and name.isdigit() and len(name) <= 10:
            return pwd.getpwuid(int(name)).pw_uid
        return pwd.getpwnam(name).pw_uid
    except (KeyError, OverflowError, ValueError):
        return None


def loopback_interface() -> str:
    """Its name, as a rule: lo. Raises: KumactlError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            request = struct.pack("16sh14x", name.encode(), 0)
            try:
                answer = fcntl.ioctl(asking, _GET_FLAGS, request)
            except OSError:
                continue  # it has gone in between
            if struct.unpack("16xh14x", answer)[0] & _LOOPBACK_FLAG:
                return name
    raise KumactlError("this network namespace has no loopback interface")


def has_ipv6() -> bool:
    """Whether an interface has an address of IPv6 that is not ::1."""
    try:
        lines = _IPV6_ADDRESSES.read_text("ascii").splitlines()
    except OSError:
        return False
    return any(line.split()[0] != _IPV6_LOOPBACK for line in lines if line.strip())


def dns_servers(resolv_conf: str) -> list[str]:
    """The addresses of its `nameserver` lines. Raises: UsageError."""
    try:
        with Path(resolv_conf).open("rb") as file:
            text = file.read(FILE_BYTES_MAX).decode(errors="replace")
    except OSError as error:
        raise UsageError(f"unable to read file {resolv_conf}: {error.strerror}") from None
    words = [line.split() for line in text.splitlines()]
    named = [each[1] for each in words if len(each) > 1 and each[0] == "nameserver"]
    return [address for each in named if (address := _address(each.partition("%")[0]))]


def _address(text: str) -> str:
    try:
        found = ip_address(text)
    except ValueError:
        return ""
    if found.version == 6 and found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(found)


def of_family(addresses: Iterable[str], *, ipv6: bool) -> tuple[str, ...]:
    """Those of `addresses` that are of IPv6, or of IPv4."""
    return tuple(each for each in addresses if is_ipv6(each) is ipv6)
