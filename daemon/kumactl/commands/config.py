"""`kumactl config`: which control planes there are, and which one is meant."""

from __future__ import annotations

import argparse
from typing import Final

from kumactl import PRODUCT, user_token
from kumactl.commands import flags
from kumactl.configuration import ControlPlaneEntry, shown_url
from kumactl.errors import KumactlError, NotFoundError, RefusedError, UnreachableError, UsageError
from kumactl.output import Format, render
from kumactl.session import MADE_ANEW, Session
from kumactl.tables.columns import render_table
from kumactl.transport import split_url

_ANONYMOUS: Final = "mesh-system:anonymous"  # docs/wire/tokens.md#users


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    config = flags.group(commands, "config", "which control plane to talk to")
    flags.command(config, "view", _view, "show the configuration, its secrets masked")
    planes = flags.group(config, "control-planes", "the control planes that are known")
    _add_add(planes)
    flags.command(planes, "list", _list, "list them")
    flags.command(planes, "view", _view, "show the configuration, its secrets masked")
    for name, run, summary in (
        ("switch", _switch, "make one active"),
        ("remove", _remove, "forget one"),
    ):
        parser = flags.command(planes, name, run, summary)
        parser.add_argument("--name", required=True, metavar="NAME")


def _add_add(planes: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    add = flags.command(planes, "add", _add, "add one and make it active")
    add.add_argument("--name", required=True, metavar="NAME", help="what you call it")
    add.add_argument("--address", required=True, metavar="URL", help="http://localhost:5681")
    add.add_argument("--overwrite", action="store_true", help="replace the one of that name")
    add.add_argument(
        "--ca-cert-file", default="", metavar="FILE", help="who signed its certificate"
    )
    add.add_argument("--client-cert-file", default="", metavar="FILE")
    add.add_argument("--client-key-file", default="", metavar="FILE")
    add.add_argument("--skip-verify", action="store_true", help="take any certificate: unsafe")
    add.add_argument("--skip-check", action="store_true", help="do not try to reach it")
    add.add_argument("--auth-type", default="", metavar="TYPE", help="tokens")
    for flag, text in (
        ("--auth-conf", f"for tokens: token=@FILE; {flags.GIVEN}"),
        ("--headers", f"sent with every request; {flags.GIVEN}"),
    ):
        add.add_argument(
            flag, action="extend", type=flags.pairs, default=[], metavar="KEY=VALUE", help=text
        )


def _add(session: Session) -> None:
    arguments = session.arguments
    entry = ControlPlaneEntry(
        name=arguments.name,
        url=arguments.address,
        ca_cert_file=arguments.ca_cert_file,
        client_cert_file=arguments.client_cert_file,
        client_key_file=arguments.client_key_file,
        skip_verify=arguments.skip_verify,
        auth_type=arguments.auth_type,
        auth_conf=session.named_values("--auth-conf", arguments.auth_conf),
        headers=session.named_values("--headers", arguments.headers),
    )
    if not entry.name:
        raise UsageError("the name of a control plane cannot be empty")
    split_url(entry.url)
    entry.check()
    session.configuration.put(entry, overwrite=arguments.overwrite)
    if not arguments.skip_check:
        _check_reachable(session, entry)
        _check_user(session, entry)
    session.save()
    session.console.line(f'added Control Plane "{entry.name}"')
    session.console.line(f'switched active Control Plane to "{entry.name}"')


def _check_reachable(session: Session, entry: ControlPlaneEntry) -> None:
    try:
        index = session.connect(entry, anonymous=True).index()
    except UnreachableError as error:
        raise UnreachableError(
            f"could not connect to the Control Plane API Server: {error.message}"
        ) from None
    except (RefusedError, NotFoundError) as error:
        raise UnreachableError(
            f"{shown_url(entry.url)} is no control plane: {error.message}"
        ) from None
    if index.product != PRODUCT and "preview" not in index.version:
        raise KumactlError(
            f"this CLI is for {PRODUCT} but the control plane you're connected to is"
            f" {index.product or 'unknown'}. Please use the CLI for your control plane"
        )


def _check_user(session: Session, entry: ControlPlaneEntry) -> None:
    """Whether the control plane takes what `entry` says of its user; `GET /` asks nobody for it."""
    if not (entry.request_headers() or entry.client_cert_file):
        return
    try:
        taken_for = session.connect(entry).who_am_i()
    except NotFoundError:
        return  # a version that does not say
    if entry.token and (fault := user_token.fault(entry.token, session.console.now())):
        # From its own machine a control plane may take anybody, and not look at the token.
        raise UsageError(
            f"the token of --auth-conf is no good: {fault}. {MADE_ANEW}."
            " To add the control plane all the same: --skip-check"
        )
    claimed = user_token.user_of(entry.token)
    if taken_for == _ANONYMOUS or (claimed and claimed != taken_for):
        meant = f", not for {claimed}" if claimed else ""
        session.console.note(
            f"WARNING: the control plane takes you for {taken_for}{meant}: from here it does not"
            " ask for what was given"
        )


def _list(session: Session) -> None:
    active = session.configuration.active
    rows = [
        ("*" if entry.name == active else "", entry.name, shown_url(entry.url))
        for entry in session.configuration.control_planes
    ]
    session.console.document(render_table(("ACTIVE", "NAME", "ADDRESS"), rows))


def _switch(session: Session) -> None:
    session.configuration.switch(session.arguments.name)
    session.save()
    session.console.line(f'switched active Control Plane to "{session.arguments.name}"')


def _remove(session: Session) -> None:
    session.configuration.remove(session.arguments.name)
    session.save()
    session.console.line(f'removed Control Plane "{session.arguments.name}"')
    active = session.configuration.active
    if active is None:
        session.console.line(
            "there is no active Control Plane left. Use `kumactl config control-planes add`"
            " to add a Control Plane and make it active"
        )
    else:
        session.console.line(f'switched active Control Plane to "{active}"')


def _view(session: Session) -> None:
    session.console.document(render(session.configuration.shown(), Format.YAML))
