"""What the insight of a proxy shows of its stream."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import trio

from kong_mesh_cp.core.discovery.exchanges import Request
from kong_mesh_cp.core.discovery.snapshots import Resource, Snapshot
from kong_mesh_cp.core.discovery.type_order import CLUSTERS, SECRETS
from kong_mesh_cp.core.insights.certificate_facts import CertificateFacts
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.admission.presence import RETRY_SECONDS
from kong_mesh_cp.usecases.ports.resource_store import Put
from support.data_plane.proxy_streams import Plane, Proxy, clusters, joined, newcomer, open_plane
from support.fakes.admission import NOON, furnished, seat
from support.fakes.attending import apply, delete, document, settled, sidecar, subscriptions
from support.fakes.fake_resources import CountedReads
from support.fakes.fake_store import full_disk

SHOWN_SECONDS = 10
BEAT_SECONDS = 150  # half of the idle timeout
INSIGHT = ResourceKey("DataplaneInsight", "default", "backend-1")
NOON_TEXT = "2026-11-21T12:00:00Z"

pytestmark = pytest.mark.usefixtures("autojump_clock")


def shown(plane: Plane) -> dict[str, Any]:
    """The newest subscription."""
    subscription: dict[str, Any] = document(plane.desk, "DataplaneInsight")["subscriptions"][-1]
    return subscription


async def ignoring(plane: Plane) -> Proxy:
    """A proxy that takes what it is sent without a word."""
    proxy = await newcomer(plane)
    proxy.acknowledges = False
    return await plane.dial(proxy)


VERSION: dict[str, dict[str, Any]] = {
    "kumaDp": {
        "version": "2.10.3",
        "gitTag": "2.10.3",
        "gitCommit": "abc",
        "buildDate": "2026-01-01",
    },
    "envoy": {"version": "1.33.2", "build": "x/1.33.2/Clean/RELEASE", "kumaDpCompatible": True},
}


async def test_a_stream_is_a_subscription_with_what_the_proxy_is_made_of() -> None:
    async with open_plane() as plane:
        dynamic = {"version.dependencies.coredns": "1.11.1", "team": "payments"}
        await joined(plane, version=VERSION, dynamicMetadata=dynamic)
        await settled()

        subscription = shown(plane)
        assert subscription["controlPlaneInstanceId"] == "run-1"
        assert subscription["connectTime"] == "2026-11-21T12:00:00Z"
        assert subscription["version"] == {
            "kumaDp": {**VERSION["kumaDp"], "kumaCpCompatible": True},
            "envoy": VERSION["envoy"],
            "dependencies": {"coredns": "1.11.1"},
        }


async def test_responses_are_counted_by_type_and_in_all() -> None:
    async with open_plane() as plane:
        proxy = await newcomer(plane)
        proxy.refuses = lambda response: "no b" if len(response.resources) > 1 else ""
        await plane.dial(proxy)
        plane.publishing.publish(clusters("a", "b"))
        await trio.sleep(SHOWN_SECONDS)
        await settled()

        counts = {"responsesSent": "2", "responsesAcknowledged": "1", "responsesRejected": "1"}
        assert shown(plane)["status"] == {
            "lastUpdateTime": "2026-11-21T12:00:00Z",
            "total": counts,
            "cds": counts,
            "eds": {},
            "lds": {},
            "rds": {},
        }


async def test_types_without_a_place_of_their_own_are_in_the_total() -> None:
    async with open_plane() as plane:
        proxy = await joined(plane)
        proxy.say(Request(type_url=SECRETS, names=("s",)))
        await trio.sleep(SHOWN_SECONDS)
        await settled()

        status = shown(plane)["status"]
        sent = [each.type_url for each in proxy.got]
        assert status["total"]["responsesSent"] == str(len(sent))
        assert status["cds"]["responsesSent"] == str(sent.count(CLUSTERS))


async def test_what_changes_is_written_together_after_a_while() -> None:
    async with open_plane() as plane:
        await joined(plane)
        await settled()
        writes = len(plane.desk.resources.log)
        for number in range(20):
            plane.publishing.publish(clusters(f"a{number}"))
            await trio.sleep(0.1)
        assert len(plane.desk.resources.log) == writes

        await trio.sleep(SHOWN_SECONDS)
        await settled()

        assert len(plane.desk.resources.log) == writes + 1
        assert shown(plane)["status"]["cds"]["responsesSent"] == "21"


async def test_counts_wait_for_their_time_when_the_dataplane_changes() -> None:
    async with open_plane() as plane:
        await apply(plane.desk, sidecar())
        await joined(plane, stored=True)
        await trio.sleep(SHOWN_SECONDS)
        await settled()
        plane.publishing.publish(clusters("b"))
        await apply(plane.desk, sidecar(version="2"))
        writes = len(plane.desk.resources.log)
        await settled()
        assert len(plane.desk.resources.log) == writes

        await trio.sleep(SHOWN_SECONDS)
        await settled()
        assert len(plane.desk.resources.log) == writes + 1
        assert shown(plane)["status"]["cds"]["responsesSent"] == "2"


async def test_what_nobody_else_has_changed_is_not_read_again() -> None:
    there = await furnished()
    store = CountedReads(there.resources, there.log)
    async with open_plane(resources=store) as plane:
        await joined(plane)
        await trio.sleep(SHOWN_SECONDS)
        await settled()
        store.asked.clear()
        for number in range(3):
            plane.publishing.publish(clusters(f"a{number}"))
            await trio.sleep(SHOWN_SECONDS)
        await trio.sleep(BEAT_SECONDS)
        await settled()

        assert shown(plane)["status"]["cds"]["responsesSent"] == "4"
        assert shown(plane)["generation"] == 1
        assert "DataplaneInsight" not in {key.type for key in store.asked}


async def test_counts_are_shown_beside_what_another_writer_has_put_there() -> None:
    async with open_plane() as plane:
        await joined(plane)
        await trio.sleep(SHOWN_SECONDS)
        await settled()
        insight = document(plane.desk, "DataplaneInsight")
        earlier = {**insight["subscriptions"][0], "id": "x", "disconnectTime": NOON_TEXT}
        insight["subscriptions"].insert(0, earlier)
        there = plane.desk.resources.resources[INSIGHT]
        await plane.desk.resources.apply([_put(there, insight)])
        for number in range(2):
            plane.publishing.publish(clusters(f"a{number}"))
            await trio.sleep(SHOWN_SECONDS)
            await settled()

        assert subscriptions(plane.desk) == [("run-1", False), ("run-1", True)]
        assert shown(plane)["status"]["cds"]["responsesSent"] == "3"
        assert plane.desk.presence.pending == 0


async def test_a_dataplane_that_is_made_anew_is_shown_online_without_waiting_for_counts() -> None:
    async with open_plane() as plane:
        await apply(plane.desk, sidecar())
        await joined(plane, stored=True)
        await trio.sleep(SHOWN_SECONDS)
        await settled()
        await delete(plane.desk)
        await apply(plane.desk, sidecar())
        await settled()

        assert subscriptions(plane.desk) == [("run-1", True)]


async def test_a_write_that_fails_is_made_up_for() -> None:
    async with open_plane() as plane:
        await joined(plane)
        await trio.sleep(SHOWN_SECONDS)
        await settled()
        plane.publishing.publish(clusters("b"))
        plane.desk.resources.failure = full_disk()
        await trio.sleep(SHOWN_SECONDS)
        await settled()
        assert plane.desk.presence.pending == 1
        plane.desk.resources.failure = None
        await trio.sleep(RETRY_SECONDS)
        await settled()

        assert shown(plane)["status"]["cds"]["responsesSent"] == "2"
        assert plane.desk.presence.pending == 0


async def test_nothing_is_written_while_nothing_changes() -> None:
    async with open_plane() as plane:
        await joined(plane)
        await trio.sleep(2 * SHOWN_SECONDS)
        await settled()
        writes = len(plane.desk.resources.log)

        await trio.sleep(BEAT_SECONDS - 4 * SHOWN_SECONDS)

        assert len(plane.desk.resources.log) == writes


async def test_a_stream_gives_its_signs_of_life() -> None:
    async with open_plane() as plane:
        await joined(plane)
        await trio.sleep(BEAT_SECONDS + SHOWN_SECONDS)
        await settled()

        assert shown(plane)["generation"] == 1


async def test_the_last_counts_are_there_when_a_stream_has_ended() -> None:
    async with open_plane() as plane:
        await apply(plane.desk, sidecar())
        proxy = await joined(plane, stored=True)
        await settled()
        plane.publishing.publish(clusters("b"))
        await settled()
        plane.desk.now[0] = NOON + timedelta(seconds=3)

        await plane.hang_up(proxy)
        await settled()

        subscription = shown(plane)
        assert subscription["disconnectTime"] == "2026-11-21T12:00:00Z"  # the records' own clock
        assert subscription["status"]["cds"] == {
            "responsesSent": "2",
            "responsesAcknowledged": "2",
        }


async def test_a_stream_that_was_displaced_leaves_its_last_counts_too() -> None:
    async with open_plane() as plane:
        await joined(plane)
        await settled()
        plane.publishing.publish(clusters("b"))
        await settled()

        await joined(plane)
        await settled()

        first, second = document(plane.desk, "DataplaneInsight")["subscriptions"]
        assert first["status"]["cds"]["responsesSent"] == "2"
        assert "disconnectTime" in first
        assert "disconnectTime" not in second


async def test_the_certificate_of_a_proxy_is_shown_while_its_mesh_has_them() -> None:
    async with open_plane() as plane:
        proxy = await joined(plane)
        facts = CertificateFacts(
            made_at=NOON, ends_at=NOON + timedelta(days=1), backend="ca-1", trusted=("ca-1",)
        )

        plane.streams.certify(seat("backend-1"), facts)
        await trio.sleep(SHOWN_SECONDS)
        await settled()
        mtls = {
            "certificateExpirationTime": "2026-11-22T12:00:00Z",
            "lastCertificateRegeneration": "2026-11-21T12:00:00Z",
            "certificateRegenerations": 1,
            "issuedBackend": "ca-1",
            "supportedBackends": ["ca-1"],
        }
        assert document(plane.desk, "DataplaneInsight")["mTLS"] == mtls

        # Of a proxy that is back nothing else is known at first.
        await plane.hang_up(proxy)
        await joined(plane)
        await settled()
        assert document(plane.desk, "DataplaneInsight")["mTLS"] == mtls

        plane.streams.certify(seat("backend-1"), None)
        await trio.sleep(SHOWN_SECONDS)
        await settled()
        assert "mTLS" not in document(plane.desk, "DataplaneInsight")


async def test_a_certificate_is_shown_when_the_proxy_has_taken_it() -> None:
    day = timedelta(days=1)
    facts = CertificateFacts(made_at=NOON, ends_at=NOON + day, backend="ca-1", trusted=("ca-1",))
    secrets = [Resource.of(each, each.encode()) for each in ("identity", "authority")]
    with_secrets = Snapshot.of({CLUSTERS: [Resource.of("a", b"a")], SECRETS: secrets})
    async with open_plane(certificate_of=lambda _mesh, _name: facts) as plane:
        plane.publishing.publish(with_secrets)
        proxy = await joined(plane)
        proxy.acknowledges = False
        proxy.say(Request(type_url=SECRETS, names=("identity", "authority")))
        await trio.sleep(SHOWN_SECONDS)
        await settled()
        assert proxy.got[-1].type_url == SECRETS
        assert "mTLS" not in document(plane.desk, "DataplaneInsight")

        last = proxy.got[-1]
        names = ("identity", "authority")
        proxy.say(Request(type_url=SECRETS, names=names, nonce=last.nonce, version=last.version))
        await trio.sleep(SHOWN_SECONDS)
        await settled()
        assert document(plane.desk, "DataplaneInsight")["mTLS"]["issuedBackend"] == "ca-1"

        plane.publishing.publish(clusters("a"))
        await trio.sleep(SHOWN_SECONDS)
        await settled()
        assert "mTLS" not in document(plane.desk, "DataplaneInsight")


async def test_a_proxy_that_another_control_plane_shows_is_not_fought_for() -> None:
    async with open_plane() as plane:
        await joined(plane)
        await settled()
        key = next(key for key in plane.desk.resources.resources if key.type == "DataplaneInsight")
        there = plane.desk.resources.resources[key]
        moved = document(plane.desk, "DataplaneInsight")
        moved["subscriptions"][0]["disconnectTime"] = "2026-11-21T12:00:01Z"
        elsewhere = {**moved["subscriptions"][0], "id": "x", "controlPlaneInstanceId": "run-9"}
        del elsewhere["disconnectTime"]
        moved["subscriptions"].append(elsewhere)
        await plane.desk.resources.apply([_put(there, moved)])

        plane.publishing.publish(clusters("b"))
        await trio.sleep(BEAT_SECONDS + SHOWN_SECONDS)
        await settled()
        assert subscriptions(plane.desk) == [("run-1", False), ("run-9", True)]

        moved["subscriptions"][1]["disconnectTime"] = "2026-11-21T12:00:02Z"  # that one has died
        await plane.desk.resources.apply([_put(there, moved)])
        await trio.sleep(BEAT_SECONDS + SHOWN_SECONDS)
        await settled()
        assert subscriptions(plane.desk)[-1] == ("run-1", True)


def _put(there: Any, insight: dict[str, Any]) -> Put:
    import json

    return Put(key=there.key, spec=json.dumps(insight), owner=there.owner, at=there.modified_at)
