"""Which systemd unit a process belongs to, by the text of its /proc/PID/cgroup.

systemd places each unit in a control group of its own below slices:
`/system.slice/backend.service`. What a unit does below its own group (`Delegate=`) is its own
business and never changes the answer: the first unit after the slices wins.
"""

from __future__ import annotations

# systemd.unit(5): the types whose processes live in a control group named after the unit.
_UNIT_SUFFIXES = (".service", ".scope", ".socket", ".mount", ".swap")
_HIERARCHIES = ("0::", "name=systemd:")


def unit_of(cgroup: str) -> str | None:
    r"""The unit in the text of /proc/PID/cgroup; None when the process is in no system unit.

    Reads the line of cgroup v2 (`0::/…`) and, on hosts with the mixed layout where that line says
    nothing, the one of systemd's own v1 hierarchy (`1:name=systemd:/…`). Escapes inside of a
    unit's name (`\x2d`) stay as they are: they are part of the name.
    """
    paths = _paths(cgroup)
    for hierarchy in _HIERARCHIES:
        unit = _unit_in(paths.get(hierarchy, "/"))
        if unit is not None:
            return unit
    return None


def _paths(cgroup: str) -> dict[str, str]:
    """The path by hierarchy. A line is `id:controllers:path`; a path may hold colons."""
    paths: dict[str, str] = {}
    for line in cgroup.split("\n"):
        number, colon, rest = line.partition(":")
        controllers, second_colon, path = rest.partition(":")
        if not (colon and second_colon):
            continue
        if number == "0" and not controllers:
            paths["0::"] = path
        elif controllers == "name=systemd":
            paths["name=systemd:"] = path
    return paths


def _unit_in(path: str) -> str | None:
    components = path.removeprefix("/").split("/")
    # Below user.slice a person's own service manager makes the groups and picks the names: a
    # `backend.service` there is not the machine's backend.service.
    if components[0] == "user.slice":
        return None
    for component in components:
        name = _unescaped(component)
        if name.endswith(".slice"):
            continue
        # ".." stands for a group outside of our own cgroup namespace, "… (deleted)" for a group
        # that is gone: neither names a unit, and what follows them is not a unit's place.
        return name if name.endswith(_UNIT_SUFFIXES) and not name.startswith(".") else None
    return None


def _unescaped(component: str) -> str:
    # systemd puts one "_" before names that the kernel would take for files of its own.
    return component.removeprefix("_")
