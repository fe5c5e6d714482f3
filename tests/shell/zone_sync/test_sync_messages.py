"""What a peer says of itself: docs/wire/zone-sync.md#messages."""

from __future__ import annotations

from kong_mesh_cp.core.schema.message_binary import encode
from kong_mesh_cp.core.zone_sync.wire_messages import DeltaDiscoveryRequest, Node
from kong_mesh_cp.shell.zone_sync.sync_messages import (
    CONFIG_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
    read_request,
)

ENDLESS = "x" * 1_000_000


def test_what_is_kept_of_a_peer_is_bounded() -> None:
    names = ("version", "gitTag", "gitCommit", "buildDate")
    metadata = {
        "version": {"kumaCp": dict.fromkeys(names, ENDLESS)},
        "control-plane-id": ENDLESS,
        "config": ENDLESS,
        "features": [ENDLESS, "hash-suffix"],
    }
    asked = read_request(encode(DeltaDiscoveryRequest(node=Node(metadata=metadata))))

    peer = asked.peer
    assert peer is not None
    assert peer.features == {"hash-suffix"}
    assert len(peer.config) == CONFIG_CHARACTERS_MAX
    version = peer.version
    told = (version.version, version.git_tag, version.git_commit, version.build_date, peer.instance)
    assert {len(each) for each in told} == {NAME_CHARACTERS_MAX}
