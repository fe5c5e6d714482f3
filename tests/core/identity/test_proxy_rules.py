"""Whether a proxy is the one that its token was made for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.identity import proxy_rules
from kong_mesh_cp.core.identity.proxy_rules import ProxyRefusedError
from kong_mesh_cp.core.identity.refusals import TokenFault, TokenRejectedError
from kong_mesh_cp.core.identity.tokens import DataplaneClaims, ZoneClaims

ANY = DataplaneClaims(tags={})
WEB = {"kuma.io/service": {"web"}, "team": {"a", "b"}}


def said(refused: Callable[[], object]) -> str:
    with pytest.raises(ProxyRefusedError) as caught:
        refused()
    return caught.value.message


def dataplane(claims: DataplaneClaims, tags: dict[str, set[str]] | None = None) -> None:
    proxy_rules.require_dataplane(
        claims, mesh="default", name="web-1", tags=WEB if tags is None else tags
    )


def test_a_token_without_constraints_is_good_for_every_proxy_of_its_mesh() -> None:
    dataplane(ANY)


def test_a_token_is_good_for_the_proxy_that_it_names() -> None:
    dataplane(DataplaneClaims(name="web-1", mesh="default", tags={}))


def test_another_name_is_refused() -> None:
    assert said(lambda: dataplane(DataplaneClaims(name="web-2", tags={}))) == (
        "authentication failed: proxy name from requestor: web-1 is different than in token: web-2"
    )


def test_another_mesh_is_refused() -> None:
    assert said(lambda: dataplane(DataplaneClaims(mesh="payments", tags={}))) == (
        "authentication failed: proxy mesh from requestor: default is different than in token: "
        "payments"
    )


def test_the_name_is_reported_before_the_mesh() -> None:
    claims = DataplaneClaims(name="x", mesh="y", tags={"z": ("z",)})
    assert "proxy name" in said(lambda: dataplane(claims))


def test_each_tag_of_the_token_has_to_be_there() -> None:
    claims = DataplaneClaims(tags={"zone": ("east",)})
    assert said(lambda: dataplane(claims)) == (
        'authentication failed: dataplane has no tag "zone" required by the token'
    )


def test_each_value_of_such_a_tag_has_to_be_allowed() -> None:
    claims = DataplaneClaims(tags={"team": ("a", "c")})
    assert said(lambda: dataplane(claims)) == (
        'authentication failed: dataplane contains tag "team" with value "b" which is not allowed '
        'with this token. Allowed values in token are ["a" "c"]'
    )


def test_values_that_the_proxy_does_not_have_may_be_allowed() -> None:
    dataplane(DataplaneClaims(tags={"team": ("a", "b", "c"), "kuma.io/service": ("web", "api")}))


def test_a_token_that_allows_no_value_of_a_tag_is_good_for_nobody_with_it() -> None:
    claims = DataplaneClaims(tags={"team": ()})
    assert "Allowed values in token are []" in said(lambda: dataplane(claims))


def test_other_tags_of_the_proxy_do_not_matter() -> None:
    dataplane(DataplaneClaims(tags={"kuma.io/service": ("web",)}))


def test_a_zone_proxy_needs_its_scope() -> None:
    claims = ZoneClaims(zone="east", scope=("egress",))
    proxy_rules.require_zone_proxy(claims, scope="egress", zone="east")
    assert said(lambda: proxy_rules.require_zone_proxy(claims, scope="ingress", zone="east")) == (
        "authentication failed: token cannot be used to authenticate zone entity (ingress is out "
        "of token's scope: [egress])"
    )


def test_a_zone_proxy_needs_its_zone() -> None:
    claims = ZoneClaims(zone="east", scope=("ingress", "egress"))
    assert said(lambda: proxy_rules.require_zone_proxy(claims, scope="ingress", zone="west")) == (
        "authentication failed: zone from requestor: west is different than in token: east"
    )


def test_a_token_without_a_zone_is_good_for_all() -> None:
    claims = ZoneClaims(zone="", scope=("ingress",))
    proxy_rules.require_zone_proxy(claims, scope="ingress", zone="anywhere")


def test_a_stream_shows_its_token_once() -> None:
    assert proxy_rules.credential(["a.b.c"]) == "a.b.c"
    assert proxy_rules.credential([]) == ""  # which is no token, and refused as one
    assert said(lambda: proxy_rules.credential(["a", "b"])) == (
        "could not extract credential from DiscoveryRequest: request must have exactly 1 "
        '"authorization" header, got 2'
    )
    assert said(lambda: proxy_rules.credential(None)) == (
        "could not extract credential from DiscoveryRequest: request has no metadata"
    )


def test_a_token_that_is_not_believed_is_reported_with_its_reason() -> None:
    error = proxy_rules.unreadable(TokenRejectedError(TokenFault.EXPIRED, "token is expired"))
    assert error.message == "authentication failed: could not parse token: token is expired"


def test_a_stream_stays_with_its_node() -> None:
    proxy_rules.require_same_node("default.web-1", "default.web-1")
    assert said(lambda: proxy_rules.require_same_node("default.web-1", "default.web-2")) == (
        "stream was authenticated for ID default.web-1. Received request is for node with ID "
        "default.web-2. Node ID cannot be changed after stream is initialized"
    )


@given(st.text(max_size=20), st.text(min_size=1, max_size=20))
def test_hostile_names_stay_on_one_line(requested: str, in_token: str) -> None:
    claims = DataplaneClaims(name=in_token, tags={})
    if requested == in_token:
        return
    line = said(lambda: proxy_rules.require_dataplane(claims, mesh="m", name=requested, tags={}))
    assert line.isprintable()


@given(
    have=st.dictionaries(st.sampled_from("abc"), st.sets(st.sampled_from("123"), min_size=1)),
    allow=st.dictionaries(
        st.sampled_from("abc"), st.lists(st.sampled_from("123"), max_size=3).map(tuple)
    ),
)
def test_tags_are_checked_as_the_rule_says(
    have: dict[str, set[str]], allow: dict[str, tuple[str, ...]]
) -> None:
    expected = all(tag in have and have[tag] <= set(values) for tag, values in allow.items())
    claims = DataplaneClaims(tags=allow)
    if expected:
        dataplane(claims, have)
    else:
        assert said(lambda: dataplane(claims, have)).startswith("authentication failed: ")
