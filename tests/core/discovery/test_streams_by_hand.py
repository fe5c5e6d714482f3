"""Sentences of the protocol, each at one request or snapshot."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.discovery.delta import DeltaStream
from kong_mesh_cp.core.discovery.exchanges import Request, Response
from kong_mesh_cp.core.discovery.snapshots import Resource, Snapshot
from kong_mesh_cp.core.discovery.sotw import SotwStream
from kong_mesh_cp.core.discovery.type_order import CLUSTERS, ENDPOINTS, LISTENERS


def snapshot(**texts: str) -> Snapshot:
    """Clusters by name; each has endpoints of its name."""
    clusters = [Resource.of(name, text.encode()) for name, text in texts.items()]
    return Snapshot.of(
        {CLUSTERS: clusters, ENDPOINTS: [Resource.of(name, b"endpoints") for name in texts]}
    )


def ask(url: str, *names: str, answer: Response | None = None, error: str = "") -> Request:
    nonce = answer.nonce if answer is not None else ""
    version = answer.version if answer is not None and not error else ""
    return Request(type_url=url, names=names, nonce=nonce, version=version, error=error)


def test_a_wildcard_of_a_type_without_resources_is_answered_with_none() -> None:
    stream = SotwStream()
    stream.publish(snapshot())

    (answer,) = stream.request(ask(LISTENERS))

    assert answer.resources == ()
    assert answer.version


def test_a_named_resource_that_does_not_exist_waits_and_holds_up_nothing() -> None:
    stream = SotwStream()
    stream.publish(snapshot(a="1"))
    (first,) = stream.request(ask(ENDPOINTS, "a", "b"))
    assert [each.name for each in first.resources] == ["a"]
    assert stream.request(ask(ENDPOINTS, "a", "b", answer=first)) == ()

    (second,) = stream.publish(snapshot(a="1", b="1"))

    assert [each.name for each in second.resources] == ["a", "b"]


def test_a_request_with_a_stale_nonce_is_ignored() -> None:
    stream = SotwStream()
    stream.publish(snapshot(a="1"))
    (first,) = stream.request(ask(CLUSTERS))
    stream.request(ask(CLUSTERS, answer=first))
    (second,) = stream.publish(snapshot(a="2"))

    assert stream.request(ask(CLUSTERS, answer=first, error="too late")) == ()
    assert stream.counts[CLUSTERS] == (2, 1, 0)

    stream.request(ask(CLUSTERS, answer=second))
    assert stream.in_sync


def test_a_refused_response_is_sent_again_only_when_its_content_changes() -> None:
    stream = SotwStream()
    stream.publish(snapshot(a="1"))
    (good,) = stream.request(ask(CLUSTERS))
    stream.request(ask(CLUSTERS, answer=good))
    (bad,) = stream.publish(snapshot(a="bad"))

    assert stream.request(ask(CLUSTERS, answer=bad, error="no")) == ()
    assert stream.publish(snapshot(a="bad")) == ()
    assert stream.refused == {CLUSTERS}
    assert stream.refusals[CLUSTERS] == (CLUSTERS, bad.version, bad.nonce, "no")
    assert stream.acknowledged[CLUSTERS].version == good.version
    (again,) = stream.publish(snapshot(a="1"))
    assert again.version == good.version


def test_endpoints_get_a_new_version_when_clusters_change() -> None:
    stream = SotwStream()
    stream.publish(snapshot(a="1"))
    (clusters,) = stream.request(ask(CLUSTERS))
    stream.request(ask(CLUSTERS, answer=clusters))
    (endpoints,) = stream.request(ask(ENDPOINTS, "a"))
    stream.request(ask(ENDPOINTS, "a", answer=endpoints))

    _, again = stream.publish(snapshot(a="2"))

    assert again.resources == endpoints.resources
    assert again.version != endpoints.version


def test_a_proxy_that_comes_back_elsewhere_with_its_versions_is_told_nothing() -> None:
    there, here = SotwStream(), SotwStream()
    there.publish(snapshot(a="1", b="1"))
    (clusters,) = there.request(ask(CLUSTERS))
    (endpoints,) = there.request(ask(ENDPOINTS, "a", "b"))

    here.publish(snapshot(b="1", a="1"))

    assert here.request(Request(type_url=CLUSTERS, version=clusters.version)) == ()
    names = ("a", "b")
    back = Request(type_url=ENDPOINTS, names=names, version=endpoints.version)
    assert here.request(back) == ()
    assert here.in_sync


def test_delta_tells_what_changed_and_what_is_gone() -> None:
    stream = DeltaStream()
    stream.publish(snapshot(a="1", b="1", c="1"))
    (first,) = stream.request(Request(type_url=CLUSTERS))
    stream.request(Request(type_url=CLUSTERS, nonce=first.nonce))

    (second,) = stream.publish(snapshot(a="1", b="2"))

    assert [each.name for each in second.resources] == ["b"]
    assert second.removed == ("c",)


def test_delta_tells_the_difference_to_what_the_proxy_comes_with() -> None:
    old = {"a": Resource.of("a", b"1").version, "gone": "x"}
    stream = DeltaStream()
    stream.publish(snapshot(a="1", b="1"))

    (answer,) = stream.request(Request(type_url=CLUSTERS, initial=old))

    assert [each.name for each in answer.resources] == ["b"]
    assert answer.removed == ()  # its listeners, which may use it, are still to come


def test_delta_sends_again_what_is_subscribed_again() -> None:
    stream = DeltaStream()
    stream.publish(snapshot(a="1"))
    (first,) = stream.request(Request(type_url=ENDPOINTS, subscribe=("a",)))
    stream.request(Request(type_url=ENDPOINTS, nonce=first.nonce))

    (again,) = stream.request(Request(type_url=ENDPOINTS, subscribe=("a",)))

    assert again.resources == first.resources


@pytest.mark.parametrize("stream", [SotwStream(), DeltaStream()], ids=["sotw", "delta"])
def test_a_type_that_does_not_exist_is_not_answered(stream: SotwStream | DeltaStream) -> None:
    stream.publish(snapshot(a="1"))

    assert stream.request(Request(type_url="made-up", names=("*",), subscribe=("*",))) == ()
    assert stream.counts == {}
