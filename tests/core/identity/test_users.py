"""Who asks, by what a request shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.identity.tokens import UserClaims
from kong_mesh_cp.core.identity.users import (
    ADMIN,
    ANONYMOUS,
    Authentication,
    BearerToken,
    Requester,
    User,
    credentials_of,
    is_open_to_all,
    user_of,
)
from kong_mesh_cp.shell.rest_api.localhost import is_localhost

CERTS = Authentication.ADMIN_CLIENT_CERTS


def test_the_users_that_everybody_knows() -> None:
    assert str(ADMIN) == "mesh-system:admin/mesh-system:admin,mesh-system:authenticated"
    assert str(ANONYMOUS) == "mesh-system:anonymous/mesh-system:unauthenticated"
    assert (ADMIN.is_authenticated, ANONYMOUS.is_authenticated) == (True, False)


def test_who_asks_from_this_machine_is_the_administrator() -> None:
    assert credentials_of(Requester(local=True)) == ADMIN


def test_a_token_that_is_sent_is_meant_on_this_machine_too() -> None:
    asked = Requester(local=True, authorization="Bearer a.b.c")
    assert credentials_of(asked) == BearerToken("a.b.c")


@pytest.mark.parametrize("header", ["Basic YTpi", "Negotiate a", ""])
def test_what_is_no_token_changes_nothing_on_this_machine(header: str) -> None:
    assert credentials_of(Requester(local=True, authorization=header)) == ADMIN


def test_where_certificates_count_a_token_changes_nothing() -> None:
    asked = Requester(local=True, authorization="Bearer a.b.c")
    assert credentials_of(asked, authentication=CERTS) == ADMIN


def test_unless_it_is_switched_off() -> None:
    asked = Requester(local=True)
    assert credentials_of(asked, localhost_is_admin=False) == ANONYMOUS
    asked = Requester(local=True, authorization="Bearer a.b.c")
    assert credentials_of(asked, localhost_is_admin=False) == BearerToken("a.b.c")


@pytest.mark.parametrize(
    ("peer", "headers", "local"),
    [
        ("127.0.0.1", {"host": "localhost:5681"}, True),
        ("::1", {"host": "[::1]:5681"}, True),
        ("10.0.0.1", {"host": "localhost:5681"}, False),  # not the peer
        ("127.0.0.1", {"host": "evil.example"}, False),  # a name rebound to this machine
        ("127.0.0.1", {}, False),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-for": "1.2.3.4"}, False),
        ("127.0.0.1", {"host": "localhost", "forwarded": "for=1.2.3.4"}, False),
        ("127.0.0.1", {"host": "localhost", "x-real-ip": "1.2.3.4"}, False),
        ("127.0.0.1", {"host": "localhost", "origin": "https://evil.example"}, False),
        (None, {"host": "localhost"}, False),
    ],
)
def test_this_machine_means_peer_and_name_and_nobody_in_between(
    peer: str | None, headers: dict[str, str], local: bool
) -> None:
    asked = Requester(local=is_localhost(peer, headers))
    assert credentials_of(asked) == (ADMIN if local else ANONYMOUS)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_bearer_token_has_to_tell(scheme: str) -> None:
    """Schemes are compared without regard to case (RFC 9110 section 11.1)."""
    asked = Requester(local=False, authorization=f"{scheme} a.b.c")
    assert credentials_of(asked) == BearerToken("a.b.c")


def test_an_empty_bearer_token_is_a_token_and_not_anonymous() -> None:
    """Who shows something wrong is told so, rather than being taken for anonymous."""
    assert credentials_of(Requester(local=False, authorization="Bearer ")) == BearerToken("")


@pytest.mark.parametrize(
    "header", [None, "", "Basic am9objpwYXNz", "Digest x", "a.b.c", "Bearera.b.c", "Token x", " "]
)
def test_other_schemes_are_ignored(header: str | None) -> None:
    assert credentials_of(Requester(local=False, authorization=header)) == ANONYMOUS


def test_with_client_certificates_a_verified_one_is_the_administrator() -> None:
    assert credentials_of(Requester(local=False, certified=True), authentication=CERTS) == ADMIN
    assert credentials_of(Requester(local=False), authentication=CERTS) == ANONYMOUS


def test_with_client_certificates_tokens_prove_nothing() -> None:
    asked = Requester(local=False, authorization="Bearer a.b.c")
    assert credentials_of(asked, authentication=CERTS) == ANONYMOUS


def test_with_tokens_a_certificate_proves_nothing() -> None:
    assert credentials_of(Requester(local=False, certified=True)) == ANONYMOUS


def test_a_user_has_the_groups_of_the_token_and_one_more() -> None:
    user = user_of(UserClaims(name="john", groups=("a", "b")))
    assert user == User("john", ("a", "b", "mesh-system:authenticated"))
    assert user.is_authenticated


def test_a_token_cannot_make_its_bearer_anonymous() -> None:
    claims = UserClaims(
        name="john", groups=("mesh-system:unauthenticated", "mesh-system:authenticated")
    )
    assert user_of(claims).groups == ("mesh-system:authenticated",)


@pytest.mark.parametrize(
    ("method", "path", "is_open"),
    [
        ("GET", "/", True),
        ("GET", "/gui", True),
        ("GET", "/gui/meshes", True),
        ("POST", "/", False),
        ("GET", "/meshes", False),
        ("GET", "/who-am-i", False),
        ("GET", "", False),
        ("GET", "/x/gui", False),
    ],
)
def test_nobody_is_asked_for_at_the_index_and_the_gui(
    method: str, path: str, is_open: bool
) -> None:
    assert is_open_to_all(method, path) is is_open


def test_a_bearer_token_does_not_show_itself() -> None:
    assert "secret" not in repr(BearerToken("secret"))


@given(st.none() | st.text(max_size=60))
def test_no_header_gives_a_remote_client_an_identity(header: str | None) -> None:
    who = credentials_of(Requester(local=False, authorization=header))
    assert who == ANONYMOUS or isinstance(who, BearerToken)
