"""What a peer's silence means, and when."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kong_mesh_cp.shell.http.h1.answers import DateLine
from kong_mesh_cp.shell.http.h1.service import Service
from kong_mesh_cp.shell.http.h2.service import H2Service
from kong_mesh_cp.shell.http.h2.silence import Silence
from kong_mesh_cp.shell.listening.budget import Budgets
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits
from support.daemons.http_peers import coded_error, echo


def silence() -> Silence:
    """From the moment 100 on."""
    http = Service(
        handler=echo,
        limits=Limits(header_seconds=5, idle_seconds=80),
        error_body=coded_error,
        date=DateLine(lambda: datetime.now(UTC)),
        drain=Drain(),
        budgets=Budgets(),
    )
    service = H2Service(http=http, special=lambda _: None, ping_seconds=30, ping_answer_seconds=15)
    return Silence(service, 100.0)


@pytest.mark.parametrize(
    ("opened", "busy", "at"), [(False, False, 105), (True, False, 180), (True, True, 130)]
)
def test_who_is_looked_at_when(opened: bool, busy: bool, at: float) -> None:
    assert silence().next_look(opened=opened, busy=busy) == at


def test_a_word_puts_the_next_look_off() -> None:
    kept = silence()
    kept.broken(110.0)

    assert kept.next_look(opened=True, busy=True) == 140
    assert kept.next_look(opened=True, busy=False) == 180
    kept.idle_since = 120.0
    assert kept.next_look(opened=True, busy=False) == 200


def test_a_ping_without_an_answer_is_death_and_any_word_is_an_answer() -> None:
    kept = silence()
    kept.looked(130.0)
    kept.asked(130.0)

    assert kept.is_asked
    assert kept.next_look(opened=True, busy=True) == 145
    assert not kept.is_death(144.9)
    assert kept.is_death(145.0)
    kept.broken(145.0)
    assert not kept.is_death(145.0)
    assert not kept.is_asked
