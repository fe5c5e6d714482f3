"""The names and addresses under which this machine can be reached."""

from __future__ import annotations

import array
import fcntl
import ipaddress
import socket
import struct
from pathlib import Path

_SIOCGIFCONF = 0x8912  # netdevice(7)
_IFREQ = struct.Struct("16s2xH4s16x")  # struct ifreq: name, of sockaddr_in the port and address
_ADDRESSES_MAX = 1024
_IFCONF = struct.Struct("iP")
_IPV6_ADDRESSES = Path("/proc/net/if_inet6")


def names_of_this_machine() -> tuple[str, ...]:
    """Host name, localhost, and the address of every interface, each once."""
    host = socket.gethostname()
    names = [host] if host and host.isascii() else []
    return tuple(dict.fromkeys([*names, "localhost", *_ipv4_addresses(), *_ipv6_addresses()]))


def _ipv4_addresses() -> list[str]:
    room = array.array("b", bytes(_IFREQ.size * _ADDRESSES_MAX))
    address, _ = room.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        answer = fcntl.ioctl(asking, _SIOCGIFCONF, _IFCONF.pack(len(room), address))
    used, _ = _IFCONF.unpack(answer)
    entries = _IFREQ.iter_unpack(room.tobytes()[:used])
    return [socket.inet_ntoa(ip) for _, _, ip in entries]


def _ipv6_addresses() -> list[str]:
    try:
        lines = _IPV6_ADDRESSES.read_text("ascii").splitlines()
    except OSError:  # a kernel without IPv6
        return []
    return [str(ipaddress.IPv6Address(int(line.split()[0], 16))) for line in lines]
