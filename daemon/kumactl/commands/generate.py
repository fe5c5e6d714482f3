"""`kumactl generate`: tokens (by the control plane or offline), signing keys, certificates.

What needs cryptography is imported where it is used: no other command waits for it.
"""

from __future__ import annotations

import argparse
import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.formats.durations import SECOND, format_duration
from kong_mesh_cp.core.identity.tokens import Claims, DataplaneClaims, UserClaims, ZoneClaims
from kong_mesh_cp.core.lazy_import import lazy_import
from kumactl import key_files
from kumactl.commands import flags
from kumactl.errors import UsageError
from kumactl.session import Session

if TYPE_CHECKING:
    from kumactl import certificates, tokens
else:
    certificates = lazy_import("kumactl.certificates")
    tokens = lazy_import("kumactl.tokens")

ZONE_SCOPES: Final = ("ingress", "egress", "cp")  # docs/wire/tokens.md#issuing


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    generate = flags.group(commands, "generate", "make tokens, keys and certificates")
    _add_dataplane_token(generate)
    _add_zone_token(generate)
    _add_user_token(generate)
    signing_key = flags.command(generate, "signing-key", _signing_key, "make a key for tokens")
    signing_key.add_argument(
        "--format",
        choices=("pem-base64", "pem", "base64"),
        default="pem-base64",
        help="pem-base64 is for a Secret; base64 is another word for it",
    )
    public = flags.command(generate, "public-key", _public_key, "the public half of such a key")
    public.add_argument("--signing-key-path", type=Path, required=True, metavar="FILE")
    _add_certificate(generate)


def _add_dataplane_token(
    generate: argparse._SubParsersAction[argparse.ArgumentParser],
) -> None:
    parser = flags.command(generate, "dataplane-token", _dataplane_token, "for kuma-dp")
    parser.add_argument("--name", default="", help="of the only data plane proxy it is good for")
    parser.add_argument("--proxy-type", "--type", default="", choices=("", "dataplane", "ingress"))
    parser.add_argument(
        "--tag",
        action="extend",
        type=flags.pairs,
        default=[],
        metavar="KEY=VALUE[,VALUE…]",
        help="the proxy must have one of these values; may be repeated",
    )
    flags.add_mesh(parser)
    _add_signing(parser)


def _add_zone_token(generate: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = flags.command(generate, "zone-token", _zone_token, "for zone proxies")
    parser.add_argument("--zone", required=True)
    parser.add_argument(
        "--scope",
        action="extend",
        type=flags.words,
        metavar="SCOPE",
        help="ingress, egress, cp; default ingress,egress",
    )
    _add_signing(parser)


def _add_user_token(generate: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = flags.command(generate, "user-token", _user_token, "for users of the API")
    parser.add_argument("--name", required=True)
    parser.add_argument("--group", action="append", default=[], help="may be repeated")
    _add_signing(parser)


def _add_signing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--valid-for", type=flags.duration, required=True, metavar="DURATION", help="24h"
    )
    parser.add_argument(
        "--signing-key-path",
        type=Path,
        metavar="FILE",
        help="sign here, without a control plane; - for standard input",
    )
    parser.add_argument("--kid", help="the id of that key")


def _add_certificate(generate: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = flags.command(generate, "tls-certificate", _certificate, "a self-signed one")
    parser.add_argument("--type", choices=("server", "client"), required=True)
    parser.add_argument(
        "--hostname", "--cp-hostname", action="extend", type=flags.words, required=True
    )
    parser.add_argument("--key-type", choices=("rsa", "ecdsa"), default="rsa")
    parser.add_argument("--key-file", default="key.pem", metavar="FILE", help="- for stdout")
    parser.add_argument("--cert-file", default="cert.pem", metavar="FILE", help="- for stdout")


def _dataplane_token(session: Session) -> None:
    arguments = session.arguments
    tags: dict[str, list[str]] = {}
    for key, values in arguments.tag:
        tags.setdefault(key, []).extend(values.split(","))
    asked = {
        "name": arguments.name,
        "mesh": session.mesh,
        "tags": tags,
        "type": arguments.proxy_type,
    }
    claims = DataplaneClaims(
        name=arguments.name,
        mesh=session.mesh,
        tags={key: tuple(values) for key, values in tags.items()},
        type=arguments.proxy_type,
    )
    _issue(session, "/tokens/dataplane", asked, claims)


def _zone_token(session: Session) -> None:
    zone, scope = session.arguments.zone, session.arguments.scope or ["ingress", "egress"]
    if unknown := [each for each in scope if each not in ZONE_SCOPES]:
        # As the original says it, whose lists are Go's.
        raise UsageError(
            f"invalid --scope values: [{' '.join(unknown)}]"
            f" (supported scopes: [{' '.join(ZONE_SCOPES)}])"
        )
    asked = {"zone": zone, "scope": scope}
    _issue(session, "/tokens/zone", asked, ZoneClaims(zone=zone, scope=tuple(scope)))


def _user_token(session: Session) -> None:
    name, groups = session.arguments.name, session.arguments.group
    asked = {"name": name, "groups": groups}
    _issue(session, "/tokens/user", asked, UserClaims(name=name, groups=tuple(groups)))


def _issue(session: Session, path: str, asked: Mapping[str, object], claims: Claims) -> None:
    arguments = session.arguments
    if arguments.valid_for == 0:
        raise UsageError("You must set a token validFor value: how long it is good, such as 24h")
    if arguments.valid_for < SECOND:
        raise UsageError("--valid-for is at least 1s")
    if bool(arguments.signing_key_path) != bool(arguments.kid):
        raise UsageError("--signing-key-path and --kid belong together")
    if arguments.signing_key_path is None:
        body = {**asked, "validFor": format_duration(arguments.valid_for)}
        token = session.control_plane.token(path, body)
    else:
        token = tokens.signed_token(
            claims,
            pem=_signing_key_given(session),
            kid=arguments.kid,
            valid_nanoseconds=arguments.valid_for,
            now=session.console.now(),
        )
    session.console.secret(token)


def _signing_key_given(session: Session) -> bytes:
    path: Path = session.arguments.signing_key_path
    if str(path) == "-":
        stream = session.stdin.take("--signing-key-path")
        return key_files.read_stream(stream, "standard input")
    return key_files.read(path)


def _signing_key(session: Session) -> None:
    pem = tokens.new_signing_key()
    if session.arguments.format == "pem":
        session.console.document(pem.decode())
    else:
        session.console.secret(base64.b64encode(pem).decode())


def _public_key(session: Session) -> None:
    pem = _signing_key_given(session)
    session.console.document(tokens.public_key(pem).decode())


def _certificate(session: Session) -> None:
    arguments = session.arguments
    if not arguments.hostname:
        raise UsageError("at least one hostname must be given")
    key, certificate = certificates.self_signed(
        certificates.Purpose(arguments.type),
        certificates.KeyType(arguments.key_type),
        arguments.hostname,
        session.console.now(),
    )
    for name, content, mode in (
        (arguments.key_file, key, key_files.SECRET_MODE),
        (arguments.cert_file, certificate, key_files.PUBLIC_MODE),
    ):
        if name == "-":
            session.console.document(content.decode())
        else:
            key_files.write(Path(name), content, mode=mode)
    if "-" not in {arguments.key_file, arguments.cert_file}:
        session.console.line(f"Private key saved in {arguments.key_file}")
        session.console.line(f"Certificate saved in {arguments.cert_file}")
