"""Many documents in one run of `kumactl apply`: all is told, and nothing is half applied."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.daemons.kuma_api import (
    INDEX,
    KUMA_INDEX,
    Asked,
    Plane,
    Reply,
    api,
    not_found,
    refusal,
)
from support.daemons.kumactl_runs import Ran, User

SLOW = """\
type: MeshTimeout
mesh: payments
name: slow
spec:
  targetRef:
    kind: Mesh
  to:
  - targetRef:
      kind: Mesh
    default:
      idleTimeout: {idle}
"""


def zones(*names: str) -> str:
    return "items:\n" + "".join(f"- type: Zone\n  name: {name}\n" for name in names)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "payments.yaml"


def test_a_slip_in_the_last_document_leaves_nothing_half_applied(
    file: Path, tmp_path: Path
) -> None:
    plane = Plane()
    file.write_text("type: Zone\nname: east\n---\ntype: Zune\nname: west\n")

    with api(plane) as server:
        ran = User(tmp_path, server.url).run("apply", "-f", str(file))

    assert ran.status == 2
    assert ran.err == (
        f"Error: {file}, document 2 (line 4): unknown type 'Zune'; did you mean \"Zone\"?\n"
        "1 of 2 resources is wrong: nothing was applied; --keep-going applies what is right\n"
    )
    assert not plane.resources


def test_of_several_documents_all_that_are_refused_are_named_and_none_is_applied(
    file: Path, tmp_path: Path
) -> None:
    plane = Plane()

    def answer(asked: Asked) -> Reply:
        if asked.method == "PUT" and "two" in asked.path:
            return refusal(400, "Could not process a resource", "Not valid", name="bad")
        return plane(asked)

    file.write_text(zones("one", "two", "two-more"))

    with api(answer) as server:
        user = User(tmp_path, server.url)
        ran = user.run("apply", "-f", str(file))
        foretold = user.run("apply", "--dry-run", "-f", str(file))
        applied = dict(plane.resources)
        kept_going = user.run("apply", "--keep-going", "-f", str(file))

    named = "".join(
        f"Error: {file}, item {number}, zone/{name}: Could not process a resource (Not valid)\n"
        "* name: bad\n"
        for number, name in ((2, "two"), (3, "two-more"))
    )
    hint = "; --keep-going applies what is right"
    assert ran == Ran(1, "", f"{named}2 of 3 resources are wrong: nothing was applied{hint}\n")
    assert foretold == Ran(1, "zone/one would be created\n", f"{named}2 of 3 resources are wrong\n")
    assert not applied
    assert kept_going == Ran(
        1, "zone/one created\n", f"{named}2 of 3 resources are wrong; 1 applied\n"
    )
    assert list(plane.resources) == ["/zones/one"]


def test_what_is_refused_only_in_earnest_ends_the_run_and_says_what_is_left(
    file: Path, tmp_path: Path
) -> None:
    plane = Plane()

    def answer(asked: Asked) -> Reply:
        if asked.method == "PUT" and "two" in asked.path and not asked.query:
            return refusal(409, "Conflict", "changed meanwhile")
        return plane(asked)

    file.write_text(zones("one", "two", "three"))

    with api(answer) as server:
        ran = User(tmp_path, server.url).run("apply", "-f", str(file))

    assert ran == Ran(
        1,
        "zone/one created\n",
        f"Error: {file}, item 2, zone/two: Conflict (changed meanwhile)\n"
        "1 of 3 resources is wrong; 1 applied, 1 not tried\n",
    )


def test_a_connection_that_breaks_ends_the_run_and_says_how_far_it_came(
    file: Path, tmp_path: Path
) -> None:
    plane = Plane()

    def answer(asked: Asked) -> Reply:
        if asked.method == "PUT" and "two" in asked.path and not asked.query:
            return Reply(body=b"no JSON")
        return plane(asked)

    file.write_text(zones("one", "two", "three"))

    with api(answer) as server:
        ran = User(tmp_path, server.url).run("apply", "--keep-going", "-f", str(file))

    assert (ran.status, ran.out) == (3, "zone/one created\n")
    assert ran.err.endswith("0 of 3 resources are wrong; 1 applied\n")


def test_a_control_plane_without_dry_runs_is_never_asked_for_one(
    file: Path, tmp_path: Path
) -> None:
    plane = Plane(KUMA_INDEX)
    file.write_text("type: Mesh\nname: Not-Good\n---\n" + SLOW.format(idle="never"))

    with api(plane) as server:
        user = User(tmp_path, server.url)
        foretold = user.run("apply", "--dry-run", "-f", str(file))
        applied = user.run("apply", "-f", str(file))

    assert not [asked for asked in server.asked if asked.method != "GET"]
    assert foretold.err.startswith("WARNING: this control plane does not judge dry runs; ")
    for ran in (foretold, applied):
        assert (ran.status, ran.out) == (1, "")
        assert "* name: invalid characters" in ran.err
        assert 'invalid duration "never"' in ran.err


def test_members_that_a_control_plane_would_drop_are_told_in_its_place(
    file: Path, tmp_path: Path
) -> None:
    plane = Plane(KUMA_INDEX)
    file.write_text("type: Mesh\nname: m\nmlts: {}\n")

    with api(plane) as server:
        user = User(tmp_path, server.url)
        foretold = user.run("apply", "--dry-run", "-f", str(file))
        strict = user.run("apply", "--strict", "-f", str(file))
        before = dict(plane.resources)
        applied = user.run("apply", "-f", str(file))

    told = 'unknown member mlts: it has no effect; did you mean "mtls"?'
    assert foretold.out == "mesh/m would be created\n"
    assert foretold.err.splitlines()[1] == f"Warning: {told}"
    assert (strict.status, strict.out) == (1, "")
    assert '* mlts: unknown member; did you mean "mtls"?' in strict.err
    assert not before
    assert applied == Ran(0, "mesh/m created\n", f"Warning: {told}\n")


def test_what_a_control_plane_without_dry_runs_has_already_is_not_sent(
    file: Path, tmp_path: Path
) -> None:
    plane = Plane(KUMA_INDEX)
    file.write_text(SLOW.format(idle="60m"))

    with api(plane) as server:
        user = User(tmp_path, server.url)
        user.run("apply", "-f", str(file))
        ran = user.run("apply", "-f", str(file))

    assert ran == Ran(0, "meshtimeout/slow (mesh payments) unchanged\n", "")
    assert [asked.method for asked in server.asked].count("PUT") == 1


def test_strictness_is_asked_for_in_the_judgement_and_in_the_write(
    file: Path, tmp_path: Path
) -> None:
    file.write_text(zones("one", "two"))

    with api(Plane()) as server:
        User(tmp_path, server.url).run("apply", "--strict", "-f", str(file))

    puts = [asked.query for asked in server.asked if asked.method == "PUT"]
    judged, written = [("dryRun", "true"), ("strict", "true")], [("strict", "true")]
    assert puts == [judged, judged, written, written]


def test_the_same_resource_twice_is_told_and_the_last_one_counts(
    file: Path, tmp_path: Path
) -> None:
    plane = Plane()
    file.write_text("type: Zone\nname: a\nenabled: true\n---\ntype: Zone\nname: a\n")

    with api(plane) as server:
        ran = User(tmp_path, server.url).run("apply", "-f", str(file))

    assert ran.out == "zone/a created\n"
    assert ran.err == (
        f"Warning: {file}, document 1 (line 1), zone/a has no effect:"
        f" {file}, document 2 (line 5) has the same resource\n"
    )
    assert "enabled" not in plane.resources["/zones/a"]


def test_what_only_the_control_plane_writes_is_left_out(file: Path, tmp_path: Path) -> None:
    plane = Plane()
    insight = "type: MeshInsight\nname: default\n"
    file.write_text(f"{insight}---\ntype: Zone\nname: one\n")

    with api(plane) as server:
        user = User(tmp_path, server.url)
        ran = user.run("apply", "-f", str(file))
        alone = user.run("apply", "-f", "-", stdin=insight.encode())

    assert ran == Ran(
        0,
        "zone/one created\n",
        f"Warning: {file}, document 1 (line 1), meshinsight/default is left out: only the control"
        " plane writes it\n",
    )
    assert list(plane.resources) == ["/zones/one"]
    assert alone.status == 1
    assert alone.err.endswith("Error: no resource(s) passed to apply\n")


@pytest.mark.parametrize("flags", [(), ("--dry-run",)])
def test_nothing_at_all_is_the_failure_that_the_original_has(
    flags: tuple[str, ...], file: Path, tmp_path: Path
) -> None:
    for text in ("", "\n", "# nothing yet\n", "---\n---\n"):
        file.write_text(text)

        ran = User(tmp_path, "http://127.0.0.1:9").run("apply", *flags, "-f", str(file))

        assert ran == Ran(1, "", "Error: no resource(s) passed to apply\n")


def test_a_file_that_is_empty_beside_others_is_told(file: Path, tmp_path: Path) -> None:
    file.write_text(zones("one"))
    empty = tmp_path / "empty.yaml"
    empty.touch()

    with api(Plane()) as server:
        ran = User(tmp_path, server.url).run("apply", "-f", str(file), "-f", str(empty))

    assert ran == Ran(0, "zone/one created\n", f"Warning: {empty} holds no resource\n")


@pytest.mark.parametrize(
    ("refused", "fields"),
    [
        (
            refusal(
                400, "Bad Request", "json: cannot unmarshal number into Go value of type string"
            ),
            ["*"],
        ),
        (
            refusal(
                400,
                "Could not process a resource",
                "Resource is not valid",
                **{'networking.inbound[0].tags["version"]': 'must be of type string: "number"'},
            ),
            ['* networking.inbound[0].tags["version"]: must be of type string: "number"; put'],
        ),
    ],
)
def test_a_tag_that_is_no_text_is_named_with_what_to_do(
    refused: Reply, fields: list[str], file: Path, tmp_path: Path
) -> None:
    file.write_text(
        "type: Dataplane\nname: d\nlabels: {team: 1}\n"
        "networking: {inbound: [{port: 80, tags: {version: 2, canary: yes, kuma.io/service: x}}]}\n"
    )

    def answer(asked: Asked) -> Reply:
        if asked.path == "/":
            return Reply(body=INDEX)
        return refused if asked.method == "PUT" else not_found()

    with api(answer) as server:
        ran = User(tmp_path, server.url).run("apply", "-f", str(file))

    lines = ran.err.splitlines()[1:]
    assert lines[0].startswith(fields[0])
    assert '* labels["team"]: YAML reads the number 1 here: put it between quotes' in lines
    assert (
        '* networking.inbound[0].tags["canary"]: YAML reads true or false here:'
        " put it between quotes"
    ) in lines
    assert len([line for line in lines if '["version"]' in line]) == 1
    assert all(line.endswith("put it between quotes") for line in lines)
