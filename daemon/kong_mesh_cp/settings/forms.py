"""The forms a value can have: how it is read from text or from a file's own type, and shown."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)

PORT_MAX = 65_535
SOCKET_PATH_BYTES_MAX = 107  # sockaddr_un: 108 bytes with the final NUL
PATH_BYTES_MAX = 4_095  # PATH_MAX without the final NUL
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)  # RFC 1123
DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)
TRUE_WORDS = frozenset({"1", "t", "T", "true", "TRUE", "True"})  # Go's strconv.ParseBool
FALSE_WORDS = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class MalformedError(ValueError):
    """The value has not the form. Its text says what is expected here, never the value."""


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
        raise MalformedError("text in quotes")
    return value


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in TRUE_WORDS:
        return True
    if value in FALSE_WORDS:
        return False
    raise MalformedError(BOOLEAN.expected)


def _port(value: object) -> int:
    if isinstance(value, str) and DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= PORT_MAX:
        raise MalformedError(PORT.expected)
    return value


def _interface(value: object) -> str:
    text = _text(value)
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise MalformedError(INTERFACE.expected) from None
    return text


def _zone(value: object) -> str:
    text = _text(value)
    if not LABEL.fullmatch(text):
        raise MalformedError(ZONE_NAME.expected)
    return text


def _path(value: object, expected: str, bytes_max: int) -> Path:
    text = _text(value)
    # A shell expands `~`, a file or a unit does not: a folder called `~` is never what was meant.
    if not text.isprintable() or text.startswith("~") or len(text.encode()) > bytes_max:
        raise MalformedError(expected)
    return Path(text)


def _directory(value: object) -> Path:
    return _path(value, DIRECTORY.expected, PATH_BYTES_MAX)


def _socket_path(value: object) -> Path:
    text = _text(value)
    if text.endswith("/"):
        raise MalformedError(SOCKET_PATH.expected)
    return _path(text, SOCKET_PATH.expected, SOCKET_PATH_BYTES_MAX)


def _license_path(value: object) -> str:
    # Any text goes: the license reader knows the usual slips (the JSON itself, a quoted path)
    # and says more about them than "not a path".
    return _text(value)


def _secret(value: object) -> Secret:
    return Secret(_text(value))


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
            raise MalformedError(expected)
        return text

    return Form(expected, read, spellings)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRule:
    """One `[[admission.rules]]` entry as written; its selectors are all to match."""

    unit: str | None = None
    user: str | None = None
    group: str | None = None
    uid: int | None = None
    gid: int | None = None
    mesh: str | None = None
    name: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


SELECTORS = ("unit", "user", "group", "uid", "gid")
ID_MAX = 2**32 - 2  # (uid_t) -1 means "no change"


def _rules(value: object) -> tuple[AdmissionRule, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise MalformedError(RULES.expected)
    return tuple(_rule(entry, place=f"rule {i}") for i, entry in enumerate(value, start=1))


def _rule(entry: object, *, place: str) -> AdmissionRule:
    if not isinstance(entry, Mapping):
        raise MalformedError(f"{RULES.expected} ({place} is not a table)")
    unknown = [key for key in entry if key not in AdmissionRule.__dataclass_fields__]
    if unknown:
        keys = ", ".join(AdmissionRule.__dataclass_fields__)
        raise MalformedError(f"made of {keys} ({place} has another key, {str(unknown[0])[:40]!r})")
    if not any(key in entry for key in SELECTORS):
        raise MalformedError(f"selective: {place} needs one of {', '.join(SELECTORS)}")
    return AdmissionRule(
        unit=_rule_text(entry, "unit", place),
        user=_rule_text(entry, "user", place),
        group=_rule_text(entry, "group", place),
        uid=_rule_id(entry, "uid", place),
        gid=_rule_id(entry, "gid", place),
        mesh=_rule_text(entry, "mesh", place),
        name=_rule_text(entry, "name", place),
        tags=_rule_tags(entry, place),
    )


def _rule_text(entry: Mapping[object, object], key: str, place: str) -> str | None:
    value = entry.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value or not value.isprintable():
        raise MalformedError(f"well formed: {key} of {place} must be text that is not empty")
    return value


def _rule_id(entry: Mapping[object, object], key: str, place: str) -> int | None:
    value = entry.get(key)
    if value is None:
        return None
    if isinstance(value, str) and DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= ID_MAX:
        raise MalformedError(f"well formed: {key} of {place} must be a number from 0 to {ID_MAX}")
    return value


def _rule_tags(entry: Mapping[object, object], place: str) -> tuple[tuple[str, str], ...]:
    tags = entry.get("tags")
    if tags is None:
        return ()
    if not isinstance(tags, Mapping):
        raise MalformedError(f"well formed: tags of {place} must be a table of texts")
    for key, value in tags.items():
        if not all(isinstance(x, str) and x and x.isprintable() for x in (key, value)):
            raise MalformedError(f"well formed: tags of {place} must be texts that are not empty")
    return tuple(sorted(tags.items()))


BOOLEAN = Form("true or false", _boolean)
PORT = Form(f"a port number from 0 to {PORT_MAX} (0: any free port)", _port)
INTERFACE = Form("an IP address, such as 127.0.0.1 or ::1 (0.0.0.0 and :: mean all)", _interface)
ZONE_NAME = Form("a name of at most 63 lower-case letters, digits and inner hyphens", _zone)
DIRECTORY = Form("a folder's path, written out (`~` is not expanded)", _directory)
SOCKET_PATH = Form(f"a path of at most {SOCKET_PATH_BYTES_MAX} bytes, written out", _socket_path)
LICENSE_PATH = Form("a file's path", _license_path)
SECRET = Form("text in quotes", _secret)
RULES = Form("a list of rules, each one an [[admission.rules]] table", _rules)
