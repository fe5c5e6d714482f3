"""How control planes on one database tell each other what they have changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.store.feed import ChangeFeed
from kong_mesh_cp.usecases.resource_ports import ChangeKind, ResourceChange

CHANNEL = "kong_mesh_cp"
NOTICE_BYTES_MAX = 7900  # the server takes less than 8,000
CHANGES_TOLD_MAX = 2048  # in one transaction; for more, "read anew" is shorter


def notices(changes: Sequence[ResourceChange]) -> Iterator[str]:
    """What is sent with a transaction: lists of changes, or a revision that says "read anew"."""
    told = [
        json.dumps([one.revision, one.kind, one.version, *one.key], separators=(",", ":"))
        for one in changes
    ]
    if len(told) > CHANGES_TOLD_MAX or any(len(one) > NOTICE_BYTES_MAX - 2 for one in told):
        yield str(changes[-1].revision)
        return
    part: list[str] = []
    size = 2
    for one in told:
        if size + len(one) + 1 > NOTICE_BYTES_MAX:
            yield f"[{','.join(part)}]"
            part, size = [], 2
        part.append(one)
        size += len(one) + 1
    if part:
        yield f"[{','.join(part)}]"


def take_notice(feed: ChangeFeed, notice: str) -> None:
    """Tell the readers of `feed` what another connection has sent.

    Raises: ValueError or TypeError for what no release of this program sends.
    """
    content = json.loads(notice)
    if isinstance(content, int):
        feed.resync(content)
        return
    feed.publish(
        [
            ResourceChange(
                ResourceKey(type_, mesh, name), ChangeKind(kind), int(version), int(revision)
            )
            for revision, kind, version, type_, mesh, name in content
        ]
    )
