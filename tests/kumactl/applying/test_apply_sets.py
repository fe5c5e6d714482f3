"""Apply sets: `--prune` deletes what was applied under the same name, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.daemons.kuma_api import (
    KUMA_INDEX,
    Api,
    Asked,
    Plane,
    Reply,
    api,
    not_found,
    refusal,
)
from support.daemons.kumactl_runs import Ran, User

MESH = "type: Mesh\nname: shop\n---\n"
RETRIES = "type: Retry\nmesh: shop\nname: {name}\n---\n"
ONE, TWO = RETRIES.format(name="one"), RETRIES.format(name="two")
LABEL = "kumactl/apply-set"


@pytest.fixture
def plane() -> Plane:
    """It has things that nobody has applied to a set."""
    plane = Plane()
    plane.put({"type": "Retry", "mesh": "shop", "name": "two-by-hand"})
    plane.put({"type": "Zone", "name": "by-hand", "labels": {"team": "shop"}})
    return plane


Apply = Callable[..., Ran]


def applying(tmp_path: Path, server: Api) -> Apply:
    user = User(tmp_path, server.url)

    def apply(text: str, *argv: str, name: str = "shop") -> Ran:
        return user.run("apply", f"--apply-set={name}", *argv, "-f", "-", stdin=text.encode())

    return apply


def test_what_is_no_longer_given_is_deleted_and_only_that(plane: Plane, tmp_path: Path) -> None:
    with api(plane) as server:
        apply = applying(tmp_path, server)
        apply(MESH + ONE + TWO, "--prune")
        by_hand = {path: dict(each) for path, each in plane.resources.items() if "hand" in path}
        foretold = apply(MESH + ONE, "--prune", "--dry-run")
        kept = set(plane.resources)
        ran = apply(MESH + ONE, "--prune")

    assert foretold.out.splitlines()[-1] == "retry/two (mesh shop) would be deleted"
    assert "/meshes/shop/retries/two" in kept
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == (
        "mesh/shop unchanged\nretry/one (mesh shop) unchanged\nretry/two (mesh shop) deleted\n"
    )
    assert plane.resources.keys() - by_hand.keys() == {"/meshes/shop", "/meshes/shop/retries/one"}
    assert by_hand.items() <= plane.resources.items()


def test_members_carry_the_name_of_their_set_as_a_label(plane: Plane, tmp_path: Path) -> None:
    with api(plane) as server:
        applying(tmp_path, server)("type: Zone\nname: z\nlabels: {team: a}\n")

    assert plane.resources["/zones/z"]["labels"] == {"team": "a", LABEL: "shop"}


def test_without_a_set_there_is_no_pruning(tmp_path: Path) -> None:
    with api(Plane()) as server:
        for flag in ("--prune", "--prune-meshes"):
            ran = User(tmp_path, server.url).run("apply", flag, "-f", "-", stdin=ONE.encode())

            assert (ran.status, ran.out) == (2, "")
            assert ran.err.startswith("Error: --prune needs --apply-set NAME: ")
    assert not server.asked


@pytest.mark.parametrize("name", ["Shop", "-shop", "shop-", "a b", "s" * 64, "shop\n"])
def test_a_name_that_no_label_takes_is_refused(name: str, tmp_path: Path) -> None:
    with api(Plane()) as server:
        ran = applying(tmp_path, server)(ONE, name=name)

    assert (ran.status, ran.out) == (2, "")
    assert "is no name of an apply set" in ran.err
    assert not server.asked


def test_nothing_given_deletes_nothing(plane: Plane, tmp_path: Path) -> None:
    with api(plane) as server:
        apply = applying(tmp_path, server)
        apply(ONE)
        before = dict(plane.resources)
        ran = apply("", "--prune")

    assert ran == Ran(1, "", "Error: no resource(s) passed to apply\n")
    assert plane.resources == before


def test_another_folder_than_that_of_the_set_deletes_nothing(plane: Plane, tmp_path: Path) -> None:
    with api(plane) as server:
        apply = applying(tmp_path, server)
        apply(ONE + TWO)
        before = dict(plane.resources)
        refused = apply("type: Zone\nname: z\n", "--prune")
        unchanged = dict(plane.resources)
        apply("type: Zone\nname: z\n")
        meant = apply("type: Zone\nname: z\n", "--prune")

    assert (refused.status, refused.out) == (2, "")
    assert "none of what is given is of the apply set shop yet, and 2 others are" in refused.err
    assert unchanged == before
    assert meant.out == (
        "zone/z unchanged\nretry/one (mesh shop) deleted\nretry/two (mesh shop) deleted\n"
    )


@pytest.mark.parametrize("keep_going", [(), ("--keep-going",)])
@pytest.mark.parametrize("wrong", ["type: Zune\nname: z\n", "type: Zone\nname: bad\n"])
def test_what_is_wrong_keeps_everything_from_being_deleted(
    wrong: str, keep_going: tuple[str, ...], plane: Plane, tmp_path: Path
) -> None:
    def answer(asked: Asked) -> Reply:
        bad = asked.method == "PUT" and asked.path.endswith("/bad")
        return refusal(400, "Could not process a resource", "bad") if bad else plane(asked)

    with api(answer) as server:
        apply = applying(tmp_path, server)
        apply(ONE + TWO)
        ran = apply(ONE + wrong, "--prune", *keep_going)

    assert ran.status in {1, 2}
    assert "Nothing is deleted of 1: first all has to be applied\n" in ran.err
    assert "/meshes/shop/retries/two" in plane.resources


def test_a_mesh_stays_unless_that_is_asked_for(plane: Plane, tmp_path: Path) -> None:
    with api(plane) as server:
        apply = applying(tmp_path, server)
        apply(MESH + "type: Zone\nname: z\n")
        stays = apply("type: Zone\nname: z\n", "--prune")
        kept = set(plane.resources)
        foretold = apply("type: Zone\nname: z\n", "--prune-meshes", "--dry-run")
        goes = apply("type: Zone\nname: z\n", "--prune-meshes")

    assert (stays.status, stays.out) == (0, "zone/z unchanged\n")
    assert stays.err.startswith("WARNING: mesh/shop stays: all that is in it would go, too.")
    assert "/meshes/shop" in kept
    assert foretold.out == "zone/z unchanged\nmesh/shop would be deleted\n"
    assert goes.out == "zone/z unchanged\nmesh/shop deleted\n"


def test_what_is_in_a_mesh_is_deleted_before_its_secrets_and_the_mesh(
    plane: Plane, tmp_path: Path
) -> None:
    secret = "type: Secret\nmesh: shop\nname: s\ndata: YQ==\n---\n"
    zone = "type: Zone\nname: z\n"

    with api(plane) as server:
        apply = applying(tmp_path, server)
        apply(MESH + secret + ONE + zone)
        ran = apply(zone, "--prune-meshes")

    assert ran.out.splitlines()[1:] == [
        "retry/one (mesh shop) deleted",
        "secret/s (mesh shop) deleted",
        "mesh/shop deleted",
    ]


@pytest.mark.parametrize("flags", [(), ("--dry-run",)])
def test_what_is_of_another_set_is_refused(
    flags: tuple[str, ...], plane: Plane, tmp_path: Path
) -> None:
    with api(plane) as server:
        apply = applying(tmp_path, server)
        apply(ONE)
        ran = apply(ONE, *flags, name="other")

    assert (ran.status, ran.out) == (2, "")
    assert "it is of the apply set shop, which would lose it." in ran.err
    assert plane.resources["/meshes/shop/retries/one"]["labels"] == {LABEL: "shop"}


def test_a_document_that_names_another_set_is_refused(tmp_path: Path) -> None:
    with api(Plane()) as server:
        ran = applying(tmp_path, server)(f"type: Zone\nname: z\nlabels: {{{LABEL}: other}}\n")

    assert (ran.status, ran.out) == (2, "")
    assert f"standard input, zone/z: the document has the label {LABEL}: other" in ran.err


def test_what_is_applied_without_the_set_leaves_it_and_says_so(
    plane: Plane, tmp_path: Path
) -> None:
    with api(plane) as server:
        applying(tmp_path, server)(ONE)
        ran = User(tmp_path, server.url).run("apply", "-f", "-", stdin=ONE.encode())

    assert (ran.status, ran.out) == (0, "retry/one (mesh shop) updated\n")
    assert ran.err == "Warning: it leaves the apply set shop: --apply-set was not given\n"
    assert "labels" not in plane.resources["/meshes/shop/retries/one"]


def test_types_that_may_not_be_listed_stay_and_are_named(plane: Plane, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path == "/secrets":
            return refusal(403, "Access Denied", "no")
        return plane(asked)

    with api(answer) as server:
        apply = applying(tmp_path, server)
        apply(ONE + TWO)
        ran = apply(ONE, "--prune")

    assert ran.status == 0
    assert ran.err == "WARNING: no Secret is deleted: you may not list them\n"
    assert ran.out.endswith("retry/two (mesh shop) deleted\n")


def test_a_list_that_cannot_be_had_ends_it_before_anything_is_applied(
    plane: Plane, tmp_path: Path
) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path == "/secrets":
            return refusal(500, "Could not use the store", "no")
        return plane(asked)

    with api(answer) as server:
        ran = applying(tmp_path, server)(ONE, "--prune")

    assert (ran.status, ran.out) == (1, "")
    assert "Could not use the store" in ran.err
    assert not [asked for asked in server.asked if asked.method == "PUT"]


def test_what_cannot_be_deleted_is_told_and_the_others_go(plane: Plane, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.method == "DELETE" and asked.path.endswith("/one"):
            return refusal(400, "Could not delete a resource", "in use")
        if asked.method == "DELETE" and asked.path.endswith("/gone"):
            return not_found()
        return plane(asked)

    with api(answer) as server:
        apply = applying(tmp_path, server)
        apply(ONE + TWO + RETRIES.format(name="gone") + "type: Zone\nname: z\n")
        ran = apply("type: Zone\nname: z\n", "--prune")

    assert (ran.status, ran.out) == (1, "zone/z unchanged\nretry/two (mesh shop) deleted\n")
    assert ran.err == (
        "Error: retry/one (mesh shop) is not deleted: Could not delete a resource (in use)\n"
        "1 applied, 1 not deleted\n"
    )


def test_a_control_plane_without_dry_runs_is_not_told_to_delete_for_one(tmp_path: Path) -> None:
    plane = Plane(KUMA_INDEX)
    with api(plane) as server:
        apply = applying(tmp_path, server)
        apply(MESH + "type: Zone\nname: z\n")
        foretold = apply(MESH, "--prune", "--dry-run")
        kept = set(plane.resources)
        ran = apply(MESH, "--prune")

    assert foretold.out == "mesh/shop unchanged\nzone/z would be deleted\n"
    assert "/zones/z" in kept
    assert ran.out == "mesh/shop unchanged\nzone/z deleted\n"
    assert list(plane.resources) == ["/meshes/shop"]
