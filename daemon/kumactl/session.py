"""One run of one command: its arguments, the configuration, and the control plane it means."""

from __future__ import annotations

import argparse
import platform
import shlex
from functools import cached_property
from pathlib import Path
from typing import Final

from kong_mesh_cp.core.versions import WIRE_VERSION
from kumactl import PRODUCT, __version__, configuration, given, user_token
from kumactl.configuration import Configuration, ControlPlaneEntry
from kumactl.console import Console
from kumactl.control_plane import ControlPlane
from kumactl.documents.resource_names import DEFAULT_MESH
from kumactl.errors import KumactlError, UnreachableError, UsageError
from kumactl.request_log import RequestLog
from kumactl.transport import TlsOptions, Transport

_MINOR_DISTANCE_MAX: Final = 2  # docs/wire/processes.md#versions
MADE_ANEW: Final = (
    "Have a new one made (kumactl generate user-token), and give it to"
    " kumactl config control-planes add --overwrite"
)
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}  # in Go's words


class Session:
    """Resource handling: `close` ends the connection, if one was opened."""

    def __init__(self, arguments: argparse.Namespace, console: Console) -> None:
        self.arguments = arguments
        self.console = console
        self.stdin = given.StandardInput(console.stdin)
        self._transports: list[Transport] = []

    @property
    def config_path(self) -> Path:
        given: Path | None = self.arguments.config_file
        return given or self.console.home / ".kumactl" / "config"

    def named_values(self, option: str, pairs: given.Pairs) -> dict[str, str]:
        """What `option` was given, files and standard input read. Raises: UsageError."""
        return given.values(option, pairs, self.console, self.stdin)

    @cached_property
    def configuration(self) -> Configuration:
        """The user's; the initial one with --no-config. Raises: UsageError."""
        if self.arguments.no_config:
            return Configuration.initial()
        loaded = configuration.load(self.config_path)
        if loaded.is_exposed and loaded.holds_secrets:
            shown = shlex.quote(str(self.config_path))
            self.console.note(
                f"WARNING: others than you can read the tokens in {shown}. Run: chmod 600 {shown}"
            )
        return loaded

    def save(self) -> None:
        """Write the configuration back. Raises: UsageError."""
        if self.arguments.no_config:
            raise UsageError("with --no-config there is no configuration to change")
        configuration.save(self.configuration, self.config_path)

    @property
    def mesh(self) -> str:
        """The mesh meant: of the command line, of the configuration, or `default`."""
        given: str | None = getattr(self.arguments, "mesh", None)
        return given or self.configuration.default_mesh or DEFAULT_MESH

    @cached_property
    def control_plane(self) -> ControlPlane:
        """The active control plane; warns when its version is too far from ours."""
        entry = self.configuration.current()
        entry.check()
        plane = self.connect(entry)
        self._warn_of_version(plane)
        return plane

    def connect(self, entry: ControlPlaneEntry, *, anonymous: bool = False) -> ControlPlane:
        """The control plane of `entry`; `anonymous` without its headers and token."""
        headers = {} if anonymous else entry.request_headers()
        transport = Transport(
            entry.url,
            headers={"accept": "application/json", "user-agent": user_agent(), **headers},
            tls=TlsOptions(
                ca_cert_file=entry.ca_cert_file,
                client_cert_file=entry.client_cert_file,
                client_key_file=entry.client_key_file,
                skip_verify=entry.skip_verify,
            ),
            timeout_seconds=self.arguments.api_timeout,
            log=RequestLog(self.arguments.log_level, self.console.note),
        )
        self._transports.append(transport)
        token = "" if anonymous else entry.token
        if not token:
            return ControlPlane(transport)
        return ControlPlane(transport, why_unauthenticated=lambda: self._why_refused(token))

    def _why_refused(self, token: str) -> str:
        reason = user_token.reason_of_refusal(token, self.console.now())
        return f"{reason}. {MADE_ANEW}"

    def close(self) -> None:
        """End every connection."""
        for transport in self._transports:
            transport.close()

    def _warn_of_version(self, plane: ControlPlane) -> None:
        try:
            index = plane.index()
        except UnreachableError:
            raise  # the command itself would only wait for the same once more
        except KumactlError:
            return
        if index.version and not compatible(WIRE_VERSION, index.version):
            self.console.note(
                f"WARNING: this kumactl is made for {PRODUCT} {WIRE_VERSION};"
                f" the control plane is {index.product} {index.version}"
            )


def user_agent() -> str:
    """As the original's: `kumactl/2.10.11 (linux; amd64; Kong Mesh/0.1.0)`."""
    machine = _MACHINES.get(platform.machine(), platform.machine())
    return (
        f"kumactl/{WIRE_VERSION} ({platform.system().lower()}; {machine}; {PRODUCT}/{__version__})"
    )


def compatible(ours: str, theirs: str) -> bool:
    """Whether two versions work together: same major, minors not far apart; previews always."""
    if "preview" in ours or "preview" in theirs:
        return True
    mine, other = _major_minor(ours), _major_minor(theirs)
    if mine is None or other is None:
        return False
    return mine[0] == other[0] and abs(mine[1] - other[1]) <= _MINOR_DISTANCE_MAX


def _major_minor(version: str) -> tuple[int, int] | None:
    parts = version.removeprefix("v").split(".")[:2]
    usable = all(part.isascii() and part.isdigit() and len(part) <= 6 for part in parts)
    return (int(parts[0]), int(parts[1])) if usable and len(parts) == 2 else None
