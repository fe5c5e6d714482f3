"""The exposition of the daemon: every family, once, from the state of the moment."""

from __future__ import annotations

import re

import pytest

from kong_mesh_cp.compose.metrics import exposition
from kong_mesh_cp.usecases.upkeep.authority_ends import AuthorityEnds
from support.fakes.admission import body, open_desk, take
from support.fakes.fake_store import FakeStateStore, full_disk
from support.fakes.licensing import World
from support.fakes.peers import FakePeer

LINE = re.compile(r'[a-z_]+(\{([a-z_]+="[^"\\]*",?)+\})? -?[0-9.e+]+')


async def text_after(*, failing: bool = False) -> str:
    """The exposition when one proxy holds a seat and another was refused."""
    store = FakeStateStore()
    async with open_desk(limit=1, store=store) as desk:
        if failing:
            store.failure = full_disk()
        await take(desk, "backend-1")
        await desk.admitting.admit(body("backend-2"), FakePeer())
        return exposition(
            World().start(), desk.seating, desk.recorder, desk.presence, AuthorityEnds()
        )


async def test_every_line_is_a_comment_or_a_sample() -> None:
    for line in (await text_after()).splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or LINE.fullmatch(line), line


async def test_every_family_appears_once_with_help_and_type() -> None:
    text = await text_after()

    helps = re.findall(r"^# HELP (\S+)", text, re.MULTILINE)
    assert helps == re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(helps) == len(set(helps))
    assert {
        "kong_mesh_license_dataplanes_allowed",
        "kong_mesh_admissions_total",
        "kong_mesh_seats_reserved",
        "kong_mesh_store_failures_total",
        "kong_mesh_store_pending_changes",
        "kong_mesh_cp_info",
    } <= set(helps)


async def test_admissions_are_counted_by_decision_and_code() -> None:
    text = await text_after()

    assert re.findall(r"^kong_mesh_admissions_total(.*)", text, re.MULTILINE) == [
        '{decision="admitted",code="within-limit"} 1',
        '{decision="refused",code="license-limit"} 1',
    ]


async def test_a_store_that_takes_everything_has_no_failures() -> None:
    text = await text_after()

    assert "\nkong_mesh_store_failures_total 0\n" in text
    assert "\nkong_mesh_store_pending_changes 0\n" in text


@pytest.mark.usefixtures("autojump_clock")
async def test_a_store_that_fails_is_counted_and_what_it_owes_is_shown() -> None:
    text = await text_after(failing=True)

    failures = re.search(r"^kong_mesh_store_failures_total (\d+)$", text, re.MULTILINE)
    pending = re.search(r"^kong_mesh_store_pending_changes (\d+)$", text, re.MULTILINE)
    assert failures and int(failures.group(1)) >= 1
    assert pending and int(pending.group(1)) >= 1
