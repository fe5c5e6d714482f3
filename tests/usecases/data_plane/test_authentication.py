"""Proxies prove who they are, where they have to."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.identity.key_series import ZONE_KEYS, dataplane_keys
from kong_mesh_cp.core.identity.proxy_rules import ProxyRefusedError
from kong_mesh_cp.usecases.data_plane.authentication import (
    ProxyAuthentication,
    ProxyIdentity,
    ProxyKind,
)
from kong_mesh_cp.usecases.identity.authenticating import AuthenticationSettings, Authenticator
from kong_mesh_cp.usecases.identity.signing_keys import SigningKeys
from support.fakes.identity import EAST, NOW, WEB, pem, token_for
from support.fakes.key_secrets import FakeKeySecrets, numbered_keys

WEB_1 = ProxyIdentity(mesh="default", name="web-1", tags={"kuma.io/service": {"web"}})
WEB_2 = ProxyIdentity(mesh="default", name="web-2", tags={"kuma.io/service": {"web"}})
INGRESS = ProxyIdentity(mesh="", name="ingress-1", kind=ProxyKind.INGRESS, zone="east")


def authentication(*, dataplanes: bool = True, zone_proxies: bool = True) -> ProxyAuthentication:
    secrets = FakeKeySecrets("default")
    secrets.kept[ZONE_KEYS.key(1)] = pem(2)
    secrets.kept[dataplane_keys("default").key(1)] = pem(3)
    keys = SigningKeys(secrets, numbered_keys())
    authenticator = Authenticator(keys, lambda: NOW, AuthenticationSettings())
    return ProxyAuthentication(authenticator, dataplanes=dataplanes, zone_proxies=zone_proxies)


async def test_a_data_plane_proxy_shows_a_token_of_its_own() -> None:
    token = token_for(WEB, key=3)
    await authentication().verify([token], WEB_1)
    with pytest.raises(ProxyRefusedError, match="proxy name from requestor: web-2"):
        await authentication().verify([token], WEB_2)


async def test_a_zone_proxy_shows_a_token_of_its_zone() -> None:
    token = token_for(EAST, key=2)
    await authentication().verify([token], INGRESS)
    elsewhere = ProxyIdentity(mesh="", name="i", kind=ProxyKind.INGRESS, zone="west")
    with pytest.raises(ProxyRefusedError, match="zone from requestor: west"):
        await authentication().verify([token], elsewhere)


async def test_the_token_of_a_data_plane_proxy_is_none_of_a_zone() -> None:
    with pytest.raises(ProxyRefusedError, match="could not parse token"):
        await authentication().verify([token_for(WEB, key=3)], INGRESS)


async def test_without_a_token_nobody_is_believed() -> None:
    for proxy in (WEB_1, INGRESS):
        with pytest.raises(ProxyRefusedError, match="could not parse token"):
            await authentication().verify([], proxy)


@pytest.mark.parametrize("credentials", [None, [], ["junk"], ["a", "b"]])
async def test_where_nothing_is_asked_whoever_comes_is_believed(
    credentials: list[str] | None,
) -> None:
    open_to_dataplanes = authentication(dataplanes=False)
    await open_to_dataplanes.verify(credentials, WEB_1)
    with pytest.raises(ProxyRefusedError):
        await open_to_dataplanes.verify(credentials, INGRESS)
    open_to_zones = authentication(zone_proxies=False)
    await open_to_zones.verify(credentials, INGRESS)
    with pytest.raises(ProxyRefusedError):
        await open_to_zones.verify(credentials, WEB_1)
