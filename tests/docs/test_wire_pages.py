"""The tables of docs/wire that code has too say the same as the code."""

from __future__ import annotations

from pathlib import Path

from kong_mesh_cp.core.resources.registry import TYPES, Kds, Policy, ResourceType

WIRE = Path(__file__).parents[2] / "docs" / "wire"
TRAVELS = {
    "down": Kds.GLOBAL_TO_ZONES,
    "up": Kds.ZONE_TO_GLOBAL,
    "across": Kds.SYNCED_ACROSS_ZONES,
    "of global": Kds.PROVIDED_BY_GLOBAL,
    "of zones": Kds.PROVIDED_BY_ZONE,
}


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    _, _, section = (WIRE / page).read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    table: list[list[str]] = []
    for line in section.partition("\n## ")[0].splitlines():
        if line.startswith("|"):
            table.append([cell.strip() for cell in line.strip("|").split("|")])
        elif table:
            break
    return table[2:]


def listed(cell: str) -> set[str]:
    return set() if cell == "–" else {each.strip() for each in cell.split(",")}


def marks(row: ResourceType) -> set[str]:
    said = {
        "policy": row.is_policy,
        "nested spec": row.plugin,
        "status": row.has_status,
        "read-only": row.read_only,
        "admins only": row.admin_only,
        "virtual": row.virtual,
        "Kong Mesh only": row.kong_only,
    }
    return {mark for mark, holds in said.items() if holds}


def test_the_table_of_types_is_that_of_the_registry() -> None:
    table = rows("resource-api.md", "Types")

    assert [name for name, *_ in table] == list(TYPES)
    for name, scope, path, travels, more in table:
        row = TYPES[name]
        assert scope == row.scope.value, name
        assert path == (f"`{row.path}`" if row.path else "–"), name
        assert listed(travels) == {word for word, flag in TRAVELS.items() if flag in row.kds}, name
        assert listed(more) == marks(row), name


def test_the_lists_of_each_policy_are_those_of_the_registry() -> None:
    table = {
        name: listed(lists.replace("`", "")) for name, lists, *_ in rows("policies.md", "Types")
    }
    policies = {
        row.name: row.policy
        for row in TYPES.values()
        if row.policy is not None and row.is_target_ref_policy and not row.kong_only
    }

    assert table.keys() == policies.keys()
    for name, parts in policies.items():
        lists = {"to": Policy.TO, "from": Policy.FROM, "rules": Policy.FROM_AS_RULES}
        assert table[name] == {each for each, part in lists.items() if part in parts} or (
            table[name] == {"default"} and not parts & (Policy.TO | Policy.FROM)
        ), name
