"""Reads what `apply -f` names: files, folders, standard input, URLs; one text each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import urljoin, urlsplit

from kumactl.documents.encodings import text_of
from kumactl.errors import UnreachableError, UsageError
from kumactl.transport import Answer, Transport

_MIB: Final = 1024 * 1024
DOCUMENT_BYTES_MAX: Final = 16 * _MIB
REDIRECTS_MAX: Final = 5
_SUFFIXES: Final = {".yaml", ".yml", ".json"}


@dataclass(frozen=True, slots=True)
class SourceText:
    """A text and where it came from, as an error shall name it."""

    name: str
    text: str


def read(
    name: str, stdin: BinaryIO, *, timeout_seconds: float
) -> Iterator[SourceText | UsageError]:
    """All texts that `name` stands for: `-`, a URL, a file, or a folder's YAML and JSON files;
    and why one of them cannot be read. Raises: UnreachableError.
    """
    try:
        yield from _read(name, stdin, timeout_seconds)
    except UsageError as error:
        yield error


def _read(name: str, stdin: BinaryIO, timeout_seconds: float) -> Iterator[SourceText | UsageError]:
    if name == "-":
        yield _text("standard input", stdin.read(DOCUMENT_BYTES_MAX + 1))
    elif name.startswith(("http://", "https://")):
        yield _text(_shown(name), _download(name, timeout_seconds))
    elif Path(name).is_dir():
        yield from _folder(Path(name))
    else:
        yield _file(Path(name))


def _folder(folder: Path) -> Iterator[SourceText | UsageError]:
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    except OSError as error:
        raise UsageError(f"{str(folder)!r} cannot be read: {error.strerror}") from None
    if not files:
        raise UsageError(f"{str(folder)!r} holds no .yaml, .yml or .json file")
    for path in files:
        try:
            yield _file(path)
        except UsageError as error:
            yield error


def _file(path: Path) -> SourceText:
    try:
        with path.open("rb") as file:
            return _text(str(path), file.read(DOCUMENT_BYTES_MAX + 1))
    except ValueError:
        raise UsageError(f"{str(path)!r} is no possible path") from None
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error.strerror}") from None


def _text(name: str, content: bytes) -> SourceText:
    if len(content) > DOCUMENT_BYTES_MAX:
        raise UsageError(
            f"{name} is larger than {DOCUMENT_BYTES_MAX // _MIB} MiB. Split it at lines of ---"
            " into several files, and give their folder: -f FOLDER"
        )
    return SourceText(name, text_of(content, name))


def _download(url: str, timeout_seconds: float) -> bytes:
    for _ in range(REDIRECTS_MAX + 1):
        answer = _get(url, timeout_seconds)
        if answer.status == 200:
            return answer.body
        following = answer.headers.get("location", "")
        if answer.status not in {301, 302, 303, 307, 308} or not following:
            raise UnreachableError(f"{_shown(url)} cannot be read: HTTP status {answer.status}")
        following = urljoin(url, following)
        if url.startswith("https://") and not following.startswith("https://"):
            raise UnreachableError(f"{_shown(url)} leads to a place without TLS")
        url = following
    raise UnreachableError(f"more than {REDIRECTS_MAX} redirects, the last to {_shown(url)}")


def _shown(url: str) -> str:
    """`url` without what may be a secret: the user, the password, and all behind the path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _get(url: str, timeout_seconds: float) -> Answer:
    parts = urlsplit(url)
    transport = Transport(
        f"{parts.scheme}://{parts.netloc}",
        headers={"accept": "*/*", "user-agent": "kumactl"},
        timeout_seconds=timeout_seconds,
    )
    try:
        return transport.ask(
            "GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        )
    finally:
        transport.close()
