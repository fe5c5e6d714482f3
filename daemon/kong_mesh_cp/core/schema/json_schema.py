"""Named JSON Schemas that point at each other; dialect 2020-12, as OpenAPI 3.1 uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Schema = dict[str, object]

PREFIX: Final = "#/components/schemas/"


def integer(bits: int, low: int | None = None, high: int | None = None) -> Schema:
    """A whole number of `bits` with its sign, or of the part of these that is allowed."""
    return {
        "type": "integer",
        "format": f"int{bits}",
        "minimum": -(2 ** (bits - 1)) if low is None else low,
        "maximum": 2 ** (bits - 1) - 1 if high is None else high,
    }


INT32: Final = integer(32)
DURATION: Final[Schema] = {
    "type": "string",
    "pattern": r"^-?([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$",
    "description": "A duration such as `1h30m`, `5s` or `1.5s`.",
}


class Definitions:
    """Schemas by name, each made when it is pointed at for the first time."""

    def __init__(self) -> None:
        self._by_name: dict[str, Schema] = {}
        self._sources: dict[str, object] = {}

    def pointer(self, name: str, source: object, make: Callable[[], Schema]) -> Schema:
        """A reference to the schema `name`, which `make` makes of `source`.

        Raises: ValueError when another source has the name already.
        """
        # By name and not by type: the names are what clients see, and one of them can stand for one
        # schema only.
        if name not in self._sources:
            # Before it is made: a type may hold values of its own kind.
            self._sources[name] = source
            # Made once: two types that share a part point at the same schema.
            self._by_name[name] = make()
        elif self._sources[name] != source:
            raise ValueError(f"two schemas would be called {name}")
        return {"$ref": f"{PREFIX}{name}"}

    def sorted(self) -> dict[str, Schema]:
        """All of them by name."""
        return dict(sorted(self._by_name.items()))


def class_name(kind: type) -> str:
    """What the schema of a dataclass is called: its own name, behind that of its module."""
    # `Conf` alone would be 28 types: the module's name tells them apart.
    of_module = "".join(word.title() for word in kind.__module__.rpartition(".")[2].split("_"))
    own = kind.__name__
    return own if own.startswith(of_module) else f"{of_module}{own}"


def description(kind: type) -> str:
    """The first paragraph of a dataclass's docstring; "" without one."""
    text = kind.__doc__ or ""
    if text == kind.__name__ or text.startswith(f"{kind.__name__}("):
        # An unchanged docstring of dataclass is the class's signature.
        return ""  # made by `dataclass`, and of no use to a reader
    return " ".join(text.partition("\n\n")[0].split())
