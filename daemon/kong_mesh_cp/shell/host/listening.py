"""Opens the TCP port of a server, or says who has it."""

from __future__ import annotations

import errno
import ipaddress
import socket

from kong_mesh_cp.core.errors import ListenError
from kong_mesh_cp.core.formats.addresses import join_host_port
from kong_mesh_cp.shell.host.port_owner import describe_port_owner

BACKLOG = 4096  # a full queue costs the next client a second; the kernel cuts it to somaxconn

_ALL = "::"
_ALL_OF_IPV4 = "0.0.0.0"  # noqa: S104 — what it says


def open_tcp(interface: str, port: int, *, setting: str) -> socket.socket:
    """A listening socket on an IP address; port 0 takes any free one. The caller owns it.

    `::` is all addresses of both versions, and of IPv4 alone on a machine without IPv6.
    `setting` is what an operator changes to move the server, for the hint.
    Raises: ListenError (`port-taken`, `port-forbidden`, `address-unknown`).
    """
    if interface == _ALL and not socket.has_dualstack_ipv6():
        interface = _ALL_OF_IPV4
    version = ipaddress.ip_address(interface).version
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    listener = socket.socket(family)
    try:
        if interface == _ALL:  # whatever net.ipv6.bindv6only says
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # A restart must not wait for the old connections' TIME_WAIT.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind((interface, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _refusal(error, interface, port, setting) from error
    return listener


def address_of(listener: socket.socket, scheme: str = "http") -> str:
    """`http://127.0.0.1:5681`: where a person on this machine finds the listener.

    One that listens on all addresses says so behind it: `(0.0.0.0:5681: all addresses)`. Who else
    can reach it is what an operator looks for.
    """
    host, port = listener.getsockname()[:2]
    if not ipaddress.ip_address(host).is_unspecified:
        return f"{scheme}://{join_host_port(host, port)}"
    near = "::1" if listener.family == socket.AF_INET6 else "127.0.0.1"
    return f"{scheme}://{join_host_port(near, port)} ({join_host_port(host, port)}: all addresses)"


def _refusal(error: OSError, interface: str, port: int, setting: str) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        owner = describe_port_owner(port)
        by = f" by {owner}" if owner else ""
        return ListenError(
            f"port {port} on {interface} is taken{by}",
            code="port-taken",
            hint=f"Stop that process (ss -ltnp 'sport = {port}' shows it) or set {setting}.",
        )
    if error.errno == errno.EACCES:
        return ListenError(
            f"this user may not listen on port {port}",
            code="port-forbidden",
            hint=f"Set {setting} to a port above 1023.",
        )
    return ListenError(
        f"cannot listen on {interface} port {port}: {error.strerror}",
        code="address-unknown",
        hint="Choose an address of this machine (ip address shows them), or 0.0.0.0 for all.",
    )
