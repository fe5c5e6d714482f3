"""What Envoy writes into the pipe: a line for each record, with the collector it is for. No I/O.

Source: docs/wire/beside-envoy.md#access-logs
"""

from __future__ import annotations

import json
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import PORT_MAX, join_host_port, split_host_port

LINE_BYTES_MAX: Final = 64 * 1024  # Envoy's own bound for what it flushes at once


@dataclass(frozen=True, slots=True)
class Collector:
    """Where records are sent."""

    host: str
    port: int

    def __str__(self) -> str:
        return join_host_port(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Record:
    """One record: `line` is sent as it is, its newline included."""

    collector: Collector
    line: bytes


class MalformedRecordError(Exception):
    """No record. The text says why, and quotes nothing: a record has what clients have sent."""


class Lines:
    """Bytes as they come, cut into lines. One that is too long is left out, and counted."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._is_too_long = False
        self.left_out = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their newlines."""
        *ended, rest = data.split(b"\n")
        lines = list[bytes]()
        for part in ended:
            self._take(part)
            if self._is_too_long:
                self.left_out += 1
            else:
                lines.append(bytes(self._begun))
            self._begun.clear()
            self._is_too_long = False
        self._take(rest)
        return lines

    def _take(self, part: bytes) -> None:
        if len(self._begun) + len(part) > LINE_BYTES_MAX:
            self._is_too_long = True
            self._begun.clear()
        if not self._is_too_long:
            self._begun += part


def read_record(line: bytes) -> Record:
    """`{"address": …, "message": …}`, a text or any JSON; else `ADDRESS;MESSAGE`.

    Raises: MalformedRecordError.
    """
    found = _object(line)
    if found is None:
        address, divider, message = line.partition(b";")
        if not divider:
            raise MalformedRecordError("it is no JSON object and has no semicolon")
        return Record(_collector(address.decode("utf-8", "replace")), message + b"\n")
    text = found.get("message")
    if not isinstance(text, str):
        text = json.dumps(text, ensure_ascii=False, separators=(",", ":"))
    # Half of a surrogate pair is no character, though JSON can say it.
    return Record(_collector(found.get("address")), text.encode("utf-8", "replace") + b"\n")


def _object(line: bytes) -> dict[str, object] | None:
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        found: object = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _collector(address: object) -> Collector:
    found = split_host_port(address) if isinstance(address, str) else None
    if found is None:
        raise MalformedRecordError("its address is not HOST:PORT")
    host, port = found
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) <= PORT_MAX):
        raise MalformedRecordError("the port in its address is none")
    return Collector(host or "localhost", int(port))
