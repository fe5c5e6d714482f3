"""`kong-mesh-cp keys`: the keys of the running daemon, listed, rotated and retired."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final, TypeAlias
from urllib.parse import quote

from kong_mesh_cp.commands.running_daemon import add_daemon_arguments, ask_daemon
from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.formats.printable import printable

DATAPLANE: Final = "dataplane"
SERIES: Final = ("user", "zone", DATAPLANE)

_Parsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001
_Run = Callable[[argparse.Namespace], int]

_DESCRIPTION: Final = (
    "Keys of tokens (user, zone, and dataplane with --mesh), and the key that secrets in the store"
    " are sealed with (sealing). For root and the daemon's user. No key is ever shown."
)
_GAP: Final = "   "


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "keys", help="list, rotate and retire the keys of the running daemon"
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = _add(actions, "list", "show which keys there are", _list)
    listing.add_argument("--mesh", metavar="MESH", help="those of the tokens of its proxies")
    rotating = _kinds(actions, "rotate", "add a key, which signs or seals from now on")
    for series in SERIES:
        _add_series(rotating, series, "a key that signs from now on", _rotate)
    _add(rotating, "sealing", "a key that seals secrets from now on", _rotate_sealing)
    retiring = _kinds(actions, "retire", "take out keys of before")
    for series in SERIES:
        one = _add_series(retiring, series, "void the tokens that one key has signed", _retire)
        one.add_argument("number", metavar="NUMBER", help="of the key, as `list` shows it")
    _add(retiring, "sealing", "forget all but the key that seals secrets", _retire_sealing)
    revoking = _kinds(actions, "revoke", "void one token")
    for series in SERIES:
        one = _add_series(revoking, series, "void one token", _revoke)
        one.add_argument("id", metavar="ID", help="of the token: its claim `jti`, and in the log")


def _kinds(actions: _Parsers, name: str, words: str) -> _Parsers:
    parser = actions.add_parser(name, help=words, description=_DESCRIPTION, allow_abbrev=False)
    return parser.add_subparsers(metavar="KEY", required=True)


def _add(actions: _Parsers, name: str, words: str, run: _Run) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=words, description=_DESCRIPTION, allow_abbrev=False)
    add_daemon_arguments(parser)
    parser.set_defaults(run=run)
    return parser


def _add_series(kinds: _Parsers, series: str, words: str, run: _Run) -> argparse.ArgumentParser:
    parser = _add(kinds, series, words, run)
    parser.set_defaults(key=series, mesh=None)
    if series == DATAPLANE:
        parser.add_argument("--mesh", metavar="MESH", required=True, help="of the proxies")
    return parser


def _list(arguments: argparse.Namespace) -> int:
    if arguments.mesh is not None:
        _print_signing(_items(_ask(arguments, "GET", _of_mesh(arguments.mesh))))
        return 0
    signing = _items(_ask(arguments, "GET", "/v1/signing-keys"))
    sealing = _items(_ask(arguments, "GET", "/v1/sealing-key"))
    _print_signing(signing)
    print()
    _print_table(
        ("SEALING KEY", "STATE", "SECRETS"),
        [(_text(each, "id"), _text(each, "state"), _text(each, "secrets")) for each in sealing],
    )
    return 0


def _rotate(arguments: argparse.Namespace) -> int:
    done = _ask(arguments, "POST", f"{_series(arguments)}/rotate")
    print(f"{done.get('name')} signs from now on; earlier keys go on validating")
    return 0


def _rotate_sealing(arguments: argparse.Namespace) -> int:
    done = _ask(arguments, "POST", "/v1/sealing-key/rotate")
    secrets = done.get("secrets")
    print(f"{done.get('id')} seals from now on; secrets sealed anew: {secrets}")
    return 0


def _retire(arguments: argparse.Namespace) -> int:
    _ask(arguments, "DELETE", f"{_series(arguments)}/{quote(arguments.number, safe='')}")
    print(f"retired: tokens signed by {arguments.key} key {printable(arguments.number)} are void")
    return 0


def _retire_sealing(arguments: argparse.Namespace) -> int:
    done = _ask(arguments, "POST", "/v1/sealing-key/retire")
    retired, kept = _ids(done, "retired"), _ids(done, "kept")
    print(f"retired: {', '.join(retired)}" if retired else "there is no earlier key")
    if kept:
        print(f"kept, take them out of the credential: {', '.join(kept)}")
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    _ask(arguments, "PUT", f"{_series(arguments)}/revocations/{quote(arguments.id, safe='')}")
    print(f"revoked: {arguments.key} token {printable(arguments.id)} is void")
    return 0


def _series(arguments: argparse.Namespace) -> str:
    if arguments.mesh is not None:
        return _of_mesh(arguments.mesh)
    return f"/v1/signing-keys/{arguments.key}"


def _of_mesh(mesh: str) -> str:
    return f"/v1/meshes/{quote(mesh, safe='')}/signing-keys"


def _ask(arguments: argparse.Namespace, method: str, target: str) -> Mapping[str, object]:
    answer = ask_daemon(arguments, method, target)
    if answer.status != HTTPStatus.OK:
        raise ControlPlaneError(
            str(answer.body.get("reason", "the daemon refused")).rstrip("."),
            code=str(answer.body.get("code", "keys-refused")),
            hint=str(answer.body.get("hint", "See its log: journalctl -u kong-mesh-cp")),
        )
    return answer.body


def _items(document: Mapping[str, object]) -> list[Mapping[str, object]]:
    items = document.get("items")
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []


def _ids(document: Mapping[str, object], member: str) -> list[str]:
    ids = document.get(member)
    return [printable(str(each)) for each in ids] if isinstance(ids, list) else []


def _print_signing(keys: Sequence[Mapping[str, object]]) -> None:
    members = ("series", "serial", "state", "creationTime", "name")
    _print_table(
        ("KEY", "NUMBER", "STATE", "CREATED", "SECRET"),
        [tuple(_text(each, member) for member in members) for each in keys],
    )


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(_GAP.join(cells).rstrip())


def _text(document: Mapping[str, object], member: str) -> str:
    return printable(str(document.get(member, "")))
