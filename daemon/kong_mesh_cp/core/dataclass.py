"""`dataclass` of the standard library, for frozen classes, made in two thirds of its time.

The original writes and compiles `__eq__`, `__hash__` and `__repr__` for each class, which was a
third of what importing this program's modules takes: there are hundreds of such classes. Here all
classes share one of each, which looks at the fields of the class when it is asked. All else is the
original's: `fields`, `replace`, `asdict` and type checkers take the classes for its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, Final

Values = Callable[[Any], tuple[object, ...]]

_COMPARED: Final[dict[type, Values]] = {}  # made at the first use of a class
_HASHED: Final[dict[type, Values]] = {}


def _values(fields: list[dataclasses.Field[Any]]) -> Values:
    names = [each.name for each in fields]
    if len(names) > 1:
        return attrgetter(*names)
    return lambda instance: tuple(getattr(instance, name) for name in names)


def _compared(kind: type) -> Values:
    values = _COMPARED.get(kind)
    if values is None:
        values = _values([each for each in dataclasses.fields(kind) if each.compare])
        _COMPARED[kind] = values
    return values


def _hashed(kind: type) -> Values:
    values = _HASHED.get(kind)
    if values is None:
        fields = dataclasses.fields(kind)
        values = _values([each for each in fields if _is_hashed(each)])
        _HASHED[kind] = values
    return values


def _is_hashed(field: dataclasses.Field[Any]) -> bool:
    return field.compare if field.hash is None else field.hash


def _eq(self: object, other: object) -> object:
    kind = self.__class__
    if other.__class__ is not kind:
        return NotImplemented
    values = _compared(kind)
    return values(self) == values(other)


def _hash(self: object) -> int:
    return hash(_hashed(self.__class__)(self))


@recursive_repr()
def _repr(self: Any) -> str:
    shown = (
        f"{each.name}={getattr(self, each.name)!r}"
        for each in dataclasses.fields(self)
        if each.repr
    )
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


_SHARED: Final = {"__eq__": _eq, "__hash__": _hash, "__repr__": _repr}


def _frozen(cls: type, *, eq: bool, **given: bool) -> type:
    for name, method in _SHARED.items() if eq else ():
        # `__hash__` is None where a class has an `__eq__` of its own, as the original sees it.
        if cls.__dict__.get(name) is None:
            setattr(cls, name, method)
    if cls.__doc__ is None:
        # The original would put the signature there, which takes as long as half of the rest.
        cls.__doc__ = cls.__name__
    return dataclasses.dataclass(frozen=True, eq=False, repr=not eq, **given)(cls)


if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        *, frozen: bool = False, eq: bool = True, slots: bool = False, kw_only: bool = False
    ) -> Callable[[type], type]:
        """As the original's. It makes the classes that can change."""
        given = {"eq": eq, "slots": slots, "kw_only": kw_only}
        return partial(_frozen, **given) if frozen else dataclasses.dataclass(**given)


__all__ = ["dataclass"]
