"""What tokens say, and when it counts."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.identity import tokens
from kong_mesh_cp.core.identity.jwt import PresentedToken
from kong_mesh_cp.core.identity.refusals import TokenFault, TokenRejectedError
from kong_mesh_cp.core.identity.tokens import (
    INSTANT_SECONDS_MAX,
    C,
    Claims,
    DataplaneClaims,
    UserClaims,
    ZoneClaims,
)
from support.fakes.identity import (
    EAST,
    JOHN,
    NOW,
    WEB,
    later,
    signing_key,
    token_for,
    token_of,
    unpacked,
)

STARTED = int(NOW.timestamp())


def read(text: str, *, now: datetime = NOW) -> UserClaims:
    return read_as(text, UserClaims, now=now)


def read_as(text: str, claims: type[C], *, now: datetime = NOW) -> C:
    return tokens.verify(
        PresentedToken.parse(text),
        claims,
        keys=[signing_key().verifier],
        revoked=frozenset({"void"}),
        now=now,
    )


def refusal(text: str, claims: type[Claims]) -> TokenRejectedError:
    with pytest.raises(TokenRejectedError) as caught:
        read_any(text, claims)
    return caught.value


def read_any(text: str, claims: type[Claims]) -> Claims:
    if claims is UserClaims:
        return read_as(text, UserClaims)
    return read_as(text, ZoneClaims) if claims is ZoneClaims else read_as(text, DataplaneClaims)


def fault(payload: dict[str, object], claims: type[Claims] = UserClaims) -> TokenRejectedError:
    return refusal(token_of(payload), claims)


def test_a_users_token_has_these_claims() -> None:
    _, payload = unpacked(token_for(JOHN, token_id="u-1", hours=1))
    assert payload == {
        "Name": "john",
        "Groups": ["team-a", "team-b"],
        "exp": STARTED + 3600,
        "nbf": STARTED - 300,
        "iat": STARTED,
        "jti": "u-1",
    }


def test_a_data_plane_proxys_token_has_these_claims() -> None:
    _, payload = unpacked(token_for(WEB))
    assert {key: payload[key] for key in ("Name", "Mesh", "Tags", "Type")} == {
        "Name": "web-1",
        "Mesh": "default",
        "Tags": {"kuma.io/service": ["web", "api"]},
        "Type": "dataplane",
    }


def test_a_token_without_tags_says_null_as_the_original_does() -> None:
    _, payload = unpacked(token_for(DataplaneClaims(mesh="default", tags={})))
    assert (payload["Tags"], payload["Name"], payload["Type"]) == (None, "", "")


def test_a_zones_token_has_these_claims() -> None:
    _, payload = unpacked(token_for(ZoneClaims(zone="west", scope=("cp",))))
    assert (payload["Zone"], payload["Scope"]) == ("west", ["cp"])


@pytest.mark.parametrize("claims", [JOHN, WEB, EAST])
def test_what_was_signed_is_read_again(claims: Claims) -> None:
    assert read_any(token_for(claims), type(claims)) == claims


@pytest.mark.parametrize(
    ("now", "valid"),
    [
        (later(minutes=-5, seconds=-1), False),
        (later(minutes=-5), True),  # a verifier's clock may be five minutes behind
        (NOW, True),
        (later(hours=24, seconds=-1), True),
        (later(hours=24), False),  # the second it ends in is out
        (later(days=4000), False),
    ],
)
def test_a_token_counts_from_five_minutes_before_until_its_end(now: datetime, valid: bool) -> None:
    text = token_for(JOHN)
    if valid:
        assert read(text, now=now) == JOHN
        return
    with pytest.raises(TokenRejectedError, match=r"token is (expired|not valid yet)"):
        read(text, now=now)


def test_too_early_and_too_late_are_distinguished() -> None:
    early, late = later(days=-1), later(days=2)
    for now, expected in ((early, TokenFault.NOT_YET_VALID), (late, TokenFault.EXPIRED)):
        with pytest.raises(TokenRejectedError) as caught:
            read(token_for(JOHN), now=now)
        assert caught.value.fault is expected


def test_the_time_it_was_issued_at_does_not_matter() -> None:
    """Its clock may be ahead of ours; `nbf` is what allows for that."""
    assert read(token_of({"Name": "john", "iat": STARTED + 200})).name == "john"


def test_a_token_without_an_end_does_not_end() -> None:
    assert read(token_of({"Name": "john"}), now=later(days=36_500)).name == "john"


def test_fractions_of_seconds_count() -> None:
    text = token_of({"Name": "john", "exp": STARTED + 0.5})
    assert read(text).name == "john"
    with pytest.raises(TokenRejectedError):
        read(text, now=later(seconds=0.5))


def test_the_first_and_the_last_instant_are_instants() -> None:
    assert fault({"Name": "john", "exp": 0}).fault is TokenFault.EXPIRED
    assert read(token_of({"Name": "john", "nbf": 0, "exp": INSTANT_SECONDS_MAX})).name == "john"


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", [True, "1", [], {}, -1, 10**12, 1e300, 10**18])
def test_a_time_that_is_none_is_refused(name: str, value: object) -> None:
    error = fault({"Name": "john", name: value})
    assert (error.fault, error.message) == (
        TokenFault.CLAIMS,
        f"token has a claim {name} that cannot be used",
    )


def test_a_revoked_token_is_refused_whatever_else_is_right() -> None:
    with pytest.raises(TokenRejectedError) as caught:
        read(token_for(JOHN, token_id="void"))
    assert (caught.value.fault, caught.value.message) == (TokenFault.REVOKED, "token is revoked")


def test_revocation_compares_exactly() -> None:
    assert read(token_for(JOHN, token_id="VOID")) == JOHN
    assert read(token_for(JOHN, token_id="voi")) == JOHN


def test_a_token_without_an_id_cannot_be_revoked() -> None:
    assert read(token_of({"Name": "john"})).name == "john"
    assert fault({"Name": "john", "jti": 5}).fault is TokenFault.CLAIMS


@pytest.mark.parametrize(
    ("payload", "claims"),
    [
        ({"Name": 1}, UserClaims),
        ({"Name": ""}, UserClaims),
        ({}, UserClaims),
        ({"name": "john"}, UserClaims),  # claims are capitalised
        ({"Name": "john", "Groups": "team"}, UserClaims),
        ({"Name": "john", "Groups": [1]}, UserClaims),
        ({"Name": []}, DataplaneClaims),
        ({"Mesh": 1}, DataplaneClaims),
        ({"Tags": []}, DataplaneClaims),
        ({"Tags": {"a": "b"}}, DataplaneClaims),
        ({"Tags": {"a": [None]}}, DataplaneClaims),
        ({"Tags": {"a": None}}, DataplaneClaims),
        ({"Type": 1}, DataplaneClaims),
        ({"Zone": 1}, ZoneClaims),
        ({"Scope": "ingress"}, ZoneClaims),
        ({"Scope": [[]]}, ZoneClaims),
    ],
)
def test_claims_of_another_shape_are_refused(
    payload: dict[str, object], claims: type[Claims]
) -> None:
    assert fault(payload, claims).fault is TokenFault.CLAIMS


@pytest.mark.parametrize(
    ("made_for", "shown_as"),
    [
        (WEB, UserClaims),
        (WEB, ZoneClaims),
        (EAST, UserClaims),
        (EAST, DataplaneClaims),
        (JOHN, DataplaneClaims),
        (JOHN, ZoneClaims),
    ],
)
def test_a_token_of_one_kind_is_none_of_another_though_the_key_is_the_same(
    made_for: Claims, shown_as: type[Claims]
) -> None:
    assert refusal(token_for(made_for), shown_as).message == "token was made for something else"


def test_absent_and_null_claims_leave_it_open() -> None:
    assert read_as(token_of({"Name": None, "Tags": None}), DataplaneClaims) == DataplaneClaims(
        tags={}
    )
    assert read_as(token_of({"Zone": None}), ZoneClaims) == ZoneClaims(zone="", scope=())


def test_claims_of_others_are_skipped() -> None:
    assert read(token_of({"Name": "john", "iss": "https://login", "aud": ["x"]})).name == "john"


@given(
    name=st.text(min_size=1, max_size=40),
    groups=st.lists(st.text(max_size=20), max_size=4),
    seconds=st.integers(1, 10**9),
)
def test_any_user_is_read_as_it_was_written(name: str, groups: list[str], seconds: int) -> None:
    claims = UserClaims(name=name, groups=tuple(groups))
    text = tokens.sign(
        claims,
        key=signing_key(),
        kid="1",
        token_id="x",
        now=NOW,
        valid_nanoseconds=seconds * 10**9,
    )
    assert read(text, now=later(seconds=seconds - 1)) == claims
