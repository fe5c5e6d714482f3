"""The Dataplane that a proxy brings: a template that is filled in and read.

Source: docs/wire/kuma-dp.md#the-dataplane
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from kong_mesh_cp.core.formats.printable import printable
from kuma_dp.errors import NotMendedByWaitingError
from kuma_dp.given.options import GIVEN_BYTES_MAX, VARS_FLAG
from kumactl import key_files
from kumactl.documents import templates, yaml_text
from kumactl.documents.encodings import text_of
from kumactl.errors import UsageError

TYPES: Final = {"dataplane": "Dataplane", "ingress": "ZoneIngress", "egress": "ZoneEgress"}
_NOT_IN_NAMES: Final = frozenset("$(){}")  # what a shell or a template was to replace
_STDIN: Final = "-"


@dataclass(frozen=True, slots=True)
class Proxy:
    """Who the proxy is: its mesh ("" for zone proxies), its name, what it brings."""

    mesh: str
    name: str
    resource: Mapping[str, object] | None = None  # as it was given, filled in

    @property
    def label(self) -> str:
        """How people call it: `MESH/NAME`, and a zone proxy by its name alone."""
        return f"{self.mesh}/{self.name}" if self.mesh else self.name

    @property
    def text(self) -> str:
        """Its resource as JSON, "" where it brings none."""
        return "" if self.resource is None else json.dumps(self.resource, ensure_ascii=False)


def proxy_of(
    *,
    mesh: str,
    name: str,
    proxy_type: str,
    path: str,
    inline: str,
    variables: Mapping[str, str],
    stdin: BinaryIO,
) -> Proxy:
    """The proxy that options tell of; mesh and name of the resource count, where it is given.

    Raises: NotMendedByWaitingError (`dataplane-unreadable`, `dataplane-unusable`,
    `dataplane-contradiction`, `dataplane-name-missing`).
    """
    try:
        content = _content(path, inline, stdin)
        if content.strip():
            source = {"": "--dataplane", _STDIN: "standard input"}.get(path, path)
            resource = _resource(content, variables, source, TYPES[proxy_type])
            return _with(resource, mesh, name, zone_proxy=proxy_type != "dataplane")
    except UsageError as error:
        raise NotMendedByWaitingError(
            printable(error.message).rstrip(".").replace(" --var ", f" {VARS_FLAG} "),
            code="dataplane-unreadable",
            hint="Correct what is given with --dataplane-file, --dataplane or --dataplane-var.",
        ) from None
    zone_proxy = proxy_type != "dataplane"
    if not name or not (mesh or zone_proxy):
        missing = "--name" if not name else "--mesh"
        raise NotMendedByWaitingError(
            f"nobody said which proxy this is: {missing} is missing",
            code="dataplane-name-missing",
            hint="Give --mesh and --name of a Dataplane that is stored, or --dataplane-file.",
        )
    return Proxy("" if zone_proxy else _plain("--mesh", mesh), _plain("--name", name))


def _content(path: str, inline: str, stdin: BinaryIO) -> bytes:
    if path == _STDIN:
        return key_files.read_stream(stdin, "standard input", bytes_max=GIVEN_BYTES_MAX)
    return key_files.read(Path(path), bytes_max=GIVEN_BYTES_MAX) if path else inline.encode()


def _resource(
    content: bytes, variables: Mapping[str, str], source: str, kind: str
) -> Mapping[str, object]:
    text = templates.fill(text_of(content, source), variables, source)
    documents = yaml_text.parse_documents(text, source)
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise _unusable(f"{source} holds {len(documents)} documents, or none with members")
    resource: Mapping[str, object] = documents[0]
    if resource.get("type") != kind:
        raise _unusable(f"{source}: type is {_shown(resource.get('type'))}, not {kind}")
    return resource


def _with(resource: Mapping[str, object], mesh: str, name: str, *, zone_proxy: bool) -> Proxy:
    of_resource = {key: resource.get(key, "") for key in ("mesh", "name")}
    for key, given in (("mesh", mesh), ("name", name)):
        # The original refuses both at once; where they agree there is nothing to refuse.
        if given and given != of_resource[key] and not (zone_proxy and key == "mesh"):
            raise NotMendedByWaitingError(
                f"--{key} is {printable(given)!r}, and the Dataplane given is of"
                f" {key} {_shown(of_resource[key])}",
                code="dataplane-contradiction",
                hint=f"Leave --{key} out, or correct one of them.",
            )
    wanted = ("name",) if zone_proxy else ("mesh", "name")
    for key in wanted:
        found = of_resource[key]
        if not isinstance(found, str) or not found or not _NOT_IN_NAMES.isdisjoint(found):
            raise _unusable(f"{key} of the Dataplane given is {_shown(found)}, which is no name")
    return Proxy("" if zone_proxy else str(of_resource["mesh"]), str(of_resource["name"]), resource)


def _plain(flag: str, given: str) -> str:
    if not _NOT_IN_NAMES.isdisjoint(given):
        raise _unusable(f"{flag} {printable(given)!r} holds what nothing has replaced")
    return given


def _shown(value: object) -> str:
    return repr(printable(value))


def _unusable(message: str) -> NotMendedByWaitingError:
    return NotMendedByWaitingError(
        message,
        code="dataplane-unusable",
        hint="Give one resource with type, mesh and name, filled in with --dataplane-var.",
    )
