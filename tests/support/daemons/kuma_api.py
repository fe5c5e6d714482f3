"""A real HTTP server in a thread that answers as a test says, and a small control plane on it."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from kong_mesh_cp.core.resources.registry import TYPES

_PATHS: Final = frozenset(each.path for each in TYPES.values() if each.path)
ZERO_TIME: Final = "0001-01-01T00:00:00Z"
KUMA_INDEX: Final = {
    "basedOnKuma": "2.10.11",
    "clusterId": "c-1",
    "gui": "/gui",
    "hostname": "cp-host",
    "instanceId": "cp-host-1",
    "product": "Kong Mesh",
    "version": "2.10.11",
}
INDEX: Final = {**KUMA_INDEX, "capabilities": ["dryRun", "preview", "strict"]}


@dataclass(frozen=True)
class Asked:
    method: str
    path: str  # decoded
    target: str  # as it came
    query: list[tuple[str, str]]
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: object = field(default_factory=dict)  # bytes go out as they are, the rest as JSON
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Answering = Callable[[Asked], Reply]


@dataclass
class Api:
    url: str
    asked: list[Asked] = field(default_factory=list)

    def lines(self) -> list[str]:
        """What was asked, without the look at the version that goes before."""
        return [f"{each.method} {each.target}" for each in self.asked if each.target != "/"]


class _Server(ThreadingHTTPServer):
    def server_bind(self) -> None:
        # HTTPServer's own asks the DNS who 127.0.0.1 is.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]


@contextmanager
def api(answer: Answering, tls: ssl.SSLContext | None = None) -> Iterator[Api]:
    """Serve on a free port of the loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # head and body in one packet

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            asked = Asked(
                self.command,
                unquote(parts.path),
                self.path,
                parse_qsl(parts.query),
                {name.lower(): value for name, value in self.headers.items()},
                body,
            )
            seen.asked.append(asked)
            reply = answer(asked)
            self.send_response(reply.status)
            for name, value in {"content-type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.content)))
            self.end_headers()
            self.wfile.write(reply.content)

        do_GET = do_PUT = do_DELETE = do_POST = _serve  # noqa: N815 (http.server's names)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    scheme = "http"
    if tls is not None:
        scheme = "https"
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    seen = Api(f"{scheme}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def not_found(title: str = "Could not retrieve a resource") -> Reply:
    return refusal(404, title, "Not found")


def refusal(status: int, title: str, detail: str, **fields: str) -> Reply:
    wrong = [{"field": name, "reason": reason} for name, reason in fields.items()]
    body = {"type": "/std-errors", "status": status, "title": title, "detail": detail}
    return Reply(status, {**body, "invalid_parameters": wrong} if wrong else body)


class Plane:
    """Stores what is PUT, and shows what is there; with `index` KUMA_INDEX it
    has no dry run. Lists come in the order of writing; pages are sorted by name.
    """

    def __init__(self, index: dict[str, Any] = INDEX) -> None:
        self.index = index
        self.resources: dict[str, dict[str, Any]] = {}
        self.warnings: list[str] = []
        self.now = ZERO_TIME

    def put(self, document: dict[str, Any]) -> None:
        self.resources[self.path_of(document)] = document

    @staticmethod
    def path_of(document: dict[str, Any]) -> str:
        row = TYPES[document["type"]]
        mesh = f"/meshes/{document['mesh']}" if row.is_mesh_scoped else ""
        return f"{mesh}/{row.path}/{document['name']}"

    def __call__(self, asked: Asked) -> Reply:
        path = asked.path.rstrip("/") or "/"
        if path == "/":
            return Reply(body=self.index)
        if path == "/_resources":
            return Reply(
                body={"resources": [_described(name) for name in TYPES if TYPES[name].path]}
            )
        match asked.method:
            case "PUT":
                status = 200 if path in self.resources else 201
                times = {"creationTime": self.now, "modificationTime": self.now}
                if not self._is_dry_run(asked):
                    self.resources[path] = {**asked.json, **times}
                return Reply(status, {"warnings": self.warnings} if self.warnings else {})
            case "DELETE":
                if path not in self.resources:
                    return not_found("Could not delete a resource")
                if not self._is_dry_run(asked):
                    del self.resources[path]
                return Reply()
            case _:
                return self._read(path, dict(asked.query), asked)

    def _is_dry_run(self, asked: Asked) -> bool:
        return self.index is INDEX and ("dryRun", "true") in asked.query

    def _read(self, path: str, query: dict[str, str], asked: Asked) -> Reply:
        if path in self.resources:
            return Reply(body=self.resources[path])
        if path.rpartition("/")[2] not in _PATHS:
            return not_found()
        items = [
            each
            for at, each in self.resources.items()
            if _is_in(at, path) and query.get("name", "") in each["name"]
        ]
        page: dict[str, Any] = {"total": len(items), "items": items, "next": None}
        if "size" in query:
            items.sort(key=lambda each: str(each["name"]))
            start, size = int(query.get("offset", "0")), int(query["size"])
            page["items"] = items[start : start + size]
            if start + size < len(items):
                address = f"http://{asked.headers['host']}{path}"
                page["next"] = f"{address}?offset={start + size}&size={size}"
        return Reply(body=page)


def _is_in(item: str, collection: str) -> bool:
    """Whether it is in a list: of one mesh, or of a type in all meshes."""
    folder = item.rpartition("/")[0]
    of_all = folder.startswith("/meshes/") and "/" not in collection[1:]
    return folder == collection or (of_all and folder.rpartition("/")[2] == collection[1:])


def _described(name: str) -> dict[str, Any]:
    row = TYPES[name]
    described = {"name": name, "path": row.path, "readOnly": row.read_only}
    described["includeInFederation"] = row.included_in_federation
    if row.is_policy:
        described["policy"] = {"isTargetRef": row.is_target_ref_policy}
    return described
