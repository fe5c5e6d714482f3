"""The console's files, as browsers get them.

What is below the build's name never changes, and browsers keep it. Everything else is the page,
which is asked for each time and names the build. See docs/adr/0030-console.md.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Final

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.versions import WIRE_VERSION
from kong_mesh_cp.shell.console.place import Place
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.origins import own_origin
from kong_mesh_cp.shell.http.plain_text import plain_text_error

FILES: Final = Path(__file__).with_name("files")
PAGE: Final = "index.html"
BUILD_CHARACTERS: Final = 16  # hexadecimal digits of a SHA-256
_BUILD: Final = re.compile(f"[0-9a-f]{{{BUILD_CHARACTERS}}}")
CACHED_FOR_EVER: Final = "public, max-age=31536000, immutable"  # a year, the most that is of use

# The page runs what lies beside it and asks who has sent it, and nobody else. No text becomes a
# script or an element: there is no policy for Trusted Types.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
_PROTECTION: Final = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("Vary", "Accept-Encoding"),
)
_THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class File:
    """A file, as it is and compressed."""

    body: bytes
    compressed: bytes
    content_type: str

    @classmethod
    def of(cls, body: bytes, suffix: str) -> File:
        # Without a time in it: the same file has the same bytes.
        return cls(body, gzip.compress(body, mtime=0), _TYPES[suffix])


@dataclass(frozen=True, slots=True)
class Build:
    """All files, and the name of just these. They are compressed once, and then kept."""

    name: str
    files: Mapping[str, File]
    page: File

    @classmethod
    def read(cls, place: Place) -> Build:
        """Raises: OSError."""
        bodies = {path.name: path.read_bytes() for path in sorted(FILES.iterdir())}
        digest = hashlib.sha256()
        for name, body in bodies.items():
            digest.update(b"%b %d " % (name.encode(), len(body)) + body)
        build = digest.hexdigest()[:BUILD_CHARACTERS]
        page = bodies.pop(PAGE).decode()
        for mark, value in (
            ("@FILES@", f"{place.shown_path}/{build}"),
            ("@API@", place.shown_api_path),
            ("@VERSION@", WIRE_VERSION),
        ):
            page = page.replace(mark, escape(value))
        files = {name: File.of(body, Path(name).suffix) for name, body in bodies.items()}
        return cls(build, files, File.of(page.encode(), ".html"))


class Console:
    """Answers for every path of the console."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._build: Build | None = None
        self._reading = trio.Lock()

    async def __call__(self, request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            refused = plain_text_error(405, "method-not-allowed", "the console is only read")
            refused.headers = (*refused.headers, ("Allow", "GET, HEAD"))
            return refused
        async with self._reading:
            if self._build is None:
                self._build = await trio.to_thread.run_sync(Build.read, self._place)
        build = self._build
        folder, _, name = request.path.removeprefix(f"{self._place.base_path}/").partition("/")
        if not _BUILD.fullmatch(folder):
            return _sent(request, build.page)
        # Of another build: the page is open since before an upgrade. Its next load has the new one.
        if folder != build.name or name not in build.files:
            return plain_text_error(404, "not-found", "the console has no such file")
        return _sent(request, build.files[name], caching=CACHED_FOR_EVER)


def _sent(request: Request, file: File, *, caching: str = "no-store") -> Response:
    headers: tuple[tuple[str, str], ...] = _PROTECTION
    if _is_trustworthy(request):
        headers = (*headers, ("Cross-Origin-Opener-Policy", "same-origin"))
    if _takes_gzip(request.headers.get("accept-encoding", "")):
        headers = (*headers, ("Content-Encoding", "gzip"))
        return Response(200, file.compressed, file.content_type, headers, caching)
    return Response(200, file.body, file.content_type, headers, caching)


def _is_trustworthy(request: Request) -> bool:
    """Whether browsers take the origin for one that nobody on the way has changed: to others they
    do not apply the policy of openers, and complain of it.
    """
    own = own_origin(request.headers, secure=request.peer.secure)
    return request.peer.secure or (own is not None and own.host in _THIS_MACHINE)


def _takes_gzip(accepted: str) -> bool:
    """By RFC 9110 section 12.5.3: the coding, or `*`, without a weight of zero."""
    weights: dict[str, bool] = {}
    for part in accepted.lower().split(","):
        coding, _, weight = part.replace(" ", "").partition(";")
        number = weight.removeprefix("q=")
        weights[coding] = not number or any(digit in number for digit in "123456789")
    return weights.get("gzip", weights.get("*", False))
