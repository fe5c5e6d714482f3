"""What a start makes when it is not there (docs/wire/meshes.md#first-start)."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import MockClock

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.secrets_at_rest import DAMAGED
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.labels import Deployment, Mode
from kong_mesh_cp.usecases.ports.resource_store import StoredResource
from kong_mesh_cp.usecases.resources.initial_resources import InitialResources
from kong_mesh_cp.usecases.resources.write_rules import WriteRules
from support.daemons.resource_api import ResourceApi
from support.fakes.fake_resources import FakeResourceStore

NOTHING = InitialResources(default_mesh=False, hostname_generators=False, own_secrets=False)


async def test_a_first_start_makes_all_of_it_and_a_second_one_nothing() -> None:
    api = ResourceApi()
    await api.ensuring.run(InitialResources())
    made = list(api.keys.made)
    assert await api.names("Mesh") == ["default"]
    assert await api.names("Zone") == ["default"]
    assert await api.names("GlobalSecret") == [
        "envoy-admin-ca",
        "inter-cp-ca",
        "zone-token-signing-key-1",
    ]
    assert await api.names("HostnameGenerator") == [
        "local-mesh-external-service",
        "local-universal-mesh-service",
    ]
    assert len(await api.names("MeshTimeout", "default")) == 2

    await api.delete("MeshTimeout", "mesh-timeout-all-default", mesh="default")
    await api.ensuring.run(InitialResources())
    assert api.keys.made == made
    assert len(await api.names("MeshTimeout", "default")) == 1


async def test_of_two_first_starts_on_one_store_each_thing_is_made_by_one() -> None:
    """A key that is made again would end all that was signed with it meanwhile."""
    api = ResourceApi()
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(api.ensuring.run, InitialResources())
    assert isinstance(api.store, FakeResourceStore)
    assert {stored.version for stored in api.store.resources.values()} == {1}


async def test_what_is_not_wanted_is_not_made() -> None:
    api = ResourceApi()
    await api.ensuring.run(NOTHING)
    assert isinstance(api.store, FakeResourceStore)
    assert api.store.resources == {}


async def test_a_zone_of_a_global_control_plane_gets_its_meshes_from_there() -> None:
    api = ResourceApi(rules=WriteRules(deployment=Deployment(zone="east", federated=True)))
    await api.ensuring.run(InitialResources())
    assert await api.names("Mesh") == []
    assert await api.names("Zone") == ["east"]
    assert "zone-token-signing-key-1" not in await api.names("GlobalSecret")


async def test_generators_of_a_zone_are_for_what_comes_from_the_zone() -> None:
    api = ResourceApi()
    await api.ensuring.run(InitialResources())
    shown = await api.get("HostnameGenerator", "local-universal-mesh-service")
    assert shown["labels"] == {"kuma.io/origin": "zone"}
    assert shown["spec"] == {
        "selector": {"meshService": {"matchLabels": {"kuma.io/origin": "zone"}}},
        "template": "{{ .DisplayName }}.svc.mesh.local",
    }


async def test_a_global_control_plane_has_no_zone_of_its_own_and_names_what_zones_get() -> None:
    api = ResourceApi(rules=WriteRules(deployment=Deployment(mode=Mode.GLOBAL)))
    await api.put("Zone", "east")
    await api.ensuring.run(InitialResources())
    assert await api.names("Mesh") == ["default"]
    assert await api.names("Zone") == ["east"]
    assert "zone-token-signing-key-1" in await api.names("GlobalSecret")
    templates = {}
    for name in await api.names("HostnameGenerator"):
        shown = await api.get("HostnameGenerator", str(name))
        assert "labels" not in shown
        ((selector, services),) = shown["spec"]["selector"].items()
        assert services["matchLabels"].pop("kuma.io/origin") == "global"
        templates[name] = (selector, services["matchLabels"], shown["spec"]["template"])
    headless = "k8s.kuma.io/is-headless-service"
    kubernetes = {"kuma.io/env": "kubernetes"}
    assert templates == {
        "synced-headless-kube-mesh-service": (
            "meshService",
            {headless: "true", **kubernetes},
            '{{ label "statefulset.kubernetes.io/pod-name" }}'  # noqa: ISC004 (one template)
            '.{{ label "k8s.kuma.io/service-name" }}.{{ .Namespace }}.svc.{{ .Zone }}.mesh.local',
        ),
        "synced-kube-mesh-service": (
            "meshService",
            {headless: "false", **kubernetes},
            "{{ .DisplayName }}.{{ .Namespace }}.svc.{{ .Zone }}.mesh.local",
        ),
        "synced-mesh-external-service": (
            "meshExternalService",
            {},
            "{{ .DisplayName }}.extsvc.mesh.local",
        ),
        "synced-mesh-multi-zone-service": (
            "meshMultiZoneService",
            {},
            "{{ .DisplayName }}.mzsvc.mesh.local",
        ),
        "synced-universal-mesh-service": (
            "meshService",
            {"kuma.io/env": "universal"},
            "{{ .DisplayName }}.svc.{{ .Zone }}.mesh.local",
        ),
    }


async def test_a_zone_that_gets_another_name_has_one_zone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = ResourceApi()
    await api.ensuring.run(InitialResources())
    renamed = ResourceApi(store=api.store, rules=WriteRules(deployment=Deployment(zone="east")))
    await renamed.ensuring.run(InitialResources())
    assert await renamed.names("Zone") == ["east"]
    (told,) = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    assert told == (
        "zone-removed: the Zone default was removed, because this control plane is that of the zone"
        " east and keeps no other. If the name is a mistake, set KUMA_MULTIZONE_ZONE_NAME back and"
        " restart."
    )


async def test_a_store_that_fails_is_asked_again_and_said_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    del autojump_clock
    api = ResourceApi()
    store = api.store
    assert isinstance(store, FakeResourceStore)
    store.failure = StateError("the disk is full", code="state-full", hint="Make room.")
    with caplog.at_level(logging.ERROR):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(api.ensuring.run, InitialResources())
            await trio.sleep(12)
            store.failure = None
    assert await api.names("Mesh") == ["default"]
    lines = [each.message for each in caplog.records]
    assert lines == ["defaults-not-made: the disk is full; trying again. Make room."]


class DamagedStore(FakeResourceStore):
    """One secret is there and cannot be opened, however often it is tried."""

    async def get(self, key: ResourceKey) -> StoredResource | None:
        if key.name == "zone-token-signing-key-1":
            raise StateError("it was changed", code=DAMAGED, hint="Put that secret again.")
        return await super().get(key)


async def test_what_is_there_and_cannot_be_opened_does_not_keep_a_start_waiting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Through the API it can be mended, which serves when the start is over."""
    api = ResourceApi(store=DamagedStore())
    with caplog.at_level(logging.ERROR):
        await api.ensuring.run(InitialResources())
    assert await api.names("Mesh") == ["default"]
    assert await api.names("GlobalSecret") == ["envoy-admin-ca", "inter-cp-ca"]
    assert caplog.messages == ["default-unreadable: it was changed. Put that secret again."]
