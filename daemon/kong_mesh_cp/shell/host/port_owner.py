"""Which process listens on a TCP port, as far as this process may see."""

from __future__ import annotations

from pathlib import Path

from kong_mesh_cp.core.formats.printable import printable

_LISTEN_STATE = "0A"  # proc(5), /proc/net/tcp: TCP_LISTEN


def describe_port_owner(port: int, proc: Path = Path("/proc")) -> str:
    """`nginx (pid 812)`, or "" when it cannot be seen. Never raises OSError."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port, proc)}
    if not sockets:
        return ""
    for process in proc.iterdir():
        if process.name.isdecimal() and _holds(process, sockets):
            return f"{_name(process)} (pid {process.name})"
    return ""


def _listening_inodes(port: int, proc: Path) -> set[str]:
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            local, state, inode = fields[1], fields[3], fields[9]
            if state == _LISTEN_STATE and int(local.rpartition(":")[2], 16) == port:
                inodes.add(inode)
    return inodes


def _holds(process: Path, sockets: set[str]) -> bool:
    try:
        return any(str(link.readlink()) in sockets for link in (process / "fd").iterdir())
    except OSError:
        return False  # another user's process, or one that has just ended


def _name(process: Path) -> str:
    try:
        return printable((process / "comm").read_text(encoding="utf-8", errors="replace").strip())
    except OSError:
        return "a process"
