"""The token in the first line: whose it is, which key signed it, and when there is none."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.admission.attestation import Rule
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId
from kong_mesh_cp.core.identity import tokens
from kong_mesh_cp.core.identity.jwt import PresentedToken
from kong_mesh_cp.core.identity.key_series import dataplane_keys
from kong_mesh_cp.core.identity.proxy_rules import require_dataplane, require_zone_proxy
from kong_mesh_cp.core.identity.tokens import DataplaneClaims, ZoneClaims
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.admission.proxy_tokens import claims_of
from kong_mesh_cp.usecases.admission.seating import HeldSeat
from kong_mesh_cp.usecases.identity.authenticating import AuthenticationSettings, Authenticator
from kong_mesh_cp.usecases.ports.resource_store import Delete, StoredResource
from support.fakes.admission import NOON, Desk, body, furnished, line_of, open_desk, take
from support.fakes.attending import SERVICE, apply, gateway, register, sidecar
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.fake_store import full_disk
from support.fakes.identity import signing_key, token_for, unpacked
from support.fakes.peers import FakePeer, attested

KEYS = dataplane_keys("default")


def token(held: object) -> str:
    found: str = line_of(held)["token"]  # type: ignore[arg-type]
    return found


def warning(held: object) -> str:
    line = line_of(held)  # type: ignore[arg-type]
    assert "token" not in line
    (only,) = line["warnings"]
    assert only["code"] == "token-not-issued"
    return str(only["message"])


async def test_a_token_names_the_proxy_and_ends_after_five_minutes() -> None:
    async with open_desk() as desk:
        held = await desk.admitting.admit(body(**{SERVICE: "web"}), FakePeer())

    header, payload = unpacked(token(held))
    now = int(NOON.timestamp())
    assert header == {"alg": "RS256", "kid": "1", "typ": "JWT"}
    assert payload == {
        "Name": "backend-1",
        "Mesh": "default",
        "Tags": {SERVICE: ["web"]},
        "Type": "dataplane",
        "exp": now + 300,
        "nbf": now - 300,
        "iat": now,
        "jti": "id-1",
    }


async def test_tags_are_those_of_the_dataplane_and_of_the_rule() -> None:
    rule = Rule(uid=0, tags={"team": "payments"})
    root = FakePeer(attested(uid=0))
    async with open_desk(rules=[rule]) as desk:
        registered = await register(desk, sidecar("a"), root)
        await apply(desk, gateway("b", team="payments", version="v1"))
        await wait_all_tasks_blocked()
        stored = await take(desk, "b", root)

    assert unpacked(token(registered))[1]["Tags"] == {SERVICE: ["backend"], "team": ["payments"]}
    assert unpacked(token(stored))[1]["Tags"] == {
        SERVICE: ["backend"],
        "team": ["payments"],
        "version": ["v1"],
    }


async def test_the_control_plane_believes_its_own_token() -> None:
    async with open_desk() as desk:
        held = await register(desk)
        authenticator = Authenticator(desk.keys, lambda: NOON, AuthenticationSettings())
        late = Authenticator(
            desk.keys, lambda: NOON + timedelta(minutes=5), AuthenticationSettings()
        )
        tags = {SERVICE: {"backend"}, "kuma.io/zone": {"default"}}
        await authenticator.require_dataplane(
            [token(held)], mesh="default", name="backend-1", tags=tags
        )
        for wrong in ({"name": "other"}, {"mesh": "other"}, {"tags": {SERVICE: {"web"}}}):
            asked = {"mesh": "default", "name": "backend-1", "tags": tags, **wrong}
            with pytest.raises(Exception, match="authentication failed"):
                await authenticator.require_dataplane([token(held)], **asked)  # type: ignore[arg-type]
        with pytest.raises(Exception, match="expired"):
            await late.require_dataplane([token(held)], mesh="default", name="backend-1", tags=tags)


NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
TAG_SETS = st.lists(
    st.dictionaries(
        st.sampled_from([SERVICE, "kuma.io/zone", "kuma.io/protocol", "team"]),
        st.from_regex(r"[a-zA-Z0-9.\-_:]{1,12}", fullmatch=True),
        max_size=4,
    ),
    max_size=4,
)
PROXIES = st.sampled_from(
    [ProxyKind.SIDECAR, ProxyKind.DELEGATED_GATEWAY, ProxyKind.BUILTIN_GATEWAY]
)


@given(NAMES, NAMES, PROXIES, TAG_SETS, st.none() | st.just("east"))
def test_what_is_claimed_of_a_proxy_is_accepted_for_it_with_or_without_its_zone(
    name: str, mesh: str, kind: ProxyKind, tag_sets: list[dict[str, str]], zone: str | None
) -> None:
    claims = claims_of(SeatId("east", mesh, name), kind, tag_sets)
    presented = PresentedToken.parse(token_for(claims, now=NOON))
    believed = tokens.verify(
        presented, DataplaneClaims, keys=[signing_key().verifier], revoked=(), now=NOON
    )

    tags: dict[str, set[str]] = {}
    for each in tag_sets:
        for tag, value in each.items():
            tags.setdefault(tag, set()).add(value)
    tags.pop("kuma.io/zone", None)
    if zone is not None:
        tags["kuma.io/zone"] = {zone}
    require_dataplane(believed, mesh=mesh, name=name, tags=tags)


@pytest.mark.parametrize(
    ("kind", "scope"), [(ProxyKind.ZONE_INGRESS, "ingress"), (ProxyKind.ZONE_EGRESS, "egress")]
)
def test_a_zone_proxy_gets_the_token_of_its_part_and_zone(kind: ProxyKind, scope: str) -> None:
    claims = claims_of(SeatId("east", "", "edge"), kind, [])

    assert isinstance(claims, ZoneClaims)
    require_zone_proxy(claims, scope=scope, zone="east")
    assert claims.scope == (scope,)


# Keys that come, change and go.


async def test_a_key_that_was_added_signs_the_next_token() -> None:
    async with open_desk() as desk:
        before = await take(desk, "a")
        await desk.keys.rotate(KEYS)
        await wait_all_tasks_blocked()
        after = await take(desk, "b")
        await desk.keys.retire(KEYS, 1)

    assert unpacked(token(before))[0]["kid"] == "1"
    assert unpacked(token(after))[0]["kid"] == "2"


async def test_a_key_that_was_taken_out_signs_nothing_more() -> None:
    async with open_desk() as desk:
        await take(desk, "a")
        await desk.resources.apply([Delete(key=KEYS.key(1))])
        await wait_all_tasks_blocked()
        without = warning(await take(desk, "b"))
        await desk.keys.ensure(KEYS)
        await wait_all_tasks_blocked()
        again = await take(desk, "c")

    assert "has no signing key" in without
    assert "kumactl generate signing-key" in without
    assert "dataplane-token-signing-key-default-1" in without
    assert token(again)


async def test_keys_of_other_meshes_do_not_matter() -> None:
    async with open_desk() as desk:
        await desk.keys.rotate(dataplane_keys("other"))
        await wait_all_tasks_blocked()

        assert unpacked(token(await take(desk)))[0]["kid"] == "1"


class _CountsReads(FakeResourceStore):
    keys_read = 0

    async def get(self, key: ResourceKey) -> object:  # type: ignore[override]
        self.keys_read += key.type == "Secret"
        return await super().get(key)


async def test_a_key_is_read_once_as_long_as_it_does_not_change() -> None:
    there = await furnished()
    store = _CountsReads(there.resources, there.log)
    async with open_desk(resources=store, refuses=False) as desk:
        for number in range(10):
            await take(desk, f"p-{number}")
        once = store.keys_read
        await desk.keys.rotate(dataplane_keys("default"))
        await wait_all_tasks_blocked()
        store.keys_read = 0
        await take(desk, "again")

    assert (once, store.keys_read) == (1, 1)


async def damage(desk: Desk) -> None:
    key = KEYS.key(1)
    stored = desk.resources.resources[key]
    nonsense = base64.b64encode(b"no key at all").decode()
    desk.resources.resources[key] = replace(stored, spec=f'{{"data": "{nonsense}"}}')


async def test_an_unusable_key_is_named_with_its_remedy_and_the_proxy_is_admitted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_desk() as desk:
        await damage(desk)
        first = warning(await take(desk, "a"))
        warning(await take(desk, "b"))

    assert "is no private key in PEM" in first
    assert "has no other that is usable. Put another in its place" in first
    said = [text for text in caplog.messages if text.startswith("token-not-issued")]
    assert len(said) == 1, "said once, not for each admission"


async def test_a_store_that_fails_costs_the_token_and_not_the_seat() -> None:
    async with open_desk() as desk:
        desk.resources.failure = full_disk()

        assert "cannot be read" in warning(await take(desk))


async def test_tags_that_no_token_can_hold_cost_the_token_and_not_the_seat() -> None:
    dataplane = sidecar(**{f"t{number}": "x" * 250 for number in range(60)})
    async with open_desk() as desk:
        held = await register(desk, dataplane)

    assert "do not fit into a token" in warning(held)


async def test_before_keys_can_be_had_an_admission_waits_for_a_bounded_time(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001
) -> None:
    async with open_desk(serving=False) as desk:
        held = await take(desk)

    assert "still being made" in warning(held)


async def test_a_mesh_that_the_store_does_not_take_yet_has_no_remedy_in_the_mesh(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001
) -> None:
    async with open_desk() as desk:
        desk.meshes.being_made = trio.Event()
        told = warning(await take(desk))

    assert "the start makes them as soon as the store takes them" in told
    assert "kumactl" not in told


async def test_a_mesh_that_a_start_is_making_is_waited_for(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001
) -> None:
    async with open_desk() as desk:
        desk.meshes.being_made = trio.Event()
        lines = []

        async def ask() -> None:
            lines.append(await take(desk))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.sleep(1)
            assert not lines
            desk.meshes.being_made.set()

        assert token(lines[0])


class CountingStore(FakeResourceStore):
    """Counts the questions for the signing key."""

    asked = 0

    async def get(self, key: ResourceKey) -> StoredResource | None:
        self.asked += key == KEYS.key(1)
        return await super().get(key)


async def test_of_many_that_come_back_at_once_one_asks_for_the_key_and_all_have_a_token() -> None:
    there = await furnished()
    store = CountingStore(there.resources, there.log)
    crowd = 100
    held: list[HeldSeat] = []
    async with open_desk(limit=crowd, resources=store) as desk:
        await wait_all_tasks_blocked()

        async def join(number: int) -> None:
            held.append(await take(desk, f"proxy-{number}"))

        async with trio.open_nursery() as nursery:
            for number in range(crowd):
                nursery.start_soon(join, number)

    assert all(map(token, held))
    assert len(held) == crowd
    assert store.asked == 1
