"""Whatever is done to them, SQLite and PostgreSQL hold and answer what the dictionaries do."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import (
    Change,
    ChangeRefusedError,
    Delete,
    Put,
    ResourceStore,
    Selection,
)
from support.fakes.event_loop import EventLoop
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.resources import AT, LATER, local_openings, take

if TYPE_CHECKING:
    from support.daemons.postgres import PostgresServer

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
KEYS = st.builds(
    ResourceKey, st.sampled_from(["Mesh", "T"]), st.sampled_from(["", "m"]), st.sampled_from("abc")
)
LABELS = st.dictionaries(st.sampled_from(["x", "y"]) | TEXT, st.sampled_from("12") | TEXT)
VERSIONS = st.none() | st.integers(0, 4)
DOCUMENTS = TEXT.map(lambda text: json.dumps({text: text}))
PUTS = st.builds(
    Put,
    key=KEYS,
    spec=DOCUMENTS,
    status=st.none() | DOCUMENTS,
    at=st.sampled_from([AT, LATER]),
    labels=LABELS,
    owner=st.none() | KEYS,
    if_version=VERSIONS,
    created_at=st.none() | st.just(AT),
)
DELETES = st.builds(Delete, key=KEYS, if_version=VERSIONS)
CHANGES = st.lists(PUTS | PUTS | DELETES, max_size=5)
SELECTIONS = st.builds(
    Selection,
    type=st.sampled_from(["Mesh", "T"]),
    mesh=st.none() | st.sampled_from(["", "m"]),
    name_contains=st.sampled_from(["", "a"]),
    labels=st.just({}) | st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from("12")),
    offset=st.integers(0, 4),
    limit=st.none() | st.integers(0, 4),
)
Question = Callable[[ResourceStore], Awaitable[object]]


class ResourcesAndModel(RuleBasedStateMachine):
    """Each step is made on both; a reader of the store's feed must learn of each change."""

    def open_store(self) -> ResourceStore:
        return self.loop.enter(local_openings(self.path)["sqlite-file"]())

    @initialize()
    def make(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="kong-mesh-cp-test-"))
        self.loop = EventLoop()
        self.model = FakeResourceStore()
        self._open()

    def _open(self) -> None:
        self.store = self.open_store()
        self.reading = ExitStack()
        self.feed = self.reading.enter_context(self.store.changes())

    def _both(self, ask: Question) -> None:
        async def answer(store: ResourceStore) -> object:
            try:
                return await ask(store)
            except ChangeRefusedError as error:
                return type(error), vars(error)

        async def on_both() -> tuple[object, object]:
            return await answer(self.store), await answer(self.model)

        answered, expected = self.loop.run(on_both)
        assert answered == expected

    @rule(changes=CHANGES)
    def apply(self, changes: list[Change]) -> None:
        known = len(self.model.log)
        self._both(lambda store: store.apply(changes))
        news = self.model.log[known:]
        last = {change.key: change for change in news}
        if news:
            seen = self.loop.run(lambda: take(self.feed, len(last)))
            assert seen == [change for change in news if last[change.key] == change]

    @rule(selection=SELECTIONS)
    def list_some(self, selection: Selection) -> None:
        self._both(lambda store: store.list(selection))

    @rule(keys=st.lists(KEYS))
    def get_many(self, keys: list[ResourceKey]) -> None:
        self._both(lambda store: store.get_many(keys))

    @rule()
    def close_and_open(self) -> None:
        self.reading.close()
        self.loop.leave_all()
        self._open()

    @invariant()
    def both_hold_the_same(self) -> None:
        for type_ in ("Mesh", "T"):
            self._both(lambda store, type_=type_: store.list(Selection(type=type_)))  # type: ignore[misc]

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.reading.close()
            self.loop.leave_all()
            self.loop.close()
            shutil.rmtree(self.path)


class SharedResourcesAndModel(ResourcesAndModel):
    server: PostgresServer

    def open_store(self) -> ResourceStore:
        if not hasattr(self, "database"):
            self.database = self.server.new_database()
        from kong_mesh_cp.shell.store.postgres.store import open_postgres

        opening = open_postgres(self.database, instance="one", tasks=self.loop.tasks)
        return self.loop.enter(opening).resources


FEW = settings(max_examples=25, stateful_step_count=20, deadline=None)
ResourcesAndModel.TestCase.settings = FEW
TestResourcesAndModel = ResourcesAndModel.TestCase


def test_the_shared_store_and_the_model_agree(postgres: PostgresServer) -> None:
    SharedResourcesAndModel.server = postgres
    run_state_machine_as_test(SharedResourcesAndModel, settings=FEW)
