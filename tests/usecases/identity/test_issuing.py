"""Issues tokens: order of checks, what is signed, the administrator's first token."""

from __future__ import annotations

import json
import logging
from itertools import count

import pytest

from kong_mesh_cp.core.identity.access import AccessRules, Grant, StaticAccess
from kong_mesh_cp.core.identity.jwt import TOKEN_BYTES_MAX
from kong_mesh_cp.core.identity.key_series import (
    ADMIN_USER_TOKEN,
    USER_KEYS,
    ZONE_KEYS,
    dataplane_keys,
)
from kong_mesh_cp.core.identity.refusals import (
    AccessDeniedError,
    InvalidTokenRequestError,
    IssuerDisabledError,
    SigningKeyNotFoundError,
    UndecodableRequestError,
)
from kong_mesh_cp.core.identity.roles import RoleAccess
from kong_mesh_cp.core.identity.token_requests import REQUEST_BYTES_MAX
from kong_mesh_cp.core.identity.users import ADMIN, ANONYMOUS, Requester, User
from kong_mesh_cp.core.resources.kinds.access_role import (
    AccessRole,
    AccessRoleBinding,
    AccessRule,
    Condition,
    Subject,
    TokenCondition,
    TokenTag,
)
from kong_mesh_cp.usecases.identity.authenticating import AuthenticationSettings, Authenticator
from kong_mesh_cp.usecases.identity.issuing import Issuers, TokenIssuer
from kong_mesh_cp.usecases.identity.signing_keys import SigningKeys
from support.fakes.identity import KNOWN, NOW, later, unpacked
from support.fakes.key_secrets import FakeKeySecrets, numbered_keys

STARTED = int(NOW.timestamp())
YEAR = 365 * 24 * 3600


class Plane:
    """An issuer whose mesh `default` has its key, as zones and users have theirs."""

    def __init__(self, access: AccessRules | None = None, issuers: Issuers | None = None) -> None:
        self.secrets = FakeKeySecrets("default")
        self.keys = SigningKeys(self.secrets, numbered_keys())
        rules = access or StaticAccess()
        ids = count(1)
        self.issuer = TokenIssuer(
            self.keys,
            access=lambda: rules,
            clock=lambda: NOW,
            new_id=lambda: f"id-{next(ids)}",
            issuers=issuers,
        )

    async def ready(self) -> Plane:
        for series in (USER_KEYS, ZONE_KEYS, dataplane_keys("default")):
            await self.keys.ensure(series)
        return self

    async def dataplane(self, user: User = ADMIN, **members: object) -> str:
        return await self.issuer.dataplane_token(user, body(mesh="default", **members))

    async def zone(self, user: User = ADMIN, **members: object) -> str:
        asked = {"zone": "east", "scope": ["ingress", "egress"], **members}
        return await self.issuer.zone_token(user, body(**asked))

    async def user(self, user: User = ADMIN, **members: object) -> str:
        asked = {"name": "john", "groups": ["a"], "validFor": "24h", **members}
        return await self.issuer.user_token(user, body(**asked))


def body(**members: object) -> bytes:
    return json.dumps(members).encode()


async def test_a_data_plane_token_says_what_was_asked_for() -> None:
    plane = await Plane().ready()
    tags = {"kuma.io/service": ["web"]}
    header, payload = unpacked(await plane.dataplane(name="web-1", tags=tags, validFor="24h0m0s"))
    assert header == {"alg": "RS256", "kid": "1", "typ": "JWT"}
    assert payload == {
        "Name": "web-1",
        "Mesh": "default",
        "Tags": {"kuma.io/service": ["web"]},
        "Type": "",
        "exp": STARTED + 24 * 3600,
        "nbf": STARTED - 300,
        "iat": STARTED,
        "jti": "id-1",
    }


async def test_a_zone_token_says_what_was_asked_for() -> None:
    _, payload = unpacked(await (await Plane().ready()).zone(validFor="720h"))
    assert payload["Zone"] == "east"
    assert payload["Scope"] == ["ingress", "egress"]
    assert payload["exp"] == STARTED + 720 * 3600


async def test_a_user_token_says_what_was_asked_for() -> None:
    _, payload = unpacked(await (await Plane().ready()).user())
    assert (payload["Name"], payload["Groups"]) == ("john", ["a"])


async def test_proxies_and_zones_get_ten_years_unless_a_validity_is_given() -> None:
    plane = await Plane().ready()
    for token in (await plane.dataplane(), await plane.zone()):
        assert unpacked(token)[1]["exp"] == STARTED + 10 * YEAR


async def test_what_was_issued_is_believed() -> None:
    plane = await Plane().ready()
    authenticator = Authenticator(plane.keys, lambda: later(hours=1), AuthenticationSettings())
    asked = Requester(local=False, authorization=f"Bearer {await plane.user()}")
    assert (await authenticator.user(asked)).name == "john"
    await authenticator.require_dataplane(
        [await plane.dataplane()], mesh="default", name="any", tags={}
    )
    await authenticator.require_zone_proxy([await plane.zone()], scope="egress", zone="east")


async def test_every_token_has_an_id_of_its_own() -> None:
    plane = await Plane().ready()
    ids = [unpacked(await plane.user())[1]["jti"] for _ in range(3)]
    assert ids == ["id-1", "id-2", "id-3"]


async def test_the_newest_key_signs() -> None:
    plane = await Plane().ready()
    await plane.keys.rotate(USER_KEYS)
    assert unpacked(await plane.user())[0]["kid"] == "2"


async def test_each_mesh_has_its_own_keys() -> None:
    plane = await Plane().ready()
    with pytest.raises(SigningKeyNotFoundError) as caught:
        await plane.issuer.dataplane_token(ADMIN, body(mesh="payments"))
    assert caught.value.message == (
        "there is no signing key with KID 1. Secret of name "
        '"dataplane-token-signing-key-payments-1" in mesh "payments" is not found. If signing key '
        "was rotated, regenerate the token"
    )


@pytest.mark.parametrize("user", [ANONYMOUS, KNOWN])
async def test_only_administrators_get_tokens(user: User) -> None:
    plane = await Plane().ready()
    with pytest.raises(AccessDeniedError, match="cannot access generate dataplane token"):
        await plane.dataplane(user)
    with pytest.raises(AccessDeniedError, match="cannot access generate zone token for zone"):
        await plane.zone(user)
    with pytest.raises(AccessDeniedError, match="action not allowed"):
        await plane.user(user)


async def test_the_lists_say_who_else_does() -> None:
    team = Grant(groups=frozenset({"team-a"}))
    plane = await Plane(StaticAccess(generate_dataplane_token=team)).ready()
    assert await plane.dataplane(KNOWN)
    with pytest.raises(AccessDeniedError):
        await plane.dataplane(ADMIN)


async def test_roles_say_who_gets_the_token_of_a_zones_control_plane() -> None:
    role = AccessRole(rules=(AccessRule(access=("GENERATE_ZONE_TOKEN",)),))
    binding = AccessRoleBinding(subjects=(Subject(type="User", name="john"),), roles=("zones",))
    plane = await Plane(RoleAccess(roles={"zones": role}, bindings=(binding,))).ready()
    assert await plane.zone(KNOWN)
    with pytest.raises(AccessDeniedError):
        await plane.zone(KNOWN, scope=["cp"])


async def test_a_user_without_the_right_to_a_kind_is_refused_before_the_request_is_read() -> None:
    plane = await Plane().ready()
    for issue in (plane.issuer.dataplane_token, plane.issuer.zone_token, plane.issuer.user_token):
        for unreadable in (b"{", b"", b"[" * REQUEST_BYTES_MAX, body(mesh="", zone=7, name="")):
            with pytest.raises(AccessDeniedError):
                await issue(ANONYMOUS, unreadable)
        with pytest.raises(UndecodableRequestError):
            await issue(ADMIN, b"{")


async def test_which_tokens_of_a_kind_a_user_gets_is_decided_by_the_request() -> None:
    """The right to one of them is enough to be read, and to no more."""
    condition = Condition(dp_token=TokenCondition(tags=(TokenTag(name="s", value="web"),)))
    rules = (
        AccessRule(access=("GENERATE_DATAPLANE_TOKEN",), mesh="default", when=(condition,)),
        AccessRule(access=("GENERATE_ZONE_CP_TOKEN",)),
    )
    binding = AccessRoleBinding(subjects=(Subject(type="User", name="john"),), roles=("some",))
    roles = RoleAccess(roles={"some": AccessRole(rules=rules)}, bindings=(binding,))
    plane = await Plane(roles).ready()
    assert await plane.dataplane(KNOWN, tags={"s": ["web"]})
    assert await plane.zone(KNOWN, scope=["cp"])
    with pytest.raises(AccessDeniedError, match="generate dataplane token"):
        await plane.dataplane(KNOWN, tags={"s": ["bank"]})
    with pytest.raises(AccessDeniedError, match="generate zone token for zone 'east'"):
        await plane.zone(KNOWN, scope=["ingress"])
    with pytest.raises(InvalidTokenRequestError):
        await plane.dataplane(KNOWN, type="robot")


async def test_for_a_proxy_the_request_is_checked_before_its_tags() -> None:
    with pytest.raises(InvalidTokenRequestError):
        await (await Plane().ready()).issuer.dataplane_token(ADMIN, body(mesh=""))


async def test_for_zones_and_users_access_is_checked_before_the_request() -> None:
    plane = await Plane().ready()
    with pytest.raises(AccessDeniedError):
        await plane.zone(ANONYMOUS, scope=None)
    with pytest.raises(AccessDeniedError):
        await plane.user(ANONYMOUS, name="")
    with pytest.raises(InvalidTokenRequestError):
        await plane.zone(scope=None)
    with pytest.raises(InvalidTokenRequestError):
        await plane.user(name="")


async def test_an_issuer_that_is_switched_off_signs_nothing() -> None:
    off = Issuers(users=False, dataplanes=False, zones=False)
    plane = await Plane(issuers=off).ready()
    for issue in (plane.dataplane, plane.zone, plane.user):
        with pytest.raises(IssuerDisabledError, match="issuing tokens using the control plane is"):
            await issue(ADMIN)
        with pytest.raises(AccessDeniedError):
            await issue(ANONYMOUS)


async def test_the_largest_request_still_makes_a_token_that_is_read() -> None:
    plane = await Plane().ready()
    empty = body(name="", groups=["a"], validFor="24h")
    name = "x" * (REQUEST_BYTES_MAX - len(empty))
    token = await plane.issuer.user_token(ADMIN, body(name=name, groups=["a"], validFor="24h"))
    assert len(token) <= TOKEN_BYTES_MAX
    authenticator = Authenticator(plane.keys, lambda: NOW, AuthenticationSettings())
    asked = Requester(local=False, authorization=f"Bearer {token}")
    assert (await authenticator.user(asked)).name == name


async def test_the_log_tells_who_got_which_token_and_never_the_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    plane = await Plane().ready()
    mary = User("mary\nok", ("mesh-system:admin",))
    token = await plane.user(mary)
    (record,) = [each for each in caplog.records if each.getMessage().startswith("token-issued")]
    assert record.getMessage() == (
        r"token-issued: 'mary\nok/mesh-system:admin' got token id-1, signed by "
        'user-token-signing-key-1, for 24h0m0s, for user "john" of groups "a", '
        "from the control plane itself"
    )
    assert token.rpartition(".")[2] not in caplog.text


async def test_a_first_start_keeps_a_token_of_the_administrator(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    plane = Plane()
    assert await plane.issuer.ensure_admin_token(plane.secrets)
    token = plane.secrets.kept[ADMIN_USER_TOKEN].decode()
    _, payload = unpacked(token)
    assert (payload["Name"], payload["Groups"]) == ("mesh-system:admin", ["mesh-system:admin"])
    assert payload["exp"] == STARTED + 10 * YEAR
    assert "saving generated Admin User Token" in caplog.text
    assert token not in caplog.text


async def test_that_token_makes_an_administrator() -> None:
    plane = Plane()
    await plane.issuer.ensure_admin_token(plane.secrets)
    token = plane.secrets.kept[ADMIN_USER_TOKEN].decode()
    authenticator = Authenticator(plane.keys, lambda: later(days=3649), AuthenticationSettings())
    asked = Requester(local=False, authorization=f"Bearer {token}")
    assert await authenticator.user(asked) == ADMIN


async def test_the_next_start_leaves_it_alone() -> None:
    plane = Plane()
    await plane.issuer.ensure_admin_token(plane.secrets)
    before = dict(plane.secrets.kept)
    assert not await plane.issuer.ensure_admin_token(plane.secrets)
    assert plane.secrets.kept == before


async def test_of_two_first_starts_at_once_one_keeps_its_token() -> None:
    plane = Plane()
    await plane.keys.ensure(USER_KEYS)
    made: list[bool] = []

    async def other() -> None:
        made.append(await plane.issuer.ensure_admin_token(plane.secrets))

    plane.secrets.before_the_next_put(other)
    made.append(await plane.issuer.ensure_admin_token(plane.secrets))
    assert made == [True, False]
    assert unpacked(plane.secrets.kept[ADMIN_USER_TOKEN].decode())[1]["jti"] == "id-2"
