"""What the log tells of who got, saw or changed what gives rights, and of who was turned away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.durations import HOUR
from kong_mesh_cp.core.identity.audit import (
    ITSELF,
    REASON_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    Refusal,
    Reloaded,
    Source,
    TokenIssued,
    Touch,
    Touched,
    described,
    is_audited,
)
from kong_mesh_cp.core.identity.tokens import Claims, DataplaneClaims, UserClaims, ZoneClaims
from kong_mesh_cp.core.identity.users import ADMIN, User
from kong_mesh_cp.core.resources.registry import TYPES

JOHN = User("john", ("team-a",))
HERE = Source("10.0.0.7")
FIELDS_MAX = 8  # texts from outside in one line, each of which may grow by being quoted
ESCAPED_CHARACTERS_MAX = 10  # of one character: \U0010ffff


def test_a_change_tells_who_did_what_to_what_from_where() -> None:
    done = Touched(user=JOHN, touch=Touch.UPDATE, type="Secret", mesh="default", name="s")
    assert done.line(HERE) == (
        'audit-changed: UPDATE Secret "default/s", by "john/team-a", from 10.0.0.7'
    )


def test_reading_secrets_is_logged_too_and_a_list_is_of_all() -> None:
    done = Touched(user=JOHN, touch=Touch.READ, type="GlobalSecret", mesh="", name="")
    assert done.line(HERE).startswith('audit-read: READ GlobalSecret "*", by "john/team-a"')


@pytest.mark.parametrize("row", TYPES.values(), ids=lambda row: row.name)
def test_what_holds_secrets_or_gives_rights_is_audited_and_nothing_else(row) -> None:  # type: ignore[no-untyped-def]
    secret = row.name in {"Secret", "GlobalSecret"} or row.admin_only
    rights = row.name in {"AccessRole", "AccessRoleBinding", "Mesh"}
    assert is_audited(row, Touch.READ) is secret
    for touch in (Touch.CREATE, Touch.UPDATE, Touch.DELETE):
        assert is_audited(row, touch) is (secret or rights)


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        (UserClaims(name="mary", groups=("a", "b")), 'for user "mary" of groups "a,b"'),
        (
            DataplaneClaims(name="", mesh="m", tags={"k": ("v", "w"), "a": ("b",)}),
            'for dataplane "*" of mesh "m" with tags "a=b k=v,w"',
        ),
        (
            DataplaneClaims(name="in-1", mesh="m", tags={}, type="ingress"),
            'for ingress "in-1" of mesh "m" with tags ""',
        ),
        (ZoneClaims(zone="", scope=("cp",)), 'for zone "*" of scope "cp"'),
    ],
)
def test_a_token_tells_for_whom_it_is(claims: Claims, told: str) -> None:
    assert described(claims) == told
    issued = TokenIssued(
        who="john", token_id="id-1", key="k-1", valid_nanoseconds=HOUR, claims=claims
    )
    assert issued.line(ITSELF) == (
        f"token-issued: 'john' got token id-1, signed by k-1, for 1h0m0s, {told}, "
        "from the control plane itself"
    )


def test_a_reload_tells_who_asked_and_what_came_of_it() -> None:
    assert Reloaded(user=JOHN, usable=False).line(HERE) == (
        'audit-reloaded: the license, read again, cannot be used, by "john/team-a", from 10.0.0.7'
    )
    assert Reloaded(user=None, usable=True).line(Source("uid 1000")) == (
        "audit-reloaded: the license, read again, can be used, from uid 1000"
    )


def test_a_refusal_tells_who_asked_for_what_and_why_not() -> None:
    refusal = Refusal(status=403, reason="user cannot", user=JOHN)
    assert refusal.line(Source("10.0.0.7", 'origin "x"'), "PUT", "/meshes/m") == (
        'audit-refused: 403 PUT "/meshes/m", for "john/team-a", '
        'from 10.0.0.7 (origin "x"): user cannot'
    )
    unknown = Refusal(status=401, reason="token-expired: token is expired")
    assert "for nobody known, from 10.0.0.7: token-expired" in unknown.line(HERE, "GET", "/")


def test_a_long_reason_keeps_both_ends() -> None:
    reason = f'user "{"x" * 5000}" cannot access the resource of type "Mesh"'
    line = Refusal(status=403, reason=reason, user=ADMIN).line(HERE, "GET", "/")
    assert 'user "xxx' in line
    assert line.endswith('cannot access the resource of type "Mesh"')


@pytest.mark.parametrize(
    ("place", "counted"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "::ffff:10.0.0.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("uid 1000", "uid 1000"),
    ],
)
def test_an_ipv6_network_has_one_share_of_the_lines(place: str, counted: str) -> None:
    assert Source(place, "says what it likes").counted == counted


@given(text=st.text(), length=st.integers(1, 20))
def test_whatever_is_sent_a_line_is_one_and_a_short_one(text: str, length: int) -> None:
    text *= length
    user = User(text, (text,))
    lines = [
        Refusal(status=403, reason=text, user=user).line(HERE, text, text),
        Touched(user=user, touch=Touch.READ, type="Secret", mesh=text, name=text).line(HERE),
        Reloaded(user=user, usable=True).line(HERE),
    ]
    for claims in (
        UserClaims(name=text, groups=(text, text)),
        DataplaneClaims(name=text, mesh=text, tags={text: (text,)}),
        ZoneClaims(zone=text, scope=(text,)),
    ):
        issued = TokenIssued(
            who=text, token_id="id", key="k", valid_nanoseconds=HOUR, claims=claims
        )
        lines.append(issued.line(HERE))
    characters_max = (FIELDS_MAX * TEXT_CHARACTERS_MAX + REASON_CHARACTERS_MAX) * (
        ESCAPED_CHARACTERS_MAX
    )
    for line in lines:
        assert line.isprintable()
        assert len(line) <= characters_max
