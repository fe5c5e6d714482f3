"""Keys of tokens: made, found, rotated, retired; tokens revoked."""

from __future__ import annotations

import logging

import pytest

from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.identity.jwt import PresentedToken
from kong_mesh_cp.core.identity.key_series import (
    SERIAL_MAX,
    USER_KEYS,
    WRITTEN_SERIAL_MAX,
    ZONE_KEYS,
    KeySeries,
    OfflineKeys,
    dataplane_keys,
)
from kong_mesh_cp.core.identity.refusals import (
    SigningKeyError,
    SigningKeyNotFoundError,
    TokenFault,
    TokenRejectedError,
)
from kong_mesh_cp.core.identity.rsa_keys import LegacyVerifier
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.identity.signing_keys import KeyTrust, SigningKeys
from kong_mesh_cp.usecases.ports.resource_store import NotFoundError
from support.fakes.identity import EAST, JOHN, compact, pem, signing_key, token_for
from support.fakes.key_secrets import FakeKeySecrets, numbered_keys

ONLY_OFFLINE = KeyTrust(
    use_secrets=False, offline=OfflineKeys.parse([("", "mine", signing_key(5).verifier.pem())])
)


def fresh(*meshes: str) -> tuple[SigningKeys, FakeKeySecrets]:
    secrets = FakeKeySecrets("default", *meshes)
    return SigningKeys(secrets, numbered_keys()), secrets


async def verifiers(
    keys: SigningKeys, token: str, series: KeySeries = USER_KEYS, trust: KeyTrust | None = None
) -> list[object]:
    presented = PresentedToken.parse(token)
    return list(await keys.verifiers(series, presented, trust or KeyTrust()))


async def rejection(
    keys: SigningKeys, token: str, series: KeySeries = USER_KEYS, trust: KeyTrust | None = None
) -> TokenRejectedError:
    with pytest.raises(TokenRejectedError) as caught:
        await verifiers(keys, token, series, trust)
    return caught.value


async def test_the_first_key_is_made_once() -> None:
    keys, secrets = fresh()
    assert await keys.ensure(USER_KEYS)
    assert not await keys.ensure(USER_KEYS)
    assert secrets.kept == {USER_KEYS.key(1): pem(1)}


async def test_a_series_that_was_rotated_gets_no_first_key_again() -> None:
    keys, secrets = fresh()
    secrets.kept[USER_KEYS.key(2)] = pem(2)
    assert not await keys.ensure(USER_KEYS)


async def test_of_two_that_make_the_first_key_one_does() -> None:
    keys, secrets = fresh()
    made: list[bool] = []

    async def other() -> None:
        made.append(await keys.ensure(USER_KEYS))

    secrets.before_the_next_put(other)
    made.append(await keys.ensure(USER_KEYS))
    assert made == [True, False]
    assert list(secrets.kept) == [USER_KEYS.key(1)]


async def test_a_key_for_a_mesh_that_is_gone_is_not_made() -> None:
    keys, _ = fresh()
    with pytest.raises(NotFoundError):
        await keys.ensure(dataplane_keys("nowhere"))


async def test_the_key_with_the_highest_number_signs() -> None:
    keys, secrets = fresh()
    for serial in (2, 10, 9):
        secrets.kept[USER_KEYS.key(serial)] = pem(serial)
    kid, key = await keys.newest(USER_KEYS)
    assert kid == "10"
    assert key.sign(b"x") == signing_key(10).sign(b"x")


async def test_without_a_key_nothing_is_signed() -> None:
    keys, _ = fresh()
    with pytest.raises(SigningKeyNotFoundError, match="there is no signing key with KID 1"):
        await keys.newest(ZONE_KEYS)


async def test_a_zones_copies_of_public_keys_do_not_sign() -> None:
    keys, secrets = fresh()
    name = "zone-token-signing-public-key-1"
    secrets.kept[ResourceKey("GlobalSecret", "", name)] = signing_key().verifier.pem()
    with pytest.raises(SigningKeyNotFoundError):
        await keys.newest(ZONE_KEYS)
    assert len(await verifiers(keys, token_for(EAST), ZONE_KEYS)) == 1


async def test_a_text_that_is_no_key_is_reported_as_such() -> None:
    keys, secrets = fresh()
    secrets.kept[USER_KEYS.key(1)] = b"junk"
    with pytest.raises(SigningKeyError):
        await keys.newest(USER_KEYS)


async def test_the_newest_key_that_can_sign_signs_and_the_bad_one_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    keys, secrets = fresh()
    series = dataplane_keys("default")
    secrets.kept[series.key(1)] = pem(1)
    secrets.kept[series.key(2)] = pem(2)
    secrets.kept[series.key(3)] = signing_key(3).verifier.pem()
    secrets.kept[series.key(9)] = b"x"
    for _ in range(3):
        kid, key = await keys.newest(series)
        assert kid == "2"
        assert key.sign(b"x") == signing_key(2).sign(b"x")
    said = [each for each in caplog.messages if each.startswith("signing-key-unusable: ")]
    assert len(said) == 2, "once for each content"
    assert '"default/dataplane-token-signing-key-default-9" is no private key' in said[0]
    secrets.kept[series.key(9)] = b"y"
    await keys.newest(series)
    assert len(caplog.messages) == 3, "it has become another bad one"


async def test_what_is_put_right_signs_at_once() -> None:
    keys, secrets = fresh()
    secrets.kept[USER_KEYS.key(1)] = pem(1)
    secrets.kept[USER_KEYS.key(2)] = b"x"
    assert (await keys.newest(USER_KEYS))[0] == "1"
    secrets.kept[USER_KEYS.key(2)] = pem(2)
    assert (await keys.newest(USER_KEYS))[0] == "2"
    del secrets.kept[USER_KEYS.key(2)]
    assert (await keys.newest(USER_KEYS))[0] == "1"


async def test_a_key_that_cannot_sign_may_be_retired_and_the_one_that_signs_may_not() -> None:
    keys, secrets = fresh()
    secrets.kept[USER_KEYS.key(1)] = pem(1)
    secrets.kept[USER_KEYS.key(9)] = b"x"
    with pytest.raises(ControlPlaneError) as caught:
        await keys.retire(USER_KEYS, 1)
    assert caught.value.code == "signing-key-in-use"
    await keys.retire(USER_KEYS, 9)
    assert list(secrets.kept) == [USER_KEYS.key(1)]


async def test_a_rotation_follows_any_number_that_may_be_written() -> None:
    keys, secrets = fresh()
    secrets.kept[USER_KEYS.key(WRITTEN_SERIAL_MAX)] = pem(1)
    assert await keys.rotate(USER_KEYS) == WRITTEN_SERIAL_MAX + 1
    assert (await keys.newest(USER_KEYS))[0] == str(WRITTEN_SERIAL_MAX + 1)


async def test_a_rotation_behind_the_last_number_says_what_to_do() -> None:
    keys, secrets = fresh()
    secrets.kept[USER_KEYS.key(SERIAL_MAX)] = pem(1)
    with pytest.raises(ControlPlaneError, match="no number for another key") as caught:
        await keys.rotate(USER_KEYS)
    assert caught.value.code == "signing-key-numbers-exhausted"
    assert list(secrets.kept) == [USER_KEYS.key(SERIAL_MAX)]


async def test_a_rotation_adds_a_key_that_signs_while_the_old_one_verifies(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    keys, _ = fresh()
    await keys.ensure(USER_KEYS)
    assert await keys.rotate(USER_KEYS) == 2
    kid, _ = await keys.newest(USER_KEYS)
    assert kid == "2"
    assert await verifiers(keys, token_for(JOHN, key=1, kid="1"))
    assert "signing-key-added: user-token-signing-key-2" in caplog.text


async def test_a_rotation_of_nothing_makes_the_first_key() -> None:
    keys, _ = fresh()
    assert await keys.rotate(dataplane_keys("default")) == 1


async def test_two_rotations_at_once_add_two_keys() -> None:
    keys, secrets = fresh()
    await keys.ensure(USER_KEYS)
    added: list[int] = []

    async def other() -> None:
        added.append(await keys.rotate(USER_KEYS))

    secrets.before_the_next_put(other)
    added.append(await keys.rotate(USER_KEYS))
    assert added == [2, 3]
    assert len(set(secrets.kept.values())) == 3


class BusySecrets(FakeKeySecrets):
    """Somebody else is always faster."""

    async def put(self, key: ResourceKey, data: bytes, *, expected: bytes | None) -> bool:
        self.kept[key] = b"theirs" if expected is None else expected + b",theirs"
        return await super().put(key, data, expected=expected)


async def test_a_rotation_gives_up_where_others_always_win() -> None:
    keys = SigningKeys(BusySecrets(), numbered_keys())
    with pytest.raises(ControlPlaneError) as caught:
        await keys.rotate(USER_KEYS)
    assert caught.value.code == "signing-keys-contended"
    with pytest.raises(ControlPlaneError, match="100 times in a row"):
        await keys.revoke(USER_KEYS, "id")


async def test_a_retired_key_verifies_nothing_any_more(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    keys, _ = fresh()
    await keys.ensure(USER_KEYS)
    await keys.rotate(USER_KEYS)
    await keys.retire(USER_KEYS, 1)
    error = await rejection(keys, token_for(JOHN, kid="1"))
    assert error.fault is TokenFault.UNKNOWN_KEY
    assert error.message == (
        'there is no signing key with KID 1. GlobalSecret of name "user-token-signing-key-1" is '
        "not found. If signing key was rotated, regenerate the token"
    )
    assert "signing-key-retired" in caplog.text


async def test_the_key_that_signs_is_not_retired() -> None:
    keys, secrets = fresh()
    await keys.ensure(USER_KEYS)
    with pytest.raises(ControlPlaneError) as caught:
        await keys.retire(USER_KEYS, 1)
    assert caught.value.code == "signing-key-in-use"
    assert secrets.kept


async def test_a_key_that_is_not_there_cannot_be_retired() -> None:
    keys, _ = fresh()
    await keys.ensure(USER_KEYS)
    with pytest.raises(SigningKeyNotFoundError, match="KID 7"):
        await keys.retire(USER_KEYS, 7)


async def test_an_id_that_is_no_number_finds_no_secret() -> None:
    keys, secrets = fresh()
    secrets.kept[ResourceKey("GlobalSecret", "", "user-token-signing-key-x")] = pem(1)
    assert (await rejection(keys, token_for(JOHN, kid="x"))).fault is TokenFault.UNKNOWN_KEY
    assert (await rejection(keys, token_for(JOHN, kid="01"))).fault is TokenFault.UNKNOWN_KEY


async def test_a_secret_that_is_no_key_verifies_nothing_and_is_reported() -> None:
    keys, secrets = fresh()
    secrets.kept[USER_KEYS.key(1)] = b"junk"
    error = await rejection(keys, token_for(JOHN))
    assert error.fault is TokenFault.UNKNOWN_KEY
    assert "no public key in PEM" in error.message


async def test_offline_keys_verify_and_secrets_do_not_where_they_are_not_to() -> None:
    keys, secrets = fresh()
    secrets.kept[USER_KEYS.key(1)] = pem(1)
    offline = token_for(JOHN, key=5, kid="mine")
    assert await verifiers(keys, offline, trust=ONLY_OFFLINE)
    assert (await rejection(keys, token_for(JOHN), trust=ONLY_OFFLINE)).fault is (
        TokenFault.UNKNOWN_KEY
    )
    assert (await rejection(keys, offline)).fault is TokenFault.UNKNOWN_KEY


async def test_both_may_be_trusted_at_once() -> None:
    keys, secrets = fresh()
    secrets.kept[USER_KEYS.key(1)] = pem(1)
    both = KeyTrust(offline=OfflineKeys.parse([("", "1", signing_key(5).verifier.pem())]))
    assert len(await verifiers(keys, token_for(JOHN), trust=both)) == 2


async def test_an_offline_key_of_one_mesh_is_none_of_another() -> None:
    keys, _ = fresh()
    public = signing_key(5).verifier.pem()
    trust = KeyTrust(use_secrets=False, offline=OfflineKeys.parse([("default", "k", public)]))
    token = token_for(JOHN, key=5, kid="k")
    assert await verifiers(keys, token, dataplane_keys("default"), trust)
    await rejection(keys, token, dataplane_keys("payments"), trust)


async def test_a_token_of_old_is_verified_with_the_secret_without_a_number() -> None:
    keys, secrets = fresh()
    token = compact({"alg": "HS256"}, {"Name": "john"})
    assert "KID 0" in (await rejection(keys, token)).message
    secrets.kept[USER_KEYS.legacy_key] = bytes(64)
    assert await verifiers(keys, token) == [LegacyVerifier(bytes(64))]
    await rejection(keys, token, trust=ONLY_OFFLINE)


async def test_a_revoked_token_is_listed_where_it_is_looked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    keys, secrets = fresh()
    series = dataplane_keys("default")
    await keys.revoke(series, "id-1")
    await keys.revoke(series, "id-2")
    await keys.revoke(series, "id-1")
    assert secrets.kept == {series.revocations[0]: b"id-1,id-2"}
    assert await keys.revoked(series) == {"id-1", "id-2"}
    assert caplog.text.count("token-revoked: 'id-1'") == 1


async def test_revocations_of_proxies_count_in_both_places() -> None:
    keys, secrets = fresh()
    series = dataplane_keys("default")
    secrets.kept[series.revocations[0]] = b"a\n"
    secrets.kept[series.revocations[1]] = b"b,c"
    assert await keys.revoked(series) == {"a", "b", "c"}
    assert await keys.revoked(USER_KEYS) == frozenset()


async def test_of_two_that_revoke_at_once_none_is_lost() -> None:
    keys, secrets = fresh()
    secrets.before_the_next_put(lambda: keys.revoke(USER_KEYS, "other"))
    await keys.revoke(USER_KEYS, "mine")
    assert await keys.revoked(USER_KEYS) == {"mine", "other"}


async def test_an_id_no_list_can_hold_is_refused() -> None:
    keys, secrets = fresh()
    with pytest.raises(ValueError, match="without commas"):
        await keys.revoke(USER_KEYS, "a,b")
    assert not secrets.kept
