"""Disks that fill up under resources: told at once, whole, and forgiven when there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.sqlite.store import open_store
from kong_mesh_cp.usecases.ports.resource_store import Put, ResourceStore
from support.daemons.postgres import PostgresServer, opened
from support.fakes.resources import mesh, names, policy, put, spec, whole_mesh

SMALL_KIB, LARGE_KIB = 1024, 8192
LETTERS = 2000


def mount(disk: Path, kib: int, *options: str) -> bool:
    how = ",".join([f"size={kib}k", *options])
    command = ["mount", "-t", "tmpfs", "-o", how, "tmpfs", str(disk)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@contextmanager
def small_disk(disk: Path) -> Iterator[Path]:
    disk.mkdir()
    if os.geteuid() != 0 or not mount(disk, SMALL_KIB):
        pytest.skip("a file system of a MiB takes root and the right to mount")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def incompressible(name: str) -> Put:
    return put(policy(name), spec(noise=os.urandom(LETTERS // 2).hex()))


async def fill(store: ResourceStore) -> list[str]:
    """Put pairs of resources until no more fit; the names that were answered."""
    answered: list[str] = []
    for number in count():
        pair = [f"{number:05}-a", f"{number:05}-b"]
        try:
            await store.apply([incompressible(name) for name in pair])
        except StateError as error:
            assert error.code == "state-full"  # noqa: PT017 -- the loop ends by it
            return answered
        answered += pair
    raise AssertionError


async def check_that_it_is_told_and_forgiven(store: ResourceStore, disk: Path) -> None:
    await store.apply([put(mesh("before"))])
    answered = await fill(store)
    assert len(answered) > 20
    assert await names(store) == answered
    assert await store.revision() == 1 + len(answered)

    assert mount(disk, LARGE_KIB, "remount")
    await store.apply(whole_mesh("after"))
    await store.apply([incompressible("z-after")])

    assert await names(store, "Mesh") == ["after", "before"]
    assert len(await names(store)) == len(answered) + 3 + 1


async def test_on_sqlite(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        async with open_store(disk / "store.db") as store:
            await check_that_it_is_told_and_forgiven(store.resources, disk)


async def test_on_postgresql(postgres: PostgresServer) -> None:
    with small_disk(postgres.directory / "disk") as disk:
        postgres.own(disk)
        address = postgres.new_database()
        with postgres.administering() as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{disk}'".encode())
            connection.execute("ALTER DATABASE test SET default_tablespace = small")
        try:
            async with opened(address) as store:
                await check_that_it_is_told_and_forgiven(store.resources, disk)
        finally:
            with postgres.administering() as connection:
                connection.execute("ALTER DATABASE test RESET default_tablespace")
                postgres.new_database()
                connection.execute("DROP TABLESPACE small")
