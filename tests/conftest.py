"""Runs `async def` tests under trio; with the fixture `autojump_clock`, under a mock clock."""

from __future__ import annotations

import functools
import inspect

import hypothesis
import pytest
import trio
import trio.testing

# No example is judged by the clock: the machine may be busy with something else.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    """Time jumps to the next deadline as soon as every task waits."""
    return trio.testing.MockClock(autojump_threshold=0)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    clock = pyfuncitem.funcargs.get("autojump_clock")
    assert clock is None or isinstance(clock, trio.abc.Clock)
    trio.run(functools.partial(test, **arguments), clock=clock, strict_exception_groups=True)
    return True
