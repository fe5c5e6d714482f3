"""Every field in the body of a resource where a client writes text, or as many things as he likes.

Found by walking the schemas of the types, so that a field of tomorrow is looked at, too.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kong_mesh_cp.core.resources.kind_schemas import resource_schema
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.schema.json_schema import PREFIX, Definitions
from kong_mesh_cp.usecases.resources.kinds import KINDS
from support.specs.sound_resources import SOUND

DEPTH_MAX: Final = 14  # of members in members; what may hold its own kind has to end somewhere
KEY: Final = "*"  # the step to a key of a map

Json = Any
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a body of `type`; `filled` is a body that has a value there."""

    type: str
    path: Path
    filled: Callable[[Json], dict[str, Json]]
    elements: tuple[Json, ...] = ()  # what may be in it, if it is a list or a map
    is_map: bool = False

    def __str__(self) -> str:
        return f"{self.type}:{'.'.join(str(step) for step in self.path)}"


def text_fields(name: str) -> Iterator[Field]:
    """Each member, element, key and value of the type `name` that may be a text.

    A field is given once for each value of the choices beside it.
    """
    walk = _Walk(name)
    for path in walk.texts(walk.schema, ()):
        for choice in walk.choices(path):
            yield Field(name, path, walk.filling(path, choice))


def list_fields(name: str) -> Iterator[Field]:
    """Each list and each map of the type `name`."""
    walk = _Walk(name)
    for path in walk.lists(walk.schema, ()):
        elements = tuple(walk.elements(path))
        yield Field(name, path, walk.filling(path, {}), elements, walk.is_map(path))


class _Walk:
    def __init__(self, name: str) -> None:
        self._name = name
        definitions = Definitions()
        self.schema: Json = resource_schema(TYPES[name], KINDS[name], definitions)
        self._named = definitions.sorted()

    def texts(self, schema: Json, path: Path) -> Iterator[Path]:
        for inner_path, inner in self._all(schema, path):
            if self._is_text(inner):
                yield inner_path
            if "additionalProperties" in inner:
                yield (*inner_path, KEY)

    def lists(self, schema: Json, path: Path) -> Iterator[Path]:
        for inner_path, inner in self._all(schema, path):
            if inner.get("type") == "array" or "additionalProperties" in inner:
                yield inner_path

    def _all(self, schema: Json, path: Path) -> Iterator[tuple[Path, Json]]:
        inner = self._resolved(schema)
        yield path, inner
        if len(path) >= DEPTH_MAX:
            return
        for name, member in inner.get("properties", {}).items():
            yield from self._all(member, (*path, name))
        if "items" in inner:
            yield from self._all(inner["items"], (*path, 0))
        values = inner.get("additionalProperties")
        if values is True:
            yield (*path, "x"), {"type": "string"}
        elif values:
            yield from self._all(values, (*path, "x"))

    def _is_text(self, schema: Json) -> bool:
        kinds = [schema, *schema.get("anyOf", ())]
        return not schema or any("string" in {kind.get("type"), *_of_enum(kind)} for kind in kinds)

    def _resolved(self, schema: Json) -> Json:
        while "$ref" in schema:
            schema = {**self._named[schema["$ref"].removeprefix(PREFIX)], "$ref": None}
            del schema["$ref"]
        return schema

    def _at(self, path: Path) -> Json:
        schema = self._resolved(self.schema)
        for step in path:
            if isinstance(step, int):
                schema = schema["items"]
            elif step in schema.get("properties", {}):
                schema = schema["properties"][step]
            elif step == KEY:
                return {"type": "string"}
            else:
                schema = schema["additionalProperties"]
            schema = {} if schema is True else self._resolved(schema)
        return schema

    def choices(self, path: Path) -> Iterator[Mapping[Path, str]]:
        """Values for the choices that are made nearest to the place: they say what it is."""
        yield {}
        for length in range(len(path) - 1, 0, -1):
            beside = self._at(path[:length]).get("properties", {})
            choices = [
                {(*path[:length], name): value}
                for name, member in beside.items()
                if name != path[length]
                for value in _of_values(self._resolved(member))
            ]
            yield from choices
            if choices:
                return

    def filling(self, path: Path, choice: Mapping[Path, str]) -> Callable[[Json], Json]:
        name, row = self._name, TYPES[self._name]
        meta = {"type": name, "name": "a", **({"mesh": "default"} if row.is_mesh_scoped else {})}
        body: Json = {**meta, **copy.deepcopy(SOUND[name])}
        self._make_way(body, path)
        for inner_path, value in choice.items():
            self._set(body, inner_path, value)

        def filled(value: Json) -> Json:
            # Only the way to the place is made anew, for bodies are made by the thousand.
            self._set(body, path, value)
            return body

        return filled

    def _make_way(self, body: Json, path: Path) -> None:
        for length in range(1, len(path)):
            inside = self._get(body, path[: length - 1])
            step, least = path[length - 1], self._least(self._at(path[:length]))
            if isinstance(step, int):
                if not inside:
                    inside.append(least)
            elif not isinstance(inside.get(step), dict | list):
                inside[step] = least

    def _least(self, schema: Json) -> Json:
        """The least value that has all that is required."""
        inner = self._resolved(schema)
        if "properties" in inner:
            needed = inner.get("required", ())
            return {name: self._least(inner["properties"][name]) for name in needed}
        if inner.get("type") == "array":
            return []
        if "additionalProperties" in inner:
            return {}
        return next(iter(_of_values(inner)), _PLAIN.get(inner.get("type", ""), "x"))

    def _values(self, path: Path) -> Json:
        values = self._at(path).get("additionalProperties", {})
        return {"type": "string"} if values is True else values

    def is_map(self, path: Path) -> bool:
        return "additionalProperties" in self._at(path)

    def elements(self, path: Path) -> Iterator[Json]:
        """What the elements of the list or map at `path` may look like."""
        inside = self._at(path)
        yield self._least(inside["items"] if "items" in inside else self._values(path))
        yield from self._sound(path)
        yield from (None, {}, "x")

    def _sound(self, path: Path) -> Iterator[Json]:
        body: Json = SOUND[self._name]
        for step in path:
            known = step in body if isinstance(body, dict) else body and step == 0
            if not known:
                return
            body = body[step]
        yield from itertools.islice(body.values() if isinstance(body, dict) else body, 1)

    def _get(self, body: Json, path: Path) -> Json:
        for step in path:
            body = body[step]
        return body

    def _set(self, body: Json, path: Path, value: Json) -> None:
        inside = self._get(body, path[:-1])
        if path[-1] == KEY:
            inside.clear()
            inside[value] = self._least(self._values(path[:-1]))
        elif isinstance(path[-1], int) and not inside:
            inside.append(value)
        else:
            inside[path[-1]] = value


_PLAIN: Final[Mapping[str, Json]] = {"integer": 1, "number": 1, "boolean": True, "string": "x"}


def _of_enum(schema: Json) -> set[str]:
    return {"string"} if any(isinstance(value, str) for value in schema.get("enum", ())) else set()


def _of_values(schema: Json) -> Iterator[str]:
    for kind in (schema, *schema.get("anyOf", ())):
        yield from (value for value in kind.get("enum", ()) if isinstance(value, str))
