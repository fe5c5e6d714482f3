"""Who joins on a stream, and what is said to who does not."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.admission.doors import Door
from kong_mesh_cp.core.admission.seats import ProxyKind
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.data_plane.joining import YAML_CHARACTERS_MAX
from kong_mesh_cp.usecases.data_plane.stream_ports import Ending, NodeTold
from support.data_plane.proxy_streams import (
    Plane,
    Proxy,
    joined,
    newcomer,
    node,
    open_plane,
    token,
    turned_away,
)
from support.fakes.admission import proxies, seat
from support.fakes.attending import apply, document, gateway, settled, sidecar, stored

pytestmark = pytest.mark.usefixtures("autojump_clock")

SERVICE = "kuma.io/service"
REGISTER = "could not register proxy passed in kuma-dp run: "


async def text_for(plane: Plane, told: NodeTold | None, *credentials: str) -> str:
    """What ends the stream of a proxy that says this."""
    end = await turned_away(plane, Proxy(list(credentials), told))
    assert end.ending is Ending.REFUSED
    return end.message


async def test_a_proxy_that_brings_its_dataplane_is_registered_and_configured() -> None:
    async with open_plane() as plane:
        proxy = await joined(plane)
        await settled()

        assert stored(plane.desk) == ["backend-1"]
        assert plane.desk.seating.active == 1
        assert [each.version for each in proxy.got] == [
            plane.publishing.snapshot.by_type[proxy.got[0].type_url].version
        ]
        assert plane.publishing.watched == ["default.backend-1"]


async def test_a_proxy_without_one_joins_with_the_stored_dataplane() -> None:
    async with open_plane() as plane:
        await apply(plane.desk, sidecar())

        await joined(plane, stored=True)

        assert plane.desk.seating.active == 1


async def test_a_proxy_whose_dataplane_nobody_has_is_told_what_to_do() -> None:
    async with open_plane() as plane:
        text = await text_for(plane, node(), await token(plane.desk))

        assert text == (
            'resource "default.backend-1" not found; create a Dataplane in Kuma CP first or pass '
            "it as an argument to kuma-dp"
        )
        assert plane.desk.seating.active == 0


@pytest.mark.parametrize(
    ("node_id", "reason"),
    [
        ("", "Envoy ID must not be nil"),
        ("backend-1", "the name should be provided after the dot"),
        ("default.", "name must not be empty"),
    ],
)
async def test_a_node_id_has_a_mesh_and_a_name(node_id: str, reason: str) -> None:
    async with open_plane() as plane:
        told = NodeTold(node_id, {})
        text = await text_for(plane, told, await token(plane.desk))
        assert text == f"request must have a valid Proxy ID: {reason}"

        brought = NodeTold(node_id, node(brings=sidecar()).metadata)
        text = await text_for(plane, brought, await token(plane.desk))
        assert text == f"invalid node ID: {reason}"


async def test_a_first_request_without_a_node_names_nobody() -> None:
    async with open_plane() as plane:
        text = await text_for(plane, None, await token(plane.desk))

        assert text == "request must have a valid Proxy ID: Envoy ID must not be nil"


async def test_a_name_may_hold_dots() -> None:
    async with open_plane() as plane:
        await joined(plane, "backend.one.1")
        await settled()

        assert stored(plane.desk) == ["backend.one.1"]


async def test_proxies_of_other_types_are_not_served() -> None:
    async with open_plane() as plane:
        told = node(**{"dataplane.proxyType": "banana"})

        text = await text_for(plane, told, await token(plane.desk))
        assert text == 'unsupported proxy type "banana"'


async def test_there_is_one_credential() -> None:
    async with open_plane() as plane:
        credential = await token(plane.desk)

        assert await text_for(plane, node(brings=sidecar()), credential, credential) == (
            "could not extract credential from DiscoveryRequest: request must have exactly 1 "
            '"authorization" header, got 2'
        )
        assert (await text_for(plane, node(brings=sidecar()))).startswith("authentication failed: ")


async def test_the_token_has_to_fit_what_the_proxy_brings() -> None:
    async with open_plane() as plane:
        brought = node(brings=sidecar())

        other_name = await token(plane.desk, "other")
        assert await text_for(plane, brought, other_name) == (
            "authentication failed: proxy name from requestor: backend-1 is different than in "
            "token: other"
        )
        other_tag = await token(plane.desk, tags={SERVICE: ("web",)})
        assert (await text_for(plane, brought, other_tag)).startswith(
            'authentication failed: dataplane contains tag "kuma.io/service" with value "backend"'
        )
        assert (await text_for(plane, brought, "no token")).startswith(
            "authentication failed: could not parse token: "
        )
        assert stored(plane.desk) == []


async def test_what_a_proxy_brings_has_its_own_name() -> None:
    async with open_plane() as plane:
        told = node("backend-1", brings=sidecar("backend-2"))

        assert await text_for(plane, told, await token(plane.desk)) == (
            "proxyId {default backend-1} does not match proxy resource {Dataplane default backend-2 "
            "0001-01-01 00:00:00 +0000 UTC 0001-01-01 00:00:00 +0000 UTC map[]}"
        )


async def test_a_token_has_to_fit_the_dataplane_that_is_replaced_as_well() -> None:
    async with open_plane() as plane:
        await apply(plane.desk, sidecar(team="infra"))
        credential = await token(plane.desk, "backend-1", tags={"team": ("payments",)})

        text = await text_for(plane, node(brings=sidecar(team="payments")), credential)

        assert text.startswith(
            f"{REGISTER}you are trying to override existing proxy to which you don't have an "
            'access.: dataplane contains tag "team" with value "infra"'
        )
        inbound = document(plane.desk)["networking"]["inbound"][0]
        assert inbound["tags"]["team"] == "infra"
        assert plane.desk.seating.active == 0


async def test_a_proxy_replaces_its_own_dataplane() -> None:
    async with open_plane() as plane:
        await apply(plane.desk, sidecar(team="infra"))

        await joined(plane, brings=sidecar(team="payments"))
        await settled()

        inbound = document(plane.desk)["networking"]["inbound"][0]
        assert inbound["tags"]["team"] == "payments"


async def test_labels_are_those_of_what_the_proxy_brings() -> None:
    async with open_plane() as plane:
        await joined(plane, brings={**sidecar(), "labels": {"team": "payments"}})

        labels = plane.desk.resources.resources[
            ResourceKey("Dataplane", "default", "backend-1")
        ].labels
        assert labels["team"] == "payments"


async def test_what_a_proxy_brings_is_judged_as_any_other_dataplane() -> None:
    async with open_plane() as plane:
        wrong = sidecar()
        wrong["networking"]["address"] = ""

        text = await text_for(plane, node(brings=wrong), await token(plane.desk))

        assert text == f"{REGISTER}networking.address: address can't be empty"
        assert plane.desk.seating.active == 0


@pytest.mark.parametrize("text", ["{", "[]", '{"type": "Mesh", "name": "default"}'])
async def test_what_is_no_dataplane_is_as_if_nothing_had_been_brought(text: str) -> None:
    async with open_plane() as plane:
        end = await turned_away(plane, await newcomer(plane, brings=text))

        assert "create a Dataplane in Kuma CP first" in end.message


async def test_a_mesh_that_is_not_there_is_joined_by_nobody() -> None:
    async with open_plane() as plane:
        told = node(brings=sidecar())
        credential = await token(plane.desk)
        plane.desk.meshes.existing = ("other",)

        assert await text_for(plane, told, credential) == (
            f"{REGISTER}mesh of name default is not found"
        )


async def test_constraints_of_the_mesh_are_asked_where_a_dataplane_is_registered() -> None:
    async with open_plane() as plane:
        await apply(plane.desk, sidecar("member"))
        plane.desk.meshes.constrained["default"] = proxies(require=[{"team": "payments"}])

        text = await text_for(plane, node(brings=sidecar()), await token(plane.desk))

        assert text == (
            f'{REGISTER}dataplane cannot be a member of mesh "default" because its tags '
            '"kuma.io/service=backend kuma.io/zone=default" does not fulfill any requirements '
            "defined on the Mesh"
        )
        await joined(plane, "member", stored=True)  # as it was one before


async def test_gateways_take_no_counted_seat() -> None:
    async with open_plane(limit=0) as plane:
        await joined(plane, brings=gateway())

        assert plane.desk.seating.active == 0
        refused = await plane.desk.seating.refusal_of(
            seat("g"), ProxyKind.BUILTIN_GATEWAY, Door.STREAM
        )
        assert refused is None


async def test_nobody_joins_while_the_start_cannot_register_yet_and_is_asked_to_wait() -> None:
    async with open_plane(serving=False) as plane:
        end = await turned_away(plane, await newcomer(plane))

        assert end.ending is Ending.NOT_NOW
        assert end.message.startswith("busy: the control plane is still starting")


async def test_what_a_stranger_brings_costs_little_to_read() -> None:
    read = list[str]()

    def expensive(text: str) -> object:
        read.append(text)
        raise ValueError("no YAML")

    async with open_plane(read_text=expensive) as plane:
        for text in ("- a\n" * YAML_CHARACTERS_MAX, "{" + "a" * YAML_CHARACTERS_MAX):
            end = await turned_away(plane, await newcomer(plane, brings=text))
            assert "create a Dataplane in Kuma CP first" in end.message
        assert read == []

        await turned_away(plane, await newcomer(plane, brings="- a\n"))
        assert read == ["- a\n"]


async def test_a_large_dataplane_is_registered_all_the_same() -> None:
    async with open_plane() as plane:
        large = sidecar()
        large["networking"]["inbound"] = [
            {"port": 1000 + number, "tags": {SERVICE: "backend"}} for number in range(500)
        ]

        proxy = await joined(plane, brings=large)
        await proxy.heard.wait()

        assert len(document(plane.desk)["networking"]["inbound"]) == 500
