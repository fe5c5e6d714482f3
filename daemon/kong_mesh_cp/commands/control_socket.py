"""Asks the running daemon over its admission socket."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from pathlib import Path

ANSWER_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class ControlAnswer:
    """What the daemon said: an HTTP status and a JSON object."""

    status: int
    body: dict[str, object]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS_MAX)
        self._path = path

    def connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(ANSWER_SECONDS_MAX)
            connection.connect(str(self._path))
        except OSError:
            connection.close()
            raise
        self.sock = connection


def ask(path: Path, method: str, target: str) -> ControlAnswer:
    """One request. Raises: OSError when nobody answers, ValueError when it is no answer of ours."""
    connection = _UnixConnection(path)
    try:
        connection.request(method, target)
        response = connection.getresponse()
        body = json.loads(response.read())
    except http.client.HTTPException as error:
        raise ValueError(str(error)) from error
    finally:
        connection.close()
    if not isinstance(body, dict):
        raise TypeError("not a JSON object")
    return ControlAnswer(response.status, body)
