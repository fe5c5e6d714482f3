"""Resources to store, and the ways to keep them that share one contract."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trio

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.store.sqlite.store import open_store
from kong_mesh_cp.usecases.ports.resource_store import (
    Change,
    FeedItem,
    Put,
    ResourceStore,
    Selection,
)
from support.fakes.fake_resources import FakeResourceStore
from support.suites.patience import HANG_SECONDS

AT = datetime(2026, 11, 21, 12, 30, 15, 123456, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
FEED_SECONDS_MAX = HANG_SECONDS

ResourceOpening = Callable[[], AbstractAsyncContextManager[ResourceStore]]


def policy(name: str, mesh: str = "default") -> ResourceKey:
    return ResourceKey("MeshTimeout", mesh, name)


def mesh(name: str) -> ResourceKey:
    return ResourceKey("Mesh", "", name)


def spec(**fields: object) -> str:
    return json.dumps(fields)


def put(
    key: ResourceKey,
    document: str = "{}",
    *,
    if_version: int | None = None,
    labels: Mapping[str, str] | None = None,
    owner: ResourceKey | None = None,
    at: datetime = AT,
) -> Put:
    return Put(
        key=key, spec=document, at=at, labels=labels or {}, owner=owner, if_version=if_version
    )


def whole_mesh(name: str) -> list[Change]:
    """A mesh with what is born with it, as one transaction."""
    owned = [policy(f"{kind}-all-{name}", name) for kind in ("retry", "timeout", "breaker")]
    key = ResourceKey("Secret", name, f"dataplane-token-signing-key-{name}-1")
    return [
        put(mesh(name), if_version=0),
        *(put(one, owner=mesh(name), if_version=0) for one in [key, *owned]),
    ]


async def names(store: ResourceStore, type_: str = "MeshTimeout") -> list[str]:
    return [one.key.name for one in (await store.list(Selection(type=type_))).items]


async def take(feed: AsyncIterator[FeedItem], count: int) -> list[FeedItem]:
    with trio.fail_after(FEED_SECONDS_MAX):
        return [await anext(feed) for _ in range(count)]


async def take_from(feed: AsyncIterator[FeedItem], first: int, last: int) -> list[FeedItem]:
    """What is told of the revisions from `first` to `last`.

    A shared store may tell late what was there when the reader came.
    """
    items: list[FeedItem] = []
    while not items or items[-1].revision < last:
        items += await take(feed, 1)
    return [item for item in items if item.revision >= first]


@asynccontextmanager
async def _fake() -> AsyncIterator[ResourceStore]:
    yield FakeResourceStore()


@asynccontextmanager
async def _sqlite(path: Path | None) -> AsyncIterator[ResourceStore]:
    async with open_store(path) as store:
        yield store.resources


def local_openings(directory: Path) -> Mapping[str, ResourceOpening]:
    """The implementations that need no server, by name."""
    return {
        "fake": _fake,
        "sqlite-memory": lambda: _sqlite(None),
        "sqlite-file": lambda: _sqlite(directory / "store.db"),
    }


LOCAL_NAMES = tuple(local_openings(Path()))
