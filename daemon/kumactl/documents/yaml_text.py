"""YAML as Kubernetes' tools read and write it: JSON values only, keys sorted, Go's quoting.

PyYAML is imported by the first call: half of the commands never see YAML.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.lazy_import import lazy_import
from kumactl.documents import odd_characters
from kumactl.errors import UsageError

if TYPE_CHECKING:
    import yaml
    from yaml import composer, constructor
else:
    yaml = lazy_import("yaml")
    composer = lazy_import("yaml.composer")
    constructor = lazy_import("yaml.constructor")

DEPTH_MAX: Final = 64  # as the control plane reads JSON
LINE_CHARACTERS_MAX: Final = 2**31 - 1  # never folded: the largest that libyaml's emitter takes
VALUES_MAX: Final = 1_000_000  # after aliases are written out: stops a "billion laughs"
NUMBER_CHARACTERS_MAX: Final = 100  # longer ones cost quadratic time, and no JSON keeps them
SYNTAX_ERRORS_MAX: Final = (
    50  # of the syntax, in one stream: more are those of a file of another kind
)
_TAG: Final = "tag:yaml.org,2002:"
_TOO_DEEP_FOR_LIBYAML: Final = "exceeded maximum nesting depth"  # from PyYAML 6.0.4 on
_MERGE: Final = f"{_TAG}merge"
_TEXTS: Final = frozenset({f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}value"})
_SCALARS: Final = frozenset({f"{_TAG}{name}" for name in ("null", "bool", "int", "float")})
_NUMBERS: Final = frozenset({f"{_TAG}int", f"{_TAG}float"})
_DOCUMENT_START: Final = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_ONE_STREAM: Final = re.compile(r"^(?:%|\.\.\.)", re.MULTILINE)  # not to be cut into documents
_KNOWN: Final = _TEXTS | _SCALARS | {f"{_TAG}map", f"{_TAG}seq"}


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """One document of a stream, as the JSON value it stands for."""

    line: int  # where its first value stands, from 1
    value: object


def parse_documents(text: str, source: str) -> list[object]:
    """The JSON values of a YAML stream, empty documents left out. JSON is YAML too.

    Timestamps stay texts. Raises: UsageError naming `source`, line and column.
    """
    values: list[object] = []
    for each in read_documents(text, source):
        if isinstance(each, UsageError):
            raise each
        values.append(each.value)
    return values


def read_documents(text: str, source: str) -> Iterator[YamlDocument | UsageError]:
    """Each document of a stream that is not empty, or what is wrong with it."""
    reader = _Reader(source)
    good = list[YamlDocument | UsageError]()
    try:
        # Nodes, not values: they know their place, and aliases are not written out yet.
        for node in yaml.compose_all(text, Loader=_loader()):
            good += _one_document(reader, node, 0)
    except (yaml.YAMLError, RecursionError) as error:
        if not isinstance(error, yaml.YAMLError) or _ONE_STREAM.search(text):
            yield from good
            yield _unreadable(error, text, source, 0)
        else:
            yield from _one_by_one(text, source)
    else:
        yield from good


def _one_by_one(text: str, source: str) -> Iterator[YamlDocument | UsageError]:
    """A stream with a slip, cut where its documents begin: the others are read all the same."""
    reader = _Reader(source)
    wrong = 0
    starts = [0, *(match.start() for match in _DOCUMENT_START.finditer(text)), len(text)]
    line = 0
    for start, end in pairwise(starts):
        part = text[start:end]
        try:
            for node in yaml.compose_all(part, Loader=_loader()):
                yield from _one_document(reader, node, line)
        except (yaml.YAMLError, RecursionError) as error:
            yield _unreadable(error, part, source, line)
            wrong += 1
        if wrong == SYNTAX_ERRORS_MAX:
            yield UsageError(f"{source} has more errors behind line {line + 1}: not read further")
            return
        line += part.count("\n")


def _one_document(
    reader: _Reader, node: yaml.Node | None, line: int
) -> Iterator[YamlDocument | UsageError]:
    reader.line = line
    try:
        value = reader.value(node, 0)
    except UsageError as error:
        yield error
        return
    except RecursionError:
        yield _too_deep(reader.source)
        return
    if node is not None and value is not None:
        yield YamlDocument(line + node.start_mark.line + 1, value)


def _unreadable(error: Exception, text: str, source: str, line: int) -> UsageError:
    if isinstance(error, RecursionError) or (
        getattr(error, "problem", None) == _TOO_DEEP_FOR_LIBYAML
    ):
        return _too_deep(source)
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    if mark is None:
        blamed = odd_characters.blamed(text, text.count("\n") + 1, before=line)
    else:
        problem = f"line {line + mark.line + 1}, column {mark.column + 1}: {problem}"
        blamed = odd_characters.blamed(text, mark.line + 1, before=line)
    return UsageError(f"{source} is not YAML: {problem}" + (f". {blamed}" if blamed else ""))


def _too_deep(source: str) -> UsageError:
    return UsageError(
        f"{source} is nested more than {DEPTH_MAX} levels deep; no resource is: look for brackets"
        " or an indentation that goes on and on"
    )


@cache
def _loader() -> type[yaml.SafeLoader | yaml.CSafeLoader]:
    if not hasattr(yaml, "CSafeLoader"):
        return yaml.SafeLoader

    # libyaml splits the text, Python puts the nodes together: the composer in C recurses without
    # a bound, and deep nesting would end the process.
    class Loader(composer.Composer, yaml.CSafeLoader):
        """libyaml's scanner and parser under Python's composer, which bounds nesting."""

        def __init__(self, stream: str) -> None:
            yaml.CSafeLoader.__init__(self, stream)
            composer.Composer.__init__(self)

    return Loader


class _Reader:
    """Turns nodes into JSON values, within limits, and refuses what JSON has no word for."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.line = 0  # of the stream, before the part that is read
        self._values = 0
        self._constructor = constructor.SafeConstructor()

    def value(self, node: yaml.Node | None, depth: int) -> object:
        self._values += 1
        if self._values > VALUES_MAX:
            raise UsageError(
                f"{self.source} holds more than {VALUES_MAX} values, aliases written out."
                " Split it, or write less with aliases (&, *)"
            )
        if depth > DEPTH_MAX:
            raise _too_deep(self.source)
        if node is not None and node.tag not in _KNOWN:
            raise self._wrong(node, f"JSON has no {node.tag}")
        match node:
            case yaml.MappingNode():
                return self._mapping(node, depth)
            case yaml.SequenceNode():
                return [self.value(item, depth + 1) for item in node.value]
            case yaml.ScalarNode():
                return self._scalar(node)
            case _:
                return None

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, object]:
        own: dict[str, object] = {}
        merged: dict[str, object] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                self._merge(merged, value_node, self.value(value_node, depth + 1))
                continue
            key = self._key(key_node)
            if key in own:
                raise self._wrong(key_node, f"the key {key!r} is there twice")
            own[key] = self.value(value_node, depth + 1)
        return {**merged, **own}

    def _merge(self, merged: dict[str, object], node: yaml.Node, value: object) -> None:
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, dict):
                raise self._wrong(node, "what << merges is no object")
            for key, item in each.items():
                merged.setdefault(key, item)

    def _key(self, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode) and not node.style:
            self._require_plain(node, odd_characters.in_name(node.value))
        match self.value(node, 0):
            case str() as text:
                return text
            case bool() as truth:
                return "true" if truth else "false"
            case int() as number:
                return str(number)
            case _:
                raise self._wrong(node, "a key is neither a text nor a whole number")

    def _scalar(self, node: yaml.ScalarNode) -> object:
        # Go reads no numbers to the base 60: `10:30` is a text.
        if node.tag in _TEXTS or (node.tag in _NUMBERS and ":" in node.value):
            if not node.style:
                self._require_plain(node, odd_characters.at_an_edge(node.value))
            return node.value
        if node.tag in _NUMBERS and len(node.value) > NUMBER_CHARACTERS_MAX:
            raise self._no_value(node)
        try:
            value: object = self._constructor.construct_object(node)
        except (ValueError, OverflowError):
            raise self._no_value(node) from None
        if isinstance(value, float) and not math.isfinite(value):
            raise self._wrong(node, f"JSON has no {value}")
        return value

    def _require_plain(self, node: yaml.ScalarNode, odd: str | None) -> None:
        """Without quotes, a character that nobody sees was not meant."""
        if odd is not None:
            # The text itself is not shown: it may be a secret.
            shown = odd_characters.told(odd)
            raise self._wrong(node, f"here stands {shown}, or quotes around what is meant")

    def _no_value(self, node: yaml.ScalarNode) -> UsageError:
        return self._wrong(node, f"{node.value[:40]!r} is no value")

    def _wrong(self, node: yaml.Node, problem: str) -> UsageError:
        mark = node.start_mark
        where = f"line {self.line + mark.line + 1}, column {mark.column + 1}"
        return UsageError(f"{self.source}, {where}: {problem}")


def render(value: object, *, sort_keys: bool = True) -> str:
    """`value` as one YAML document, in block style."""
    text: str = yaml.dump(
        value,
        Dumper=_dumper(),
        sort_keys=sort_keys,
        default_flow_style=False,
        allow_unicode=True,
        width=LINE_CHARACTERS_MAX,
    )
    # What is not printable stands in double quotes: there an escape is the same value.
    return "".join(c if c == "\n" or c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


@cache
def _dumper() -> type[yaml.SafeDumper]:
    base: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    class Dumper(base):  # type: ignore[valid-type,misc]
        """Quotes as Go does: double where a plain text would be read as something else."""

        def ignore_aliases(self, data: object) -> bool:
            del data
            return True

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        style = None
        if not text.replace("\n", "").isprintable():
            style = '"'
        elif "\n" in text:
            style = "|"
        elif _means_something_else(dumper, text):
            style = '"'
        return dumper.represent_scalar(f"{_TAG}str", text, style=style)

    Dumper.add_representer(str, represent)
    return Dumper


def _means_something_else(dumper: yaml.SafeDumper, text: str) -> bool:
    """Whether a reader would take the plain `text` for a number, a truth, a date…"""
    tag: str = dumper.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return tag not in {f"{_TAG}str", f"{_TAG}yaml", f"{_TAG}value"}
