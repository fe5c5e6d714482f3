"""YAML as Kubernetes' tools read and write it: JSON values only, keys sorted, Go's quoting.

PyYAML is imported by the first call: half of the commands never see YAML.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.lazy_import import lazy_import
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
_TAG: Final = "tag:yaml.org,2002:"
_TOO_DEEP_FOR_LIBYAML: Final = "exceeded maximum nesting depth"  # from PyYAML 6.0.4 on
_MERGE: Final = f"{_TAG}merge"
_TEXTS: Final = frozenset({f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}value"})
_SCALARS: Final = frozenset({f"{_TAG}{name}" for name in ("null", "bool", "int", "float")})
_NUMBERS: Final = frozenset({f"{_TAG}int", f"{_TAG}float"})
_KNOWN: Final = _TEXTS | _SCALARS | {f"{_TAG}map", f"{_TAG}seq"}


def parse_documents(text: str, source: str) -> list[object]:
    """The JSON values of a YAML stream, empty documents left out. JSON is YAML too.

    Timestamps stay texts. Raises: UsageError naming `source`, line and column.
    """
    reader = _Reader(source)
    try:
        # Nodes, not values: they know their place, and aliases are not written out yet.
        nodes = yaml.compose_all(text, Loader=_loader())
        return [value for node in nodes if (value := reader.value(node, 0)) is not None]
    except yaml.YAMLError as error:
        if getattr(error, "problem", None) == _TOO_DEEP_FOR_LIBYAML:
            raise _too_deep(source) from None
        raise UsageError(f"{source} is not YAML: {_problem(error)}") from None
    except RecursionError:
        raise _too_deep(source) from None


def _too_deep(source: str) -> UsageError:
    return UsageError(f"{source} is nested more than {DEPTH_MAX} levels deep")


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


def _problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else problem


class _Reader:
    """Turns nodes into JSON values, within limits, and refuses what JSON has no word for."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._values = 0
        self._constructor = constructor.SafeConstructor()

    def value(self, node: yaml.Node | None, depth: int) -> object:
        self._values += 1
        if self._values > VALUES_MAX:
            raise UsageError(f"{self._source} holds more than {VALUES_MAX} values")
        if depth > DEPTH_MAX:
            raise _too_deep(self._source)
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

    def _no_value(self, node: yaml.ScalarNode) -> UsageError:
        return self._wrong(node, f"{node.value[:40]!r} is no value")

    def _wrong(self, node: yaml.Node, problem: str) -> UsageError:
        mark = node.start_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}"
        return UsageError(f"{self._source}, {where}: {problem}")


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
