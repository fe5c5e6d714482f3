"""The bodies of POST /tokens/…"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.durations import HOUR
from kong_mesh_cp.core.identity.refusals import InvalidTokenRequestError, UndecodableRequestError
from kong_mesh_cp.core.identity.token_requests import (
    REQUEST_BYTES_MAX,
    DataplaneTokenRequest,
    UserTokenRequest,
    ZoneTokenRequest,
)
from kong_mesh_cp.core.schema.violations import Violation

Request = DataplaneTokenRequest | ZoneTokenRequest | UserTokenRequest
REQUESTS: tuple[type[Request], ...] = (DataplaneTokenRequest, ZoneTokenRequest, UserTokenRequest)
YEAR = 365 * 24 * HOUR


def body(**members: object) -> bytes:
    return json.dumps(members).encode()


def violations(request: Request) -> tuple[Violation, ...]:
    with pytest.raises(InvalidTokenRequestError) as caught:
        request.checked()
    return caught.value.violations


def dataplane(**members: object) -> DataplaneTokenRequest:
    return DataplaneTokenRequest.parse(body(**{"mesh": "default", **members}))


def zone(**members: object) -> ZoneTokenRequest:
    return ZoneTokenRequest.parse(body(**{"zone": "east", "scope": ["ingress"], **members}))


def user(**members: object) -> UserTokenRequest:
    return UserTokenRequest.parse(body(**{"name": "john", "validFor": "24h", **members}))


def test_a_request_as_the_documentation_has_it() -> None:
    asked = DataplaneTokenRequest.parse(
        b'{"name":"","mesh":"default","tags":{"kuma.io/service":["web"]},"type":"",'
        b'"validFor":"24h0m0s"}'
    )
    assert asked.tags == {"kuma.io/service": ("web",)}
    assert (asked.mesh, asked.checked()) == ("default", 24 * HOUR)


def test_the_mesh_of_a_proxy_cannot_be_empty() -> None:
    for mesh in ("", None):
        assert violations(dataplane(mesh=mesh)) == (Violation("mesh", "cannot be empty"),)


@pytest.mark.parametrize("type_", ["", "dataplane", "ingress", "egress"])
def test_these_are_types_of_proxies(type_: str) -> None:
    assert dataplane(type=type_).checked()


def test_another_type_is_refused() -> None:
    assert violations(dataplane(type="gateway")) == (
        Violation("type", "gateway is not a valid proxy type"),
    )


def test_proxies_and_zones_get_ten_years_where_no_validity_is_given() -> None:
    assert dataplane().checked() == 10 * YEAR
    assert zone().checked() == 10 * YEAR
    assert zone(validFor="").checked() == 10 * YEAR


def test_for_a_user_the_validity_has_to_be_given() -> None:
    for missing in ("", None):
        assert violations(user(validFor=missing)) == (Violation("validFor", "cannot be empty"),)


@pytest.mark.parametrize("valid_for", ["0", "0s", "-1h"])
def test_a_token_that_would_be_expired_is_refused(valid_for: str) -> None:
    expected = (Violation("validFor", "cannot be empty or nil"),)
    for asked in (
        user(validFor=valid_for),
        dataplane(validFor=valid_for),
        zone(validFor=valid_for),
    ):
        assert violations(asked) == expected


@pytest.mark.parametrize(
    ("valid_for", "said"),
    [
        ("24", 'time: missing unit in duration "24"'),
        ("abc", 'time: invalid duration "abc"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("9999999h", 'time: invalid duration "9999999h"'),
    ],
)
def test_a_duration_is_checked_in_the_words_of_go(valid_for: str, said: str) -> None:
    expected = (Violation("validFor", f"is invalid: {said}"),)
    for asked in (
        user(validFor=valid_for),
        dataplane(validFor=valid_for),
        zone(validFor=valid_for),
    ):
        assert violations(asked) == expected


def test_the_scope_of_a_zone_cannot_be_empty() -> None:
    nothing: tuple[object, ...] = (None, [])
    for scope in nothing:
        assert violations(zone(scope=scope)) == (Violation("scope", "cannot be empty"),)


def test_the_name_of_a_user_cannot_be_empty() -> None:
    assert violations(user(name="")) == (Violation("name", "cannot be empty"),)


def test_all_violations_are_reported_at_once() -> None:
    assert [each.field for each in violations(dataplane(mesh="", type="x", validFor="x"))] == [
        "mesh",
        "validFor",
        "type",
    ]
    assert [each.field for each in violations(UserTokenRequest.parse(b"{}"))] == [
        "name",
        "validFor",
    ]
    assert [each.field for each in violations(user(name="", validFor="x"))] == ["name", "validFor"]
    assert [each.field for each in violations(zone(scope=None, validFor="x"))] == [
        "scope",
        "validFor",
    ]


def wrong(request_type: type[Request], **members: object) -> list[tuple[str, str]]:
    """Where such a body is wrong, and why."""
    with pytest.raises((InvalidTokenRequestError, UndecodableRequestError)) as caught:
        request_type.parse(body(**members)).checked()
    refused = caught.value
    assert isinstance(refused, InvalidTokenRequestError | UndecodableRequestError)
    return [(each.field, each.message) for each in refused.violations]


@pytest.mark.parametrize(
    ("request_type", "members", "field", "remark"),
    [
        (UserTokenRequest, {"group": ["a"]}, "group", 'did you mean "groups"?'),
        (DataplaneTokenRequest, {"tag": {}}, "tag", 'did you mean "tags"?'),
        (DataplaneTokenRequest, {"valid_for": "1h"}, "valid_for", 'did you mean "validFor"?'),
        (ZoneTokenRequest, {"scopes": ["cp"]}, "scopes", 'did you mean "scope"?'),
        (UserTokenRequest, {"color": "red"}, "color", "known here: groups, name, validFor"),
    ],
)
def test_a_member_that_is_unknown_is_refused_with_the_nearest_one(
    request_type: type[Request], members: dict[str, object], field: str, remark: str
) -> None:
    """A token for every proxy of a mesh is what a slip in `tags` would come to."""
    given = {"name": "j", "mesh": "m", "zone": "z", "scope": ["cp"], "groups": []}
    known = {
        UserTokenRequest: ("name",),
        DataplaneTokenRequest: ("mesh",),
        ZoneTokenRequest: ("zone", "scope"),
    }[request_type]
    rest = {name: given[name] for name in known}
    assert wrong(request_type, **rest, **members) == [(field, f"unknown member; {remark}")]


def test_members_are_read_in_any_case_as_go_does() -> None:
    asked = UserTokenRequest.parse(body(NAME="john", Groups=["a"], validfor="1h"))
    assert (asked.name, asked.groups, asked.checked()) == ("john", ("a",), HOUR)


@pytest.mark.parametrize(
    ("request_type", "members", "field"),
    [
        (UserTokenRequest, {"groups": "a,b"}, "groups"),
        (UserTokenRequest, {"groups": ["a", 5]}, "groups[1]"),
        (UserTokenRequest, {"name": 5}, "name"),
        (UserTokenRequest, {"validFor": 3600}, "validFor"),
        (DataplaneTokenRequest, {"tags": {"kuma.io/service": "web"}}, 'tags["kuma.io/service"]'),
        (
            DataplaneTokenRequest,
            {"tags": {"kuma.io/service": ["web", 1]}},
            'tags["kuma.io/service"][1]',
        ),
        (DataplaneTokenRequest, {"tags": ["kuma.io/service=web"]}, "tags"),
        (ZoneTokenRequest, {"zone": "z", "scope": "cp"}, "scope"),
    ],
)
def test_a_value_of_the_wrong_type_is_told_with_its_field(
    request_type: type[Request], members: dict[str, object], field: str
) -> None:
    ((at, why),) = wrong(request_type, **members)
    assert at == field
    assert why.startswith(("must be a ", "must be an "))


ONE_BY_ONE = "is a list in one text: write each item as an item of its own"


@pytest.mark.parametrize(
    "text", ["web,api", "web;api", "web\napi", "web api", '["web","api"]', " web", "web\t"]
)
def test_a_list_in_one_text_is_no_value_of_a_tag(text: str) -> None:
    tags = {"kuma.io/service": ["db", text]}
    found = wrong(DataplaneTokenRequest, mesh="m", tags=tags)
    assert found == [('tags["kuma.io/service"][1]', ONE_BY_ONE)]


@pytest.mark.parametrize("text", ["a,b", "a;b", "a\nb", '["a"]', "a ", "{a}"])
def test_a_list_in_one_text_is_no_group(text: str) -> None:
    found = wrong(UserTokenRequest, name="j", validFor="1h", groups=["x", text])
    assert found == [("groups[1]", ONE_BY_ONE)]


@pytest.mark.parametrize("text", ["Domain Users", "cn=admins,dc=example", "mesh-system:admin", ""])
def test_names_of_groups_may_have_blanks_and_be_those_of_a_directory(text: str) -> None:
    assert user(groups=[text]).checked()


@pytest.mark.parametrize("text", ["egress,ingress", "Egress", "x", ""])
def test_a_scope_that_is_none_is_refused(text: str) -> None:
    found = wrong(ZoneTokenRequest, zone="z", scope=["cp", text])
    assert found == [("scope[1]", "must be one of: ingress, egress, cp")]


@pytest.mark.parametrize("request_type", REQUESTS)
@pytest.mark.parametrize(
    "document",
    [
        b"", b"{", b"[]", b'"x"', b"1", b"true", b"\xff", b'{"name":1}', b'{"validFor":1}',
        b'{"name":"a","name":"b"}', b"{}{}", b'{"tags":[]', b"\xef\xbb\xbf{}", b"[" * 1000,
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused(
    request_type: type[Request], document: bytes
) -> None:
    if request_type is ZoneTokenRequest and b'"name":1' in document:
        document = b'{"zone":1}'
    with pytest.raises(UndecodableRequestError):
        request_type.parse(document)


@pytest.mark.parametrize("tags", [[], "x", {"a": "b"}, {"a": [1]}, {"a": {}}, 1])
def test_tags_of_another_shape_are_refused(tags: object) -> None:
    with pytest.raises(UndecodableRequestError):
        dataplane(tags=tags)


@pytest.mark.parametrize("items", ["x", {}, [1], [[]], 1, True])
def test_lists_of_another_shape_are_refused(items: object) -> None:
    with pytest.raises(UndecodableRequestError):
        user(groups=items)
    with pytest.raises(UndecodableRequestError):
        zone(scope=items)


def test_null_is_absent() -> None:
    assert DataplaneTokenRequest.parse(b"null").mesh == ""
    assert dataplane(tags=None).tags == {}
    assert dataplane(tags={"a": None}).tags == {"a": ()}
    assert user(groups=None).groups == ()


def test_a_giant_body_is_refused_unread() -> None:
    assert UserTokenRequest.parse(b"{}".ljust(REQUEST_BYTES_MAX)).name == ""
    with pytest.raises(UndecodableRequestError, match="larger than"):
        UserTokenRequest.parse(b" " * (REQUEST_BYTES_MAX + 1))


@given(st.sampled_from(REQUESTS), st.binary(max_size=200))
def test_any_bytes_are_a_request_or_the_typed_refusal(
    request_type: type[Request], document: bytes
) -> None:
    with pytest.raises((UndecodableRequestError, InvalidTokenRequestError)):
        request_type.parse(document).checked()
