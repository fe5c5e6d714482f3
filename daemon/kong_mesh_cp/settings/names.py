"""Known names: our settings, those of Kuma that are unused here, and the nearest to a typo."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.settings.model import rows
from kong_mesh_cp.settings.options import Row

if TYPE_CHECKING:
    import difflib
    from importlib import resources
else:  # only an unexpected name needs them
    difflib = lazy_import("difflib")
    resources = lazy_import("importlib.resources")

VARIABLE_PREFIXES = ("KMESH_", "KUMA_")
LICENSE_VARIABLES = ("KMESH_LICENSE_PATH", "KMESH_LICENSE_INLINE")
GATEWAY_VARIABLES = ("KONG_LICENSE_PATH", "KONG_LICENSE_DATA")
# Of the data plane proxy's program, which a machine may run beside this one.
KUMA_DP_PREFIXES = (
    "KUMA_APPLICATION_PROBE_PROXY_",
    "KUMA_CONTROL_PLANE_",
    "KUMA_DATAPLANE_",
    "KUMA_DNS_CONFIG_",
    "KUMA_DNS_CORE_",
    "KUMA_DNS_ENABLE",
    "KUMA_DNS_ENVOY_",
    "KUMA_DNS_PROMETHEUS_",
    "KUMA_DP_USER",
    "KUMA_READINESS_PORT",
)
# Kong Mesh keeps these under a block of its own; a file may use either place.
OTHER_SPELLINGS: Mapping[str, str] = {
    "kmesh.license.inline": "license.inline",
    "kmesh.license.path": "license.path",
    "kmesh.access.static.generateCpToken.users": "access.static.generateCpToken.users",
    "kmesh.access.static.generateCpToken.groups": "access.static.generateCpToken.groups",
    "kmesh.access.rbac.logActions": "access.rbac.logActions",
    "kmesh.access.rbac.defaultAdminRoleGroups": "access.rbac.defaultAdminRoleGroups",
    "kmesh.access.rbac.defaultAdminRoleUsers": "access.rbac.defaultAdminRoleUsers",
    "kmesh.access.rbac.skipAdminRoleCreation": "access.rbac.skipAdminRoleCreation",
}
NAME_CHARACTERS_MAX = 200  # no name is longer, so nothing near it is worth looking for

NEAR_TO_OURS_MIN = 0.85  # difflib's ratio: 1 is the same name
NEAR_MIN = 0.7


@dataclass(frozen=True, slots=True)
class KumaNames:
    """The settings of Kuma and Kong Mesh, whether this version uses them or not."""

    paths: frozenset[str]
    trees: tuple[str, ...]  # `kmesh.opa.`: anything below is known
    variables: frozenset[str]

    def knows(self, path: str) -> bool:
        return path in self.paths or f"{path}.".startswith(self.trees)


@cache
def kuma_names() -> KumaNames:
    """Read when a name turns up that is no row: most starts never need it."""
    text = resources.files(__package__).joinpath("kuma_names.txt").read_text("utf-8")
    entries = [line.split() for line in text.splitlines() if not line.startswith("#")]
    return KumaNames(
        paths=frozenset(entry[0] for entry in entries if not entry[0].endswith(".*")),
        trees=tuple(entry[0].removesuffix("*") for entry in entries if entry[0].endswith(".*")),
        variables=frozenset(variable for entry in entries for variable in entry[1:]),
    )


@cache
def rows_by_path() -> Mapping[str, Row]:
    by_path = {row.path: row for row in rows()}
    return by_path | {other: by_path[path] for other, path in OTHER_SPELLINGS.items()}


@cache
def rows_by_variable() -> Mapping[str, Row]:
    return {row.option.environment: row for row in rows() if row.option.environment}


@cache
def sections() -> frozenset[str]:
    """Every path that holds other settings, ours and Kuma's."""
    leaves = {*rows_by_path(), *kuma_names().paths}
    leaves |= {tree.removesuffix(".") for tree in kuma_names().trees}
    return frozenset(
        ".".join(parts[:depth])
        for parts in (leaf.split(".") for leaf in leaves)
        for depth in range(1, len(parts))
    )


def nearest_path(path: str) -> str | None:
    return _nearest(path, rows_by_path(), sections() | kuma_names().paths)


def is_of_kuma_dp(variable: str) -> bool:
    return variable.startswith(KUMA_DP_PREFIXES)


def nearest_variable(name: str) -> str | None:
    """What `name` was meant to be: a row by its place in the tree, else one of the same server."""
    by_place = _rows_by_place().get(name.partition("_")[2])
    if by_place is not None:
        return by_place
    section = _section_of(name)
    if section is None:
        return _nearest(name, rows_by_variable(), ())
    ours = [one for one in rows_by_variable() if _section_of(one) == section]
    others = [one for one in kuma_names().variables if _section_of(one) == section]
    return _nearest(name, ours, others)


@cache
def _rows_by_place() -> Mapping[str, str]:
    """The variable of each row by what it would be called after its path, without the prefix."""
    return {
        "_".join(attribute.upper() for attribute in row.attributes): row.option.environment
        for row in rows()
        if row.option.environment
    }


@cache
def _section_prefixes() -> tuple[str, ...]:
    """`API_SERVER_`, `DP_SERVER_`, …: how the variables of each server begin."""
    known = {_upper_snake(path.partition(".")[0]) for path in kuma_names().paths if "." in path}
    return tuple(f"{one}_" for one in known if one.endswith("_SERVER"))


def _upper_snake(name: str) -> str:
    return "".join(f"_{c}" if c.isupper() else c.upper() for c in name)


def _section_of(variable: str) -> str | None:
    """Of which server a variable is; None for those of none."""
    rest = variable.partition("_")[2]
    return next((one for one in _section_prefixes() if rest.startswith(one)), None)


def _nearest(name: str, ours: Iterable[str], others: Iterable[str]) -> str | None:
    """A name of ours that is near enough is a better guess than a nearer one without effect."""
    if len(name) > NAME_CHARACTERS_MAX:
        return None
    return _near(name, ours, NEAR_TO_OURS_MIN) or _near(name, [*ours, *others], NEAR_MIN)


def _near(name: str, known: Iterable[str], ratio_min: float) -> str | None:
    by_folded = {one.casefold(): one for one in sorted(known)}
    found = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=ratio_min)
    return by_folded[found[0]] if found else None
