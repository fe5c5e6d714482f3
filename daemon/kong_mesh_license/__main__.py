"""`kong-mesh-license keygen|issue|keyring`: what a vendor does before any daemon runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from kong_mesh_cp.core.command_line import completion_scripts
from kong_mesh_cp.core.command_line.command_words import ASK, Parser, candidates
from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.license.keyring import Algorithm, Key, KeyPurpose, key_id
from kong_mesh_cp.core.license.term import instant
from kong_mesh_license import files, issuing, keyring_file
from kong_mesh_license.errors import VendorToolError
from kong_mesh_license.keys import SigningKey

PROGRAM = "kong-mesh-license"
EXIT_REFUSED = 1  # 2 is argparse's: the command line itself was wrong

Clock = Callable[[], datetime]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a refusal is one line on stderr. Returns the exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:2] == [ASK, "--"]:
        for word in candidates(_parser(), given[2:]):
            print(word)
        return 0
    arguments = _parser().parse_args(given)
    try:
        arguments.run(arguments, now=_wall_clock())
    except ControlPlaneError as error:
        print(f"{PROGRAM}: {error.line}", file=sys.stderr)
        return EXIT_REFUSED
    return 0


def _wall_clock() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 (the outermost layer of this program)


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(
        prog=PROGRAM,
        description="Makes signing keys, keyrings and licenses for kong-mesh-cp.",
        epilog="The whole way, and how to check a license by hand: docs/license.md.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_keygen(commands)
    _add_issue(commands)
    _add_keyring(commands)
    completion_scripts.add_parser(commands, PROGRAM, _print_script)
    return parser


def _add_keygen(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    keygen = commands.add_parser("keygen", help="make a signing key", allow_abbrev=False)
    keygen.add_argument(
        "--algorithm",
        type=Algorithm,
        choices=tuple(Algorithm),
        default=Algorithm.ED25519,
        help="ecdsa-p256 is for FIPS sites; default ed25519",
    )
    keygen.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="PREFIX",
        help="writes PREFIX.key.pem and PREFIX.pub.pem; in a folder: signing.key.pem, …",
    )
    keygen.set_defaults(run=_keygen)


def _add_issue(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    issue = commands.add_parser("issue", help="sign a license", allow_abbrev=False)
    issue.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="private key, PEM; - for stdin"
    )
    issue.add_argument("--customer", required=True, metavar="NAME")
    issue.add_argument("--dataplanes", required=True, metavar="N", help="data plane proxies")
    issue.add_argument("--expires", required=True, metavar="DATE", help="void from 00:00 UTC on")
    issue.add_argument("--created", metavar="DATE", help="default: today in UTC")
    issue.add_argument("--license-key", metavar="TEXT", help="default: a random one")
    issue.add_argument(
        "--field",
        action="append",
        default=[],
        type=_field,
        metavar="NAME=VALUE",
        help="one more signed field; may be repeated",
    )
    issue.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: stdout")
    issue.set_defaults(run=_issue)


def _add_keyring(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    keyring = commands.add_parser("keyring", help="change a keyring file", allow_abbrev=False)
    actions = keyring.add_subparsers(title="actions", metavar="ACTION", required=True)
    add = actions.add_parser("add", help="trust one more key", allow_abbrev=False)
    add.add_argument("file", type=Path, metavar="FILE", help="keyring.json; made if missing")
    add.add_argument("--public-key", type=Path, required=True, metavar="FILE", help="PEM")
    add.add_argument("--purpose", type=KeyPurpose, choices=tuple(KeyPurpose), required=True)
    add.add_argument("--comment", default="", metavar="TEXT")
    add.set_defaults(run=_add_key)
    list_ = actions.add_parser("list", help="show the keys", allow_abbrev=False)
    list_.add_argument("file", type=Path, metavar="FILE")
    list_.set_defaults(run=_list_keys)
    retire = actions.add_parser("retire", help="stop trusting a key", allow_abbrev=False)
    retire.add_argument("file", type=Path, metavar="FILE")
    retire.add_argument("kid", metavar="KID", help="as `list` shows it")
    retire.set_defaults(run=_retire_key)


def _print_script(arguments: argparse.Namespace, *, now: datetime) -> None:
    del now
    print(arguments.script, end="")


def _field(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("a field is NAME=VALUE")
    return name, value


def _keygen(arguments: argparse.Namespace, *, now: datetime) -> None:
    del now
    prefix: Path = arguments.out / "signing" if arguments.out.is_dir() else arguments.out
    private = prefix.with_name(f"{prefix.name}.key.pem")
    public = prefix.with_name(f"{prefix.name}.pub.pem")
    if public.exists():
        # Before the private key is written: half a pair would be no use.
        raise VendorToolError(
            f"{public} exists and is never overwritten",
            code="file-exists",
            hint="Choose another --out.",
        )
    key = SigningKey.generate(arguments.algorithm)
    files.create(private, key.private_pem, mode=files.SECRET_MODE)
    files.create(public, key.public_pem, mode=files.PUBLIC_MODE)
    print(f"{private}: private key {key_id(key.spki)} ({arguments.algorithm}), keep it secret")
    print(f"{public}: public key, for: kong-mesh-license keyring add")


def _issue(arguments: argparse.Namespace, *, now: datetime) -> None:
    fields = issuing.payload(
        customer=arguments.customer,
        dataplanes=arguments.dataplanes,
        created=arguments.created or now.date().isoformat(),
        expires=arguments.expires,
        license_key=arguments.license_key or issuing.new_license_key(),
        others=_without_repetition(arguments.field),
    )
    key = _private_key(arguments.key)
    document, license_ = issuing.issue(fields, key)
    if arguments.output is None:
        sys.stdout.buffer.write(document)
        sys.stdout.buffer.flush()
    else:
        files.replace(arguments.output, document, mode=files.SECRET_MODE)
    print(
        f"license {license_.id} of {license_.customer}: {license_.dataplanes} data plane proxies"
        f" until {instant(license_.expires_at)}, signed by {license_.kid}",
        file=sys.stderr,
    )
    if now >= license_.expires_at:
        print("note: this license has already ended; no daemon starts with it", file=sys.stderr)


def _private_key(path: Path) -> SigningKey:
    if str(path) == "-":
        return SigningKey.from_pem(files.read_stdin(sys.stdin.buffer, "key"))
    found = files.find(path, "key")
    key = SigningKey.from_pem(found.content)
    if found.is_seen_by_others:
        print(f"note: others can read {path}. Run: chmod 600 {path}", file=sys.stderr)
    return key


def _without_repetition(fields: Sequence[tuple[str, str]]) -> dict[str, str]:
    if len({name for name, _ in fields}) != len(fields):
        raise VendorToolError(
            "a --field is given twice", code="field-taken", hint="Give each field once."
        )
    return dict(fields)


def _add_key(arguments: argparse.Namespace, *, now: datetime) -> None:
    del now
    pem = files.read(arguments.public_key, "key")
    key = keyring_file.add(
        arguments.file, pem, purpose=arguments.purpose, comment=arguments.comment
    )
    print(_line(key))


def _list_keys(arguments: argparse.Namespace, *, now: datetime) -> None:
    del now
    for key in keyring_file.load(arguments.file).keys:
        print(_line(key))


def _retire_key(arguments: argparse.Namespace, *, now: datetime) -> None:
    del now
    print(_line(keyring_file.retire(arguments.file, arguments.kid)))


def _line(key: Key) -> str:
    return f"{key.kid}  {key.algorithm:<10}  {key.purpose:<6}  {key.status:<7}  {key.comment}"


if __name__ == "__main__":
    sys.exit(main())
