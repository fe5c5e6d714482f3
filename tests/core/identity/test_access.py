"""Who may do what by the lists of the configuration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.identity.access import (
    Action,
    Denied,
    Grant,
    IssueDataplaneToken,
    IssueUserToken,
    IssueZoneToken,
    Operation,
    ReadResource,
    StaticAccess,
    Verb,
    View,
    WriteResource,
    is_admin_only,
    refusal_of,
    require,
)
from kong_mesh_cp.core.identity.refusals import AccessDeniedError
from kong_mesh_cp.core.identity.users import ADMIN, ANONYMOUS, AUTHENTICATED, User
from kong_mesh_cp.core.resources.registry import TYPES
from support.fakes.identity import KNOWN

STATIC = StaticAccess()
ORDINARY = sorted(set(TYPES) - {"Secret", "GlobalSecret", "AccessRole", "AccessRoleBinding"})
GUARDED = ("Secret", "GlobalSecret", "AccessRole", "AccessRoleBinding")
DATAPLANE_TOKEN = IssueDataplaneToken(mesh="default", tags={})
ZONE_TOKEN = IssueZoneToken(zone="east", scope=("ingress",))
CP_TOKEN = IssueZoneToken(zone="east", scope=("cp",))


def write(type_name: str, verb: Verb = Verb.CREATE) -> WriteResource:
    return WriteResource(verb=verb, type=type_name, mesh="default", name="x")


def detail(user: User, action: Action) -> str:
    denied = refusal_of(STATIC, user, action)
    assert isinstance(denied, Denied)
    return denied.detail


@pytest.mark.parametrize("type_name", ORDINARY)
def test_everybody_reads_what_is_no_secret(type_name: str) -> None:
    assert refusal_of(STATIC, ANONYMOUS, ReadResource(type_name)) is None


@pytest.mark.parametrize("type_name", sorted(TYPES))
@pytest.mark.parametrize("verb", Verb)
def test_anonymous_clients_write_nothing(type_name: str, verb: Verb) -> None:
    assert detail(ANONYMOUS, write(type_name, verb)) == (
        'user "mesh-system:anonymous/mesh-system:unauthenticated" cannot access the resource of '
        f'type "{type_name}"'
    )


@pytest.mark.parametrize("type_name", ORDINARY)
@pytest.mark.parametrize("verb", Verb)
def test_a_known_user_writes_what_is_no_secret(type_name: str, verb: Verb) -> None:
    assert refusal_of(STATIC, KNOWN, write(type_name, verb)) is None


@pytest.mark.parametrize("type_name", ["Secret", "GlobalSecret"])
@pytest.mark.parametrize("user", [ANONYMOUS, KNOWN])
def test_secrets_are_read_by_administrators_only(type_name: str, user: User) -> None:
    assert detail(user, ReadResource(type_name)) == (
        f'user "{user}" cannot access the resource of type "{type_name}"'
    )
    assert refusal_of(STATIC, ADMIN, ReadResource(type_name)) is None


@pytest.mark.parametrize("type_name", GUARDED)
@pytest.mark.parametrize("verb", Verb)
def test_secrets_and_roles_are_written_by_administrators_only(type_name: str, verb: Verb) -> None:
    assert refusal_of(STATIC, KNOWN, write(type_name, verb)) is not None
    assert refusal_of(STATIC, ADMIN, write(type_name, verb)) is None


def test_an_unknown_type_is_as_secret_as_a_secret() -> None:
    assert is_admin_only("Unheard")
    assert refusal_of(STATIC, KNOWN, ReadResource("Unheard")) is not None


@pytest.mark.parametrize("user", [ANONYMOUS, KNOWN])
def test_tokens_are_issued_by_administrators_only(user: User) -> None:
    assert detail(user, DATAPLANE_TOKEN) == f'user "{user}" cannot access generate dataplane token'
    assert detail(user, ZONE_TOKEN) == (
        f"user \"{user}\" cannot access generate zone token for zone 'east'"
    )
    assert detail(user, IssueUserToken()) == "action not allowed"
    for action in (DATAPLANE_TOKEN, ZONE_TOKEN, IssueUserToken()):
        assert refusal_of(STATIC, ADMIN, action) is None


@pytest.mark.parametrize("view", View)
def test_everybody_looks_into_proxies_unless_the_lists_say_otherwise(view: View) -> None:
    assert refusal_of(STATIC, ANONYMOUS, view) is None
    nobody = Grant()
    closed = StaticAccess(
        view_config_dump=nobody,
        view_stats=nobody,
        view_clusters=nobody,
        control_plane_metadata=nobody,
    )
    assert refusal_of(closed, ADMIN, view) == Denied(f'user "{ADMIN}" cannot access {view.value}')


def test_the_words_for_the_control_planes_own_configuration() -> None:
    closed = StaticAccess(control_plane_metadata=Grant())
    assert refusal_of(closed, ANONYMOUS, View.METADATA) == Denied(
        'user "mesh-system:anonymous/mesh-system:unauthenticated" cannot access control-plane '
        "metadata"
    )


@pytest.mark.parametrize(
    ("grant", "action"),
    [
        ("admin_resources", ReadResource("Secret")),
        ("admin_resources", write("GlobalSecret")),
        ("generate_dataplane_token", DATAPLANE_TOKEN),
        ("generate_user_token", IssueUserToken()),
        ("generate_zone_token", ZONE_TOKEN),
        ("generate_cp_token", CP_TOKEN),
        ("admin_resources", Operation.SHOW_LICENSE),
        ("admin_resources", Operation.RELOAD_LICENSE),
        ("view_config_dump", View.CONFIG_DUMP),
        ("view_stats", View.STATS),
        ("view_clusters", View.CLUSTERS),
        ("control_plane_metadata", View.METADATA),
    ],
)
def test_each_list_decides_about_its_own_action(grant: str, action: Action) -> None:
    by_user = StaticAccess(**{grant: Grant(users=frozenset({"john"}))})
    by_group = StaticAccess(**{grant: Grant(groups=frozenset({"team-a"}))})
    stranger = User("mary", ("team-b", AUTHENTICATED))
    for rules in (by_user, by_group):
        assert refusal_of(rules, KNOWN, action) is None
        assert refusal_of(rules, stranger, action) is not None
        assert refusal_of(rules, ADMIN, action) is not None  # the list replaces the default


def test_a_token_for_a_control_plane_takes_a_right_of_its_own() -> None:
    both = IssueZoneToken(zone="east", scope=("ingress", "cp"))
    proxies = StaticAccess(generate_zone_token=Grant(users=frozenset({"john"})))
    control_planes = StaticAccess(generate_cp_token=Grant(users=frozenset({"john"})))
    everything = StaticAccess(
        generate_zone_token=Grant(users=frozenset({"john"})),
        generate_cp_token=Grant(users=frozenset({"john"})),
    )
    for rules, permitted in (
        (proxies, {ZONE_TOKEN}),
        (control_planes, {CP_TOKEN}),
        (everything, {ZONE_TOKEN, CP_TOKEN, both}),
    ):
        for action in (ZONE_TOKEN, CP_TOKEN, both):
            assert rules.permits(KNOWN, action) is (action in permitted)


@pytest.mark.parametrize("operation", Operation)
def test_the_license_is_for_administrators(operation: Operation) -> None:
    assert refusal_of(STATIC, ADMIN, operation) is None
    assert detail(KNOWN, operation) == f'user "{KNOWN}" cannot access {operation.value}'


def test_a_group_is_not_a_user_of_that_name() -> None:
    rules = StaticAccess(admin_resources=Grant(users=frozenset({"ops"})))
    assert refusal_of(rules, User("x", ("ops",)), ReadResource("Secret")) is not None
    assert refusal_of(rules, User("ops"), ReadResource("Secret")) is None


def test_a_refusal_is_raised_where_an_action_is_taken() -> None:
    require(STATIC, ADMIN, ReadResource("Secret"))
    with pytest.raises(AccessDeniedError, match="cannot access the resource"):
        require(STATIC, ANONYMOUS, ReadResource("Secret"))


@given(st.text(max_size=30), st.lists(st.text(max_size=10), max_size=3), st.text(max_size=10))
def test_hostile_names_stay_on_one_line(name: str, groups: list[str], zone: str) -> None:
    user = User(name, tuple(f"x{group}" for group in groups))
    action = IssueZoneToken(zone=zone, scope=())
    assert detail(User(f"u{user.name}", user.groups), action).isprintable()
