"""The settings of who may do what, and of the tokens that say who somebody is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from kong_mesh_cp.settings.effective import effective
from kong_mesh_cp.settings.gathering import Reading
from kong_mesh_cp.settings.token_authentication import PublicKey
from kong_mesh_cp.settings.writing import converted, in_force
from support.specs.configurations import kuma_yaml, loaded, problems, toml

PEM = "-----BEGIN RSA PUBLIC KEY-----\nMIIB\n-----END RSA PUBLIC KEY-----\n"
KEYS = "apiServer.authn.tokens.validator.publicKeys"
EVERYBODY = ("mesh-system:unauthenticated", "mesh-system:authenticated")


def code_of(environ: Mapping[str, str] | None = None, file: Path | None = None) -> str:
    (problem,) = problems(file, environ)
    return problem.code


def test_lists_are_the_default_and_kumas_own() -> None:
    access = loaded().settings.access
    assert access.type == "static"
    lists = access.static
    for grant in (
        lists.admin_resources,
        lists.generate_dp_token,
        lists.generate_user_token,
        lists.generate_zone_token,
        lists.generate_cp_token,
    ):
        assert grant.users == grant.groups == ("mesh-system:admin",)
    for grant in (
        lists.view_config_dump,
        lists.view_stats,
        lists.view_clusters,
        lists.control_plane_metadata,
    ):
        assert (grant.users, grant.groups) == ((), EVERYBODY)


def test_one_list_changes_and_the_others_stay() -> None:
    access = loaded(
        environ={"KUMA_ACCESS_STATIC_ADMIN_RESOURCES_GROUPS": "ops, sre"}
    ).settings.access
    assert access.static.admin_resources.groups == ("ops", "sre")
    assert access.static.admin_resources.users == ("mesh-system:admin",)
    assert access.static.generate_dp_token.groups == ("mesh-system:admin",)


def test_a_file_of_kong_mesh_has_its_settings_where_they_were(tmp_path: Path) -> None:
    file = kuma_yaml(
        tmp_path,
        "access:\n  type: rbac\nkmesh:\n  access:\n    static:\n      generateCpToken:\n"
        "        users: [ci]\n        groups: []\n    rbac:\n      logActions: [denied]\n"
        "      defaultAdminRoleGroups: [ops]\n      skipAdminRoleCreation: true\n",
    )
    found = loaded(file)
    access = found.settings.access
    assert found.warnings == ()
    assert (access.static.generate_cp_token.users, access.static.generate_cp_token.groups) == (
        ("ci",),
        (),
    )
    assert (access.rbac.log_actions, access.rbac.default_admin_role_groups) == (
        ("denied",),
        ("ops",),
    )
    assert access.rbac.skip_admin_role_creation


@pytest.mark.parametrize(
    "environ",
    [
        {"KUMA_ACCESS_TYPE": "none"},
        {"KMESH_ACCESS_RBAC_LOG_ACTIONS": "allowed,refused"},
        {"KUMA_ACCESS_STATIC_VIEW_STATS_USERS": "a,,b"},
        {"KUMA_API_SERVER_AUTHN_TYPE": "basic"},
    ],
)
def test_what_is_no_such_word_is_refused(environ: dict[str, str]) -> None:
    assert code_of(environ) == "config-value"


def test_a_first_start_for_nobody_is_refused(tmp_path: Path) -> None:
    nobody = "[access]\ntype = '{}'\n[access.rbac]\ndefaultAdminRoleGroups = []\n"
    assert code_of(file=toml(tmp_path, nobody.format("rbac"))) == "config-access-nobody"
    assert problems(toml(tmp_path, nobody.format("static"))) == ()
    skipped = nobody.format("rbac") + "skipAdminRoleCreation = true\n"
    assert problems(toml(tmp_path, skipped)) == ()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"KUMA_API_SERVER_HTTPS_ENABLED": "false", "KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR": "/c"},
    ],
)
def test_administrators_by_certificate_need_a_port_that_asks_for_them(
    environ: dict[str, str],
) -> None:
    by_certificate = {"KUMA_API_SERVER_AUTHN_TYPE": "adminClientCerts", **environ}
    assert code_of(by_certificate) == "config-authn-certificates"


@pytest.mark.parametrize("place", ["KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR",
                                   "KUMA_API_SERVER_HTTPS_CLIENT_CERTS_CA_FILE"])  # fmt: skip
def test_either_place_of_their_certificates_will_do(place: str) -> None:
    for more in ({"KUMA_API_SERVER_AUTHN_TYPE": "adminClientCerts"},
                 {"KUMA_API_SERVER_HTTPS_REQUIRE_CLIENT_CERT": "true"}):  # fmt: skip
        assert problems(environ={place: "/c", **more}) == ()


def test_tokens_that_nobody_would_believe_are_not_issued() -> None:
    unbelieved = {"KUMA_API_SERVER_AUTHN_TOKENS_VALIDATOR_USE_SECRETS": "false"}
    assert code_of(unbelieved) == "config-tokens-void"
    alone = {**unbelieved, "KUMA_API_SERVER_AUTHN_TOKENS_ENABLE_ISSUER": "false"}
    assert code_of(alone) == "config-tokens-void"


def test_keys_from_elsewhere_are_read_from_a_file(tmp_path: Path) -> None:
    text = (
        "apiServer:\n  authn:\n    tokens:\n      enableIssuer: false\n      validator:\n"
        "        useSecrets: false\n        publicKeys:\n        - kid: 1\n          key: |\n"
        + "".join(f"            {line}\n" for line in PEM.splitlines())
        + "        - kid: ci\n          keyFile: /etc/kong-mesh/ci.pub\n"
        "dpServer:\n  authn:\n    dpProxy:\n      dpToken:\n        validator:\n"
        "          publicKeys: [{kid: '1', mesh: payments, keyFile: /p.pub}, {kid: '1', keyFile: /q}]\n"
    )
    found = loaded(kuma_yaml(tmp_path, text))
    tokens = found.settings.api_server.authn.tokens
    expected = (
        PublicKey(kid="1", key=PEM),
        PublicKey(kid="ci", key_file=Path("/etc/kong-mesh/ci.pub")),
    )
    assert tokens.validator.public_keys == expected
    proxies = found.settings.dp_server.authn.dp_proxy.dp_token.validator.public_keys
    assert [(key.mesh, key.kid) for key in proxies] == [("payments", "1"), ("", "1")]

    shown = effective(found.settings)
    assert "ci.pub" in str(shown)
    again = toml(tmp_path, converted({KEYS: Reading(expected, "")}))
    assert "keyFile" in in_force(found.settings, found.origins)
    assert loaded(again).settings.api_server.authn.tokens.validator.public_keys == expected


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ("1", "must be a list of at most 100 tables"),
        ("[1]", "key 1 is none"),
        ("[{}]", "key 1 needs a kid"),
        ("[{kid = '1'}]", "key 1 needs a key in PEM, or the path of one as keyFile"),
        ("[{kid = '1', key = 'x', keyFile = '/x'}]", "not both"),
        (
            "[{kid = '1', keyFile = '/x'}, {kid = 1, keyFile = '/y'}]",
            "key 2 has the kid of one before it",
        ),
        (
            "[{kid = '1', keyFile = '/x', mesh = 'm'}]",
            "key 1 has 'mesh', none of kid, key, keyFile",
        ),
        ("[{kid = '', keyFile = '/x'}]", "kid of key 1 must be text"),
        ("[{kid = '1', keyFile = '~/x'}]", "must be a file's path"),
    ],
)
def test_keys_that_are_none_are_refused(tmp_path: Path, keys: str, wrong: str) -> None:
    text = f"[apiServer.authn.tokens.validator]\npublicKeys = {keys}\n"
    (problem,) = problems(toml(tmp_path, text))
    assert problem.code == "config-value"
    assert wrong in problem.message


def test_a_private_key_is_refused_and_not_shown(tmp_path: Path) -> None:
    secret = PEM.replace("PUBLIC", "PRIVATE").replace("\n", "\\n")
    text = f"[apiServer.authn.tokens.validator]\npublicKeys = [{{kid = '1', key = \"{secret}\"}}]\n"
    (problem,) = problems(toml(tmp_path, text))
    assert "kumactl generate public-key" in problem.message
    assert "MIIB" not in problem.line
