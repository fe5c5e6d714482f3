"""The names of Kuma and Kong Mesh that are known, and the guess for a mistyped one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from kong_mesh_cp.settings.model import rows
from kong_mesh_cp.settings.names import (
    OTHER_SPELLINGS,
    VARIABLE_PREFIXES,
    kuma_names,
    nearest_path,
    nearest_variable,
    rows_by_path,
    sections,
)

REFERENCE = Path(__file__).parents[3] / "shared/contract/reference/kuma-cp.defaults.yaml"
OURS = {
    "admission.meshQuotas",
    "apiServer.refuseUnknownMembers",
    "admission.rules",
    "admission.limits.connections",
    "admission.limits.connectionsPerUser",
    "apiServer.limits.connections",
    "apiServer.limits.connectionsPerAddress",
    "apiServer.limits.unreadAnswersMebibytes",
    "admission.socket",
    "diagnostics.interface",
    "monitoringAssignmentServer.interface",
    "dpServer.interface",
    "dpServer.limits.connections",
    "dpServer.limits.connectionsPerAddress",
    "log.level",
    "multizone.global.kds.interface",
    "store.postgres.passwordFile",
    "store.postgres.waitSeconds",
    "store.quota.bytes",
    "store.quota.items",
    "xdsServer.delta",
    "xdsServer.fullPassInterval",
}


def test_the_list_is_well_formed() -> None:
    names = kuma_names()
    assert len(names.paths) > 200
    for path in names.paths:
        assert re.fullmatch(r"[A-Za-z0-9]+(\.[A-Za-z0-9]+)*", path), path
    for variable in names.variables:
        assert re.fullmatch(r"[A-Z0-9_]+", variable)
        assert variable.startswith(VARIABLE_PREFIXES)


def test_every_row_that_is_not_ours_alone_is_a_setting_of_kuma() -> None:
    for row in rows():
        if row.path in OURS or row.path.startswith("license."):
            continue
        spelt = {other for other, path in OTHER_SPELLINGS.items() if path == row.path}
        assert any(kuma_names().knows(path) for path in spelt or {row.path}), row.path
        if row.option.environment is not None:
            assert row.option.environment in kuma_names().variables


def test_a_section_is_no_setting() -> None:
    assert not sections() & {*rows_by_path(), *kuma_names().paths}


def test_a_free_tree_is_known_at_any_depth() -> None:
    assert kuma_names().knows("kmesh.opa")
    assert kuma_names().knows("kmesh.opa.agent.image")
    assert not kuma_names().knows("kmesh.opal")


@pytest.mark.skipif(not REFERENCE.exists(), reason="Kuma's reference configuration is not here")
def test_every_name_of_kumas_reference_is_known() -> None:
    text = REFERENCE.read_text()

    def leaves(tree: dict[str, object], above: str) -> list[str]:
        found = []
        for key, value in tree.items():
            path = f"{above}{key}"
            found += leaves(value, f"{path}.") if isinstance(value, dict) and value else [path]
        return found

    known = kuma_names()
    unknown = [path for path in leaves(yaml.safe_load(text), "") if not known.knows(path)]
    assert unknown == []
    assert set(re.findall(r"\bKUMA_[A-Z0-9_]+", text)) <= known.variables


@pytest.mark.parametrize(
    ("mistyped", "nearest"),
    [
        ("apiServer.http.prot", "apiServer.http.port"),
        ("apiserver.http.port", "apiServer.http.port"),
        ("general.workdir", "general.workDir"),
        ("admision.socket", "admission.socket"),
        ("store.postgres.hots", "store.postgres.host"),
        ("qqqq", None),
        ("apiServer.http.port" * 50, None),
    ],
)
def test_the_nearest_path_is_guessed(mistyped: str, nearest: str | None) -> None:
    assert nearest_path(mistyped) == nearest


@pytest.mark.parametrize(
    ("mistyped", "nearest"),
    [
        ("KUMA_API_SERVER_PORT", "KUMA_API_SERVER_HTTP_PORT"),
        ("KMESH_LICENCE_PATH", "KMESH_LICENSE_PATH"),
        ("KMESH_LICENSE_FILE", "KMESH_LICENSE_INLINE"),
        ("KMESH_X", None),
    ],
)
def test_the_nearest_variable_is_guessed(mistyped: str, nearest: str | None) -> None:
    assert nearest_variable(mistyped) == nearest
