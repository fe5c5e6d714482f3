"""Who asks: users of the API, and proxies that open a stream."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.identity.key_series import USER_KEYS, ZONE_KEYS, OfflineKeys, dataplane_keys
from kong_mesh_cp.core.identity.proxy_rules import ProxyRefusedError
from kong_mesh_cp.core.identity.refusals import TokenFault, TokenRejectedError
from kong_mesh_cp.core.identity.tokens import DataplaneClaims
from kong_mesh_cp.core.identity.users import ADMIN, ANONYMOUS, Authentication, Requester, User
from kong_mesh_cp.usecases.identity.authenticating import AuthenticationSettings, Authenticator
from kong_mesh_cp.usecases.identity.signing_keys import KeyTrust, SigningKeys
from support.fakes.identity import EAST, JOHN, NOW, WEB, later, pem, signing_key, token_for
from support.fakes.key_secrets import FakeKeySecrets, numbered_keys

MESH = dataplane_keys("default")
TAGS = {"kuma.io/service": {"web"}}


class Plane:
    """An authenticator with a key for each kind of token; its clock can be moved."""

    def __init__(self, settings: AuthenticationSettings | None = None) -> None:
        self.secrets = FakeKeySecrets("default")
        for number, series in enumerate((USER_KEYS, ZONE_KEYS, MESH), start=1):
            self.secrets.kept[series.key(1)] = pem(number)
        self.now = NOW
        self.keys = SigningKeys(self.secrets, numbered_keys())
        self.authenticator = Authenticator(
            self.keys, lambda: self.now, settings or AuthenticationSettings()
        )

    async def user(self, token: str) -> User:
        asked = Requester(local=False, authorization=f"Bearer {token}")
        return await self.authenticator.user(asked)

    async def rejection(self, token: str) -> TokenRejectedError:
        with pytest.raises(TokenRejectedError) as caught:
            await self.user(token)
        return caught.value

    async def dataplane(
        self, *credentials: str, name: str = "web-1", mesh: str = "default"
    ) -> None:
        await self.authenticator.require_dataplane(
            list(credentials), mesh=mesh, name=name, tags=TAGS
        )

    async def refusal(self, *credentials: str, name: str = "web-1", mesh: str = "default") -> str:
        with pytest.raises(ProxyRefusedError) as caught:
            await self.dataplane(*credentials, name=name, mesh=mesh)
        return caught.value.message


async def test_a_user_is_who_the_token_says() -> None:
    assert await Plane().user(token_for(JOHN)) == User(
        "john", ("team-a", "team-b", "mesh-system:authenticated")
    )


async def test_without_a_token_a_remote_client_is_anonymous() -> None:
    assert await Plane().authenticator.user(Requester(local=False)) == ANONYMOUS


async def test_on_this_machine_too_a_bad_token_is_refused() -> None:
    with pytest.raises(TokenRejectedError):
        await Plane().authenticator.user(Requester(local=True, authorization="Bearer junk"))


async def test_on_this_machine_a_token_makes_its_user_of_the_administrator() -> None:
    plane = Plane()
    assert await plane.authenticator.user(Requester(local=True)) == ADMIN
    token = f"Bearer {token_for(JOHN)}"
    user = await plane.authenticator.user(Requester(local=True, authorization=token))
    assert user.name == "john"


async def test_where_this_machine_is_nothing_special_a_bad_token_matters() -> None:
    plane = Plane(AuthenticationSettings(localhost_is_admin=False))
    assert await plane.authenticator.user(Requester(local=True)) == ANONYMOUS
    with pytest.raises(TokenRejectedError):
        await plane.authenticator.user(Requester(local=True, authorization="Bearer junk"))


async def test_with_client_certificates_no_token_is_looked_at() -> None:
    settings = AuthenticationSettings(authentication=Authentication.ADMIN_CLIENT_CERTS)
    asked = Requester(local=False, authorization="Bearer junk")
    assert await Plane(settings).authenticator.user(asked) == ANONYMOUS
    asked = Requester(local=False, certified=True)
    assert await Plane(settings).authenticator.user(asked) == ADMIN


@pytest.mark.parametrize(
    ("token", "fault"),
    [
        ("", TokenFault.MALFORMED),
        ("junk", TokenFault.MALFORMED),
        (token_for(JOHN, key=9), TokenFault.SIGNATURE),
        (token_for(JOHN, kid="2"), TokenFault.UNKNOWN_KEY),
        (token_for(JOHN, now=later(days=-2)), TokenFault.EXPIRED),
        (token_for(JOHN, now=later(days=1)), TokenFault.NOT_YET_VALID),
        (token_for(EAST), TokenFault.CLAIMS),  # signed by the key of users, and still none
        (token_for(EAST, key=2), TokenFault.SIGNATURE),
    ],
)
async def test_a_token_that_proves_nothing_is_refused(token: str, fault: TokenFault) -> None:
    assert (await Plane().rejection(token)).fault is fault


async def test_a_token_ends_while_the_control_plane_runs() -> None:
    plane = Plane()
    token = token_for(JOHN, hours=1)
    assert (await plane.user(token)).name == "john"
    plane.now = later(hours=1)
    assert (await plane.rejection(token)).fault is TokenFault.EXPIRED


async def test_a_revocation_counts_at_once() -> None:
    plane = Plane()
    token = token_for(JOHN, token_id="id-7")
    assert (await plane.user(token)).name == "john"
    await plane.keys.revoke(USER_KEYS, "id-7")
    assert (await plane.rejection(token)).message == "token is revoked"


async def test_a_retired_key_counts_at_once() -> None:
    plane = Plane()
    token = token_for(JOHN)
    await plane.keys.rotate(USER_KEYS)
    assert (await plane.user(token)).name == "john"
    await plane.keys.retire(USER_KEYS, 1)
    assert (await plane.rejection(token)).fault is TokenFault.UNKNOWN_KEY


async def test_each_kind_of_token_has_its_own_trust() -> None:
    offline = KeyTrust(
        use_secrets=False, offline=OfflineKeys.parse([("", "k", signing_key(5).verifier.pem())])
    )
    plane = Plane(AuthenticationSettings(users=offline))
    assert (await plane.user(token_for(JOHN, key=5, kid="k"))).name == "john"
    assert (await plane.rejection(token_for(JOHN))).fault is TokenFault.UNKNOWN_KEY
    await plane.dataplane(token_for(WEB, key=3))


async def test_a_proxy_with_its_token_is_let_in() -> None:
    await Plane().dataplane(token_for(WEB, key=3))


async def test_a_proxy_with_the_token_of_another_is_not() -> None:
    assert await Plane().refusal(token_for(WEB, key=3), name="web-2") == (
        "authentication failed: proxy name from requestor: web-2 is different than in token: web-1"
    )


async def test_a_proxys_token_is_verified_with_the_keys_of_the_mesh_it_asks_for() -> None:
    plane = Plane()
    said = await plane.refusal(token_for(WEB, key=3), mesh="payments")
    assert said == (
        "authentication failed: there is no signing key with KID 1. Secret "
        'of name "dataplane-token-signing-key-payments-1" in mesh "payments" is not found. If '
        "signing key was rotated, regenerate the token"
    )


async def test_a_proxy_shows_one_bare_token() -> None:
    plane = Plane()
    token = token_for(WEB, key=3)
    assert await plane.refusal() == await plane.refusal("")
    assert (await plane.refusal(token, token)).endswith("got 2")
    assert "could not parse token" in await plane.refusal(f"Bearer {token}")
    with pytest.raises(ProxyRefusedError, match="request has no metadata"):
        await plane.authenticator.require_dataplane(None, mesh="default", name="x", tags={})


async def test_a_revoked_token_of_a_proxy_is_refused_from_either_place() -> None:
    for place in MESH.revocations:
        plane = Plane()
        plane.secrets.kept[place] = b"other,id-1\n"
        assert await plane.refusal(token_for(WEB, key=3)) == (
            "authentication failed: token is revoked"
        )


async def test_where_keys_end_with_the_process_a_proxy_is_told_so() -> None:
    plane = Plane(AuthenticationSettings(in_memory=True))
    said = await plane.refusal(token_for(WEB, key=9))
    assert said.startswith(
        "authentication failed: could not parse token. kuma-cp runs with an in-memory database and "
        "its state isn't preserved between restarts. Keep in mind that an in-memory database cannot"
        " be used with multiple instances of the control plane: "
    )


async def test_a_token_that_asks_for_tags_is_compared_with_the_proxy() -> None:
    token = token_for(DataplaneClaims(tags={"kuma.io/service": ("api",)}), key=3)
    assert 'with value "web" which is not allowed' in await Plane().refusal(token)


async def test_a_zone_proxy_with_its_token_is_let_in() -> None:
    authenticator = Plane().authenticator
    token = token_for(EAST, key=2)
    await authenticator.require_zone_proxy([token], scope="ingress", zone="east")
    with pytest.raises(ProxyRefusedError, match="zone from requestor: west"):
        await authenticator.require_zone_proxy([token], scope="ingress", zone="west")
    with pytest.raises(ProxyRefusedError, match="out of token's scope"):
        await authenticator.require_zone_proxy([token], scope="cp", zone="east")


async def test_a_users_token_opens_no_stream() -> None:
    assert "token signature is invalid" in await Plane().refusal(token_for(JOHN))
