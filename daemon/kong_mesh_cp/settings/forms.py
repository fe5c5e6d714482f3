"""The forms a value can have: how it is read from text or from a file's own type, and shown."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import timedelta
from pathlib import Path
from typing import Generic, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.durations import MICROSECOND, DurationError, parse_duration
from kong_mesh_cp.core.formats.tls_names import VERSIONS, VERSIONS_TOO_OLD
from kong_mesh_cp.core.formats.value_shapes import (
    could_be_file,
    has_blank_ends,
    is_quoted,
    is_url,
    secret_in,
    unexpanded,
)

T_co = TypeVar("T_co", covariant=True)

PORT_MAX = 65_535
SOCKET_PATH_BYTES_MAX = 103  # sun_path holds 107 and a NUL (unix(7)); four are for a suffix
PATH_BYTES_MAX = 4_095  # PATH_MAX without the final NUL
HOSTS_CHARACTERS_MAX = 4_095
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?", re.ASCII)
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)  # RFC 1123
DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)
TRUE_WORDS = frozenset({"1", "t", "T", "true", "TRUE", "True"})  # Go's strconv.ParseBool
FALSE_WORDS = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class MalformedError(ValueError):
    """The value has not the form. Its text goes on from the name: `must be …`. No value in it.

    `remedy` is what to do about it, where that is known.
    """

    def __init__(self, text: str, remedy: str | None = None) -> None:
        super().__init__(text)
        self.remedy = remedy


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
    words: tuple[str, ...] = ()  # the only values there are, with those that are refused by name
    is_path: bool = False


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
    found = _time(value)
    if not found:
        raise must_be(DURATION.expected)
    return found


def _delay(value: object) -> timedelta:
    found = _time(value)
    if found is None:
        raise must_be(DELAY.expected)
    return found


def _time(value: object) -> timedelta | None:
    """A time that is not negative, as Go writes it, in whole microseconds."""
    try:
        nanoseconds = parse_duration(value) if isinstance(value, str) else -1
    except DurationError:
        return None
    return None if nanoseconds < 0 else timedelta(microseconds=nanoseconds // MICROSECOND)


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


def _plain(value: object, expected: str) -> str:
    """Text that is what it says: nothing around it, nothing that waits for a shell, no secret."""
    text = _text(value)
    wrapped = not text.isprintable() or has_blank_ends(text) or is_quoted(text)
    if wrapped or unexpanded(text) is not None or secret_in(text) is not None:
        raise must_be(expected)
    return text


def _path(value: object, expected: str, bytes_max: int) -> Path:
    text = _plain(value, expected)
    # A shell expands `~`, a file or a unit does not: a folder called `~` is never what was meant.
    if text.startswith("~") or is_url(text) or len(text.encode()) > bytes_max:
        raise must_be(expected)
    if not could_be_file(text):
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


def _secret_file(value: object) -> Path:
    # What has no slash in front may be the secret itself.
    text = _text(value)
    if not text.startswith(("/", "./", "../")):
        raise must_be(SECRET_FILE.expected)
    return _path(text, SECRET_FILE.expected, PATH_BYTES_MAX)


def _host(value: object) -> str:
    """What libpq takes: a name, an address, a folder with a socket; or several, with commas."""
    text = _plain(value, HOST.expected)
    if text.startswith(("/", "@")):
        return text
    if len(text) > HOSTS_CHARACTERS_MAX or not all(map(_is_host, text.split(","))):
        raise must_be(HOST.expected)
    return text


def _server(value: object) -> str:
    text = _plain(value, SERVER.expected)
    if not _is_host(text):
        raise must_be(SERVER.expected)
    return text


def _is_host(text: str) -> bool:
    if _HOST_NAME.fullmatch(text):
        return True
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _database(value: object) -> str:
    # libpq takes what holds `=` or begins like a URL for the whole address of a server.
    text = _plain(value, DATABASE.expected)
    if is_url(text) or "=" in text:
        raise must_be(DATABASE.expected)
    return text


def _role(value: object) -> str:
    text = _plain(value, ROLE.expected)
    if is_url(text) or ":" in text or "=" in text:
        raise must_be(ROLE.expected)
    return text


def _address(value: object) -> str:
    return _plain(value, ADDRESS.expected)


def _url_path(value: object) -> str:
    path = _text(value).rstrip("/")
    if path and not _URL_PATH.fullmatch(path):
        raise must_be(URL_PATH.expected)
    return path or "/"


def _console_path(value: object) -> str:
    path = _url_path(value)
    if path == "/":
        raise must_be(CONSOLE_PATH.expected)
    return path


def _web_address(value: object) -> str:
    address = _text(value).rstrip("/")
    if address and not _WEB_ADDRESS.fullmatch(address):
        raise must_be(WEB_ADDRESS.expected)
    return address


_URL_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+", re.ASCII)
_WEB_ADDRESS = re.compile(
    r"(https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?)?(/[A-Za-z0-9._~-]+)*", re.ASCII
)


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

    return Form(expected, read, spellings, words=(*words, *refusals, *spellings))


BOOLEAN = Form("true or false", _boolean, words=("true", "false"))
PORT = Form(f"a port number from 0 to {PORT_MAX} (0: any free port)", _port)
DURATION = Form("a time above zero in quotes, such as 1s, 5m or 72h", _duration)
DELAY = Form("a time in quotes, such as 0s, 1s or 5m", _delay)
INTERFACE = Form("an IP address, such as 127.0.0.1 or ::1 (0.0.0.0 and :: mean all)", _interface)
ZONE_NAME = Form("a name of at most 63 lower-case letters, digits and inner hyphens", _zone)
DIRECTORY = Form(
    "a folder's path, written out, with a slash (`~` is not expanded)", _directory, is_path=True
)
SOCKET_PATH = Form(
    f"the path of a socket, of at most {SOCKET_PATH_BYTES_MAX} bytes, written out",
    _socket_path,
    is_path=True,
)
LICENSE_PATH = Form("a file's path", _license_path)
SECRET = Form("text in quotes", _secret)
FILE_PATH = Form("a file's path, written out (`~` is not expanded)", _file_path, is_path=True)
SECRET_FILE = Form(
    "a file's path, written out, that begins with a slash, not what is in the file",
    _secret_file,
    is_path=True,
)
HOST = Form("the name or address of a host alone, or the folder of a socket", _host)
SERVER = Form("the name or address of a host alone", _server)
DATABASE = Form("the name of a database alone", _database)
ROLE = Form("the name of a user alone", _role)
ADDRESS = Form("an address without a user in it", _address)
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
URL_PATH = Form("a path of letters, digits and . _ ~ - that begins with a slash", _url_path)
CONSOLE_PATH = Form(
    "a path of letters, digits and . _ ~ - that begins with a slash and does not end there",
    _console_path,
)
WEB_ADDRESS = Form(
    "an address that begins with https://, http:// or a slash, without user, query and fragment",
    _web_address,
)
