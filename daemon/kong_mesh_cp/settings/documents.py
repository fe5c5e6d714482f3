"""A configuration file, read: a tree of plain values that knows the line of each key."""

from __future__ import annotations

import codecs
import errno
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.settings.problems import Problem, SettingsRejectedError, quoted

if TYPE_CHECKING:
    import tomllib

    import yaml
else:
    tomllib = lazy_import("tomllib")
    yaml = lazy_import("yaml")

DOCUMENT_BYTES_MAX = 256 * 1024
KEY_PARTS_MAX = 64  # the parser of the standard library takes quadratic time for them
YAML_SUFFIXES = frozenset({".yml", ".yaml"})
MANIFEST_KEYS = frozenset({"apiVersion", "kind"})
YAML_NULL = "tag:yaml.org,2002:null"
YAML_BOOLEAN = "tag:yaml.org,2002:bool"
YAML_TRUE_WORDS = frozenset({"yes", "true", "on"})

# With the spaces around the name, so that no character is looked at in two ways.
_TABLE = re.compile(r"\s*+\[([^\[\]]++)\]\s*+(#.*)?")
_QUOTED_NAME = re.compile(r"'(?!<)[^']{2,}+'|\"[^\"]{2,}+\"")
_KEY = re.compile(r"[A-Za-z0-9_.\"'\s\[-]*+")
# The first line that is neither empty nor a remark: a key of a mapping, or JSON.
_YAML_LINE = re.compile(
    r"\A(?:[ \t]*+(?:#[^\n]*+)?\n|---[^\n]*+\n)*+[ \t]*+(?:\{|[\w.\"']++[ \t]*+:(?:\s|\Z))"
)
_ASSIGNMENT = re.compile(r"([A-Za-z0-9_.\"'\s-]++)=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file. Holds whatever the file holds, a license too: never shown as a whole."""

    path: Path
    lenient: bool  # a Kuma YAML, where unknown names are passed over
    tree: Mapping[str, object] = field(repr=False)
    text: str = field(repr=False)
    is_exposed: bool = False  # everybody can read the file

    def line_of(self, keys: Sequence[str]) -> int | None:
        """The line of a key, counted from 1; for TOML a best guess."""
        if self.lenient:
            return _line_in_yaml(self.tree, keys)
        return _line_in_toml(self.text, keys)

    def location_of(self, keys: Sequence[str]) -> str:
        line = self.line_of(keys)
        return f"{printable(self.path)} line {line}" if line else printable(self.path)


def read_document(path: Path, *, kuma: bool = False) -> Document | None:
    """The file at `path`, or None if there is none. Raises: SettingsRejectedError.

    `kuma` says that it is a Kuma YAML, whatever its name ends in. Else the name is only the first
    guess: what is no TOML is read as YAML, and the other way round, before it is refused.
    """
    found = _read(path)
    if found is None:
        return None
    content, mode = found
    try:
        text = content.decode("utf-8-sig")  # Windows puts a mark in front
    except UnicodeDecodeError as error:
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        message = "is UTF-16, not UTF-8" if wide else f"is not UTF-8 at byte {error.start}"
        raise _rejected("config-not-utf8", path, message) from None
    try:
        if kuma:
            document = parse_document(text, path=path, kuma=True)
        else:
            document = _in_either_form(text, path)
        return replace(document, is_exposed=bool(mode & stat.S_IROTH))
    except RecursionError:
        raise _rejected("config-syntax", path, "is nested too deeply") from None


def _in_either_form(text: str, path: Path) -> Document:
    named_yaml = path.suffix.casefold() in YAML_SUFFIXES
    try:
        return parse_document(text, path=path, kuma=named_yaml)
    except SettingsRejectedError as error:
        refused = error
    looks_yaml = bool(_YAML_LINE.search(text))
    if looks_yaml is named_yaml:  # it is of the form that its name says, and wrong in it
        raise refused
    try:
        return parse_document(text, path=path, kuma=looks_yaml)
    except SettingsRejectedError:
        if looks_yaml:
            raise
        raise refused from None


def parse_document(text: str, *, path: Path, kuma: bool) -> Document:
    """Our TOML or a Kuma YAML. Raises: SettingsRejectedError, RecursionError."""
    if kuma:
        return Document(path=path, lenient=True, tree=_parse_yaml(text, path), text=text)
    # The parsers are imported where a file of their kind is read: many starts have none.
    for number, line in enumerate(text.split("\n"), start=1):
        if (key := _KEY.match(line)) and key[0].count(".") > KEY_PARTS_MAX:
            message = f"line {number} has a key of more than {KEY_PARTS_MAX} parts"
            raise _rejected("config-syntax", path, message)
    try:
        tree = tomllib.loads(text)
    except ValueError as error:  # also what int() says of a number with thousands of digits
        raise _rejected("config-syntax", path, f"is not TOML: {error}") from None
    return Document(path=path, lenient=False, tree=tree, text=text)


def _rejected(code: str, path: Path, message: str) -> SettingsRejectedError:
    remedy = f"Mend it, then run: kong-mesh-cp config check {printable(path)}"
    return SettingsRejectedError([Problem(code, f"{printable(path)} {message}", remedy)])


def _read(path: Path) -> tuple[bytes, int] | None:
    """What the file holds, and its mode."""
    try:
        # O_NONBLOCK: opening a named pipe must not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            os.close(descriptor)
            raise _rejected("config-unreadable", path, "is not a regular file")
        if mode & stat.S_IWOTH:  # who writes it says who is an administrator
            os.close(descriptor)
            raise _open_to_all(path)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(DOCUMENT_BYTES_MAX + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        message = _unreadable(path, error)
        raise SettingsRejectedError(
            [Problem("config-unreadable", message, _remedy_of(error))]
        ) from None
    if len(content) > DOCUMENT_BYTES_MAX:
        limit = f"more than {DOCUMENT_BYTES_MAX} bytes"
        raise _rejected("config-too-large", path, f"has {limit}")
    return content, mode


def _open_to_all(path: Path) -> SettingsRejectedError:
    message = f"{printable(path)} may be written by everybody"
    remedy = f"Check what is in it, then run: chmod o-w {printable(path)}"
    return SettingsRejectedError([Problem("config-writable", message, remedy)])


def _unreadable(path: Path, error: OSError | ValueError) -> str:
    """What cannot be read: behind a closed folder nobody knows whether there is a file."""
    if isinstance(error, OSError) and error.errno in {errno.EACCES, errno.EPERM}:
        for folder in reversed(path.absolute().parents):
            if not os.access(folder, os.X_OK):
                return (
                    f"this user may not enter the folder {printable(folder)}, where a configuration"
                    f" file {printable(path.name)} may be"
                )
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return f"{printable(path)} cannot be read: {reason}"


def _remedy_of(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno in {errno.EACCES, errno.EPERM}:
        return (
            "Run it as root or as the daemon's user, or give this user read access to the file and"
            " its folders."
        )
    return "Name a readable file with --config-file."


def _line_in_toml(text: str, keys: Sequence[str]) -> int | None:
    """Look for the assignment, or for the table's own header: tomllib keeps no positions."""
    wanted, table = ".".join(keys), ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TABLE.fullmatch(line):
            table = _bare(header[1])
            if table == wanted or table.startswith(f"{wanted}."):
                return number
        elif assignment := _ASSIGNMENT.match(line):
            name = _bare(assignment[1])
            full = f"{table}.{name}" if table else name
            if full == wanted or full.startswith(f"{wanted}."):
                return number
    return None


def _bare(dotted: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in dotted.split("."))


class _Located(dict[str, object]):
    """A YAML mapping that knows on which line each key stands."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


def _line_in_yaml(tree: object, keys: Sequence[str]) -> int | None:
    for key in keys[:-1]:
        tree = tree.get(key) if isinstance(tree, _Located) else None
    return tree.lines.get(keys[-1]) if isinstance(tree, _Located) else None


def _parse_yaml(text: str, path: Path) -> Mapping[str, object]:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1} " if mark else ""
        problem = _without_names(error.problem or error.context or "not readable")
        message = f"{line}is not YAML: {quoted(problem)}"
        raise _rejected("config-syntax", path, message) from None
    except yaml.YAMLError as error:
        message = f"is not YAML: {quoted(_without_names(str(error)))}"
        raise _rejected("config-syntax", path, message) from None
    if node is None or node.tag == YAML_NULL:
        return _Located()
    if not isinstance(node, yaml.MappingNode):
        raise _rejected("config-syntax", path, "is not a mapping of settings")
    tree = _mapping(node, path, {})
    if tree.keys() >= MANIFEST_KEYS:
        message = "is a whole manifest of Kubernetes: take the configuration out of it"
        raise _rejected("config-syntax", path, message)
    return tree


def _without_names(problem: str) -> str:
    """What the parser says, without the names it quotes: `*hunter2` may have been a password."""
    return _QUOTED_NAME.sub("a name", problem)


def _mapping(node: yaml.MappingNode, path: Path, known: dict[int, object]) -> _Located:
    mapping = known[id(node)] = _Located()
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value
        if not isinstance(key, str):
            raise _rejected("config-syntax", path, f"line {line}: a key is not text")
        if key in mapping:
            message = f"line {line}: {quoted(key)} is there twice"
            raise _rejected("config-duplicate", path, message)
        mapping[key] = _value(value_node, path, known)
        mapping.lines[key] = line
    return mapping


def _value(node: yaml.Node, path: Path, known: dict[int, object]) -> object:
    """The value of `node`. An alias gives the same object again, so none can multiply."""
    if id(node) in known:
        return known[id(node)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, known)
    if isinstance(node, yaml.SequenceNode):
        sequence: list[object] = []
        known[id(node)] = sequence
        sequence.extend(_value(item, path, known) for item in node.value)
        return sequence
    # Every other scalar stays text: the rows read text, and YAML's own ideas of numbers and
    # dates (12:30 is 750) stay out.
    text = _joined(str(node.value), node, path)
    if node.tag == YAML_NULL:
        return None
    if node.tag == YAML_BOOLEAN:
        return text.casefold() in YAML_TRUE_WORDS
    return text


def _joined(text: str, node: yaml.Node, path: Path) -> str:
    """`text` with the halves of escaped characters put together, as JSON writes them."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        line = node.start_mark.line + 1
        message = f"line {line}: half a character is escaped"
        raise _rejected("config-syntax", path, message) from None
