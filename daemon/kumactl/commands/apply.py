"""`kumactl apply -f …`: creates and changes resources, or says what it would change."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence

from kumactl.applying import apply_set, given, previews, turns
from kumactl.applying.given import Given, Reading
from kumactl.applying.run import Run, Wishes
from kumactl.commands import flags
from kumactl.documents import sources, templates
from kumactl.documents.sources import SourceText
from kumactl.errors import (
    EXIT_FAILED,
    KumactlError,
    NothingGivenError,
    SeveralError,
    UnreachableError,
    UsageError,
)
from kumactl.output import Format
from kumactl.session import Session


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = flags.command(commands, "apply", _run, "create or change resources")
    parser.add_argument(
        "-f",
        "--file",
        action="append",
        required=True,
        metavar="FILE",
        help="a file, a folder, a URL, or - for standard input; may be repeated",
    )
    parser.add_argument(
        "-v",
        "--var",
        action="extend",
        default=[],
        type=flags.pairs,
        metavar="NAME=VALUE",
        help=f"fills in {{{{ NAME }}}}; {flags.GIVEN}; may be repeated",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would change, and change nothing"
    )
    parser.add_argument(
        "--preview",
        action="store_true",
        help="show which proxies would be told something else, and what; change nothing",
    )
    parser.add_argument(
        "--strict", action="store_true", help="refuse members that the control plane does not know"
    )
    parser.add_argument(
        "--keep-going",
        action="store_true",
        help="apply what is right even if something else is wrong; without it, nothing",
    )
    parser.add_argument(
        "--apply-set",
        metavar="NAME",
        default="",
        help="mark what is applied as belonging together, with a label",
    )
    parser.add_argument(
        "--prune",
        action="store_true",
        help="delete what is of the apply set and no longer in the files; meshes stay",
    )
    parser.add_argument(
        "--prune-meshes",
        action="store_true",
        help="delete such meshes too, with all that is in them",
    )
    flags.add_mesh(parser)
    parser.add_argument(
        "-o", "--output", type=Format, choices=tuple(Format), help="with --preview; default table"
    )


def _run(session: Session) -> None:
    wishes = _wishes(session)
    # All of it is read before any of it is sent.
    reading = given.read(_texts(session), mesh=session.mesh)
    resources = _marked(reading, wishes.apply_set)
    errors: list[KumactlError] = [*reading.wrong]
    if resources or errors or reading.observed:
        _remark(session, reading)
    if not resources and not errors:
        raise NothingGivenError("no resource(s) passed to apply")
    run = stopped = None
    if resources and session.arguments.preview:
        errors += _preview(session, wishes, resources)
    elif resources:
        try:
            run = Run(session.control_plane, session.console, wishes, turns.in_turn(resources))
            run.go(errors)
        except (UnreachableError, UsageError) as error:
            stopped = error
    if stopped is not None and not errors and not (run and run.done):
        raise stopped
    if errors or stopped is not None:
        total = len({each.document.path for each in resources}) + len(reading.wrong)
        raise _summed_up(errors, stopped, total, run, wishes)


def _preview(
    session: Session, wishes: Wishes, resources: Sequence[Given]
) -> Sequence[KumactlError]:
    whole = [each for each in turns.in_turn(resources) if not each.declares]
    form = session.arguments.output or Format.TABLE
    return previews.show(session.control_plane, session.console, wishes, whole, form=form)


def _wishes(session: Session) -> Wishes:
    arguments = session.arguments
    if arguments.output is not None and not arguments.preview:
        raise UsageError("-o goes with --preview")
    if arguments.preview and arguments.dry_run:
        raise UsageError("--preview and --dry-run exclude each other: a preview is a dry run, too")
    if (arguments.prune or arguments.prune_meshes) and not arguments.apply_set:
        raise UsageError(
            "--prune needs --apply-set NAME: what was applied under that name before, and is in the"
            " files no more, is deleted"
        )
    return Wishes(
        dry_run=arguments.dry_run or arguments.preview,
        strict=arguments.strict,
        keep_going=arguments.keep_going,
        apply_set=apply_set.checked_name(arguments.apply_set) if arguments.apply_set else "",
        prune=arguments.prune or arguments.prune_meshes,
        prune_meshes=arguments.prune_meshes,
    )


def _texts(session: Session) -> Iterator[SourceText | UsageError]:
    variables = session.named_values("--var", session.arguments.var)
    for name in session.arguments.file:
        timeout_seconds: float = session.arguments.api_timeout
        if name == "-":
            session.stdin.take("-f")
        for source in sources.read(name, session.console.stdin, timeout_seconds=timeout_seconds):
            try:
                yield _filled(source, variables)
            except UsageError as error:
                yield error


def _filled(source: SourceText | UsageError, variables: Mapping[str, str]) -> SourceText:
    if isinstance(source, UsageError):
        raise source
    return SourceText(source.name, templates.fill(source.text, variables, source.name))


def _marked(reading: Reading, name: str) -> list[Given]:
    """The resources with the label of the apply set; what has another one is wrong."""
    resources = []
    for each in reading.given:
        try:
            resources.append(apply_set.marked(each, name) if name else each)
        except UsageError as error:
            reading.wrong.append(error)
    return resources


def _remark(session: Session, reading: Reading) -> None:
    for name in reading.empty:
        session.console.note(f"Warning: {name} holds no resource")
    for each in reading.observed:
        session.console.note(f"Warning: {each.shown} is left out: only the control plane writes it")
    for each, following in turns.given_twice(reading.given):
        session.console.note(
            f"Warning: {each.shown} has no effect: {following.place} has the same resource"
        )


def _summed_up(
    errors: Sequence[KumactlError],
    stopped: KumactlError | None,
    total: int,
    run: Run | None,
    wishes: Wishes,
) -> KumactlError:
    """All that went wrong; `stopped` is what ended the run, if anything did."""
    told = errors if stopped is None else [*errors, stopped]
    done, not_deleted = (0, 0) if run is None else (run.done, run.not_deleted)
    if not_deleted:
        return SeveralError(told, f"{done} applied, {not_deleted} not deleted")
    if len(told) == total == 1:
        return told[0]
    wrong = f"{len(errors)} of {total} resources {'is' if len(errors) == 1 else 'are'} wrong"
    if wishes.dry_run:
        return SeveralError(told, wrong)
    if run is None or not done:
        others = len(errors) < total and stopped is None and not wishes.keep_going
        remedy = "; --keep-going applies what is right" if others else ""
        return SeveralError(told, f"{wrong}: nothing was applied{remedy}")
    summed_up = SeveralError(told, f"{wrong}; {done} applied{run.left_out}")
    if stopped is None:
        summed_up.exit_status = EXIT_FAILED  # any other says that nothing has changed
    return summed_up
