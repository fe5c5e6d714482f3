"""The forms a value can have: how it is read from text or from a file's own type, and shown."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import timedelta
from pathlib import Path
from typing import Generic, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.durations import MICROSECOND, DurationError, parse_duration
from kong_mesh_cp.core.formats.origin_patterns import OriginPattern, OriginPatternError
from kong_mesh_cp.core.formats.tls_names import SUITES, VERSIONS, VERSIONS_TOO_OLD

T_co = TypeVar("T_co", covariant=True)

PORT_MAX = 65_535
SOCKET_PATH_BYTES_MAX = 107  # sockaddr_un: 108 bytes with the final NUL
WORDS_MAX = 1_000  # of one list
PATH_BYTES_MAX = 4_095  # PATH_MAX without the final NUL
ORIGIN_PATTERN_CHARACTERS_MAX = 512  # of a regular expression
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)  # RFC 1123
DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)
TRUE_WORDS = frozenset({"1", "t", "T", "true", "TRUE", "True"})  # Go's strconv.ParseBool
FALSE_WORDS = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class MalformedError(ValueError):
    """The value has not the form. Its text goes on from the name: `must be …`. No value in it."""


def must_be(expected: str) -> MalformedError:
    return MalformedError(f"must be {expected}")


class UnsupportedError(ValueError):
    """The value means something, but this version cannot do it. `remedy` is what to do instead."""

    def __init__(self, reason: str, *, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class Secret:
    """Text that shows itself nowhere: not in repr, str or an f-string. Only `reveal` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "*****"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class Form(Generic[T_co]):
    """How one kind of value is read.

    `read` takes text (environment, flags, YAML) or the type TOML gives, and raises MalformedError
    or UnsupportedError. `expected` completes the sentence "… must be".
    """

    expected: str
    read: Callable[[object], T_co]
    deprecated: Mapping[str, str] = field(default_factory=dict)  # spelling → what to write instead


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise must_be("text in quotes")
    return value


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in TRUE_WORDS | FALSE_WORDS:
        return value in TRUE_WORDS
    raise must_be(BOOLEAN.expected)


def _port(value: object) -> int:
    if isinstance(value, str) and DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= PORT_MAX:
        raise must_be(PORT.expected)
    return value


def whole_number(
    least: int,
    most: int,
    *,
    unit: str = "",
    refused: Mapping[int, UnsupportedError] | None = None,
) -> Form[int]:
    """A number from `least` to `most`, but for those in `refused`."""
    of_what = f" of {unit}" if unit else ""
    expected = f"a whole number{of_what} from {least} to {most}"
    refusals = refused or {}

    def read(value: object) -> int:
        if isinstance(value, str) and DIGITS.fullmatch(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise must_be(expected)
        if value in refusals:
            raise refusals[value]
        if not least <= value <= most:
            raise must_be(expected)
        return value

    return Form(expected, read)


def _duration(value: object) -> timedelta:
    try:
        nanoseconds = parse_duration(value) if isinstance(value, str) else 0
    except DurationError:
        nanoseconds = 0
    if nanoseconds < MICROSECOND:
        raise must_be(DURATION.expected)
    return timedelta(microseconds=nanoseconds // MICROSECOND)


def _interface(value: object) -> str:
    text = _text(value)
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise must_be(INTERFACE.expected) from None
    return text


def _zone(value: object) -> str:
    text = _text(value)
    if not LABEL.fullmatch(text):
        raise must_be(ZONE_NAME.expected)
    return text


def _path(value: object, expected: str, bytes_max: int) -> Path:
    text = _text(value)
    # A shell expands `~`, a file or a unit does not: a folder called `~` is never what was meant.
    if not text.isprintable() or text.startswith("~") or len(text.encode()) > bytes_max:
        raise must_be(expected)
    return Path(text)


def _directory(value: object) -> Path:
    return _path(value, DIRECTORY.expected, PATH_BYTES_MAX)


def _socket_path(value: object) -> Path:
    text = _text(value)
    if text.endswith("/"):
        raise must_be(SOCKET_PATH.expected)
    return _path(text, SOCKET_PATH.expected, SOCKET_PATH_BYTES_MAX)


def _license_path(value: object) -> str:
    # Any text goes: the license reader knows the usual slips (the JSON itself, a quoted path)
    # and says more about them than "not a path".
    return _text(value)


def _secret(value: object) -> Secret:
    return Secret(_text(value))


def _file_path(value: object) -> Path:
    return _path(value, FILE_PATH.expected, PATH_BYTES_MAX)


def _words(value: object, expected: str) -> tuple[str, ...]:
    """Texts of a file's list, or parts of a text between commas, as Kuma's variables have them."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if not isinstance(value, Sequence) or len(value) > WORDS_MAX:
        raise must_be(expected)
    words = tuple(_text(word) for word in value)
    if not all(word and word.isprintable() for word in words):
        raise must_be(expected)
    return words


def _cipher_suites(value: object) -> tuple[str, ...]:
    words = _words(value, CIPHER_SUITES.expected)
    for word in words:
        if word not in SUITES:
            known = f"{CIPHER_SUITES.expected}; {word!r} is none of {', '.join(SUITES)}"
            raise must_be(known)
    return words


def _names(value: object) -> tuple[str, ...]:
    return _words(value, NAMES.expected)


def _verdicts(value: object) -> tuple[str, ...]:
    words = _words(value, VERDICTS.expected)
    if not set(words) <= {"allowed", "denied"}:
        raise must_be(VERDICTS.expected)
    return words


def _origins(value: object) -> tuple[str, ...]:
    words = _words(value, ORIGINS.expected)
    for word in words:
        if len(word) > ORIGIN_PATTERN_CHARACTERS_MAX:
            reason = (
                f"{ORIGINS.expected}, each of at most {ORIGIN_PATTERN_CHARACTERS_MAX} characters"
            )
            raise must_be(reason)
        try:
            OriginPattern(word)
        except OriginPatternError as error:
            raise must_be(f"{ORIGINS.expected}; {word!r} is none: {error}") from None
    return words


def _url_path(value: object) -> str:
    path = _text(value).rstrip("/")
    if path and not _URL_PATH.fullmatch(path):
        raise must_be(URL_PATH.expected)
    return path or "/"


_URL_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+", re.ASCII)


def one_of(
    *words: str,
    unsupported: Mapping[str, UnsupportedError] | None = None,
    deprecated: Mapping[str, str] | None = None,
) -> Form[str]:
    """A word of a closed list. A deprecated spelling is read as the word it stands for."""
    refusals, spellings = unsupported or {}, deprecated or {}
    expected = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"

    def read(value: object) -> str:
        text = _text(value)
        text = spellings.get(text, text)
        if text in refusals:
            raise refusals[text]
        if text not in words:
            raise must_be(expected)
        return text

    return Form(expected, read, spellings)


BOOLEAN = Form("true or false", _boolean)
PORT = Form(f"a port number from 0 to {PORT_MAX} (0: any free port)", _port)
DURATION = Form("a time above zero in quotes, such as 1s, 5m or 72h", _duration)
INTERFACE = Form("an IP address, such as 127.0.0.1 or ::1 (0.0.0.0 and :: mean all)", _interface)
ZONE_NAME = Form("a name of at most 63 lower-case letters, digits and inner hyphens", _zone)
DIRECTORY = Form("a folder's path, written out (`~` is not expanded)", _directory)
SOCKET_PATH = Form(f"a path of at most {SOCKET_PATH_BYTES_MAX} bytes, written out", _socket_path)
LICENSE_PATH = Form("a file's path", _license_path)
SECRET = Form("text in quotes", _secret)
TEXT = Form("text in quotes", _text)
FILE_PATH = Form("a file's path, written out (`~` is not expanded)", _file_path)
TLS_VERSION = one_of(
    *VERSIONS,
    unsupported={
        version: UnsupportedError(
            f"{version} has been broken for years and is not in this version",
            remedy=f"Use {VERSIONS[0]}.",
        )
        for version in VERSIONS_TOO_OLD
    },
)
CIPHER_SUITES = Form("a list of cipher suites", _cipher_suites)
NAMES = Form("a list of names", _names)
VERDICTS = Form("a list of allowed, denied or both", _verdicts)
URL_PATH = Form("a path of letters, digits and . _ ~ - that begins with a slash", _url_path)
ORIGINS = Form("a list of regular expressions for origins", _origins)
