"""`kumactl install` and `kumactl uninstall`: the transparent proxy of a plain Linux machine.

What the original installs into Kubernetes is not made here, and each of those words says so.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.lazy_import import lazy_import
from kumactl.command_line import REFUSED
from kumactl.commands import flags
from kumactl.documents import yaml_text
from kumactl.errors import UsageError
from kumactl.session import Session
from kumactl.transparent_proxy.settings import BY_FIELD, EBPF_FLAGS, ROWS, Settings, gathered
from kumactl.transparent_proxy.values import count, family_mode, port, switch

if TYPE_CHECKING:
    from kumactl.transparent_proxy import installing, machine, validator
else:
    installing = lazy_import("kumactl.transparent_proxy.installing")
    machine = lazy_import("kumactl.transparent_proxy.machine")
    validator = lazy_import("kumactl.transparent_proxy.validator")

CONFIGURATION_BYTES_MAX: Final = 1024 * 1024
_FOR_KUBERNETES: Final = ("control-plane", "crds", "demo", "observability")
_PREFIX: Final = "proxy_"  # of what the settings' flags are kept under
_LISTS: Final = frozenset(
    {"inbound_excluded_addresses", "outbound_excluded_addresses", "outbound_excluded_uids"}
    | {"networks"}
)
_OLDER_FLAGS: Final = {"user": ("--kuma-dp-uid",)}
_VALIDATOR_PORT: Final = 15006
_VALIDATOR_TRIES: Final = 11


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    summary = "redirect the traffic of this machine through its proxy"
    install = flags.group(commands, "install", summary)
    _add_install(install)
    _add_validator(install)
    for word in _FOR_KUBERNETES:
        _add_refusal(install, word)
    uninstall = flags.group(commands, "uninstall", "undo it")
    _add_uninstall(uninstall)
    _add_refusal(uninstall, "ebpf")


def _add_install(install: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    summary = "put the rules in force; needs root, but for --dry-run"
    parser = flags.command(install, "transparent-proxy", _install, summary, config_file=False)
    for row in ROWS:
        if not row.flag:
            continue
        names = (row.flag, *_OLDER_FLAGS.get(row.field, ()))
        if row.reader is switch:
            _add_switch(parser, names, row.field, row.help)
        else:
            parser.add_argument(
                *names,
                dest=_PREFIX + row.field,
                action="append" if row.field in _LISTS else "store",
                default=argparse.SUPPRESS,
                metavar="ARG",
                help=row.help,
            )
    _add_ebpf_flags(parser)
    parser.add_argument("--config", default="", metavar="TEXT", help="settings in YAML or JSON")
    parser.add_argument(
        "--config-file",
        dest="settings_file",
        default="",
        metavar="FILE",
        help="settings in YAML or JSON; - for standard input",
    )


def _add_switch(
    parser: argparse.ArgumentParser, names: tuple[str, ...], field: str, text: str
) -> None:
    """`--flag`, `--flag=false`."""
    parser.add_argument(
        *names,
        dest=_PREFIX + field,
        nargs="?",
        const="true",
        default=argparse.SUPPRESS,
        metavar="true|false",
        help=text,
    )


def _add_ebpf_flags(parser: argparse.ArgumentParser) -> None:
    for flag in EBPF_FLAGS:
        parser.add_argument(flag, default="", help=argparse.SUPPRESS)


def _add_uninstall(uninstall: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    summary = "take the rules out; needs root"
    parser = flags.command(uninstall, "transparent-proxy", _uninstall, summary)
    for field in ("dry_run", "verbose", "ebpf"):
        row = BY_FIELD[field]
        _add_switch(parser, (row.flag,), field, row.help)
    _add_ebpf_flags(parser)


def _add_validator(install: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    summary = "try whether traffic is redirected"
    parser = flags.command(install, "transparent-proxy-validator", _validate, summary)
    parser.add_argument(
        "--ip-family-mode",
        default="dualstack",
        metavar="ARG",
        help="dualstack or ipv4; default dualstack",
    )
    parser.add_argument(
        "--kuma-dp-user",
        default="",
        metavar="ARG",
        help="as whom to try it, for root; default 5678 or kuma-dp",
    )
    parser.add_argument(
        "--validation-server-port",
        default=_VALIDATOR_PORT,
        metavar="PORT",
        help=f"where the rules send inbound traffic; default {_VALIDATOR_PORT}",
    )
    parser.add_argument(
        "--validation-tries",
        default=_VALIDATOR_TRIES,
        metavar="N",
        help=f"one a second; default {_VALIDATOR_TRIES}",
    )


def _add_refusal(commands: argparse._SubParsersAction[argparse.ArgumentParser], word: str) -> None:
    def run(session: Session) -> None:
        raise UsageError(
            f"{session.arguments.refused}: that is for Kubernetes, and this product is for plain"
            " Linux machines, where there is nothing of it. `kumactl install transparent-proxy`"
            " is the part that is"
        )

    parser = flags.command(commands, word, run, "for Kubernetes only: refused here")
    parser.set_defaults(**{REFUSED: parser.prog})


def _settings(session: Session) -> Settings:
    """Of flags, environment and document. Raises: UsageError."""
    given = {
        name.removeprefix(_PREFIX): value
        for name, value in vars(session.arguments).items()
        if name.startswith(_PREFIX)
    }
    if {"dns", "dns_all"} <= {name for name, value in given.items() if str(value) == "true"}:
        raise UsageError(
            "only one of '--redirect-dns' or '--redirect-all-dns-traffic' should be specified"
        )
    settings = gathered(_document(session), session.console.environment, given)
    if settings.ebpf:
        raise UsageError(
            "eBPF is not a part of this kumactl: it takes programs for the kernel that come with"
            " images for Kubernetes. Without --ebpf-enabled iptables does the same"
        )
    if settings.cni:
        raise UsageError("cniMode is for Kubernetes, and this product is for plain machines")
    return settings


def _document(session: Session) -> Mapping[str, object]:
    text: str = getattr(session.arguments, "config", "")
    file: str = getattr(session.arguments, "settings_file", "")
    if text == "-" and not file:
        raise UsageError(
            "provided value '-' via flag '--config' is invalid; to provide config via stdin, use"
            " '--config-file -'"
        )
    name = "the value of --config"
    if file:
        name = "standard input" if file == "-" else repr(file)
        text = _content(session, file)
    documents = yaml_text.parse_documents(text, name)
    if not documents:
        return {}
    if len(documents) > 1 or not isinstance(documents[0], Mapping):
        raise UsageError(f"{name} is not one YAML or JSON object")
    return documents[0]


def _content(session: Session, file: str) -> str:
    try:
        if file == "-":
            content = session.stdin.take("--config-file").read(CONFIGURATION_BYTES_MAX + 1)
        else:
            with Path(file).open("rb") as stream:
                content = stream.read(CONFIGURATION_BYTES_MAX + 1)
        if len(content) > CONFIGURATION_BYTES_MAX:
            raise UsageError(f"{file!r} is larger than {CONFIGURATION_BYTES_MAX} bytes")
        return content.decode()
    except OSError as error:
        raise UsageError(
            f"unable to access configuration file '{file}', please check if the file exists and"
            f" has the correct permissions: {error.strerror}"
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"{file!r} is not UTF-8 text") from None


def _install(session: Session) -> None:
    settings = _settings(session)
    _require_root(session, settings)
    installing.install(settings, session.console)


def _uninstall(session: Session) -> None:
    settings = _settings(session)
    _require_root(session, settings)
    installing.uninstall(settings, session.console)


def _require_root(session: Session, settings: Settings) -> None:
    installing.require_root(
        dry_run=settings.dry_run,
        console=session.console,
        effective_uid=installing.effective_uid,
    )


def _validate(session: Session) -> None:
    arguments = session.arguments
    try:
        mode = family_mode(arguments.ip_family_mode)
        number = port(arguments.validation_server_port)
        tries = max(1, count(arguments.validation_tries))
    except ValueError as error:
        raise UsageError(str(error)) from None
    uid = installing.effective_uid()
    if uid == 0:
        uid = int(machine.user_id(arguments.kuma_dp_user))
    families = [False, True] if mode == "dualstack" and machine.has_ipv6() else [False]
    for ipv6 in families:
        validator.validate(number, session.console.line, uid=uid, ipv6=ipv6, tries=tries)
    session.console.line("validation successful, iptables rules applied correctly")
