"""The rows themselves: every one documented, named once, and fit for the tree."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from kong_mesh_cp.settings.effective import plain_value
from kong_mesh_cp.settings.forms import Form
from kong_mesh_cp.settings.model import Settings, rows, value_at
from kong_mesh_cp.settings.options import Row, camel_case
from support.specs.configurations import loaded


def _path(row: Row) -> str:
    return row.path


@pytest.mark.parametrize("row", rows(), ids=_path)
def test_every_row_is_documented(row: Row) -> None:
    assert row.option.doc.endswith((".", ")."))
    assert row.option.doc[0].isupper()
    assert row.option.doc.isascii()
    assert row.option.form.expected
    assert row.default is not None or row.option.default_text


@pytest.mark.parametrize("row", rows(), ids=_path)
def test_every_default_has_the_form_of_its_row(row: Row) -> None:
    form: Form[object] = row.option.form
    match row.default:
        case None | ():
            assert row.option.default_text
        case bool() | int() | str() as default:
            assert form.read(default) == default
        case tuple() as default:
            assert form.read(list(default)) == default
        case timedelta() as default:
            assert form.read(plain_value(row, default)) == default
        case default:
            assert form.read(str(default)) == default


def test_every_setting_can_be_set_by_the_environment_but_tables_and_tokens_of_proxies() -> None:
    without = [row.path for row in rows() if row.option.environment is None]
    proxies = [path for path in without if path.startswith("dpServer.authn.")]
    keys = "apiServer.authn.tokens.validator.publicKeys"
    assert [path for path in without if path not in proxies] == [keys, "admission.rules"]
    assert len(proxies) == 2  # publicKeys of both kinds: tables, too


def test_no_name_is_given_twice() -> None:
    for names in (
        [row.path for row in rows()],
        [row.option.environment for row in rows() if row.option.environment],
        [row.option.flag for row in rows() if row.option.flag],
    ):
        assert len(names) == len(set(names))


def test_ours_and_kumas_variables_are_distinguished() -> None:
    ours = {row.path for row in rows() if (row.option.environment or "").startswith("KMESH_")}
    assert ours == {
        "access.rbac.defaultAdminRoleGroups",
        "access.rbac.defaultAdminRoleUsers",
        "access.rbac.logActions",
        "access.rbac.skipAdminRoleCreation",
        "admission.limits.connections",
        "admission.limits.connectionsPerUser",
        "apiServer.limits.connections",
        "apiServer.limits.connectionsPerAddress",
        "apiServer.limits.unreadAnswersMebibytes",
        "apiServer.refuseUnknownMembers",
        "access.static.generateCpToken.groups",
        "access.static.generateCpToken.users",
        "diagnostics.interface",
        "multizone.global.kds.interface",
        "monitoringAssignmentServer.interface",
        "dpServer.interface",
        "dpServer.limits.connections",
        "dpServer.limits.connectionsPerAddress",
        "xdsServer.delta",
        "xdsServer.fullPassInterval",
        "license.inline",
        "license.path",
        "admission.meshQuotas",
        "admission.socket",
        "log.level",
        "store.quota.bytes",
        "store.quota.items",
        "store.postgres.passwordFile",
        "store.postgres.waitSeconds",
    }


def test_rows_reach_every_field_of_the_settings() -> None:
    def leaves(section: object) -> int:
        values = [getattr(section, one.name) for one in dataclasses.fields(section)]  # type: ignore[arg-type]
        return sum(leaves(v) if type(v).__name__.endswith("Settings") else 1 for v in values)

    settings = loaded().settings
    assert isinstance(settings, Settings)
    assert leaves(settings) == len(rows())
    assert value_at(settings, ("api_server", "http", "port")) == 5681


@pytest.mark.parametrize(
    ("attribute", "key"),
    [("port", "port"), ("localhost_is_admin", "localhostIsAdmin"), ("work_dir", "workDir")],
)
def test_keys_are_written_as_kuma_writes_them(attribute: str, key: str) -> None:
    assert camel_case(attribute) == key


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        loaded().settings.mode = "global"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({}, "/gui"),
        ({"KUMA_API_SERVER_GUI_BASE_PATH": "/ui"}, "/ui"),
        ({"KUMA_API_SERVER_GUI_ROOT_URL": "https://a.example/gui"}, "https://a.example/gui"),
        ({"KUMA_API_SERVER_GUI_ENABLED": "false"}, ""),
    ],
)
def test_the_console_is_where_browsers_find_it(environ: dict[str, str], address: str) -> None:
    assert loaded(environ=environ).settings.api_server.gui.address == address
