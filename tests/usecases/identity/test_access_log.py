"""One line for each decision, with who, what, to what, and how it was decided."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.identity.access import (
    Action,
    IssueDataplaneToken,
    IssueUserToken,
    IssueZoneToken,
    Operation,
    ReadResource,
    StaticAccess,
    Verb,
    View,
    WriteResource,
)
from kong_mesh_cp.core.identity.refusal_bounds import API, WINDOW_SECONDS
from kong_mesh_cp.core.identity.users import ADMIN, ANONYMOUS, User
from kong_mesh_cp.usecases.identity.access_log import ALLOWED, DENIED, LoggedAccess, described

RULES = StaticAccess()
ADMINS = '"mesh-system:admin/mesh-system:admin,mesh-system:authenticated"'
WRITE = WriteResource(verb=Verb.UPDATE, type="MeshTimeout", mesh="default", name="t-1")


def test_both_verdicts_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rules = LoggedAccess(RULES, [ALLOWED, DENIED], lambda: 0.0)
    assert rules.permits(ADMIN, WRITE)
    assert not rules.permits(ANONYMOUS, WRITE)
    done = 'action UPDATE, resource MeshTimeout "default/t-1"'
    assert caplog.messages == [
        f"access-allowed: user {ADMINS}, {done}",
        f'access-denied: user "mesh-system:anonymous/mesh-system:unauthenticated", {done}',
    ]


@pytest.mark.parametrize("verdicts", [[], [ALLOWED], [DENIED]])
def test_only_what_is_wanted_is_logged(
    verdicts: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rules = LoggedAccess(RULES, verdicts, lambda: 0.0)
    for user in (ADMIN, ANONYMOUS):
        assert rules.permits(user, WRITE) is RULES.permits(user, WRITE)
    assert [line.partition(":")[0] for line in caplog.messages] == [
        f"access-{verdict}" for verdict in verdicts
    ]


def test_what_everybody_may_read_anyway_is_no_decision(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rules = LoggedAccess(RULES, [ALLOWED, DENIED], lambda: 0.0)
    assert rules.permits(ANONYMOUS, ReadResource("Mesh"))
    assert caplog.messages == []
    assert not rules.permits(ANONYMOUS, ReadResource("Secret", "default", "s"))
    assert caplog.messages[0].endswith('action READ, resource Secret "default/s"')


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (ReadResource("GlobalSecret"), ("READ", 'GlobalSecret "*"')),
        (IssueDataplaneToken(mesh="m", tags={}), ("GENERATE_DATAPLANE_TOKEN", 'mesh "m"')),
        (
            IssueZoneToken(zone="east", scope=("ingress", "cp")),
            ("GENERATE_ZONE_TOKEN", 'zone "east" scope "ingress,cp"'),
        ),
        (IssueUserToken("john"), ("GENERATE_USER_TOKEN", 'user "john"')),
        (View.CONFIG_DUMP, ("VIEW_CONFIG_DUMP", "config dump")),
        (Operation.RELOAD_LICENSE, ("RELOAD_LICENSE", "the reload of the license")),
    ],
)
def test_each_action_has_its_words(action: Action, said: tuple[str, str]) -> None:
    assert described(action) == said


@given(st.text(max_size=40), st.text(max_size=40))
def test_hostile_names_stay_on_one_line(mesh: str, name: str) -> None:
    for action in (
        WriteResource(verb=Verb.DELETE, type="Mesh", mesh=mesh, name=name),
        IssueZoneToken(zone=mesh, scope=(name,)),
        IssueDataplaneToken(mesh=mesh, tags={}),
        IssueUserToken(name),
    ):
        assert " ".join(described(action)).isprintable()


@pytest.mark.parametrize(
    "unread",
    [
        replace(WRITE, unread=True),
        IssueDataplaneToken(unread=True),
        IssueZoneToken(unread=True),
        IssueUserToken(unread=True),
    ],
)
def test_leave_to_say_what_is_asked_is_no_decision_but_its_refusal_is(
    unread: Action, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rules = LoggedAccess(RULES, [ALLOWED, DENIED], lambda: 0.0)
    assert rules.permits(ADMIN, unread)
    assert caplog.messages == []
    assert not rules.permits(ANONYMOUS, unread)
    assert [line.partition(":")[0] for line in caplog.messages] == ["access-denied"]


def test_a_user_who_is_denied_all_the_time_does_not_fill_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    now = 0.0
    rules = LoggedAccess(RULES, [ALLOWED, DENIED], lambda: now)
    for _ in range(1000):
        assert not rules.permits(ANONYMOUS, WRITE)
    assert len(caplog.messages) == API.source_lines_max
    for _ in range(100):  # what is permitted is told each time
        assert rules.permits(ADMIN, WRITE)
    assert len(caplog.messages) == API.source_lines_max + 100
    now = WINDOW_SECONDS
    assert not rules.permits(ANONYMOUS, WRITE)
    assert caplog.messages[-1].startswith("access-denied: ")


def test_long_names_are_cut(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rules = LoggedAccess(RULES, [ALLOWED, DENIED], lambda: 0.0)
    long = "x" * 10_000
    assert not rules.permits(User(long, (long,)), IssueUserToken(long))
    [line] = caplog.messages
    assert len(line) < 1_000
