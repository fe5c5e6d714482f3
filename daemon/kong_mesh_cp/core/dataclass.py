"""`dataclass` of the standard library, for frozen classes, made in a fraction of its time.

The original writes and compiles six methods for each class, which was half of what importing this
program's modules takes: there are hundreds of such classes. Here all classes share `__eq__`,
`__hash__`, `__repr__`, `__setattr__` and `__delattr__`, which look at the fields of the class when
they are asked, and `__init__` is compiled at a class's first instance: most classes have none in
most runs. All else is the original's: `fields`, `replace`, `asdict` and type checkers take the
classes for its own, but for one: what derives from such a class uses this one, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from reprlib import recursive_repr
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, Final, cast

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


def _setattr(self: object, name: str, value: object) -> None:
    _require_no_field(self, name, "assign to")
    object.__setattr__(self, name, value)


def _delattr(self: object, name: str) -> None:
    _require_no_field(self, name, "delete")
    object.__delattr__(self, name)


def _require_no_field(instance: Any, name: str, verb: str) -> None:
    """A class that is derived without being a dataclass itself may have attributes of its own."""
    kind = type(instance)
    if "__dataclass_params__" in kind.__dict__ or name in kind.__dataclass_fields__:
        raise dataclasses.FrozenInstanceError(f"cannot {verb} field {name!r}")


def _getstate(self: Any) -> list[object]:
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _setstate(self: Any, state: list[object]) -> None:
    for each, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)


_COMPARING: Final = {"__eq__": _eq, "__hash__": _hash, "__repr__": _repr}
_FREEZING: Final = {"__setattr__": _setattr, "__delattr__": _delattr}
_PICKLING: Final = {"__getstate__": _getstate, "__setstate__": _setstate}  # of slots


def _frozen(cls: type, *, eq: bool, slots: bool, kw_only: bool) -> type:
    for name, method in _COMPARING.items() if eq else ():
        # `__hash__` is None where a class has an `__eq__` of its own, as the original sees it.
        if cls.__dict__.get(name) is None:
            setattr(cls, name, method)
    for name, method in (_FREEZING | _PICKLING if slots else _FREEZING).items():
        setattr(cls, name, method)
    if cls.__doc__ is None:
        # The original would put the signature there, which takes as long as half of the rest.
        cls.__doc__ = cls.__name__
    init = "__init__" not in cls.__dict__
    made: type = dataclasses.dataclass(
        init=False, eq=False, repr=not eq, slots=slots, kw_only=kw_only, frozen=False
    )(cls)
    if init:
        _compile_at_the_first_instance(made)
    return made


def _compile_at_the_first_instance(cls: Any) -> None:
    def first(self: object, /, *args: object, **kwargs: object) -> None:
        init = _init_of(cls)
        cls.__init__ = init
        init(self, *args, **kwargs)

    cls.__init__ = first


def _init_of(cls: Any) -> Callable[..., None]:
    """What the original would compile, but that slots are set by their descriptors, which is
    faster than by `object.__setattr__`.
    """
    known: dict[str, object] = {"_set": object.__setattr__, "_absent": dataclasses.MISSING}
    fields = dataclasses.fields(cls)
    by_name = [_parameter(each) for each in fields if each.init and each.kw_only]
    parameters = [
        "self",
        *(_parameter(each) for each in fields if each.init and not each.kw_only),
        *(["*", *by_name] if by_name else []),
    ]
    body = []
    for field in fields:
        name = field.name
        known[f"_default_{name}"], known[f"_make_{name}"] = field.default, field.default_factory
        if (value := _value(field)) is None:
            continue
        descriptor = getattr(cls, name, None)
        if isinstance(descriptor, MemberDescriptorType):
            known[f"_set_{name}"] = descriptor.__set__
            body.append(f"_set_{name}(self, {value})")
        else:
            body.append(f"_set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    source = f"def __init__({', '.join(parameters)}):\n " + "\n ".join(body or ["pass"])
    exec(source, known)  # noqa: S102 (names of fields only, as the original does)
    init: Any = known["__init__"]
    init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    return cast("Callable[..., None]", init)


def _parameter(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f"{field.name}=_default_{field.name}"
    if field.default_factory is not dataclasses.MISSING:
        return f"{field.name}=_absent"
    return field.name


def _value(field: dataclasses.Field[Any]) -> str | None:
    """The expression for what a field is set to; None: a field that `__init__` leaves alone."""
    name = field.name
    if field.default_factory is not dataclasses.MISSING:
        made = f"_make_{name}()"
        return f"{made} if {name} is _absent else {name}" if field.init else made
    if field.init:
        return name
    return None if field.default is dataclasses.MISSING else f"_default_{name}"


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
