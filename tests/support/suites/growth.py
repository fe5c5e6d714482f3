"""How the time of some work grows when its input is doubled, on a machine that does other things.

Other work can only ever make a measurement longer, so the shortest of several is the nearest to the
truth, and a growth that looks too large is measured again before it is believed. A machine may also
change its pace for a while, so that one of the two was only met at the slower one: a growth is
believed when it was seen in several series, each with shortest times of its own.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import process_time
from typing import Final

GROWTH_MAX: Final = 2.3  # of the time, for twice the input
FLOOR_SECONDS: Final = 0.005  # what takes less for twice the input is not compared
ROUNDS_MAX: Final = 15  # measurements in a series
SERIES: Final = 4  # until a growth is believed

Work = Callable[[], object]


def growth(work_of: Callable[[int], Work], size: int) -> float:
    """The time of the work of twice `size` in units of that of `size`; 1.0 below FLOOR_SECONDS.

    `work_of` makes the work of a size, outside of the time. Time is that of this process alone.
    """
    once, twice = work_of(size), work_of(2 * size)
    least = float("inf")
    for _ in range(SERIES):
        least = min(least, _growth_in_a_series(once, twice))
        if least < GROWTH_MAX:
            break
    return least


def _growth_in_a_series(once: Work, twice: Work) -> float:
    short = long = float("inf")
    for _ in range(ROUNDS_MAX):
        long = min(long, _seconds(twice))
        if long < FLOOR_SECONDS:
            return 1.0
        short = min(short, _seconds(once))
        if long < GROWTH_MAX * short:
            break
    return long / short


def _seconds(work: Work) -> float:
    collects = gc.isenabled()
    gc.disable()  # its turn comes with what was made before, which is not this work's doing
    try:
        begun = process_time()
        work()
        return process_time() - begun
    finally:
        if collects:
            gc.enable()
