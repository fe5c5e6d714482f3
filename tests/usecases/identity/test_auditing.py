"""The lines about refusals, and when they come."""

from __future__ import annotations

import logging

import pytest

from kong_mesh_cp.core.identity.audit import Refusal, Source
from kong_mesh_cp.core.identity.refusal_bounds import API, WINDOW_SECONDS
from kong_mesh_cp.usecases.identity.auditing import Refusals

NOT_BELIEVED = Refusal(status=401, reason="token-expired: token is expired")
DENIED = Refusal(status=403, reason="cannot")
HERE = Source("10.0.0.7")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def codes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line.partition(":")[0] for line in caplog.messages]


def test_a_flood_is_a_few_lines_and_one_that_counts_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    refusals = Refusals(API, clock)
    for _ in range(1000):
        refusals.tell(DENIED, HERE, "GET", "/global-secrets")
    refusals.tell_untold()
    assert codes(caplog) == ["audit-refused"] * API.source_lines_max
    caplog.clear()
    clock.now = WINDOW_SECONDS
    refusals.tell_untold()
    refusals.tell_untold()
    assert caplog.messages == [
        "audit-refusals-untold: 995 more at the API within 60 s: 995 from 10.0.0.7 (403)"
    ]
    assert caplog.records[0].levelno == logging.WARNING


def test_denied_users_do_not_hide_those_who_try_tokens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    refusals = Refusals(API, Clock())
    for _ in range(1000):
        refusals.tell(DENIED, HERE, "GET", "/")
    caplog.clear()
    refusals.tell(NOT_BELIEVED, HERE, "GET", "/")
    assert codes(caplog) == ["audit-refused"]


def test_the_next_refusal_tells_what_was_left_out_before_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    refusals = Refusals(API, clock)
    for _ in range(API.source_lines_max + 1):
        refusals.tell(DENIED, HERE, "GET", "/")
    caplog.clear()
    clock.now = 10 * WINDOW_SECONDS
    refusals.tell(DENIED, HERE, "GET", "/")
    assert codes(caplog) == ["audit-refusals-untold", "audit-refused"]


def test_the_end_does_not_wait_for_the_window(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    refusals = Refusals(API, Clock())
    for _ in range(API.source_lines_max + 1):
        refusals.tell(DENIED, HERE, "GET", "/")
    refusals.tell_untold(at_once=True)
    assert codes(caplog)[-1] == "audit-refusals-untold"
