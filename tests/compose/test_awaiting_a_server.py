"""A start waits for a server that may come, for a bounded time, and for nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from kong_mesh_cp.compose.state import PAUSE_SECONDS_MAX, await_server
from kong_mesh_cp.core.errors import StateError

pytest.importorskip("psycopg", exc_type=ImportError)

AWAY = StateError("it does not answer", code="store-unreachable", hint="Start it.")
WRONG = StateError("wrong password", code="store-login-refused", hint="Mend it.")


@dataclass
class Server:
    """Fails as often as there are errors; the time is what was slept."""

    errors: list[StateError]
    slept: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def ask(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "answer"

    def awaited(self, seconds: float) -> str:
        return await_server(
            self.ask,
            wait_seconds=seconds,
            tell=self.told.append,
            sleep=self.slept.append,
            monotonic=lambda: sum(self.slept),
        )


def test_a_server_that_answers_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    server = Server([])
    assert server.awaited(60) == "answer"
    assert (server.slept, server.told, caplog.messages) == ([], [], [])


def test_a_server_that_comes_late_is_waited_for_with_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server([AWAY] * 5)
    assert server.awaited(60) == "answer"
    assert server.slept == sorted(server.slept)
    assert max(server.slept) == PAUSE_SECONDS_MAX
    assert [line.partition(":")[0] for line in caplog.messages] == [
        "store-awaited",
        "store-answers",
    ]
    assert all(AWAY.line in told for told in server.told)


def test_the_wait_ends_with_the_last_error() -> None:
    server = Server([AWAY] * 1000)
    with pytest.raises(StateError) as failure:
        server.awaited(60)
    assert failure.value is AWAY
    assert 60 - PAUSE_SECONDS_MAX <= sum(server.slept) <= 60


@pytest.mark.parametrize(("errors", "seconds"), [([WRONG], 60), ([AWAY], 0)])
def test_what_does_not_pass_or_shall_not_be_awaited_is_said_at_once(
    errors: list[StateError], seconds: float
) -> None:
    server = Server(errors)
    with pytest.raises(StateError):
        server.awaited(seconds)
    assert server.slept == []
