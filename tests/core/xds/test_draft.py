"""What cannot be made is left out and told; it never keeps the rest from being made."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message
from kong_mesh_cp.core.xds.names import CLUSTER
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.shown import as_json
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError


def cluster(name: str, seconds: int = 1) -> Message:
    draft = ClusterDraft(name)
    draft.connect_within(seconds * 1_000_000_000)
    return draft.whole()


def impossible(name: str) -> Message:
    raise UnmakeableError(f"{name} has no end")


def test_what_is_impossible_is_told_and_the_rest_is_made() -> None:
    draft = Draft(Parts())
    draft.add(CLUSTER, "a", impossible)
    draft.add(CLUSTER, "b", cluster)
    assert list(draft.snapshot().of_type(CLUSTER).resources) == ["b"]
    assert [(each.about, each.reason) for each in draft.complaints] == [("a", "a has no end")]


def test_a_fault_of_the_program_is_none_of_the_resources() -> None:
    def broken(_name: str) -> Message:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Draft(Parts()).add(CLUSTER, "a", broken)


def test_what_is_added_again_takes_the_place_of_the_former() -> None:
    draft = Draft(Parts())
    draft.add(CLUSTER, "a", cluster, 1)
    draft.add(CLUSTER, "a", cluster, 2)
    shown = as_json(draft.snapshot())
    assert shown == {CLUSTER: {"a": {"name": "a", "connectTimeout": "2s"}}}


def test_two_proxies_share_what_is_made_of_the_same() -> None:
    parts = Parts()
    one, other = Draft(parts), Draft(parts)
    for draft in (one, other):
        draft.add(CLUSTER, "a", cluster, 1)
    first, second = (each.snapshot().of_type(CLUSTER).resources["a"] for each in (one, other))
    assert first is second


def test_the_order_in_which_resources_come_changes_no_version() -> None:
    one, other = Draft(Parts()), Draft(Parts())
    for draft, names in ((one, "ab"), (other, "ba")):
        for name in names:
            draft.add(CLUSTER, name, cluster)
    assert one.snapshot().of_type(CLUSTER).version == other.snapshot().of_type(CLUSTER).version


def test_a_resource_is_of_the_part_that_added_it_last() -> None:
    draft = Draft(Parts())
    draft.origin = "inbound"
    draft.add(CLUSTER, "a", cluster)
    draft.add(CLUSTER, "b", cluster)
    draft.origin = "outbound"
    draft.add(CLUSTER, "b", cluster)
    draft.edit(CLUSTER, "a", slower)
    assert draft.origins(CLUSTER) == {"a": "inbound", "b": "outbound"}


def slower(message: Message) -> None:
    message.connect_timeout.seconds = 9


def renamed(message: Message) -> None:
    message.name = "z"


def test_a_resource_is_sent_under_the_name_in_it() -> None:
    draft = Draft(Parts())
    draft.add(CLUSTER, "a", cluster)
    draft.edit(CLUSTER, "a", renamed)
    draft.edit(CLUSTER, "a", slower)
    shown = as_json(draft.snapshot())
    assert shown == {CLUSTER: {"z": {"name": "z", "connectTimeout": "9s"}}}
